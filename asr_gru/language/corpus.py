"""Texts as streams of word ids, read in one pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.errors import DataError
from asr_gru.language.dictionary import word_of
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngrams import BOS, EOS, UNK
from asr_gru.language.text_files import read_blocks, read_lines

__all__ = ["BOS_ID", "EOS_ID", "MARKS", "UNK_ID", "Corpus", "Stream", "blocks_of", "read_words"]

MARKS = (UNK, BOS, EOS)
UNK_ID, BOS_ID, EOS_ID = range(3)
"""Ids of the marks in every stream and estimated model; those of words follow."""

BETWEEN = f" {EOS} {BOS} "
MAX_WORD_LIST_BYTES = 1 << 28

Stream = npt.NDArray[np.uint32]
"""Ids of a text: each sentence is ``BOS_ID``, its words, ``EOS_ID``."""


def blocks_of(path: Path) -> Iterator[str]:
    """Yield blocks of lines of a text, or of all files of a folder in alphabetical order.

    Hidden files of a folder, such as ``.DS_Store``, are skipped.

    Raises:
        DataError: as ``read_blocks``, or the folder has no files.
    """
    paths = [path]
    if path.is_dir():
        paths = sorted(
            file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")
        )
        if not paths:
            raise DataError(f"{path}: no files; give texts with one sentence per line")
    for file in paths:
        for _, block in read_blocks(file):
            yield block


def read_words(path: Path) -> list[str]:
    """Return the distinct first words of all lines of a file: a list of words, or a lexicon.

    Comments, lines that begin with ``#`` or ``;;;``, are skipped.

    Raises:
        DataError: as ``read_lines``, or there are no words.
    """
    first = (line.split(maxsplit=1) for _, line in read_lines(path, MAX_WORD_LIST_BYTES))
    words = dict.fromkeys(word for fields in first if fields and (word := word_of(fields[0])))
    for mark in MARKS:
        words.pop(mark, None)
    if not words:
        raise DataError(f"{path}: no words; write one per line")
    return list(words)


class Corpus:
    """Texts with common word ids, which are assigned as words occur.

    Memory: four bytes per word of the texts, and about a hundred per distinct word.
    """

    def __init__(self) -> None:
        self._ids: defaultdict[str, int] = defaultdict()
        self._ids.default_factory = self._ids.__len__
        for mark in MARKS:
            self._ids[mark]
        self.texts: list[Stream] = []

    def add(self, blocks: Iterable[str], name: str) -> None:
        """Add a text as blocks of whole lines, with one sentence per line.

        Raises:
            DataError: the text has no words.
        """
        parts = [np.array([BOS_ID], np.uint32)]
        look_up = self._ids.__getitem__
        for block in blocks:
            words = block.rstrip("\n").replace("\n", BETWEEN).split()
            parts.append(np.fromiter(map(look_up, words), np.uint32, len(words)))
            parts.append(np.array([EOS_ID, BOS_ID], np.uint32))
        stream = np.concatenate(parts)[:-1]
        # Marks in the text itself become unknown words; empty sentences are dropped.
        if len(stream):
            misplaced = (stream[1:] == BOS_ID) & (stream[:-1] != EOS_ID)
            stream[1:][misplaced] = UNK_ID
            ends = stream == EOS_ID
            ends[:-1] &= stream[1:] == BOS_ID
            stream[(stream == EOS_ID) & ~ends] = UNK_ID
            empty = np.zeros(len(stream), bool)
            empty[:-1] = (stream[:-1] == BOS_ID) & (stream[1:] == EOS_ID)
            empty[1:] |= empty[:-1]
            stream = stream[~empty]
        if not len(stream):
            raise DataError(f"{name}: no words; give texts with one sentence per line")
        self.texts.append(stream)

    def choose(
        self,
        size: int,
        development: Sequence[Iterable[str]] = (),
        allowed_words: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Choose the vocabulary and map all texts to it; other words become ``<unk>``.

        The words with the highest weighted relative frequencies are chosen. The weights of the
        texts maximise the likelihood of the development texts under a mixture of unigrams
        (Venkataraman and Wang 2003); without development texts, the texts are concatenated.

        Args:
            size: maximum number of words, not counting the three marks.
            development: development texts, as blocks.
            allowed_words: candidates for the vocabulary; all words if empty.

        Returns:
            The vocabulary; the words follow the marks in alphabetical order.

        Raises:
            DataError: the development texts have no word of the texts.
        """
        counts = np.stack([np.bincount(text, minlength=len(self._ids)) for text in self.texts])
        counts[:, [BOS_ID, EOS_ID, UNK_ID]] = 0
        totals = counts.sum(axis=1, keepdims=True)
        if development:
            known = dict(self._ids)
            known_words = [
                np.array([known[w] for block in blocks for w in block.split() if w in known], int)
                for blocks in development
            ]
            if not any(map(len, known_words)):
                raise DataError(
                    "the development texts have no words that the other texts have; spell both "
                    "alike, or leave the development texts out"
                )
            smooth = (counts + 0.5) / (totals + 0.5 * counts.shape[1])
            weights = mixture_weights([smooth[:, words] for words in known_words if len(words)])
            frequencies = weights @ (counts / np.maximum(totals, 1))
        else:
            frequencies = counts.sum(axis=0) / max(1, int(totals.sum()))
        names = list(self._ids)
        if allowed_words:
            ids = {word: self._ids.get(word, UNK_ID) for word in allowed_words}
            kept = sorted(ids, key=lambda word: -frequencies[ids[word]])
            chosen = sorted(kept[:size])
        else:
            order = np.argsort(-frequencies, kind="stable")[:size]
            chosen = sorted(names[place] for place in order if frequencies[place] > 0)
        vocabulary = (*MARKS, *chosen)
        places = {word: place for place, word in enumerate(vocabulary)}
        renumbered = np.fromiter((places.get(name, UNK_ID) for name in names), np.uint32)
        for place, text in enumerate(self.texts):
            self.texts[place] = renumbered[text]
        self._ids.clear()
        return vocabulary
