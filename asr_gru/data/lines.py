"""Lines of text files, which may be compressed, damaged or very large."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from asr_gru.errors import DataError

__all__ = ["MAX_LINE", "MAX_LINES", "numbered_lines"]

MAX_LINE = 1_000_000
MAX_LINES = 20_000_000
REMEDY = "give a manifest (a .tsv file)"


def numbered_lines(path: Path, remedy: str = REMEDY) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 text file with their numbers, from 1, without blank lines.

    A byte order mark is skipped, line ends are removed, and ``.gz`` files are decompressed.

    Raises:
        DataError: the file is missing, not UTF-8, not gzip, or has a line of ``MAX_LINE``
            characters or more than ``MAX_LINES`` lines.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            text = io.TextIOWrapper(data, encoding="utf-8-sig", newline="\n")
            for line in iter(lambda: text.readline(MAX_LINE), ""):
                number += 1
                if len(line) == MAX_LINE:
                    raise DataError(
                        f"{path}:{number}: longer than {MAX_LINE} characters; not a manifest's line"
                    )
                if number > MAX_LINES:
                    raise DataError(f"{path}: more than {MAX_LINES} lines; split it")
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; {remedy}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path}: damaged or not gzip; compress it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; {remedy}") from None
