"""Decoding options that clients can set, with the same limits in every protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypedDict, TypeVar

import msgspec
from msgspec import Meta

from asr_gru.errors import ConfigError, Error
from asr_gru.language import HotWordsLike, is_jsgf, parse_hot_words
from asr_gru.recognizer import DecoderChoice, Recognizer
from asr_gru.results.transcript import MAX_ALTERNATIVES
from asr_gru.server.served_stream import HotWordChange
from asr_gru.streaming.confidence_filter import MinimumConfidence

__all__ = ["DecodingRequest", "FieldError", "HotWordList", "StreamOptions", "hot_word_change"]

T = TypeVar("T")

MAX_PHRASES = 2_000
MAX_PHRASE_LENGTH = 200
"""Characters per phrase."""
MAX_GRAMMAR_LENGTH = 50_000
"""Characters."""
MAX_STATES = 40_000
"""Size of a client's grammar: three dates and numbers up to 10,000 fit in."""
MAX_UNKNOWN = 200
"""Words per list that are not in the lexicon; each takes one or two milliseconds."""
MAX_HOT_WORDS = 1_000
MAX_HOT_WORD_LENGTH = 400
"""Characters per line, including phones."""
_Line = Annotated[str, Meta(max_length=MAX_HOT_WORD_LENGTH)]
HotWordList = (
    Annotated[dict[_Line, float], Meta(max_length=MAX_HOT_WORDS)]
    | Annotated[list[_Line], Meta(max_length=MAX_HOT_WORDS)]
)
"""Weights by phrase, or lines."""


class FieldError(Exception):
    """An invalid field of a request.

    Attributes:
        field: its name.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class StreamOptions(TypedDict, total=False):
    """The options of ``Recognizer.stream`` and ``transcribe`` that clients can set."""

    decoder: DecoderChoice
    minimum_confidence: float | None
    mark_uncertain: bool
    written: bool
    alternatives: int | None


class DecodingRequest(msgspec.Struct, kw_only=True):
    """The options of ``Recognizer.stream`` by the same names; ``docs/server.md`` describes them."""

    decoder: Literal["greedy", "beam", "words", "phones"] | None = None
    phrases: (
        Annotated[
            list[Annotated[str, Meta(max_length=MAX_PHRASE_LENGTH)]],
            Meta(min_length=1, max_length=MAX_PHRASES),
        ]
        | None
    ) = None
    grammar: Annotated[str, Meta(max_length=MAX_GRAMMAR_LENGTH)] | None = None
    rejection: Annotated[float, Meta(ge=0, le=20)] | None = None
    hot_words: HotWordList | None = None
    minimum_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    mark_uncertain: bool = False
    written: bool = False
    alternatives: Annotated[int, Meta(ge=1, le=MAX_ALTERNATIVES)] | None = None

    def compile(self, recognizer: Recognizer) -> StreamOptions:
        """Return options for the recogniser; may take a second, so call it in a thread.

        Raises:
            FieldError: a field is invalid for the model, or fields exclude each other.
        """
        self._check()
        if self.written:
            _try("written", recognizer.check_written)
        return StreamOptions(
            decoder=self._decoder(recognizer),
            minimum_confidence=self.minimum_confidence,
            mark_uncertain=self.mark_uncertain,
            written=self.written,
            alternatives=self.alternatives,
        )

    def _check(self) -> None:
        """Raise FieldError if fields exclude each other."""
        closed = self.phrases is not None or self.grammar is not None
        if not closed and self.rejection is not None:
            raise FieldError(
                "rejection", "rejection applies to phrases and grammars only; send one of them"
            )
        if self.minimum_confidence is None and self.mark_uncertain:
            _try("mark_uncertain", lambda: MinimumConfidence.parse(None, mark=True))
        if not closed:
            return
        if self.phrases is not None and self.grammar is not None:
            raise FieldError("grammar", "both phrases and a grammar are given; send one of them")
        if self.hot_words is not None:
            raise FieldError(
                "hot_words",
                "hot words cannot be combined with phrases or a grammar; leave hot_words out",
            )
        if self.decoder is not None:
            raise FieldError(
                "decoder", "phrases and grammars have their own decoder; leave decoder out"
            )
        if self.minimum_confidence is not None:
            raise FieldError(
                "minimum_confidence",
                "a minimum confidence cannot be combined with phrases or a grammar; use rejection",
            )

    def _decoder(self, recognizer: Recognizer) -> DecoderChoice:
        if self.phrases is not None:
            listed = self.phrases
            return _try(
                "phrases",
                lambda: recognizer.phrase_decoder(
                    listed, rejection=self.rejection, max_unknown=MAX_UNKNOWN
                ),
            )
        if self.grammar is not None:
            text = self.grammar
            return _try("grammar", lambda: self._grammar_decoder(recognizer, text))
        chosen = _try("decoder", lambda: recognizer.decoder_for(self.decoder))
        if self.hot_words is None:
            return chosen
        return hot_word_change(recognizer, self.hot_words, chosen).decoder

    def _grammar_decoder(self, recognizer: Recognizer, text: str) -> DecoderChoice:
        if not is_jsgf(text):  # never the name of a file
            raise ConfigError("grammar: line 1, column 1: a grammar begins with '#JSGF V1.0;'")
        return recognizer.grammar_decoder(
            text, rejection=self.rejection, max_unknown=MAX_UNKNOWN, max_states=MAX_STATES
        )


def hot_word_change(
    recognizer: Recognizer, given: HotWordsLike, decoder: DecoderChoice
) -> HotWordChange:
    """Return ``decoder`` with other hot words; call it in a thread, raises FieldError."""

    def change() -> HotWordChange:
        listed = parse_hot_words(given)
        return HotWordChange(
            recognizer.decoder_with_hot_words(listed, decoder, MAX_UNKNOWN), listed
        )

    return _try("hot_words", change)


def _try(field: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except Error as error:
        raise FieldError(field, str(error)) from None
