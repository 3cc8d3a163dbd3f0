"""The folder of a run, and the lock that keeps a second run out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from asr_gru.errors import ConfigError

__all__ = ["Run", "locked"]

LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run lives.

    Attributes:
        folder: checkpoint, tokens, log.
        root: what the configuration's paths are relative to.
        cache: decoded recordings, shared between runs.
        start_from: a run or a model whose weights are the start, or None.
        new_head: take all but the head from ``start_from``, and make tokens from the texts.
        save_every_s: seconds between checkpoints within a pass.
        stop_after: steps after which to stop with a checkpoint, or None.
        minutes: time in which to train to the end, however many epochs that makes, or None.
    """

    folder: Path
    root: Path
    cache: Path
    start_from: Path | None = None
    new_head: bool = False
    save_every_s: float = 120.0
    stop_after: int | None = None
    minutes: float | None = None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, which is made if it is not there.

    The system releases it when the process ends, however that happens.

    Raises:
        ConfigError: another process trains here.
        OSError: the folder cannot be written, with its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, blocking=False):
            yield
    except Timeout:
        raise ConfigError(
            f"{folder}: another run is going on here; wait for it, or give another --run-dir"
        ) from None
