"""N-best lists, and the alternatives of each word of the best hypothesis.

The probability of a hypothesis is its score, normalised over the list. Word alternatives are a
confusion network (Mangu, Brill, Stolcke, "Finding consensus in speech recognition: word error
minimization and other applications of confusion networks", 2000), built from the list instead of a
lattice, with one slot per word of the best hypothesis. The other hypotheses are aligned with it by
time; the probability of a word in a slot is the sum over the hypotheses that have it there.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from asr_gru.decoding.protocol import AnyDecoder, Hypothesis
from asr_gru.decoding.words import word_spans
from asr_gru.errors import ConfigError
from asr_gru.results import Alternative, Segment, Word, WordAlternative
from asr_gru.results.transcript import MAX_ALTERNATIVES

if TYPE_CHECKING:
    from asr_gru.text import Tokenizer

__all__ = [
    "check_alternatives",
    "n_best",
    "probabilities",
    "with_alternatives",
    "word_alternatives",
]

SAME_WORD = 1.0
"""Gain of a pair of equal words in an alignment, added to its overlap in time (0 to 1)."""


def check_alternatives(count: object) -> int | None:
    """Return the requested length of n-best lists; None for no list.

    Raises:
        ConfigError: not a whole number from 1 to ``MAX_ALTERNATIVES``.
    """
    if count is None:
        return None
    try:
        number = 0 if isinstance(count, bool) else operator.index(count)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if not 1 <= number <= MAX_ALTERNATIVES:
        raise ConfigError(f"alternatives is {str(count)[:40]!s}; give 1 to {MAX_ALTERNATIVES}")
    return number


def n_best(
    decoder: AnyDecoder,
    state: Any,
    best: Hypothesis,
    n: int,
    tokens: Tokenizer,
    *,
    before: int | None = None,
) -> list[Hypothesis]:
    """Return up to ``n`` hypotheses with different words, in order of score, ``best`` first.

    Args:
        decoder: the decoder.
        state: a state of the decoder.
        best: its best hypothesis, truncated at ``before``.
        n: maximum number of hypotheses.
        tokens: tokenizer, for decoders that emit only tokens.
        before: truncate hypotheses at this frame; a word across it is left out.
    """
    kept = {_texts(best, tokens): best}
    count = n
    while True:
        found = decoder.best(state, count)
        for one in found:
            if one.log_prob == -math.inf:
                continue
            whole = one if before is None else _truncate(one, before, tokens)
            kept.setdefault(_texts(whole, tokens), whole)
        if len(kept) >= n or len(found) < count:
            return [*kept.values()][:n]
        count *= 2


def _texts(hypothesis: Hypothesis, tokens: Tokenizer) -> tuple[str, ...]:
    return tuple(span.text for span in word_spans(hypothesis, tokens))


def _truncate(hypothesis: Hypothesis, before: int, tokens: Tokenizer) -> Hypothesis:
    count = sum(frame < before for frame in hypothesis.frames)
    for span in word_spans(hypothesis, tokens):
        if 0 < span.start < count < span.stop:
            count = span.start
    return hypothesis.first(count)


def probabilities(log_probs: Sequence[float]) -> list[float]:
    """Return the probabilities of hypotheses, which sum to 1."""
    highest = max(log_probs)
    masses = [math.exp(one - highest) for one in log_probs]
    total = math.fsum(masses)
    return [mass / total for mass in masses]


def with_alternatives(
    segment: Segment, found: Sequence[tuple[Hypothesis, tuple[Word, ...]]]
) -> Segment:
    """Return a segment with its n-best list, and with alternatives of each of its words.

    Args:
        segment: has the words of the first hypothesis.
        found: hypotheses and their words, the best first.
    """
    shares = probabilities([hypothesis.log_prob for hypothesis, _ in found])
    alternatives = tuple(
        Alternative(
            text=" ".join(word.text for word in words),
            words=words,
            log_prob=hypothesis.log_prob,
            probability=share,
            match=hypothesis.match,
        )
        for (hypothesis, words), share in zip(found, shares, strict=True)
    )
    slots = word_alternatives([words for _, words in found], shares)
    words = tuple(
        replace(word, alternatives=slot) for word, slot in zip(segment.words, slots, strict=True)
    )
    return replace(segment, words=words, alternatives=alternatives)


def word_alternatives(
    hypotheses: Sequence[Sequence[Word]], shares: Sequence[float]
) -> list[tuple[WordAlternative, ...]]:
    """Return the slot of each word of the first hypothesis, the most probable word first.

    A slot contains the word itself, and an empty text for hypotheses without a word there. Words of
    other hypotheses that fall between two words of the first are left out.

    Args:
        hypotheses: words with times, the best hypothesis first.
        shares: the probability of each hypothesis; they sum to 1.
    """
    best = hypotheses[0]
    masses: list[dict[str, list[float]]] = [{} for _ in best]
    for words, share in zip(hypotheses, shares, strict=True):
        for mass, word in zip(masses, _aligned(best, words), strict=True):
            mass.setdefault(word.text if word else "", []).append(share)
    return [
        tuple(
            sorted(
                (WordAlternative(text, min(1.0, math.fsum(own))) for text, own in mass.items()),
                key=lambda one: -one.probability,
            )
        )
        for mass in masses
    ]


def _aligned(best: Sequence[Word], words: Sequence[Word]) -> list[Word | None]:
    """Return the word of ``words`` aligned with each of ``best``, or None.

    The alignment is monotonic, pairs only words that overlap in time, and maximises the sum of
    ``_gain``.
    """
    if best is words:
        return [*words]
    gains = np.array([[_gain(one, other) for other in words] for one in best])
    gains = gains.reshape(len(best), len(words))
    total = np.zeros((len(best) + 1, len(words) + 1))
    for i in range(len(best)):
        for j in range(len(words)):
            total[i + 1, j + 1] = max(total[i, j] + gains[i, j], total[i, j + 1], total[i + 1, j])
    aligned: list[Word | None] = [None] * len(best)
    i, j = len(best), len(words)
    while i and j:
        if total[i, j] == total[i - 1, j]:
            i -= 1
        elif total[i, j] == total[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            aligned[i] = words[j]
    return aligned


def _gain(one: Word, other: Word) -> float:
    """Return the gain of a pair: its overlap in time relative to its union, and ``SAME_WORD``."""
    common = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    if common <= 0:
        return 0.0
    whole = max(one.end_s, other.end_s) - min(one.start_s, other.start_s)
    return common / whole + SAME_WORD * (one.text == other.text)
