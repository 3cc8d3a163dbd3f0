"""The result types: words, segments, transcripts, events.

``to_dict`` gives the one JSON form of each: times in seconds and confidences with three decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "Alignment",
    "Alternative",
    "Event",
    "Match",
    "Mismatch",
    "Phone",
    "Segment",
    "Transcript",
    "Word",
    "WordAlternative",
]


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone of an aligned word, or a letter of a model of letters.

    Attributes:
        text: the phone, as the model names it.
        start_s: seconds from the start of the audio.
        end_s: seconds; the start of the word's next phone.
        confidence: the model's probability of it, between 0 and 1.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return the phone as JSON shows it."""
        return {
            "text": self.text,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "confidence": round(self.confidence, 3),
        }


@dataclass(frozen=True, slots=True)
class WordAlternative:
    """A word that may have been said at the place of a recognised one.

    Attributes:
        text: the word; empty where no word may have been said there.
        probability: the sum over the alternatives of the segment that have it there.
    """

    text: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return the alternative as JSON shows it."""
        return {"text": self.text, "probability": round(self.probability, 3)}


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word.

    Attributes:
        text: the word.
        start_s: seconds from the start of the audio.
        end_s: seconds; never before ``start_s`` nor after the start of the next word.
        confidence: between 0 (a guess) and 1 (certain).
        phones: what it consists of, if it was aligned with a text.
        uncertain: whether it is below the minimum confidence, where such words are marked.
        alternatives: words that compete at its place, itself among them, the likeliest first;
            empty unless alternatives were asked for.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    phones: tuple[Phone, ...] = ()
    uncertain: bool = False
    alternatives: tuple[WordAlternative, ...] = ()

    @property
    def marked(self) -> str:
        """The word as text shows it: ``[word?]`` if it is marked as uncertain."""
        return f"[{self.text}?]" if self.uncertain else self.text

    def to_dict(self) -> dict[str, Any]:
        """Return the word as JSON shows it."""
        return {
            "text": self.text,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "confidence": round(self.confidence, 3),
            **({"uncertain": True} if self.uncertain else {}),
            **({"phones": [phone.to_dict() for phone in self.phones]} if self.phones else {}),
            **_listed(self.alternatives),
        }


@dataclass(frozen=True, slots=True)
class Match:
    """Which phrase of a list was said, or what a grammar makes of the words.

    Attributes:
        phrase: as it stands in the list; None with a grammar.
        index: its place in the list, from 0; None with a grammar.
        intent: what the grammar calls the whole; None with a list of phrases.
        slots: values that the grammar names; empty with a list of phrases.
    """

    phrase: str | None = None
    index: int | None = None
    intent: str | None = None
    slots: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON adds to a segment or an event that is a phrase."""
        if self.index is not None:
            return {"unit": "phrase", "phrase": self.phrase, "phrase_index": self.index}
        return {"unit": "phrase", "parse": {"intent": self.intent, "slots": dict(self.slots)}}


