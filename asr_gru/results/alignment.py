"""Results of aligning a text with a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asr_gru.results.transcript import Transcript
from asr_gru.results.words import Word

__all__ = ["Alignment", "Mismatch"]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A passage in which a text and its recording differ.

    Attributes:
        kind: ``"text"`` if words of the text were not spoken, ``"audio"`` if spoken words are not
            in the text, ``"different"`` if both apply.
        start_s: seconds; the end of the aligned word before.
        end_s: seconds; the start of the aligned word after.
        text: the words of the text that were not found.
        heard: the words recognised instead.
    """

    kind: Literal["text", "audio", "different"]
    start_s: float
    end_s: float
    text: str
    heard: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the mismatch."""
        return {
            "kind": self.kind,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            "heard": self.heard,
        }


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text, aligned with a recording of it.

    Attributes:
        transcript: the text, one segment per sentence. Words that were not found have a confidence
            of 0 and divide the time between their neighbours.
        mismatches: the passages in which text and recording differ, in order.
        unpronounceable: words without a pronunciation, which could not be aligned.
    """

    transcript: Transcript
    mismatches: tuple[Mismatch, ...] = ()
    unpronounceable: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of the text, in order."""
        return self.transcript.words

    def to_dict(self, name: str = "") -> dict[str, Any]:
        """Return the JSON object of the alignment; ``name`` is the name of the recording."""
        return {
            **self.transcript.to_dict(name),
            "mismatches": [mismatch.to_dict() for mismatch in self.mismatches],
            "unpronounceable": list(self.unpronounceable),
        }

    def save(self, path: str | Path, *, name: str | None = None) -> None:
        """Write the alignment like ``Transcript.save``; JSON includes the mismatches."""
        from asr_gru.formats import save

        save(self, Path(path), name)
