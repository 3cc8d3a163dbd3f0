r"""Collect the text for the language model from git directories of public repositories.

    python -m recipes.en_small.text.collect OUT --snapshots FOLDER \
        --held-out DATA/speech/dev-*.tsv DATA/speech/test-*.tsv \
        --recordings DATA/speech/train.tsv DATA/speech/more/more.tsv

Writes OUT/NAME.txt for each source and OUT/recordings.txt, one normalised clause per line, and
OUT/sources.tsv with words, lines and what the leak control left out. Snapshots lie in
FOLDER/OWNER+NAME/repo or FOLDER/OWNER+NAME/repo/.git (``git clone --bare`` or ``--mirror``).
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path

from asr_gru.data.manifest import read_manifest
from asr_gru.errors import DataError
from asr_gru.files import write_bytes
from asr_gru.language.text_files import create_text
from asr_gru.text import normalise
from recipes.command_line import one_line_errors
from recipes.en_small.text.clauses import split_clauses
from recipes.en_small.text.leaks import LeakFilter
from recipes.en_small.text.snapshot import find_snapshot, read_files
from recipes.en_small.text.sources import SOURCES, Source

__all__ = ["documents", "main", "texts", "write"]

RECORDINGS = "recordings"
UNEXPECTED = (ValueError, LookupError, TypeError, AttributeError, OSError, csv.Error)
"""What the extraction of a file of another kind raises."""
HEADER = "source\tlicence\twords\tlines\tdropped documents\tdropped lines\tseconds\n"


@dataclass
class Counts:
    """What was kept of a source, and what the leak control left out."""

    words: int = 0
    lines: int = 0
    dropped_documents: int = 0
    dropped_lines: int = 0


def documents(source: Source, snapshots: Path) -> Iterator[list[str]]:
    """Yield the normalised clauses of each file of ``source``.

    Raises:
        DataError: a repository is not there, or a file is not of the kind that is extracted.
    """
    seen: set[str] = set()
    for repository, pattern, extract in source.files:
        name, _, revision = repository.partition("@")
        try:
            git = find_snapshot(snapshots, name)
        except FileNotFoundError as error:
            raise DataError(str(error)) from None
        for path, content in read_files(git, pattern, revision or "HEAD"):
            try:
                text = extract(content)
            except UNEXPECTED as error:
                raise DataError(
                    f"{git}: {path} is not as expected ({type(error).__name__}); if it is a "
                    "pointer of Git LFS or cut short, clone the repository again"
                ) from None
            clauses = split_clauses(text)
            if not source.unique:
                yield list(clauses)
                continue
            new = [clause for clause in dict.fromkeys(clauses) if clause not in seen]
            seen.update(new)
            yield new


def texts(manifests: Sequence[Path]) -> list[str]:
    """Return the normalised texts of ``manifests`` that have words, each once."""
    utterances = chain.from_iterable(map(read_manifest, manifests))
    found = (normalise(utterance.text, "english") for utterance in utterances)
    return list(dict.fromkeys(filter(None, found)))


def write(path: Path, found: Iterable[list[str]], leaks: LeakFilter, *, whole: bool) -> Counts:
    """Write what does not leak of the documents ``found`` and return what was counted."""
    counts = Counts()
    with create_text(path) as file:
        for document in found:
            kept = leaks.clean(document, whole=whole)
            if kept is None:
                counts.dropped_documents += 1
                continue
            counts.dropped_lines += len(document) - len(kept)
            counts.lines += len(kept)
            counts.words += sum(line.count(" ") + 1 for line in kept)
            file.writelines(f"{line}\n" for line in kept)
    return counts


@one_line_errors("stopped; --only collects the sources that are missing")
def main(arguments: Sequence[str] | None = None) -> int:
    """Collect the sources that were asked for, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the texts")
    parser.add_argument(
        "--snapshots", type=Path, required=True, metavar="FOLDER", help="git directories"
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        nargs="+",
        required=True,
        metavar="MANIFEST",
        help="leave their texts out",
    )
    parser.add_argument(
        "--recordings", type=Path, nargs="+", default=[], metavar="MANIFEST", help="add their texts"
    )
    parser.add_argument(
        "--only", nargs="+", choices=[s.name for s in SOURCES], metavar="SOURCE", help="only these"
    )
    options = parser.parse_args(arguments)
    held_out = texts(options.held_out)
    leaks = LeakFilter(held_out)
    print(f"{len(held_out)} held-out texts", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    report = options.out / "sources.tsv"
    rows = dict.fromkeys([*(source.name for source in SOURCES), RECORDINGS], "")
    if report.exists():
        for row in report.read_text(encoding="utf-8").splitlines(keepends=True)[1:]:
            if row.split("\t")[0] in rows:
                rows[row.split("\t")[0]] = row

    def collect(name: str, about: str, found: Iterable[list[str]], *, whole: bool) -> None:
        start = time.monotonic()
        counts = write(options.out / f"{name}.txt", found, leaks, whole=whole)
        figures = "\t".join(map(str, astuple(counts)))
        rows[name] = f"{name}\t{about}\t{figures}\t{time.monotonic() - start:.0f}\n"
        print(rows[name], end="", flush=True)
        write_bytes(report, (HEADER + "".join(rows.values())).encode())

    if options.recordings:
        collect(RECORDINGS, "as recorded", [texts(options.recordings)], whole=False)
    for source in SOURCES:
        if not options.only or source.name in options.only:
            found = documents(source, options.snapshots)
            collect(source.name, source.licence, found, whole=source.whole)
    return 0


if __name__ == "__main__":
    sys.exit(main())
