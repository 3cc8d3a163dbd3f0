"""Probabilities of pronunciations, estimated from aligned recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from asr_gru.language.dictionary import Entry
from asr_gru.language.lexicon import Lexicon

__all__ = ["VariantCounts", "count_variants", "weighted"]

PRIOR, PRIOR_OTHER = 2.0, 0.6
"""Pseudo-counts of the first pronunciation of a word, and of each other one."""


@dataclass(slots=True)
class VariantCounts:
    """Counts of pronunciations.

    Attributes:
        counts: count of each word with each pronunciation.
        utterances: number of utterances counted.
        left_out: number of utterances with a word that is not in the lexicon, or with phones that
            are not a sequence of its pronunciations.
    """

    counts: Counter[Entry] = field(default_factory=Counter)
    utterances: int = 0
    left_out: int = 0


def count_variants(
    lexicon: Lexicon, utterances: Iterable[tuple[Sequence[str], Sequence[str]]]
) -> VariantCounts:
    """Count the pronunciations of words in aligned utterances.

    Args:
        lexicon: the lexicon.
        utterances: words and phones of each utterance, without silence.
    """
    found = VariantCounts()
    known: dict[str, list[tuple[str, ...]]] = {}
    for words, phones in utterances:
        for word in words:
            if word not in known:
                known[word] = lexicon.spoken(word)
        ways = _split([known[word] for word in words], tuple(phones))
        if ways is None:
            found.left_out += 1
        else:
            found.utterances += 1
            found.counts.update(zip(words, ways, strict=True))
    return found


def _split(
    words: Sequence[Sequence[tuple[str, ...]]], phones: tuple[str, ...]
) -> list[tuple[str, ...]] | None:
    """Return pronunciations of the words that concatenate to ``phones``, or None."""
    reached: list[dict[int, tuple[str, ...]]] = [{0: ()}]  # per word: pronunciation by end
    for ways in words:
        ends: dict[int, tuple[str, ...]] = {}
        for start in reached[-1]:
            for way in ways:
                end = start + len(way)
                if phones[start:end] == way:
                    ends.setdefault(end, way)
        if not ends:
            return None
        reached.append(ends)
    end, chosen = len(phones), []
    for ends in reversed(reached[1:]):
        if end not in ends:
            return None
        chosen.append(ends[end])
        end -= len(ends[end])
    return chosen[::-1] if end == 0 else None


def weighted(lexicon: Lexicon, counts: Counter[Entry]) -> Lexicon:
    """Return the lexicon with log-probabilities relative to the most probable pronunciation.

    Counts are smoothed by adding ``PRIOR`` to the first pronunciation of a word and
    ``PRIOR_OTHER`` to each other one.
    """
    entries = list(lexicon.entries())
    first = np.diff(lexicon.spoken_words, prepend=-1) > 0
    smoothed = np.where(first, PRIOR, PRIOR_OTHER)
    smoothed += [counts[entry] for entry in entries]
    best = np.zeros(len(lexicon))
    np.maximum.at(best, lexicon.spoken_words, smoothed)
    log_probs = np.log(smoothed / best[lexicon.spoken_words])
    return Lexicon.build(
        entries, lexicon.phones, dict(zip(entries, log_probs.tolist(), strict=True))
    )
