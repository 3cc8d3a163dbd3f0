"""Corpora that are folders: LibriSpeech, and releases of Common Voice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from asr_gru.data.lines import numbered_lines
from asr_gru.data.utterance import Utterance, listing, recording_path
from asr_gru.errors import DataError

__all__ = ["find_transcripts", "read_librispeech", "refuse_folder"]

TRANSCRIPTS = "*.trans.txt"
DEPTH = 3
"""Transcripts are in ``subset/speaker/chapter`` below the root of LibriSpeech."""


def find_transcripts(folder: Path) -> list[Path]:
    """Return the transcripts below the root of LibriSpeech, a subset, a speaker or a chapter."""
    return [
        path
        for depth in range(DEPTH + 1)
        for path in sorted(folder.glob("/".join((*"*" * depth, TRANSCRIPTS))))
    ]


def read_librispeech(folder: Path, transcripts: list[Path]) -> list[Utterance]:
    """Read a subset of LibriSpeech; texts become lower case.

    Raises:
        DataError: the folder has several subsets, which must not be mixed, or a line has no text.
    """
    parts = {path.parts[-4]: path for path in transcripts if len(path.parts) >= 4}
    if len(parts) > 1:
        raise DataError(f"{folder}: several parts ({listing(sorted(parts))}); name one of them")
    source = f"librispeech-{next(iter(parts), folder.name)}"
    return [utterance for path in transcripts for utterance in _chapter(path, source)]


def _chapter(path: Path, source: str) -> Iterator[Utterance]:
    for number, line in numbered_lines(path, "download it again"):
        where = f"{path}:{number}"
        name, _, text = line.strip().partition(" ")
        if not text or "/" in name or "\\" in name:
            raise DataError(f"{where}: not a name and a text; download it again")
        yield Utterance(
            path=recording_path(f"{name}.flac", path.parent, where, absolute=False),
            text=" ".join(text.lower().split()),
            speaker=name.split("-")[0],
            source=source,
            written=text.strip(),
        )


def refuse_folder(folder: Path) -> DataError:
    """Return the error for a folder that is not a corpus; it names the lists in the folder."""
    lists = sorted(path.name for path in folder.glob("*.tsv"))
    if (folder / "clips").is_dir() and lists:
        return DataError(
            f"{folder}: a Common Voice release; give one of its lists: {listing(lists)}"
        )
    if lists:
        return DataError(f"{folder}: a folder; give one of its lists: {listing(lists)}")
    return DataError(
        f"{folder}: a folder that is neither a Kaldi data directory (wav.scp, text) nor a part of "
        "LibriSpeech (*.trans.txt); give a manifest"
    )
