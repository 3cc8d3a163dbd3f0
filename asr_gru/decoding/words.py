"""Converts hypotheses to words with times and confidences."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from asr_gru.decoding.confidence import weighted_confidence, word_confidence
from asr_gru.results import Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.decoding.protocol import Hypothesis
    from asr_gru.model.config import ConfidenceWeights
    from asr_gru.text import Tokenizer

__all__ = ["WordSpan", "WordTimes", "word_spans", "words_of"]

SOUND_S, LETTER_S = 0.16, 0.08
"""Minimum duration of a word's last token: in total, and per letter that it stands for.
``benchmarks/accuracy/word_times.py`` compares ends with those of a forced alignment."""


class WordSpan(NamedTuple):
    """A word: its text, the index of its first token and the index after its last."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class WordTimes:
    """Parameters of word times and confidences.

    Attributes:
        frame_s: seconds per frame.
        shift_s: added to all times; negative, for the look-ahead and the delay of CTC.
        temperature: see ``word_confidence``.
        confidence: weights for words of the tree search; None uses the temperature.
    """

    frame_s: float
    shift_s: float = 0.0
    temperature: float = 1.0
    confidence: ConfidenceWeights | None = None

    def seconds(self, frame: int) -> float:
        """Return the start of a frame, in seconds."""
        return frame * self.frame_s + self.shift_s


def word_spans(hypothesis: Hypothesis, tokens: Tokenizer) -> list[WordSpan]:
    """Return the words of a hypothesis: its own, or those that its tokens spell."""
    if hypothesis.words is not None:
        return [WordSpan(word.text, word.start, word.stop) for word in hypothesis.words]
    return [WordSpan(*span) for span in tokens.word_spans(hypothesis.tokens)]


def words_of(
    hypothesis: Hypothesis,
    tokens: Tokenizer,
    times: WordTimes,
    *,
    first_frame: int = 0,
    latest_s: float = math.inf,
    known: tuple[Hypothesis, Sequence[Word]] | None = None,
) -> tuple[Word, ...]:
    """Return the words of a hypothesis.

    A word begins with the frame of its first token. As CTC emits a token in few of its frames, a
    word ends a minimum duration after the first frame of its last token, or after the token's last
    frame if that is later, but not after the start of the next word. Times are computed from
    integer frame indices, so they do not drift.

    Args:
        hypothesis: the hypothesis.
        tokens: the model's tokenizer.
        times: parameters of times and confidences.
        first_frame: frame of the stream at which the decoder started.
        latest_s: upper bound of the end of words, in seconds.
        known: an earlier hypothesis and its words, from a call with the same arguments except
            ``latest_s``; words that have not changed are reused.
    """
    spans = word_spans(hypothesis, tokens)
    words = [] if known is None else list(known[1][: _unchanged(known[0], hypothesis)])
    ends = hypothesis.ends or [frame + 1 for frame in hypothesis.frames]
    changed = spans[len(words) :]
    starts = [
        _within(times.seconds(first_frame + hypothesis.frames[first]), 0.0, latest_s)
        for _, first, _ in changed
    ]
    limits = [*starts[1:], latest_s]
    for (text, first, stop), start, limit in zip(changed, starts, limits, strict=False):
        last_s = times.seconds(first_frame + hypothesis.frames[stop - 1])
        end = max(
            times.seconds(first_frame + ends[stop - 1]),
            last_s + max(SOUND_S, LETTER_S * len(text) / (stop - first)),
        )
        words.append(
            Word(
                text=text,
                start_s=start,
                end_s=_within(end, start, limit),
                confidence=_confidence(hypothesis, len(words), (first, stop), times),
            )
        )
    return tuple(words)


def _unchanged(before: Hypothesis, after: Hypothesis) -> int:
    """Return the number of first words that are equal in all respects, for a word search.

    The end of a word depends on the start of the next one, and its confidence on that one's scores:
    it has to be the same, too.
    """
    if before.words is None or after.words is None:
        return 0
    pairs = zip(before.words, after.words, strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    if same < 2:
        return 0
    next_first = after.words[same - 1].start
    columns = ("token_log_probs", "ends")
    if before.frames[: next_first + 1] != after.frames[: next_first + 1]:
        return 0
    if any(getattr(before, c)[:next_first] != getattr(after, c)[:next_first] for c in columns):
        return 0
    return same - 1


def _confidence(
    hypothesis: Hypothesis, index: int, span: tuple[int, int], times: WordTimes
) -> float:
    is_of_tree_search = hypothesis.words is not None and hypothesis.match is None
    if times.confidence is not None and is_of_tree_search and hypothesis.words is not None:
        return weighted_confidence(times.confidence, hypothesis, index)
    return word_confidence(hypothesis.token_log_probs[slice(*span)], times.temperature)


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))
