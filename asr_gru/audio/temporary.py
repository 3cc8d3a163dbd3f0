"""A temporary file that decoders open by its name."""

from __future__ import annotations

import os
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["TemporaryCopy"]


class TemporaryCopy:
    """A temporary file, removed by ``close``, with this object, or when the process ends.

    Windows neither opens such a file a second time nor removes it while it is open, so it is
    closed once it is written.

    Attributes:
        path: its path.
        file: the file while it is written; to be closed before ``path`` is opened.

    Raises:
        OSError: it cannot be created.
    """

    def __init__(self, suffix: str) -> None:
        descriptor, name = tempfile.mkstemp(prefix="asr-gru-", suffix=suffix)
        self.path = Path(name)
        self.file: BinaryIO = os.fdopen(descriptor, "wb")
        self._remove = weakref.finalize(self, _remove, self.file, self.path)

    def close(self) -> None:
        """Close and remove the file."""
        self._remove()


def _remove(file: BinaryIO, path: Path) -> None:
    for end in (file.close, path.unlink):
        with suppress(OSError):
            end()
