"""``/v1/stream``: the package's own streaming protocol."""

from __future__ import annotations

import asyncio
import uuid
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from asr_gru.errors import ConfigError
from asr_gru.results import Event, Word
from asr_gru.server.connection import Connection, bounded
from asr_gru.server.decoding_request import (
    DecodingRequest,
    FieldError,
    HotWordList,
    hot_word_change,
)
from asr_gru.server.limits import RefusedError
from asr_gru.server.served_stream import StreamUpdate
from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["StreamConnection"]

DTYPES = {"pcm16": "<i2", "float32": "<f4"}
MAX_WORDS = 200
"""Longer partials are sent without their words."""
Mode = Literal["short", "normal", "long", "off"]


class _ClientMessage(msgspec.Struct, forbid_unknown_fields=True, tag_field="type"):
    """A text message of a client."""


class _Start(
    DecodingRequest, forbid_unknown_fields=True, tag_field="type", tag="start", kw_only=True
):
    """The first message of a client."""

    sample_rate: Annotated[int, Meta(ge=1_000, le=768_000)]
    encoding: Literal["pcm16", "float32"] = "pcm16"
    channels: Annotated[int, Meta(ge=1, le=64)] = 1
    endpoint: Mode | Annotated[float, Meta(ge=0.1, le=60)] | None = None
    words: bool = True
    key: str | None = None


class _Endpoint(_ClientMessage, tag="endpoint"):
    mode: Mode | Annotated[float, Meta(ge=0.1, le=60)]


class _HotWords(_ClientMessage, tag="hot_words"):
    hot_words: HotWordList


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
        try:
            options = await asyncio.to_thread(start.compile, self.context.recognizer)
        except FieldError as error:
            raise RefusedError("bad_message", str(error)) from None
        self.open_stream(start.sample_rate, rules, options)
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

    async def receive(self, message: str | bytes) -> bool:
        """Handle samples, or a message that changes rules or hot words or ends the audio."""
        assert self.stream is not None
        if isinstance(message, bytes):
            self.context.batcher.feed(self.stream, self._samples(message))
            return True
        order: _Endpoint | _HotWords | _End = _parsed(message, _Endpoint | _HotWords | _End)
        if isinstance(order, _End):
            return False
        if isinstance(order, _HotWords):
            try:
                change = await asyncio.to_thread(
                    hot_word_change,
                    self.context.recognizer,
                    order.hot_words,
                    self.stream.stream.engine.pipeline.decoder,
                )
            except FieldError as error:
                raise RefusedError("bad_message", str(error)) from None
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
        """Queue the duration of the recognised audio, and the lag."""
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
