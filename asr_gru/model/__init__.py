"""The acoustic model: its protocol, its configuration, its directory on disk, its ONNX runtime."""
