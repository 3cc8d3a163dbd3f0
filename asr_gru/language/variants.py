"""How often each pronunciation of a word is used, counted in aligned recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from asr_gru.language.dictionary import Entry
from asr_gru.language.lexicon import Lexicon

__all__ = ["VariantCounts", "count_variants", "weighted"]

PRIOR, PRIOR_OTHER = 2.0, 0.6
"""Added to the counts of the first pronunciation of a word and of each other one."""


@dataclass(slots=True)
class VariantCounts:
    """Counts of pronunciations.

    Attributes:
        counts: how often each word was spoken in each way.
        utterances: how many were counted.
        left_out: how many have a word that the lexicon lacks, or phones that are not those of
            their words.
    """

    counts: Counter[Entry] = field(default_factory=Counter)
    utterances: int = 0
    left_out: int = 0


def count_variants(
    lexicon: Lexicon, utterances: Iterable[tuple[Sequence[str], Sequence[str]]]
) -> VariantCounts:
    """Count the pronunciations of words in utterances whose phones are known.

    Args:
        lexicon: the pronunciations of each word.
        utterances: words and phones of each, without silence.
    """
    found = VariantCounts()
    spoken: dict[str, list[tuple[str, ...]]] = {}
    for words, phones in utterances:
        for word in words:
            if word not in spoken:
                spoken[word] = lexicon.spoken(word)
        ways = _split([spoken[word] for word in words], tuple(phones))
        if ways is None:
            found.left_out += 1
        else:
            found.utterances += 1
            found.counts.update(zip(words, ways, strict=True))
    return found


def _split(
    words: Sequence[Sequence[tuple[str, ...]]], phones: tuple[str, ...]
) -> list[tuple[str, ...]] | None:
    """Return the pronunciation of each word, which make ``phones`` together; None if none do."""
    reached: list[dict[int, tuple[str, ...]]] = [{0: ()}]  # end of each word: its pronunciation
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

    Counts are smoothed as if the first pronunciation of a word had been heard ``PRIOR`` times and
    each other one ``PRIOR_OTHER`` times.
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
