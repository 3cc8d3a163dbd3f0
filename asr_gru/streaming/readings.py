"""What decoders read in open segments, for many streams at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from asr_gru.decoding import AnyDecoder, Hypothesis, WordSpan, word_spans
from asr_gru.results import Word

if TYPE_CHECKING:
    from asr_gru.text import Tokenizer

__all__ = ["OpenSegment", "Reading", "read_beams", "worth_showing"]


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The segment that is being spoken; ``stable`` is the beginning that will not change."""

    id: int
    text: str
    stable: str
    words: tuple[Word, ...]


class Reading(NamedTuple):
    """What the decoder reads in the open segment.

    Attributes:
        beam: the decoder's state.
        best: its best hypothesis.
        spans: the words of that.
        settled: how many of its tokens cannot change any more.
        shown: how many are likely enough to be shown.
    """

    beam: Any
    best: Hypothesis
    spans: list[WordSpan]
    settled: int
    shown: int


def read_beams(
    decoder: AnyDecoder, beams: Sequence[Any], tokenizers: Sequence[Tokenizer]
) -> list[Reading]:
    """Return the readings of many states of one decoder.

    Args:
        decoder: the decoder of all of them.
        beams: its states.
        tokenizers: gives the words of a decoder that knows none, for each state.
    """
    best = [decoder.best(beam)[0] for beam in beams]
    shown = [len(reading.tokens) for reading in best]
    worded = [place for place, reading in enumerate(best) if reading.words is not None]
    counts = decoder.shown([beams[place] for place in worded])
    for place, count in zip(worded, counts, strict=True):
        shown[place] = count
    return [
        Reading(beam, reading, word_spans(reading, tokens), decoder.settled(beam), count)
        for beam, reading, tokens, count in zip(beams, best, tokenizers, shown, strict=True)
    ]


def worth_showing(spans: Sequence[WordSpan], shown: int, before: Sequence[str]) -> int:
    """Return how many words to show.

    Args:
        spans: the words of the best hypothesis.
        shown: how many of its tokens are likely enough to be shown.
        before: the words shown so far, which stay for as long as they are the best.
    """
    likely = sum(span.stop <= shown for span in spans)
    same = itertools.takewhile(
        lambda pair: pair[0] == pair[1].text, zip(before, spans, strict=False)
    )
    return max(likely, sum(1 for _ in same))
