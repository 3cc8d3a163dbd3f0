"""Partial results: the words of open segments, computed for many streams in one call."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from asr_gru.decoding import AnyDecoder, Hypothesis, WordSpan, word_spans
from asr_gru.results import Word

if TYPE_CHECKING:
    from asr_gru.text import Tokenizer

__all__ = ["OpenSegment", "Partial", "ShownPartial", "TimedWords", "partials_of", "words_to_show"]

TimedWords = tuple[Hypothesis, tuple[Word, ...]]
"""A hypothesis and its words, with times."""


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A segment that has not ended; ``stable`` is the beginning of its text that is final."""

    id: int
    text: str
    stable: str
    words: tuple[Word, ...]


class Partial(NamedTuple):
    """The most probable hypothesis of an open segment.

    Attributes:
        beam: state of the decoder.
        best: its most probable hypothesis.
        spans: words of the hypothesis.
        settled: number of its tokens that can no longer change.
        shown: number of its tokens that are probable enough to be shown.
        key: value of the decoder's ``words_key`` for the state.
    """

    beam: Any
    best: Hypothesis
    spans: list[WordSpan]
    settled: int
    shown: int
    key: object | None


def partials_of(
    decoder: AnyDecoder, beams: Sequence[Any], tokenizers: Sequence[Tokenizer]
) -> list[Partial]:
    """Return the partial results of many states of one decoder.

    Args:
        decoder: the decoder.
        beams: states of the decoder.
        tokenizers: tokenizer of each state, for decoders that emit only tokens.
    """
    found = decoder.partials(beams)
    return [
        Partial(
            beam,
            one.hypothesis,
            word_spans(one.hypothesis, tokenizer),
            decoder.settled(beam),
            one.shown,
            decoder.words_key(beam),
        )
        for beam, one, tokenizer in zip(beams, found, tokenizers, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class ShownPartial:
    """What the partials of an open segment have shown.

    Attributes:
        is_certain: whether the segment is certain to contain a word.
        words: the words shown.
        text: the text and its stable part.
        key: ``words_key`` of the decoder's state if all words of the best hypothesis are shown.
        beam: the newest state of the decoder known to have this key.
        timed: the best hypothesis and its words.
    """

    is_certain: bool = False
    words: tuple[str, ...] = ()
    text: tuple[str, str] = ("", "")
    key: object | None = None
    beam: Any = None
    timed: TimedWords | None = None

    def after(self, partial: Partial) -> tuple[ShownPartial, int]:
        """Return what is shown of a partial that is certain to have words, and how many words."""
        spans = partial.spans
        whole = sum(
            span.stop < partial.settled + (partial.best.words is not None) for span in spans
        )
        count = max(whole, words_to_show(spans, partial.shown, self.words))
        if not count:
            return replace(self, is_certain=True), 0
        words = tuple([span.text for span in spans[:count]])
        text = " ".join(words), " ".join(words[:whole])
        key = partial.key if count == len(spans) else None
        return replace(self, is_certain=True, words=words, text=text, key=key), count

    def without_cache(self) -> ShownPartial:
        """Return it without what depends on the decoder."""
        return replace(self, key=None, beam=None, timed=None)


def words_to_show(spans: Sequence[WordSpan], shown: int, before: Sequence[str]) -> int:
    """Return how many words to show.

    Args:
        spans: words of the best hypothesis.
        shown: number of its tokens that are probable enough to be shown.
        before: words shown so far; those that the best hypothesis still begins with remain.
    """
    probable = sum(span.stop <= shown for span in spans)
    unchanged = itertools.takewhile(
        lambda pair: pair[0] == pair[1].text, zip(before, spans, strict=False)
    )
    return max(probable, sum(1 for _ in unchanged))
