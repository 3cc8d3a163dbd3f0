"""What runs an acoustic model: ONNX Runtime, or torch where it is installed."""

from __future__ import annotations

from asr_gru.errors import ConfigError, MissingExtraError, ModelError, did_you_mean, is_integer
from asr_gru.model.acoustic import AcousticModel
from asr_gru.model.directory import WEIGHTS, ModelDirectory

__all__ = ["MAX_THREADS", "check_threads", "load_acoustic_model"]

MAX_THREADS = 256
"""Far more cores than a small model can use; each thread costs memory and start-up time."""


def check_threads(threads: int) -> int:
    """Return ``threads``, or raise ``ConfigError`` unless it is from 1 to ``MAX_THREADS``."""
    if not (is_integer(threads) and 1 <= threads <= MAX_THREADS):
        raise ConfigError(
            f"{str(threads)[:40]} threads; give 1 to {MAX_THREADS}, at most one per core"
        )
    return threads


def load_acoustic_model(
    directory: ModelDirectory, *, backend: str = "onnx", device: str = "cpu", threads: int = 1
) -> AcousticModel:
    """Load the acoustic model of a model directory; see ``Recognizer.load``.

    Raises:
        ConfigError: no such backend, or an impossible number of threads.
        MissingExtraError: the backend's library is not installed.
        ModelError: the directory has no weights for the backend, or there is no such device.
    """
    check_threads(threads)
    if backend == "onnx":
        from asr_gru.model.onnx import OnnxAcousticModel

        return OnnxAcousticModel(
            directory.acoustic_path, directory.info, threads=threads, device=device
        )
    if backend != "torch":
        raise ConfigError(f"no backend {backend!r}{did_you_mean(backend, ('onnx', 'torch'))}")
    try:
        from asr_gru.nn.torch_model import TorchAcousticModel
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    if WEIGHTS not in directory.config.files:
        raise ModelError(
            f"{directory.path}: has no {WEIGHTS}, which backend 'torch' needs; "
            "export the model with --weights"
        )
    return TorchAcousticModel.load(
        directory.path / WEIGHTS, directory.config.network, directory.info, device=device
    )
