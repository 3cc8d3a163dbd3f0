"""Words, their phones, and the words that compete with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

__all__ = ["Phone", "Word", "WordAlternative", "alternatives_field", "joined_text"]


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone of an aligned word; a letter if the model's tokens are letters.

    Attributes:
        text: the phone, as in the model's token list.
        start_s: seconds from the start of the audio.
        end_s: seconds; equal to the start of the word's next phone.
        confidence: the model's probability of the phone, between 0 and 1.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the phone."""
        return _timed(self)


@dataclass(frozen=True, slots=True)
class WordAlternative:
    """A word that competes with a recognised word.

    Attributes:
        text: the word; empty if the alternative is that no word was spoken.
        probability: sum over the segment's alternatives that have the word in this position.
    """

    text: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the alternative."""
        return {"text": self.text, "probability": round(self.probability, 3)}


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word.

    Attributes:
        text: the word.
        start_s: seconds from the start of the audio.
        end_s: seconds; never before ``start_s`` nor after the start of the next word.
        confidence: between 0 (a guess) and 1 (certain).
        phones: the phones of the word; only set by alignment with a text.
        uncertain: whether the confidence is below the requested minimum (``mark_uncertain``).
        alternatives: words that compete for the same position, including this one, most probable
            first; empty unless alternatives were requested.
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
        """The word as it appears in text: ``[word?]`` if it is uncertain."""
        return f"[{self.text}?]" if self.uncertain else self.text

    def shifted(self, by_s: float) -> Word:
        """Return the word with times that are ``by_s`` seconds later."""
        return replace(
            self,
            start_s=self.start_s + by_s,
            end_s=self.end_s + by_s,
            phones=tuple(
                [
                    replace(one, start_s=one.start_s + by_s, end_s=one.end_s + by_s)
                    for one in self.phones
                ]
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the word."""
        return {
            **_timed(self),
            **({"uncertain": True} if self.uncertain else {}),
            **({"phones": [phone.to_dict() for phone in self.phones]} if self.phones else {}),
            **alternatives_field(self.alternatives),
        }


class _Listed(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


def _timed(item: Phone | Word) -> dict[str, Any]:
    """Return the JSON fields that words and phones share."""
    return {
        "text": item.text,
        "start_s": round(item.start_s, 3),
        "end_s": round(item.end_s, 3),
        "confidence": round(item.confidence, 3),
    }


def alternatives_field(alternatives: Iterable[_Listed]) -> dict[str, Any]:
    """Return the JSON field ``alternatives``, or no field if there are none."""
    listed = [alternative.to_dict() for alternative in alternatives]
    return {"alternatives": listed} if listed else {}


def joined_text(words: Iterable[Word]) -> str:
    """Return the text of words, with uncertain ones marked."""
    return " ".join(word.marked for word in words)
