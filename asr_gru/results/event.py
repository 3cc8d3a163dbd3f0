"""Events of streams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from asr_gru.results.transcript import Alternative, Match, Segment, written_fields
from asr_gru.results.words import Word, alternatives_field, joined_text

__all__ = ["Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """An update of the text of a stream.

    Every stream guarantees:

    * At most one segment is open at a time. Its first ``partial`` opens it and its only ``final``
      closes it; no event follows for that segment. A segment may have a ``final`` and no partials.
    * ``segment`` increases by one from segment to segment.
    * ``stable`` is a prefix of ``text`` that later events of the segment only extend; in a
      ``final`` it is the whole text.
    * The text of a ``final``, and of the first ``partial`` of a segment, is never empty.
    * After ``Stream.finish`` no segment is open.

    Attributes:
        kind: ``"partial"`` or ``"final"``.
        segment: id of the segment.
        text: the current best text of the segment.
        stable: the prefix of ``text`` that no later event changes.
        words: the words of ``text`` with times and confidences.
        start_s: start of the first word, in seconds from the start of the stream.
        end_s: end of the last word so far, in seconds from the start of the stream.
        match: the phrase or parse of a ``final``, if the vocabulary is closed. Such a stream has no
            partials, as an utterance may still turn out to be none of the phrases.
        written_words: as in ``Segment``; empty in partials.
        alternatives: the n-best list of a ``final``; empty unless requested.
    """

    kind: Literal["partial", "final"]
    segment: int
    text: str
    stable: str
    words: tuple[Word, ...]
    start_s: float
    end_s: float
    match: Match | None = None
    written_words: tuple[Word, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @property
    def written(self) -> str | None:
        """The text of a ``final`` in written form; None unless ``written=True``."""
        return joined_text(self.written_words) if self.written_words else None

    @property
    def unit(self) -> Literal["words", "phrase"]:
        """``"phrase"`` if the vocabulary was closed, otherwise ``"words"``."""
        return "phrase" if self.match else "words"

    @classmethod
    def final(cls, segment: Segment) -> Event:
        """Return the event that closes ``segment``."""
        return cls(
            kind="final",
            segment=segment.id,
            text=segment.text,
            stable=segment.text,
            words=segment.words,
            start_s=segment.start_s,
            end_s=segment.end_s,
            match=segment.match,
            written_words=segment.written_words,
            alternatives=segment.alternatives,
        )

    def shifted(self, by_s: float, segments: int = 0) -> Event:
        """Return the event as part of a longer session.

        Args:
            by_s: seconds of the session before the event's stream began.
            segments: number of segments before its first one.
        """

        # lists first: a tuple made of a generator is cut down, and CPython keeps what was cut
        def shifted(words: tuple[Word, ...]) -> tuple[Word, ...]:
            return tuple([word.shifted(by_s) for word in words])

        return replace(
            self,
            segment=self.segment + segments,
            words=shifted(self.words),
            written_words=shifted(self.written_words),
            alternatives=tuple(
                [replace(one, words=shifted(one.words)) for one in self.alternatives]
            ),
            start_s=self.start_s + by_s,
            end_s=self.end_s + by_s,
        )

    def to_segment(self) -> Segment:
        """Return the segment in its state at this event."""
        return Segment(
            id=self.segment,
            text=self.text,
            start_s=self.start_s,
            end_s=self.end_s,
            words=self.words,
            match=self.match,
            written_words=self.written_words,
            alternatives=self.alternatives,
        )

    def to_dict(self, *, words: bool = True) -> dict[str, Any]:
        """Return the JSON object of the event, with or without its words."""
        fields: dict[str, Any] = {}
        if self.written_words:
            fields["written"] = self.written
        if words:
            fields["words"] = [word.to_dict() for word in self.words]
            fields |= written_fields(self.written_words)
        return {
            "type": self.kind,
            "segment": self.segment,
            "text": self.text,
            "stable": self.stable,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            **(self.match.to_dict() if self.match else {}),
            **fields,
            **alternatives_field(self.alternatives),
        }
