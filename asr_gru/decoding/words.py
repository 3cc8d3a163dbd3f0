"""Tokens with frames to words with times and confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from asr_gru.decoding.confidence import word_confidence
from asr_gru.results import Word

if TYPE_CHECKING:
    from asr_gru.decoding.protocol import Hypothesis
    from asr_gru.text import Tokenizer

__all__ = ["WordSpan", "WordTimes", "word_spans", "words_of"]


class WordSpan(NamedTuple):
    """A word as tokens: its text, the position of its first token and past its last."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class WordTimes:
    """How frames become seconds.

    Attributes:
        frame_s: seconds a frame.
        shift_s: added to every time: the look-ahead and the habit of CTC to answer late are
            both negative shifts.
        temperature: see ``word_confidence``.
    """

    frame_s: float
    shift_s: float = 0.0
    temperature: float = 1.0


def word_spans(hypothesis: Hypothesis, tokens: Tokenizer) -> list[WordSpan]:
    """Return the words of a hypothesis: the decoder's own, or those that its tokens spell."""
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
) -> tuple[Word, ...]:
    """Return the words of a hypothesis.

    A word begins with the frame of its first token and ends with that of its last, though never
    after the next word's beginning. Frames are counted in whole numbers from the start of the
    audio, so times do not drift.

    Args:
        hypothesis: what was read.
        tokens: how ids become words.
        times: how frames become seconds.
        first_frame: frame of the stream at which the decoder started.
        latest_s: no word ends after.
    """
    words: list[Word] = []
    spans = word_spans(hypothesis, tokens)
    ends = hypothesis.ends or [frame + 1 for frame in hypothesis.frames]
    starts = [
        _within(_seconds(hypothesis.frames[first], first_frame, times), 0.0, latest_s)
        for _, first, _ in spans
    ]
    for index, (text, first, behind) in enumerate(spans):
        end = _seconds(ends[behind - 1], first_frame, times)
        limit = starts[index + 1] if index + 1 < len(spans) else latest_s
        words.append(
            Word(
                text=text,
                start_s=starts[index],
                end_s=_within(end, starts[index], limit),
                confidence=word_confidence(
                    hypothesis.token_log_probs[first:behind], times.temperature
                ),
            )
        )
    return tuple(words)


def _seconds(frame: int, first_frame: int, times: WordTimes) -> float:
    return (first_frame + frame) * times.frame_s + times.shift_s


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))
