"""The folder of a run, locked while a process trains in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from asr_gru.errors import ConfigError
from asr_gru.model.directory import CONFIG

__all__ = ["Run", "StopRequest", "find_model", "locked"]

LOCK = ".lock"


@dataclass(slots=True)
class StopRequest:
    """Asks a run to stop after the current step, from a signal handler or another thread.

    Attributes:
        requested: set it to stop.
        is_heeded: whether steps are being taken, so that the request will be honoured soon.
    """

    requested: bool = False
    is_heeded: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Paths and options of a run.

    Attributes:
        folder: receives checkpoint, tokens and log.
        root: paths of the configuration are relative to this folder.
        cache: decoded recordings, shared between runs.
        start_from: a run or model whose weights initialise the network, or None.
        teacher: a run or model to distil from, in place of where ``distillation.teacher`` of the
            configuration leads, or None.
        new_head: initialise the head at random and build a tokenizer from the training texts.
        save_every_s: seconds between checkpoints within an epoch.
        stop_after: stop with a checkpoint after this many steps, or None.
        minutes: train for this long, however many epochs that makes, or None.
        stop: stops the run with a checkpoint while it takes steps.
    """

    folder: Path
    root: Path
    cache: Path
    start_from: Path | None = None
    teacher: Path | None = None
    new_head: bool = False
    save_every_s: float = 120.0
    stop_after: int | None = None
    minutes: float | None = None
    stop: StopRequest = field(default_factory=StopRequest)


def find_model(name: str, root: Path) -> Path:
    """Return the run or model called ``name``: relative to ``root`` if it is there."""
    in_root = root / name
    return in_root if in_root.exists() else Path(name)


@contextmanager
def locked(folder: Path, option: str = "--run-dir") -> Iterator[None]:
    """Hold the lock of a run's folder, which is created if necessary.

    The operating system releases the lock when the process ends, however that happens.

    Args:
        folder: the folder.
        option: the option that gives another folder.

    Raises:
        ConfigError: another process trains in this folder, or it is a model directory, whose
            tokens a run would replace.
        OSError: the folder cannot be written; names it.
    """
    if (folder / CONFIG).is_file():
        raise ConfigError(f"{folder}: is a model, which a run would damage; give another {option}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, blocking=False):
            yield
    except Timeout:
        raise ConfigError(
            f"{folder}: another run is going on here; wait for it, or give another {option}"
        ) from None
