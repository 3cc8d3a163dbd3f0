"""The result types: words, segments, transcripts, events. Nothing else leaves the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Event", "Segment", "Transcript", "Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it was heard.

    Attributes:
        text: the word.
        start_s: its beginning, in seconds from the start of the audio.
        end_s: its end, in seconds; never before ``start_s`` nor after the next word's start.
        confidence: between 0 (a guess) and 1 (certain).
    """

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Segment:
    """What was said between two endpoints.

    Attributes:
        id: rises by one from segment to segment of a stream, from 0.
        text: the words, joined as the model writes them.
        start_s: start of the first word, in seconds.
        end_s: end of the last word, in seconds.
        words: the words in order.
    """

    id: int
    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole recording as text.

    Attributes:
        segments: what was said, in order; empty for a recording without speech.
        duration_s: length of the recording in seconds.
        warnings: what was wrong with the recording but bearable, one line each.
    """

    segments: tuple[Segment, ...]
    duration_s: float
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All segments, joined by spaces."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all segments, in order."""
        return tuple(word for segment in self.segments for word in segment.words)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a stream has to say.

    The contract, which holds for every stream:

    * one segment is open at a time; its first ``partial`` opens it, its one ``final`` closes it,
      and nothing about it is said afterwards (a segment may be a ``final`` alone);
    * ``segment`` rises by one from segment to segment;
    * ``stable`` is the beginning of ``text`` which every later event of the segment only extends;
      in a ``final`` it is the whole text;
    * a ``final`` is never empty, and neither is the first ``partial`` of a segment;
    * after ``Stream.finish`` no segment is open.

    Attributes:
        kind: ``"partial"`` or ``"final"``.
        segment: the id of the segment that the event belongs to.
        text: the best text for the segment so far.
        stable: the beginning of ``text`` that no later event alters.
        words: ``text`` as words with times and confidences.
        start_s: start of the first word, in seconds from the start of the stream.
        end_s: end of the last word so far, in seconds from the start of the stream.
    """

    kind: Literal["partial", "final"]
    segment: int
    text: str
    stable: str
    words: tuple[Word, ...]
    start_s: float
    end_s: float
