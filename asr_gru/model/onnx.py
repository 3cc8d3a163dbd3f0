"""The ONNX Runtime backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_gru.errors import ModelError
from asr_gru.model.acoustic import AcousticInfo, Array, State

__all__ = ["OnnxAcousticModel"]


class OnnxAcousticModel:
    """An ``AcousticModel`` that runs an ONNX graph.

    The first input of the graph is ``samples (batch, n)``; the others are states, initially zero.
    If the graph has a fixed ``n``, samples are split into chunks of that size.
    """

    def __init__(
        self,
        graph: str | Path | bytes,
        info: AcousticInfo,
        *,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        """Load a graph from a file or its bytes.

        Raises:
            ModelError: the graph cannot be loaded or is not an acoustic model, or the device is
                not available.
        """
        self._info = info
        self._session = _session(graph, threads, device)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._names = [i.name for i in inputs]
        _check(inputs, outputs, info.vocab_size)
        self._shapes = [tuple(i.shape[1:]) for i in inputs[1:]]
        fixed = inputs[0].shape[1]
        self._chunk = fixed if isinstance(fixed, int) else 0

    @property
    def info(self) -> AcousticInfo:
        """See ``AcousticModel.info``."""
        return self._info

    def start(self, batch: int = 1) -> State:
        """See ``AcousticModel.start``."""
        return tuple(np.zeros((batch, *shape), np.float32) for shape in self._shapes)

    def step(self, samples: Array, state: State) -> tuple[Array, State]:
        """See ``AcousticModel.step``."""
        if not samples.shape[1]:
            return np.zeros((samples.shape[0], 0, self._info.vocab_size), np.float32), state
        size = self._chunk or samples.shape[1]
        rows = []
        for first in range(0, samples.shape[1], size):
            chunk = np.ascontiguousarray(samples[:, first : first + size])
            inputs = dict(zip(self._names, (chunk, *state), strict=True))
            log_probs, *after = self._session.run(None, inputs)
            state = tuple(after)
            rows.append(log_probs)
        return (rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)), state

    def finish(self, samples: Array, state: State) -> Array:
        """See ``AcousticModel.finish``."""
        info = self._info
        frames = -(-samples.shape[1] // info.frame_samples) + info.lookahead_frames
        padded = frames * info.frame_samples
        if self._chunk:
            padded = -(-padded // self._chunk) * self._chunk
        samples = np.pad(samples, ((0, 0), (0, padded - samples.shape[1])))
        return self.step(samples, state)[0][:, :frames]


def _check(inputs: Sequence[Any], outputs: Sequence[Any], tokens: int) -> None:
    """Refuse a graph that is not of this kind, before its shapes are relied on."""
    states = [i.name for i in inputs[1:]]
    named = [i.name for i in inputs[:1]] == ["samples"] and [o.name for o in outputs] == [
        "log_probs",
        *(f"next_{name}" for name in states),
    ]
    if (
        not named
        or len(inputs[0].shape) != 2
        or len(outputs[0].shape) != 3
        or not all(isinstance(size, int) for i in inputs[1:] for size in i.shape[1:])
        or any(i.type != "tensor(float)" for i in inputs)
    ):
        raise ModelError("the ONNX file is not an acoustic model of this package; export it again")
    if outputs[0].shape[2] != tokens:
        raise ModelError(
            f"the ONNX file writes {outputs[0].shape[2]} tokens where the model has {tokens}; "
            "copy the model again"
        )


def _session(graph: str | Path | bytes, threads: int, device: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    wanted = providers.get(device)
    if wanted is None:
        raise ModelError(f"no device {device!r}; there are cpu and cuda")
    if wanted not in onnxruntime.get_available_providers():
        raise ModelError("this onnxruntime has no CUDA; pip install onnxruntime-gpu, or use cpu")
    name = "the ONNX graph" if isinstance(graph, bytes) else str(graph)
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, providers=[wanted]
        )
    except Exception as error:  # noqa: BLE001  onnxruntime's own errors share no narrower class
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"{name}: cannot be loaded ({reason}); copy the model again") from None
