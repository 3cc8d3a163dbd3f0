"""Segments and transcripts of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from asr_gru.results.words import Word, alternatives_field, joined_text

__all__ = ["MAX_ALTERNATIVES", "Alternative", "Match", "Segment", "Transcript", "written_fields"]

MAX_ALTERNATIVES = 20
"""Maximum length of the n-best list of a segment."""


@dataclass(frozen=True, slots=True)
class Match:
    """The recognised phrase of a list, or the parse of a sentence of a grammar.

    Attributes:
        phrase: the phrase as it is in the list; None with a grammar.
        index: index of the phrase in the list, from 0; None with a grammar.
        intent: intent of the sentence; None with a list of phrases.
        slots: slot values by name; empty with a list of phrases.
    """

    phrase: str | None = None
    index: int | None = None
    intent: str | None = None
    slots: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON fields that a match adds to a segment or event."""
        if self.index is not None:
            return {"unit": "phrase", "phrase": self.phrase, "phrase_index": self.index}
        return {"unit": "phrase", "parse": {"intent": self.intent, "slots": dict(self.slots)}}


@dataclass(frozen=True, slots=True)
class Alternative:
    """One hypothesis of a segment's n-best list.

    Attributes:
        text: the words; empty if the hypothesis is silence, or no phrase of a closed vocabulary.
        words: the words with times and confidences.
        log_prob: the decoder's score of the whole hypothesis, in nats.
        probability: the score, normalised over the segment's alternatives.
        match: the phrase or parse, if the vocabulary was closed.
    """

    text: str
    words: tuple[Word, ...]
    log_prob: float
    probability: float
    match: Match | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the alternative."""
        return {
            "text": self.text,
            "log_prob": round(self.log_prob, 3),
            "probability": round(self.probability, 3),
            **(self.match.to_dict() if self.match else {}),
            "words": [word.to_dict() for word in self.words],
        }


@dataclass(frozen=True, slots=True)
class Segment:
    """The words between two endpoints.

    Attributes:
        id: counts the segments of a stream from 0.
        text: the words, joined by spaces.
        start_s: start of the first word, in seconds.
        end_s: end of the last word, in seconds.
        words: the words in order.
        match: the phrase or parse, if the vocabulary was closed.
        written_words: the words in written form, if ``written=True``; a written word such as
            ``$25`` can replace several of ``words`` and spans their times.
        alternatives: the n-best list, starting with the segment itself and all its words; empty
            unless requested.
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
    def from_words(
        cls,
        id: int,  # noqa: A002
        words: tuple[Word, ...],
        match: Match | None = None,
    ) -> Segment:
        """Create a segment whose text and times are those of ``words`` (at least one)."""
        return cls(
            id=id,
            text=joined_text(words),
            start_s=words[0].start_s,
            end_s=words[-1].end_s,
            words=words,
            match=match,
        )

    @property
    def unit(self) -> Literal["words", "phrase"]:
        """``"phrase"`` if the vocabulary was closed, otherwise ``"words"``."""
        return "phrase" if self.match else "words"

    @property
    def written(self) -> str | None:
        """The text in written form; None unless ``written=True``."""
        return joined_text(self.written_words) if self.written_words else None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the segment."""
        return {
            "id": self.id,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            **(self.match.to_dict() if self.match else {}),
            "words": [word.to_dict() for word in self.words],
            **written_fields(self.written_words),
            **alternatives_field(self.alternatives),
        }


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of a whole recording.

    Attributes:
        segments: in order; empty for a recording without speech.
        duration_s: length of the recording in seconds.
        warnings: one line for each problem of the recording that could be worked around.
    """

    segments: tuple[Segment, ...]
    duration_s: float
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of all segments, joined by spaces."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def written(self) -> str | None:
        """The text of all segments in written form; None unless ``written=True``."""
        parts = [segment.written for segment in self.segments if segment.written is not None]
        return " ".join(parts) if parts else None

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all segments, in order."""
        return tuple(word for segment in self.segments for word in segment.words)

    def to_dict(self, name: str = "") -> dict[str, Any]:
        """Return the JSON object of the transcript; ``name`` is the name of the recording."""
        return {
            "name": name,
            "duration_s": round(self.duration_s, 3),
            "text": self.text,
            **({} if self.written is None else {"written": self.written}),
            "segments": [segment.to_dict() for segment in self.segments],
        }

    def save(self, path: str | Path, *, name: str | None = None) -> None:
        """Write the transcript to a file in the format of its suffix.

        Args:
            path: ends in ``.txt``, ``.srt``, ``.vtt``, ``.json``, ``.tsv``, ``.ctm`` or
                ``.TextGrid``; an existing file is replaced.
            name: name of the recording, for formats that contain one; the stem of ``path`` by
                default.

        Raises:
            ConfigError: the suffix is not one of these.
            Error: the file cannot be written.
        """
        from asr_gru.formats import save

        save(self, Path(path), name)


def written_fields(words: tuple[Word, ...]) -> dict[str, Any]:
    """Return the JSON fields of a written form, or none if there is no written form."""
    if not words:
        return {}
    return {"written": joined_text(words), "written_words": [word.to_dict() for word in words]}
