"""Checkpoints in files of limited size."""

from __future__ import annotations

from pathlib import Path

from asr_gru.files import write_bytes
from asr_gru.training.checkpoint import Checkpoint, save_checkpoint

__all__ = ["write_result"]

PART = 15 * 2**20
"""Size limit of the files of a result, in bytes."""


def write_result(state: Checkpoint, out: Path, name: str) -> None:
    """Write a checkpoint in files of at most ``PART`` bytes, ``name.pt.00`` and so on."""
    out.mkdir(parents=True, exist_ok=True)
    whole = out / f"{name}.whole"
    save_checkpoint(state, whole)
    data = whole.read_bytes()
    whole.unlink()
    for number, first in enumerate(range(0, len(data), PART)):
        write_bytes(out / f"{name}.pt.{number:02}", data[first : first + PART])
