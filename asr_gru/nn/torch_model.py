"""The torch backend: the float32 network on a CPU or GPU."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from asr_gru.errors import ModelError
from asr_gru.model.acoustic import AcousticInfo, Array, State
from asr_gru.model.net_config import NetConfig
from asr_gru.nn.net import AcousticNet, pad_to_frames

__all__ = ["TorchAcousticModel", "acoustic_info", "pack_weights"]

STEP_S = 0.2
UNREADABLE = (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile)
"""Errors of ``numpy.load`` for files that are not archives of arrays."""


def acoustic_info(net: AcousticNet) -> AcousticInfo:
    """Return the rate, step, delay and outputs of a network."""
    config = net.config
    frames = max(1, round(STEP_S * config.frontend.sample_rate / config.frame_samples))
    if config.encoder.direction == "chunked":
        frames = config.encoder.chunk_frames
    return AcousticInfo(
        sample_rate=config.frontend.sample_rate,
        frame_samples=config.frame_samples,
        step_samples=frames * config.frame_samples,
        lookahead_frames=config.encoder.delay,
        vocab_size=net.vocab_size,
        streaming=config.encoder.direction != "bi",
    )


def pack_weights(net: AcousticNet) -> dict[str, Array]:
    """Return the weights as float32 arrays by name."""
    return {name: value.numpy() for name, value in net.state_dict().items()}


class TorchAcousticModel:
    """An ``AcousticModel`` that runs an ``AcousticNet``."""

    def __init__(self, net: AcousticNet, device: str = "cpu") -> None:
        """Move ``net`` to ``device``.

        Raises:
            ModelError: torch has no such device.
        """
        try:
            self._device = torch.device(device)
            self._net = net.to(self._device).eval()
        except (RuntimeError, AssertionError) as error:
            raise ModelError(
                f"no device {device!r} for torch: {str(error).splitlines()[0]}"
            ) from None
        self._info = acoustic_info(net)

    @classmethod
    def load(
        cls, weights: Path, network: dict[str, Any], info: AcousticInfo, device: str = "cpu"
    ) -> TorchAcousticModel:
        """Load the network from ``weights.npz`` of a model directory.

        Raises:
            ModelError: the file cannot be read, or its weights do not fit the configuration.
        """
        try:
            net = AcousticNet(msgspec.convert(network, NetConfig), info.vocab_size)
            with weights.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                net.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays.files})
        except (*UNREADABLE, RuntimeError, msgspec.ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{weights}: not this model's weights ({reason})") from None
        return cls(net, device)

    @property
    def net(self) -> AcousticNet:
        """The network."""
        return self._net

    @property
    def info(self) -> AcousticInfo:
        """See ``AcousticModel.info``."""
        return self._info

    def start(self, batch: int = 1) -> State:
        """See ``AcousticModel.start``."""
        return tuple(array.cpu().numpy() for array in self._net.start(batch))

    def step(self, samples: Array, state: State) -> tuple[Array, State]:
        """See ``AcousticModel.step``."""
        with torch.inference_mode():
            moved = tuple(torch.from_numpy(array).to(self._device) for array in state)
            x = torch.from_numpy(np.ascontiguousarray(samples)).to(self._device)
            log_probs, after = self._net(x, moved)
        return log_probs.cpu().numpy(), tuple(array.cpu().numpy() for array in after)

    def finish(self, samples: Array, state: State) -> Array:
        """See ``AcousticModel.finish``."""
        padded = pad_to_frames(torch.from_numpy(samples), self._net.config).numpy()
        if not padded.shape[1]:
            return np.zeros((samples.shape[0], 0, self._info.vocab_size), np.float32)
        return self.step(padded, state)[0]
