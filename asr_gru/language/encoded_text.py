"""Splits texts into sentences, and maps words to ids of a vocabulary."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asr_gru.errors import DataError
from asr_gru.language.corpus import BOS_ID, EOS_ID, MARKS, UNK_ID, Stream

__all__ = ["EncodedText", "encode_text", "split_sentences"]

END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+")
ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mrs?|ms|dr|st|prof|jr|sr|vs|e\.g|i\.e|\w)\.$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text as ids of a vocabulary.

    Attributes:
        stream: each sentence is ``BOS_ID``, its words, ``EOS_ID``.
        words: number of words.
        unknown: counts of words outside the vocabulary.
    """

    stream: Stream
    words: int
    unknown: Counter[str]


def split_sentences(line: str) -> Iterator[str]:
    """Yield the sentences of a line; abbreviations and initials do not end one."""
    start = 0
    for found in END.finditer(line):
        if not ABBREVIATION.search(line, max(0, found.start() - 8), found.start()):
            yield line[start : found.start()]
            start = found.end()
    yield line[start:]


def encode_text(sentences: Iterable[str], vocabulary: Sequence[str], name: str) -> EncodedText:
    """Return normalised sentences as ids; words outside the vocabulary become ``<unk>``.

    Raises:
        DataError: there are no words.
    """
    ids = {word: place for place, word in enumerate(vocabulary)}
    for mark in MARKS:
        del ids[mark]
    unknown: Counter[str] = Counter()
    stream, words = array("I"), 0
    for sentence in sentences:
        fields = sentence.split()
        if not fields:
            continue
        found = [ids.get(word, UNK_ID) for word in fields]
        if UNK_ID in found:
            unknown.update(w for w, place in zip(fields, found, strict=True) if place == UNK_ID)
        words += len(fields)
        stream.append(BOS_ID)
        stream.extend(found)
        stream.append(EOS_ID)
    if not words:
        raise DataError(f"{name}: no words; give texts with one sentence or paragraph per line")
    return EncodedText(np.array(stream, np.uint32), words, unknown)
