"""Files that are written whole or not at all, and text files that are read with plain errors."""

from __future__ import annotations

import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from asr_gru.errors import DataError, Error

__all__ = ["read_text", "readable_name", "replace_file", "sync_folder", "write_bytes"]

MAX_CHARACTERS = 1 << 28
MAX_NAME_BYTES = 200
"""Bytes of the name that are kept in the name of the temporary file; systems allow 255."""


@contextmanager
def replace_file(path: str | Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a temporary file next to ``path``, which replaces it when the block ends.

    The data are flushed to the disk before the rename, so after a crash or a full disk ``path``
    holds either the old contents or the new ones. If the block raises, nothing is left behind.
    Several threads may write the same file, which then has the contents of the last one. Symbolic
    links are followed. Devices and pipes, such as ``/dev/stdout``, are written to as they are, as
    they cannot be replaced.

    Args:
        path: the file.
        mode: its permissions, less those that the process's umask takes away.

    Raises:
        OSError: with ``path`` as its ``filename``.
    """
    path = Path(path)
    if _is_device(path):
        try:
            with path.open("wb") as device:
                yield device
        except OSError as error:
            if error.filename not in (None, str(path)):
                raise
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        return
    target = Path(os.path.realpath(path))
    stem = os.fsdecode(os.fsencode(target.name)[:MAX_NAME_BYTES])
    partial = target.with_name(f".{stem}.{secrets.token_hex(4)}.partial")
    try:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(partial, flags, mode), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except OSError as error:
            if error.filename not in (None, str(partial)):
                raise
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    sync_folder(target.parent)


def write_bytes(path: str | Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a whole file; see ``replace_file``."""
    with replace_file(path, mode=mode) as file:
        file.write(data)


def readable_name(path: str | Path) -> str:
    """Return the name of a file as text that can be encoded, even if the name is not UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def read_text(
    path: str | Path,
    remedy: str,
    error: type[Error] = DataError,
    *,
    max_characters: int = MAX_CHARACTERS,
    stdin: bool = False,
) -> str:
    """Read a UTF-8 text file in bounded memory; a byte order mark is skipped.

    Args:
        path: the file.
        remedy: what to do about a file that cannot be read, such as "give a manifest".
        error: the class that is raised.
        max_characters: maximum length.
        stdin: whether ``-`` stands for the standard input.

    Raises:
        Error: an ``error`` that names the file: it is missing, unreadable, too large or not UTF-8.
    """
    path = Path(path)
    try:
        is_stdin = stdin and str(path) == "-"
        with nullcontext(sys.stdin.buffer) if is_stdin else path.open("rb") as file:
            reader = io.TextIOWrapper(file, encoding="utf-8-sig")
            try:
                text = reader.read(max_characters + 1)
            finally:
                reader.detach()
    except UnicodeDecodeError:
        raise error(f"{path}: not UTF-8 text; {remedy}") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "no such file"
        raise error(f"{str(path)[:200]}: {reason}; {remedy}") from None
    if len(text) > max_characters:
        raise error(f"{path}: longer than {max_characters} characters; {remedy}")
    return text


def _is_device(path: Path) -> bool:
    """Return whether a path is a device, a pipe or a socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def sync_folder(folder: Path) -> None:
    """Flush what was renamed in a folder to the disk, where the system can do so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
