"""Checkpoints: everything that a run needs to go on to the bit, written atomically."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from asr_gru.errors import ModelError
from asr_gru.files import replace_file
from asr_gru.nn.net import AcousticNet
from asr_gru.training.config import TrainConfig, parse_train_config

__all__ = ["NAME", "Checkpoint", "load_checkpoint", "net_from_checkpoint", "save_checkpoint"]

NAME = "checkpoint.pt"
UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What torch and the conversion raise for files that are cut, damaged or of another kind."""


@dataclass
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        config: of the run.
        tokens: columns of the log-probabilities.
        weights: the model's, as of the last step.
        average: their moving average, or empty.
        phones: weights of the head that names phones, or empty.
        optimiser: the optimiser's own state.
        step: steps done in all.
        number: pass under way, from 0.
        position: steps done in that pass.
        history: one row of figures for each validation.
    """

    config: TrainConfig
    tokens: int
    weights: dict[str, Tensor]
    average: dict[str, Tensor] = field(default_factory=dict)
    phones: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    number: int = 0
    position: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a crash or a full disk leaves the earlier one whole.

    Raises:
        OSError: it cannot be written, with ``path``.
    """
    values = {**vars(checkpoint), "config": msgspec.to_builtins(checkpoint.config)}
    data = io.BytesIO()  # torch hides the system's own words on a full disk behind its own
    torch.save(values, data)
    with replace_file(path) as file:
        file.write(data.getbuffer())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, tensors and plain values only (no code is run).

    Raises:
        ModelError: not there, cut, or of another kind.
    """
    if path.is_dir():
        path = path / NAME
    if not path.is_file():
        raise ModelError(f"{path}: no checkpoint here; give the folder of a training run")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        config = parse_train_config(values.pop("config"), str(path))
        return Checkpoint(config=config, **values)
    except UNREADABLE as error:
        raise ModelError(
            f"{path}: not a checkpoint of asr-gru train ({type(error).__name__})"
        ) from None


def net_from_checkpoint(checkpoint: Checkpoint) -> AcousticNet:
    """Return the model with its averaged weights, ready to recognise."""
    net = AcousticNet(checkpoint.config.net, checkpoint.tokens)
    net.load_state_dict(checkpoint.average or checkpoint.weights)
    return net.eval()
