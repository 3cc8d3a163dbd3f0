"""From a trained torch network to a model directory: ONNX graph, calibration, description."""
