"""Partial results: the words of open segments, for many streams at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from asr_gru.decoding import AnyDecoder, Hypothesis, WordSpan, word_spans
from asr_gru.results import Word

if TYPE_CHECKING:
    from asr_gru.text import Tokenizer

__all__ = ["OpenSegment", "Partial", "count_to_show", "partials_of"]


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The segment that is being spoken; ``stable`` is the beginning that will not change."""

    id: int
    text: str
    stable: str
    words: tuple[Word, ...]


class Partial(NamedTuple):
    """The best hypothesis of an open segment.

    Attributes:
        beam: state of the decoder.
        best: its best hypothesis.
        spans: the words of that hypothesis.
        settled: number of its tokens that can no longer change.
        shown: number of its tokens that are likely enough to be shown.
        key: what the decoder's ``words_key`` returned for the state.
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
        decoder: the decoder of all of them.
        beams: its states.
        tokenizers: one per state; they give the words of decoders that emit tokens only.
    """
    best = [decoder.best(beam)[0] for beam in beams]
    shown = [len(one.tokens) for one in best]
    worded = [place for place, one in enumerate(best) if one.words is not None]
    counts = decoder.shown([beams[place] for place in worded])
    for place, count in zip(worded, counts, strict=True):
        shown[place] = count
    return [
        Partial(
            beam,
            one,
            word_spans(one, tokens),
            decoder.settled(beam),
            count,
            decoder.words_key(beam),
        )
        for beam, one, tokens, count in zip(beams, best, tokenizers, shown, strict=True)
    ]


def count_to_show(spans: Sequence[WordSpan], shown: int, before: Sequence[str]) -> int:
    """Return how many words to show.

    Args:
        spans: the words of the best hypothesis.
        shown: number of its tokens that are likely enough to be shown.
        before: the words shown so far, which stay while they begin the best hypothesis.
    """
    likely = sum(span.stop <= shown for span in spans)
    same = itertools.takewhile(
        lambda pair: pair[0] == pair[1].text, zip(before, spans, strict=False)
    )
    return max(likely, sum(1 for _ in same))
