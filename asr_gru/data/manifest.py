"""Manifests of transcribed recordings, in the formats of several toolkits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from asr_gru.data.json_lines import json_lines, read_json_lines
from asr_gru.data.kaldi import TEXT, WAV_SCP, read_kaldi
from asr_gru.data.lines import numbered_lines
from asr_gru.data.tables import read_table, table_lines
from asr_gru.data.trees import find_transcripts, read_librispeech, refuse_folder
from asr_gru.data.utterance import Utterance, check_files
from asr_gru.files import write_bytes

__all__ = [
    "Utterance",
    "check_files",
    "evenly_spread",
    "name_manifests",
    "read_manifest",
    "write_manifest",
]

JSON_SUFFIXES = (".jsonl", ".json")


def read_manifest(path: str | Path, *, root: str | Path | None = None) -> list[Utterance]:
    """Read a manifest; relative paths are relative to its folder, or to ``root``.

    The format is recognised by the contents:

    - a tab-separated table with a header and without quoting. The columns ``path`` and ``text``
      are required; ``duration_s``, ``speaker``, ``source``, ``written`` and ``start_s`` (of a
      segment) are optional; other columns are ignored;
    - a list of a Common Voice release, with the recordings in its folder ``clips``;
    - JSON lines, NeMo's or lhotse's (cuts or supervisions), also compressed (``.gz``);
    - a Kaldi data directory;
    - the folder of a LibriSpeech subset.

    Relative paths that leave the folder are refused. Absolute paths are used as they are, except in
    Common Voice and LibriSpeech, which have none. No command in a manifest is ever run.

    Raises:
        DataError: the file is missing or not UTF-8, a column is missing or duplicated, a line is
            too long or does not match the format, or the folder is not a corpus.
    """
    path = Path(path)
    base = Path(root) if root is not None else None
    if path.is_dir():
        if (path / WAV_SCP).is_file() and (path / TEXT).is_file():
            return read_kaldi(path, base)
        transcripts = find_transcripts(path)
        if transcripts:
            return read_librispeech(path, transcripts)
        raise refuse_folder(path)
    lines = numbered_lines(path)
    first = next(lines, (1, ""))
    read = read_json_lines if first[1].lstrip().startswith("{") else read_table
    return read(path, chain([first], lines), base)


def write_manifest(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest; paths under its folder become relative to it.

    A file that ends in ``.jsonl`` or ``.json`` gets NeMo's JSON lines, any other a table.

    Raises:
        DataError: a field with a tab or a line break, which a table cannot hold.
    """
    path = Path(path)
    lines = json_lines if path.suffix in JSON_SUFFIXES else table_lines
    rows = lines(list(utterances), path.parent.absolute())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, "".join(f"{row}\n" for row in rows).encode())


def evenly_spread(utterances: Sequence[Utterance], limit: int) -> list[Utterance]:
    """Return ``limit`` evenly spaced utterances, or all if there are fewer."""
    count = min(limit, len(utterances))
    return [utterances[index * len(utterances) // count] for index in range(count)]


def name_manifests(paths: Sequence[str | Path]) -> list[str]:
    """Return a short name for each manifest: its stem, with folders if needed to be unique.

    The same manifest has the same name each time.
    """
    whole = [Path(path).absolute() for path in paths]
    stems = Counter(_without_suffixes(path) for path in dict.fromkeys(whole))
    plain = [
        _without_suffixes(path) if stems[_without_suffixes(path)] == 1 else path for path in whole
    ]
    names = [path.name for path in plain]
    depth = 1
    while len(set(names)) < len(set(plain)):
        depth += 1
        counts = Counter(names)
        names = [
            "/".join(path.parts[-depth:]) if counts[name] > 1 else name
            for name, path in zip(names, plain, strict=True)
        ]
    return names


def _without_suffixes(path: Path) -> Path:
    if path.is_dir():
        return path
    return path.with_suffix("").with_suffix("") if path.suffix == ".gz" else path.with_suffix("")
