"""``/v1/stream``: the package's own streaming protocol."""

from __future__ import annotations

import asyncio
import uuid
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from asr_gru.errors import ConfigError, Error
from asr_gru.language import HotWordsLike, is_jsgf, parse_hot_words
from asr_gru.recognizer import DecoderChoice
from asr_gru.results import Event, Word
from asr_gru.results.transcript import MAX_ALTERNATIVES
from asr_gru.server.connection import Connection, bounded
from asr_gru.server.limits import RefusedError
from asr_gru.server.served_stream import HotWordChange, StreamUpdate
from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["StreamConnection"]

DTYPES = {"pcm16": "<i2", "float32": "<f4"}
MAX_PHRASES = 2_000
MAX_PHRASE_LENGTH = 200
"""Characters per phrase."""
MAX_GRAMMAR_LENGTH = 50_000
"""Characters."""
MAX_STATES = 40_000
"""Size of a client's grammar: three dates and numbers up to 10,000 fit in."""
MAX_UNKNOWN = 200
"""Words per list that the lexicon lacks; each takes one or two milliseconds."""
MAX_HOT_WORDS = 1_000
MAX_HOT_WORD_LENGTH = 400
"""Characters of a line, phones included."""
_Line = Annotated[str, Meta(max_length=MAX_HOT_WORD_LENGTH)]
_HotWordList = (
    Annotated[dict[_Line, float], Meta(max_length=MAX_HOT_WORDS)]
    | Annotated[list[_Line], Meta(max_length=MAX_HOT_WORDS)]
)
MAX_WORDS = 200
"""Longer partials come without their words."""
Mode = Literal["short", "normal", "long", "off"]


class _ClientMessage(msgspec.Struct, forbid_unknown_fields=True, tag_field="type"):
    """A text message of a client."""


class _Start(_ClientMessage, tag="start"):
    sample_rate: Annotated[int, Meta(ge=1_000, le=768_000)]
    encoding: Literal["pcm16", "float32"] = "pcm16"
    channels: Annotated[int, Meta(ge=1, le=64)] = 1
    endpoint: Mode | Annotated[float, Meta(ge=0.1, le=60)] | None = None
    decoder: Literal["greedy", "beam", "words"] | None = None
    phrases: (
        Annotated[
            list[Annotated[str, Meta(max_length=MAX_PHRASE_LENGTH)]],
            Meta(min_length=1, max_length=MAX_PHRASES),
        ]
        | None
    ) = None
    grammar: Annotated[str, Meta(max_length=MAX_GRAMMAR_LENGTH)] | None = None
    rejection: Annotated[float, Meta(ge=0, le=20)] | None = None
    hot_words: _HotWordList | None = None
    minimum_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    mark_uncertain: bool = False
    written: bool = False
    alternatives: Annotated[int, Meta(ge=1, le=MAX_ALTERNATIVES)] | None = None
    words: bool = True
    key: str | None = None


class _Endpoint(_ClientMessage, tag="endpoint"):
    mode: Mode | Annotated[float, Meta(ge=0.1, le=60)]


class _HotWords(_ClientMessage, tag="hot_words"):
    hot_words: _HotWordList


class _End(_ClientMessage, tag="end"):
    pass


