"""Texts as streams of word ids: one pass over each, whatever its size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.errors import DataError
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngrams import BOS, EOS, UNK
from asr_gru.language.texts import read_blocks, read_lines

__all__ = ["BOS_ID", "EOS_ID", "MARKS", "UNK_ID", "Corpus", "Stream", "blocks_of", "read_words"]

MARKS = (UNK, BOS, EOS)
UNK_ID, BOS_ID, EOS_ID = range(3)
"""Ids in every stream and estimated model; words of the vocabulary follow."""

BETWEEN = f" {EOS} {BOS} "
MAX_WORD_LIST_BYTES = 1 << 28

Stream = npt.NDArray[np.uint32]
"""Ids of a text: each sentence is ``BOS_ID``, its words, ``EOS_ID``."""


def blocks_of(path: Path) -> Iterator[str]:
    """Yield the lines of a text, or of all files of a folder in order of their names, in blocks.

    Raises:
        DataError: as ``read_blocks``, or a folder without files.
    """
    paths = [path]
    if path.is_dir():
        paths = sorted(file for file in path.iterdir() if file.is_file())
        if not paths:
            raise DataError(f"{path}: no files in it; give texts, one sentence a line")
    for file in paths:
        for _, block in read_blocks(file):
            yield block


def read_words(path: Path) -> list[str]:
    """Return the first word of each line of a file (a list of words, or a lexicon), each once.

    Raises:
        DataError: as ``read_lines``, or without words.
    """
    first = (line.split(maxsplit=1) for _, line in read_lines(path, MAX_WORD_LIST_BYTES))
    words = dict.fromkeys(fields[0] for fields in first if fields)
    for mark in MARKS:
        words.pop(mark, None)
    if not words:
        raise DataError(f"{path}: no words in it; write one on each line")
    return list(words)


class Corpus:
    """Texts over one set of word ids, which grows until a vocabulary is chosen.

    A text costs four bytes a word, and the sets of its words some hundred bytes each.
    """

    def __init__(self) -> None:
        self._ids: defaultdict[str, int] = defaultdict()
        self._ids.default_factory = self._ids.__len__
        for mark in MARKS:
            self._ids[mark]
        self.texts: list[Stream] = []

    def add(self, blocks: Iterable[str], name: str) -> None:
        """Add a text as blocks of whole lines, one sentence a line, words between white space.

        Raises:
            DataError: without words.
        """
        parts = [np.array([BOS_ID], np.uint32)]
        look_up = self._ids.__getitem__
        for block in blocks:
            words = block.rstrip("\n").replace("\n", BETWEEN).split()
            parts.append(np.fromiter(map(look_up, words), np.uint32, len(words)))
            parts.append(np.array([EOS_ID, BOS_ID], np.uint32))
        stream = np.concatenate(parts)[:-1]
        # Marks that the text itself holds are unknown words; empty sentences go.
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
            raise DataError(f"{name}: no words in it; give texts, one sentence a line")
        self.texts.append(stream)

    def choose(
        self,
        size: int,
        development: Sequence[Iterable[str]] = (),
        allowed_words: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Choose the vocabulary and renumber all texts by it; other words become ``<unk>``.

        The words with the highest mean of their relative frequencies are taken, each text with
        the weight that makes unigrams of the texts likeliest on the development texts (Venkataraman
        and Wang 2003); without these, texts count by their length.

        Args:
            size: maximum number of words, without the three marks.
            development: texts as blocks.
            allowed_words: the only words that may be chosen; all if empty.

        Returns:
            The vocabulary; the words follow the marks in alphabetical order.
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
            smooth = (counts + 0.5) / (totals + 0.5 * counts.shape[1])
            weights = mixture_weights([smooth[:, words] for words in known_words if len(words)])
            frequencies = weights @ (counts / np.maximum(totals, 1))
        else:
            frequencies = counts.sum(axis=0) / max(1, int(totals.sum()))
        names = list(self._ids)
        if allowed_words:
            ids = [self._ids.get(word, UNK_ID) for word in dict.fromkeys(allowed_words)]
            kept = sorted(
                zip(allowed_words, ids, strict=True), key=lambda pair: -frequencies[pair[1]]
            )
            chosen = sorted(word for word, _ in kept[:size])
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
