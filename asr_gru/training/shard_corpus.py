"""A corpus in shards: recordings are decoded when they are needed, found by an index.

The index holds a row for each utterance in memory-mapped arrays, so a run over millions of them
starts at once and with little memory. It is built once, from all shards.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from asr_gru.audio import read_recording
from asr_gru.data.shards import ShardSample, read_member, read_shard, shard_version
from asr_gru.data.utterance import Utterance
from asr_gru.errors import DataError
from asr_gru.files import replace_file, write_bytes
from asr_gru.training.audio_cache import Corpus, Samples

__all__ = ["IndexBuilder", "ShardCorpus", "index_shards", "source_names", "source_weights"]

INDEX_VERSION = 1
NAME_ERRORS = "surrogateescape"
"""Names in a shard need not be UTF-8; texts are."""
COLUMNS = ("shard", "offset", "size", "duration_s", "source", "text_end", "name_end")


class _Utterances(Sequence[Utterance]):
    """The utterances of an index, each made when it is asked for."""

    def __init__(self, corpus: ShardCorpus) -> None:
        self._corpus = corpus

    def __len__(self) -> int:
        return len(self._corpus)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> list[Utterance]: ...
    def __getitem__(self, index: int | slice) -> Utterance | list[Utterance]:
        if isinstance(index, slice):
            return [self._corpus.utterance(i) for i in range(len(self))[index]]
        return self._corpus.utterance(range(len(self))[index])

    def __iter__(self) -> Iterator[Utterance]:
        return map(self._corpus.utterance, range(len(self)))


class ShardCorpus(Corpus):
    """The utterances of shards; texts are those of the shards, not yet normalised.

    Raises:
        ValueError, OSError, KeyError: the index is not whole.

    Attributes:
        key: digest of the shards.
        sources: number of the source of each utterance, in ``source_names``.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        facts = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.key = folder.name
        self.sample_rate = sample_rate
        self.unreadable = {Path(name): reason for name, reason in facts["unreadable"].items()}
        self.source_names: list[str] = facts["sources"]
        self._shards: list[str] = facts["shards"]
        columns = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS}
        self._shard, self._offset, self._size = (columns[name] for name in COLUMNS[:3])
        self.durations_s = columns["duration_s"]
        self.sources: npt.NDArray[np.int64] = columns["source"]
        self._text_end, self._name_end = columns["text_end"], columns["name_end"]
        self._text = np.load(folder / "text.npy", mmap_mode="r")
        self._name = np.load(folder / "name.npy", mmap_mode="r")
        self.utterances = _Utterances(self)

    def __len__(self) -> int:
        return len(self.durations_s)

    def utterance(self, index: int) -> Utterance:
        """Return one utterance; its path is that of the shard with the name in it."""
        shard = self._shards[int(self._shard[index])]
        return Utterance(
            path=Path(shard) / _slice(self._name, self._name_end, index),
            text=_slice(self._text, self._text_end, index),
            duration_s=float(self.durations_s[index]),
            source=self.source_names[int(self.sources[index])],
        )

    def samples(self, index: int) -> Samples:
        """Return utterance ``index`` as float32 in [-1, 1], shape ``(n,)``.

        Raises:
            AudioError: the recording is damaged.
            OSError: the shard cannot be read.
        """
        shard = self._shards[int(self._shard[index])]
        data = read_member(shard, int(self._offset[index]), int(self._size[index]))
        return read_recording(data, self.sample_rate)

    def duration_s(self, index: int) -> float:
        """Return the length of utterance ``index`` in seconds, as its header says."""
        return float(self.durations_s[index])


def source_names(corpus: Corpus) -> set[str]:
    """Return the names of all sources."""
    if isinstance(corpus, ShardCorpus):
        return set(corpus.source_names)
    return {utterance.source for utterance in corpus.utterances}


def source_weights(corpus: Corpus, weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Return the weight of the source of each utterance, 1 for sources without one."""
    if isinstance(corpus, ShardCorpus):
        return np.array([weights.get(name, 1.0) for name in corpus.source_names])[corpus.sources]
    return np.array([weights.get(utterance.source, 1.0) for utterance in corpus.utterances])


def _slice(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64], index: int) -> str:
    first = int(ends[index - 1]) if index else 0
    return data[first : int(ends[index])].tobytes().decode("utf-8", NAME_ERRORS)


def index_shards(
    shards: Sequence[str],
    folder: Path,
    sample_rate: int,
    on_progress: Callable[[int], None] | None = None,
) -> ShardCorpus:
    """Return the utterances of ``shards``; builds the index in ``folder`` if it is not there.

    The name of the index covers the path, size and modification time of each shard.

    Args:
        shards: paths and URLs.
        folder: folder of indices.
        sample_rate: rate of the samples, in Hz.
        on_progress: called with the number of recordings found so far.

    Raises:
        DataError: a shard is missing or damaged, or a sample has no text.
        OSError: the folder cannot be written.
    """
    digest = hashlib.sha256(str(INDEX_VERSION).encode())
    for shard in shards:
        digest.update(json.dumps(shard_version(shard)).encode())
    place = folder / f"shards-{digest.hexdigest()[:16]}"
    try:
        return ShardCorpus(place, sample_rate)
    except (OSError, ValueError, KeyError, EOFError):
        pass
    builder = IndexBuilder(shards)
    for number, shard in enumerate(shards):
        for sample in read_shard(shard):
            builder.add(number, sample)
            if on_progress is not None:
                on_progress(len(builder))
    if not len(builder):
        reason = next(iter(builder.unreadable.values()), "no recordings in the shards")
        raise DataError(f"{reason}; data.train names no other recording")
    builder.write(place)
    return ShardCorpus(place, sample_rate)


class IndexBuilder:
    """Collects the rows of an index in compact arrays."""

    def __init__(self, shards: Sequence[str]) -> None:
        self.unreadable: dict[str, str] = {}
        self._shards = list(shards)
        self._sources: dict[str, int] = {}
        self._columns: dict[str, array[Any]] = {
            name: array("d") if name == "duration_s" else array("q") for name in COLUMNS
        }
        self._text, self._name = bytearray(), bytearray()

    def __len__(self) -> int:
        return len(self._columns["offset"])

    def add(self, shard: int, sample: ShardSample) -> None:
        """Add a sample of the shard with this number."""
        if sample.error:
            self.unreadable[f"{self._shards[shard]}/{sample.name}"] = sample.error
            return
        self._text += sample.text.encode()
        self._name += sample.name.encode(errors=NAME_ERRORS)
        source = self._sources.setdefault(sample.source, len(self._sources))
        row = (shard, sample.offset, sample.size, sample.duration_s, source)
        for column, value in zip(COLUMNS, (*row, len(self._text), len(self._name)), strict=True):
            self._columns[column].append(value)

    def write(self, folder: Path) -> None:
        """Write the index; ``index.json`` comes last, so an index that has it is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, npt.NDArray[Any]] = {
            name: np.array(values) for name, values in self._columns.items()
        }
        arrays |= {
            "text": np.frombuffer(self._text, np.uint8),
            "name": np.frombuffer(self._name, np.uint8),
        }
        for name, values in arrays.items():
            with replace_file(folder / f"{name}.npy") as file:
                np.save(file, values)
        facts = {
            "shards": self._shards,
            "sources": list(self._sources),
            "unreadable": self.unreadable,
        }
        write_bytes(folder / "index.json", json.dumps(facts).encode())