class StreamConnection(Connection):
    """A client of this package's own protocol; ``docs/server.md`` describes its messages."""

    protocol = "stream"
    _start: _Start

    async def handshake(self) -> None:
        """Read the first message, check the key, open a stream."""
        message = await self.next_message()
        if isinstance(message, bytes):
            raise RefusedError("bad_message", 'the first message is text: {"type": "start", ...}')
        start = _parsed(message, _Start)
        if not (self.socket.scope["key_known"] or self.context.access.knows(start.key)):
            raise RefusedError("unauthorized", "the key is missing or wrong; send it as key")
        start.key = None
        self.admit()
        self._start = start
        rules = self.context.endpoint if start.endpoint is None else _rules(start.endpoint)
        decoder = await self._decoder(start)
        self.open_stream(
            start.sample_rate,
            rules,
            decoder=decoder,
            minimum_confidence=start.minimum_confidence,
            mark_uncertain=start.mark_uncertain,
            written=start.written,
            alternatives=start.alternatives,
        )
        info = self.context.recognizer.acoustic.info
        self.put(
            {
                "type": "ready",
                "session": uuid.uuid4().hex,
                "model": self.context.model,
                "sample_rate": start.sample_rate,
                "step_s": info.step_samples / info.sample_rate,
            }
        )

    async def _decoder(self, start: _Start) -> DecoderChoice:
        """Return the decoder of the stream; compilation runs in a thread."""
        closed = start.phrases is not None or start.grammar is not None
        if start.hot_words is not None and closed:
            raise RefusedError(
                "bad_message",
                "hot words cannot be combined with phrases or a grammar; leave hot_words out",
            )
        if not closed:
            if start.rejection is not None:
                raise RefusedError(
                    "bad_message",
                    "rejection applies to phrases and grammars only; send one of them",
                )
            if start.hot_words is None:
                return start.decoder
            return (await self._with_hot_words(start.hot_words, start.decoder)).decoder
        if start.phrases is not None and start.grammar is not None:
            raise RefusedError(
                "bad_message", "both phrases and a grammar are given; send one of them"
            )
        if start.decoder is not None:
            raise RefusedError(
                "bad_message", "phrases and grammars have their own decoder; leave decoder out"
            )
        try:
            return await asyncio.to_thread(self._compiled, start)
        except Error as error:
            raise RefusedError("bad_message", str(error)) from None

    def _compiled(self, start: _Start) -> DecoderChoice:
        recognizer = self.context.recognizer
        if start.phrases is not None:
            return recognizer.phrase_decoder(
                start.phrases, rejection=start.rejection, max_unknown=MAX_UNKNOWN
            )
        if start.grammar is None or not is_jsgf(start.grammar):  # never the name of a file
            raise ConfigError("grammar: line 1, column 1: a grammar begins with '#JSGF V1.0;'")
        return recognizer.grammar_decoder(
            start.grammar,
            rejection=start.rejection,
            max_unknown=MAX_UNKNOWN,
            max_states=MAX_STATES,
        )

    async def _with_hot_words(self, given: HotWordsLike, decoder: DecoderChoice) -> HotWordChange:
        try:
            listed = parse_hot_words(given)
            made = await asyncio.to_thread(
                self.context.recognizer.decoder_with_hot_words, listed, decoder, MAX_UNKNOWN
            )
        except Error as error:
            raise RefusedError("bad_message", str(error)) from None
        return HotWordChange(made, listed)

    async def receive(self, message: str | bytes) -> bool:
        """Take samples, or a message that changes rules or hot words or ends the audio."""
        assert self.stream is not None
        if isinstance(message, bytes):
            self.context.batcher.feed(self.stream, self._samples(message))
            return True
        order: _Endpoint | _HotWords | _End = _parsed(message, _Endpoint | _HotWords | _End)
        if isinstance(order, _End):
            return False
        if isinstance(order, _HotWords):
            decoder = self.stream.stream.engine.pipeline.decoder
            change = await self._with_hot_words(order.hot_words, decoder)
            self.context.batcher.set_hot_words(self.stream, change)
            return True
        self.context.batcher.set_endpoint(self.stream, bounded(_rules(order.mode)))
        return True

    def send_update(self, update: StreamUpdate) -> None:
        """Queue each event; a partial replaces an unsent one of its segment."""
        for event in update.events:
            partial = f"{event.segment}" if event.kind == "partial" else None
            self.put(_message(event, update.audio_s, words=self._start.words), replaces=partial)

    def send_error(self, refusal: RefusedError) -> None:
        """Queue an error."""
        self.put({"type": "error", "code": refusal.code, "message": refusal.message})

    def send_end(self) -> None:
        """Queue the last message."""
        self.put({"type": "end", "audio_s": round(self.audio_s, 3)})

    def send_status(self) -> None:
        """Queue how much audio has been recognised, and how far behind that is."""
        waiting_s = self.stream.waiting_s if self.stream else 0.0
        self.put(
            {
                "type": "status",
                "audio_s": round(self.audio_s, 3),
                "lag_s": round(max(self.lag_s, waiting_s), 3),
            },
            replaces="status",
        )

    def _samples(self, data: bytes) -> np.ndarray[Any, np.dtype[Any]]:
        dtype = np.dtype(DTYPES[self._start.encoding])
        channels = self._start.channels
        if len(data) % (dtype.itemsize * channels):
            raise RefusedError(
                "bad_audio",
                f"a message of {len(data)} bytes is no whole number of samples of "
                f"{self._start.encoding} in {channels} channels",
            )
        samples = np.frombuffer(data, dtype)
        return samples.reshape(-1, channels) if channels > 1 else samples


def _parsed(message: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(message, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedError("bad_message", f"invalid message: {error}") from None


def _rules(mode: str | float) -> EndpointRules:
    try:
        return EndpointRules.parse(mode)
    except ConfigError as error:
        raise RefusedError("bad_message", str(error)) from None


def _message(event: Event, audio_s: float, *, words: bool) -> dict[str, Any]:
    message = event.to_dict(words=False) | {"audio_s": round(audio_s, 3)}
    if event.kind == "final" or (words and len(event.words) <= MAX_WORDS):
        message["words"] = [_encoded(word) for word in event.words]
        if event.written_words:
            message["written_words"] = [_encoded(word) for word in event.written_words]
    return message


@lru_cache(maxsize=8192)
def _encoded(word: Word) -> msgspec.Raw:
    """Encode a word once, although every partial repeats it."""
    return msgspec.Raw(msgspec.json.encode(word.to_dict()))
