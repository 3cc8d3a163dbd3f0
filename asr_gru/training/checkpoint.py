"""Checkpoints: everything a run needs to resume bit-identically, written atomically."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from asr_gru.errors import ModelError
from asr_gru.files import replace_file
from asr_gru.nn.net import AcousticNet
from asr_gru.training.config import TrainConfig
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.renamed_keys import upgrade_checkpoint

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
    struct.error,
)
"""Errors that torch and the conversion raise for truncated, damaged or foreign files."""


@dataclass
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        config: configuration of the run.
        vocab_size: number of tokens, the blank included.
        weights: state dict of the network after the last step.
        ema: exponential moving average of ``weights``, or empty.
        phone_head: state dict of the frame-wise phone head, or empty.
        optimiser: state dict of the optimiser.
        global_step: steps taken since the start of the run.
        epoch: current epoch, from 0.
        step_in_epoch: steps taken in the current epoch.
        history: metrics of each validation.
        progress: of a run limited by minutes, the fraction completed; 0 of others, and at the end.
    """

    config: TrainConfig
    vocab_size: int
    weights: dict[str, Tensor]
    ema: dict[str, Tensor] = field(default_factory=dict)
    phone_head: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    global_step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    progress: float = 0.0


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a crash or a full disk leaves the previous one intact.

    Raises:
        OSError: the file cannot be written; names ``path``.
    """
    values = {**vars(checkpoint), "config": msgspec.to_builtins(checkpoint.config)}
    data = io.BytesIO()  # torch hides the system's message about a full disk behind its own
    torch.save(values, data)
    with replace_file(path) as file:
        file.write(data.getbuffer())


def load_checkpoint(path: Path, notice: Callable[[str], None] = lambda _line: None) -> Checkpoint:
    """Load a checkpoint: tensors and plain values only, no code is executed.

    Checkpoints of earlier versions are accepted; ``notice`` then receives one line.

    Args:
        path: a checkpoint, or the folder of a run.
        notice: receives messages about outdated files.

    Raises:
        ModelError: the file is missing, truncated or not a checkpoint.
    """
    if path.is_dir():
        path = path / NAME
    if not path.is_file():
        raise ModelError(f"{path}: no checkpoint here; give the folder of a training run")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        outdated = upgrade_checkpoint(values)
        config = parse_train_config(values.pop("config"), str(path))
        checkpoint = Checkpoint(config=config, **values)
    except UNREADABLE as error:
        raise ModelError(
            f"{path}: not a checkpoint of asr-gru train ({type(error).__name__})"
        ) from None
    if outdated:
        now = ", ".join(f"{old} is now {new}" for old, new in outdated)
        notice(f"{path}: checkpoint of an earlier version: {now}")
    return checkpoint


def net_from_checkpoint(checkpoint: Checkpoint) -> AcousticNet:
    """Return the network in evaluation mode, with averaged weights if there are any."""
    net = AcousticNet(checkpoint.config.net, checkpoint.vocab_size)
    net.load_state_dict(checkpoint.ema or checkpoint.weights)
    return net.eval()
