"""Aligns the letters and phones of a dictionary by expectation maximisation.

A graphone is one or two letters with their zero to two phones (Bisani and Ney 2008). The
probabilities of graphones are estimated by EM over all segmentations of the entries into graphones
(Dempster et al. 1977); the result is the likeliest segmentation of each entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr_gru.language.dictionary import Entry

__all__ = ["Graphone", "align"]

Graphone = tuple[str, tuple[str, ...]]
"""Letters and their phones."""

Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

SHAPES = ((1, 0), (1, 1), (1, 2), (2, 1))
"""How many letters and phones a graphone may have."""
BATCH = 8192
MIN_PROB = 1e-12


@dataclass(frozen=True, slots=True)
class _Batch:
    """Entries of similar length.

    Attributes:
        rows: indices of the entries.
        letters, phones: numbers of letters and phones, ``(entries,)``.
        codes: for each shape, codes of the letters of a graphone at each letter, ``(entries,
            positions)``, and of its phones at each phone; the last code is that of graphones that
            would reach past the end.
    """

    rows: Codes
    letters: Codes
    phones: Codes
    codes: list[tuple[Codes, Codes]]


class _Aligner:
    def __init__(self, entries: Sequence[Entry], shapes: Sequence[tuple[int, int]]) -> None:
        self.alphabet = sorted({letter for word, _ in entries for letter in word})
        self.inventory = sorted({phone for _, phones in entries for phone in phones})
        self.shapes = shapes
        sizes = [(len(self.alphabet) ** a + 1, len(self.inventory) ** b + 1) for a, b in shapes]
        # Initially graphones of one letter and one phone are likelier than the rest.
        self.tables = [np.full(size, 1.0) for size in sizes]
        for table, (a, b) in zip(self.tables, shapes, strict=True):
            table /= table.size
            table *= 1.0 if (a, b) == (1, 1) else 0.2
        self._close()
        order = sorted(range(len(entries)), key=lambda row: len(entries[row][0]))
        self.batches = [
            self._batch(entries, np.array(order[first : first + BATCH]))
            for first in range(0, len(entries), BATCH)
        ]

    def _close(self) -> None:
        """Set the probability of graphones that reach past the end to zero."""
        for table in self.tables:
            table[-1] = 0
            table[:, -1] = 0

    def _batch(self, entries: Sequence[Entry], rows: Codes) -> _Batch:
        words = [entries[row] for row in rows]
        letters = np.array([len(word) for word, _ in words])
        phones = np.array([len(spoken) for _, spoken in words])
        codes = []
        for a, b in self.shapes:
            codes.append(
                (
                    _codes([word for word, _ in words], self.alphabet, a, letters.max()),
                    _codes([spoken for _, spoken in words], self.inventory, b, phones.max()),
                )
            )
        return _Batch(rows, letters, phones, codes)

    def improve(self) -> float:
        """Run one EM iteration; return the mean log-likelihood of an entry before it."""
        counts = [np.zeros_like(table) for table in self.tables]
        total, seen = 0.0, 0
        for batch in self.batches:
            forward = self._forward(batch, np.add)
            rows = np.arange(len(batch.rows))
            whole = forward[rows, batch.letters, batch.phones]
            backward = np.zeros_like(forward)
            backward[rows, batch.letters, batch.phones] = 1 / np.maximum(whole, 1e-300)
            backward[whole == 0] = 0
            for i in range(forward.shape[1] - 2, -1, -1):
                for shape, probs in self._steps(batch, i):
                    a, b = self.shapes[shape]
                    through = probs * backward[:, i + a, b:]
                    backward[:, i, : through.shape[1]] += through
                    through = through * forward[:, i, : through.shape[1]]
                    letters, phones = batch.codes[shape]
                    places = letters[:, i : i + 1] * counts[shape].shape[1] + phones
                    counts[shape] += np.bincount(
                        places.ravel(), through.ravel(), counts[shape].size
                    ).reshape(counts[shape].shape)
            total += float(np.log(whole[whole > 0]).sum())
            seen += int(np.count_nonzero(whole))
        everything = sum(float(count.sum()) for count in counts)
        self.tables = [count / everything for count in counts]
        for table in self.tables:
            table[table < MIN_PROB] = 0
        self._close()
        return total / max(1, seen)

    def _steps(self, batch: _Batch, i: int) -> Iterator[tuple[int, Doubles]]:
        """Yield the probabilities of each shape's graphones at letter ``i`` and each phone."""
        for shape, (table, (letters, phones)) in enumerate(
            zip(self.tables, batch.codes, strict=True)
        ):
            if i < letters.shape[1]:
                yield shape, table[letters[:, i : i + 1], phones]

    def _forward(self, batch: _Batch, join: np.ufunc) -> Doubles:
        """Return the probabilities of the first i letters and j phones (sum or maximum)."""
        size = len(batch.rows), int(batch.letters.max()) + 1, int(batch.phones.max()) + 1
        forward = np.zeros(size)
        forward[:, 0, 0] = 1
        for i in range(size[1] - 1):
            for shape, probs in self._steps(batch, i):
                a, b = self.shapes[shape]
                target = forward[:, i + a, b:]
                join(target, probs * forward[:, i, : probs.shape[1]], out=target)
        return forward

    def best(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Yield the index and the likeliest segmentation of each entry that has one."""
        for batch in self.batches:
            forward = self._forward(batch, np.maximum)
            steps = [dict(self._steps(batch, i)) for i in range(forward.shape[1] - 1)]
            for row, place in enumerate(batch.rows.tolist()):
                i, j = int(batch.letters[row]), int(batch.phones[row])
                if forward[row, i, j] == 0:
                    continue
                cut: list[tuple[int, int]] = []
                while i:
                    ways = [
                        (steps[i - a][shape][row, j - b] * forward[row, i - a, j - b], a, b)
                        for shape, (a, b) in enumerate(self.shapes)
                        if a <= i and b <= j
                    ]
                    _, a, b = max(ways)
                    cut.append((a, b))
                    i, j = i - a, j - b
                yield place, cut[::-1]


def _codes(
    sequences: Sequence[Sequence[str]], symbols: Sequence[str], length: int, longest: int
) -> Codes:
    """Return the code of the ``length`` symbols at each position, ``(n, positions)``.

    The highest code is that of positions past the end. For length 0 all codes are 0.
    """
    if length == 0:
        return np.zeros((len(sequences), longest + 1), np.int64)
    ids = {symbol: place for place, symbol in enumerate(symbols)}
    past = len(symbols) ** length
    single = np.full((len(sequences), longest), -1, np.int64)
    for row, sequence in enumerate(sequences):
        single[row, : len(sequence)] = [ids[symbol] for symbol in sequence]
    if length == 1:
        return np.where(single < 0, past, single)
    pairs = single[:, :-1] * len(symbols) + single[:, 1:]
    return np.where(single[:, 1:] < 0, past, pairs)


def align(
    entries: Sequence[Entry], rounds: int = 6, shapes: Sequence[tuple[int, int]] = SHAPES
) -> list[list[Graphone]]:
    """Segment the entries of a dictionary into graphones.

    Args:
        entries: words and pronunciations.
        rounds: number of EM iterations.
        shapes: allowed numbers of letters and phones of a graphone.

    Returns:
        The graphones of each entry, none for an entry that cannot be aligned (an abbreviation).
    """
    if not entries:
        return []
    aligner = _Aligner(entries, shapes)
    for _ in range(rounds):
        aligner.improve()
    found: list[list[Graphone]] = [[] for _ in entries]
    for place, cut in aligner.best():
        word, spoken = entries[place]
        i = j = 0
        for a, b in cut:
            found[place].append((word[i : i + a], tuple(spoken[j : j + b])))
            i, j = i + a, j + b
    return found