@dataclass(frozen=True, slots=True)
class Alternative:
    """One hypothesis of a segment's n-best list.

    Attributes:
        text: its words; empty where nothing was said, or no phrase that was listened for.
        words: its words with times and confidences.
        log_prob: the decoder's score of the whole hypothesis, in nats.
        probability: the score, normalised over the alternatives of the segment.
        match: which phrase it is, where closed phrases or a grammar were listened for.
    """

    text: str
    words: tuple[Word, ...]
    log_prob: float
    probability: float
    match: Match | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the alternative as JSON shows it."""
        return {
            "text": self.text,
            "log_prob": round(self.log_prob, 3),
            "probability": round(self.probability, 3),
            **(self.match.to_dict() if self.match else {}),
            "words": [word.to_dict() for word in self.words],
        }


def _listed(alternatives: tuple[Alternative, ...] | tuple[WordAlternative, ...]) -> dict[str, Any]:
    """Return what JSON says of alternatives: nothing unless they were asked for."""
    return {"alternatives": [one.to_dict() for one in alternatives]} if alternatives else {}


@dataclass(frozen=True, slots=True)
class Segment:
    """The words between two endpoints.

    Attributes:
        id: counts the segments of a stream from 0.
        text: the words, joined as the model writes them.
        start_s: start of the first word, in seconds.
        end_s: end of the last word, in seconds.
        words: the words in order.
        match: which phrase it is, where closed phrases or a grammar were listened for.
        written_words: the words as people write them, where ``written=True`` asked for them; one
            may stand for several of ``words``, as ``$25`` does, and spans their times.
        alternatives: the n-best list, whose first is the segment itself with all its words; empty
            unless it was asked for.
    """

    id: int
    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...]
    match: Match | None = None
    written_words: tuple[Word, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @classmethod
    def of(cls, id: int, words: tuple[Word, ...], match: Match | None = None) -> Segment:  # noqa: A002
        """Return the segment of ``words``, at least one, which give its text and times."""
        return cls(
            id=id,
            text=" ".join(word.marked for word in words),
            start_s=words[0].start_s,
            end_s=words[-1].end_s,
            words=words,
            match=match,
        )

    @property
    def unit(self) -> Literal["words", "phrase"]:
        """What the text is: any words, or a phrase that was listened for."""
        return "phrase" if self.match else "words"

    @property
    def written(self) -> str | None:
        """The text as people write it, if ``written=True`` asked for it."""
        return _joined(self.written_words)

    def to_dict(self) -> dict[str, Any]:
        """Return the segment as JSON shows it."""
        return {
            "id": self.id,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            **(self.match.to_dict() if self.match else {}),
            "words": [word.to_dict() for word in self.words],
            **_written(self.written_words),
            **_listed(self.alternatives),
        }


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole recording as text.

    Attributes:
        segments: in order; empty for a recording without speech.
        duration_s: length of the recording in seconds.
        warnings: faults of the recording that could be worked around, one line each.
    """

    segments: tuple[Segment, ...]
    duration_s: float
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All segments, joined by spaces."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def written(self) -> str | None:
        """All segments as people write them, if ``written=True`` asked for it."""
        parts = [segment.written for segment in self.segments if segment.written is not None]
        return " ".join(parts) if parts else None

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all segments, in order."""
        return tuple(word for segment in self.segments for word in segment.words)

    def to_dict(self, name: str = "") -> dict[str, Any]:
        """Return the transcript as JSON shows it; ``name`` is that of the recording."""
        return {
            "name": name,
            "duration_s": round(self.duration_s, 3),
            "text": self.text,
            **({} if self.written is None else {"written": self.written}),
            "segments": [segment.to_dict() for segment in self.segments],
        }

    def save(self, path: str | Path, *, name: str | None = None) -> None:
        """Write the transcript to a file, in the format that its suffix names.

        Args:
            path: ends in ``.txt``, ``.srt``, ``.vtt``, ``.json``, ``.tsv``, ``.ctm`` or
                ``.TextGrid``; an existing file is replaced.
            name: of the recording, for formats that hold it; by default the name of the file
                without its suffix.

        Raises:
            ConfigError: another suffix.
            Error: the file cannot be written.
        """
        from asr_gru.formats import save

        path = Path(path)
        save(self, path, path.stem if name is None else name)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A place where a text and its recording differ.

    Attributes:
        kind: ``"text"`` was not spoken, ``"audio"`` is not in the text, or both: ``"different"``.
        start_s: seconds; the end of the aligned word before.
        end_s: seconds; the start of the aligned word after.
        text: the words of the text that were not found.
        heard: what the recogniser heard instead.
    """

    kind: Literal["text", "audio", "different"]
    start_s: float
    end_s: float
    text: str
    heard: str

    def to_dict(self) -> dict[str, Any]:
        """Return the mismatch as JSON shows it."""
        return {
            "kind": self.kind,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            "heard": self.heard,
        }


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text with the times at which it is spoken in a recording.

    Attributes:
        transcript: the text; a segment is a sentence. Words that were not found have a confidence
            of 0 and share the time between their neighbours.
        mismatches: the places where text and recording differ, in order.
        unpronounceable: spoken words that no rule can pronounce, which were not looked for.
    """

    transcript: Transcript
    mismatches: tuple[Mismatch, ...] = ()
    unpronounceable: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of the text, in order."""
        return self.transcript.words

    def to_dict(self, name: str = "") -> dict[str, Any]:
        """Return the alignment as JSON shows it; ``name`` is that of the recording."""
        return {
            **self.transcript.to_dict(name),
            "mismatches": [mismatch.to_dict() for mismatch in self.mismatches],
            "unpronounceable": list(self.unpronounceable),
        }

    def save(self, path: str | Path, *, name: str | None = None) -> None:
        """Write the alignment as ``Transcript.save`` does; JSON holds the mismatches, too."""
        from asr_gru.formats import save

        path = Path(path)
        save(self, path, path.stem if name is None else name)


@dataclass(frozen=True, slots=True)
class Event:
    """A change of the text of a stream.

    Every stream keeps this contract:

    * One segment is open at a time. Its first ``partial`` opens it and its only ``final`` closes
      it; no event follows for that segment. A segment may consist of a ``final`` alone.
    * ``segment`` rises by one from segment to segment.
    * ``stable`` is a prefix of ``text`` that later events of the segment only extend; in a
      ``final`` it is the whole text.
    * A ``final`` is never empty, and neither is the first ``partial`` of a segment.
    * After ``Stream.finish`` no segment is open.

    Attributes:
        kind: ``"partial"`` or ``"final"``.
        segment: the id of the segment that the event belongs to.
        text: the best text for the segment so far.
        stable: the prefix of ``text`` that no later event alters.
        words: ``text`` as words with times and confidences.
        start_s: start of the first word, in seconds from the start of the stream.
        end_s: end of the last word so far, in seconds from the start of the stream.
        match: of a ``final``: which phrase it is, where closed phrases or a grammar were listened
            for. Such a stream has no partials, as what is no phrase is not to be shown.
        written_words: of a ``final``: as in ``Segment``. Partials are not written.
        alternatives: of a ``final``: its n-best list, if that was asked for.
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
        """The text of a ``final`` as people write it, if ``written=True`` asked for it."""
        return _joined(self.written_words)

    @property
    def unit(self) -> Literal["words", "phrase"]:
        """What the text is: any words, or a phrase that was listened for."""
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

    def to_segment(self) -> Segment:
        """Return the segment as this event describes it."""
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
        """Return the event as JSON shows it, with or without its words."""
        found: dict[str, Any] = {}
        if self.written_words:
            found["written"] = self.written
        if words:
            found["words"] = [word.to_dict() for word in self.words]
            found |= _written(self.written_words)
        return {
            "type": self.kind,
            "segment": self.segment,
            "text": self.text,
            "stable": self.stable,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            **(self.match.to_dict() if self.match else {}),
            **found,
            **_listed(self.alternatives),
        }


def _joined(words: tuple[Word, ...]) -> str | None:
    return " ".join(word.marked for word in words) if words else None


def _written(words: tuple[Word, ...]) -> dict[str, Any]:
    """Return what JSON adds to a segment or an event that is written."""
    if not words:
        return {}
    return {"written": _joined(words), "written_words": [word.to_dict() for word in words]}
