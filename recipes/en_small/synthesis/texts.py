"""Sentences to speak: from a manifest, or from a text file with one sentence per line."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_gru.data.manifest import read_manifest
from asr_gru.errors import DataError
from asr_gru.files import read_text
from asr_gru.text import normalise

__all__ = ["Sentence", "draw", "read_sentences"]


@dataclass(frozen=True, slots=True, order=True)
class Sentence:
    """A sentence as words to learn, and as an engine speaks it, with punctuation if it has any."""

    text: str
    written: str


def read_sentences(path: Path) -> list[Sentence]:
    """Return the sentences of two words and more, sorted, each once.

    A file is a manifest unless it ends in ``.txt``.

    Raises:
        DataError: the file cannot be read, or has no such sentence.
    """
    if path.suffix == ".txt":
        lines = [line.strip() for line in read_text(path, "give a list of sentences").splitlines()]
        sentences = {normalise(line, "english"): line for line in lines}
    else:
        texts = {normalise(utterance.text, "english") for utterance in read_manifest(path)}
        sentences = {text: text for text in texts}
    several = [Sentence(text, written) for text, written in sentences.items() if " " in text]
    if not several:
        raise DataError(f"{path}: no text of two words or more; give another list")
    return sorted(several)


def draw(sentences: Sequence[Sentence], seed: int) -> Iterator[Sentence]:
    """Yield the sentences in random order, and again in the same order, without end."""
    shuffled = list(sentences)
    random.Random(seed).shuffle(shuffled)
    return itertools.cycle(shuffled)
