"""Lines of text files that may be damaged, compressed or enormous."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from asr_gru.errors import DataError

__all__ = ["LONGEST_LINE", "MOST_LINES", "numbered_lines"]

LONGEST_LINE = 1_000_000
MOST_LINES = 20_000_000
REMEDY = "give a manifest (a .tsv file)"


def numbered_lines(path: Path, remedy: str = REMEDY) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 text, with their numbers from 1; blank lines are left out.

    A byte order mark is skipped, line ends are removed, and ``.gz`` files are decompressed.

    Raises:
        DataError: missing, not UTF-8, not gzip, a line of ``LONGEST_LINE`` characters, or more than
            ``MOST_LINES`` lines; names the file.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            text = io.TextIOWrapper(data, encoding="utf-8-sig", newline="\n")
            for line in iter(lambda: text.readline(LONGEST_LINE), ""):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise DataError(
                        f"{path}:{number}: longer than {LONGEST_LINE} characters; "
                        "not a manifest's line"
                    )
                if number > MOST_LINES:
                    raise DataError(f"{path}: more than {MOST_LINES} lines; split it")
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; {remedy}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path}: damaged or not gzip; compress it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; {remedy}") from None
