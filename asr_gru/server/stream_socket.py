"""``/v1/stream``: samples in, events out."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from asr_gru.errors import ConfigError
from asr_gru.results import Event, Word
from asr_gru.server.batcher import Said
from asr_gru.server.client import Client, bounded
from asr_gru.server.limits import RefusedError
from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["StreamClient"]

DTYPES = {"pcm16": "<i2", "float32": "<f4"}
MOST_WORDS = 200
"""Longer partials come without their words."""
Mode = Literal["short", "normal", "long", "off"]


class _Start(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="start"):
    sample_rate: Annotated[int, Meta(ge=1_000, le=768_000)]
    encoding: Literal["pcm16", "float32"] = "pcm16"
    channels: Annotated[int, Meta(ge=1, le=64)] = 1
    endpoint: Mode | Annotated[float, Meta(ge=0.1, le=60)] | None = None
    words: bool = True
    key: str | None = None


class _Endpoint(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="endpoint"):
    mode: Mode | Annotated[float, Meta(ge=0.1, le=60)]


class _End(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="end"):
    pass


class StreamClient(Client):
    """A client of this package's own protocol; ``docs/server.md`` describes its messages."""

    protocol = "stream"
    _start: _Start

    async def hello(self) -> None:
        """Read the first message, check the key, give the client a stream."""
        start = self._parse(await self.next_message(), _Start)
        scope = self.socket.scope
        if not (scope["key_known"] or self.state.access.knows(start.key)):
            raise RefusedError("unauthorized", "the key is missing or wrong; send it as key")
        start.key = None
        self.admit()
        self._start = start
        rules = self.state.rules if start.endpoint is None else _rules(start.endpoint)
        self.open_seat(start.sample_rate, rules)
        info = self.state.recognizer.acoustic.info
        self.put(
            {
                "type": "ready",
                "session": uuid.uuid4().hex,
                "model": self.state.name,
                "sample_rate": start.sample_rate,
                "step_s": info.step_samples / info.sample_rate,
            }
        )

    async def receive(self, message: str | bytes) -> bool:
        """Take samples, or a message that changes the rules or ends."""
        assert self.seat is not None
        if isinstance(message, bytes):
            self.state.batcher.feed(self.seat, self._samples(message))
            return True
        order = self._parse(message, _Endpoint | _End)
        if isinstance(order, _End):
            return False
        self.state.batcher.change(self.seat, bounded(_rules(order.mode)))
        return True

    def say(self, said: Said) -> None:
        """Send each event."""
        for event in said.events:
            partial = f"{event.segment}" if event.kind == "partial" else None
            self.put(_message(event, said.audio_s, words=self._start.words), replaces=partial)

    def complain(self, refused: RefusedError) -> None:
        """Send the error."""
        self.put({"type": "error", "code": refused.code, "message": refused.message})

    def finished(self) -> None:
        """Say that this was all."""
        if self.admitted:
            self.put({"type": "end", "audio_s": round(self.audio_s, 3)})

    def status(self) -> None:
        """Say how far the server is."""
        self.put(
            {
                "type": "status",
                "audio_s": round(self.audio_s, 3),
                "lag_s": round(self.lag_s + (self.seat.behind_s if self.seat else 0.0), 3),
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

    def _parse(self, message: str | bytes, kind: Any) -> Any:
        if isinstance(message, bytes):
            raise RefusedError("bad_message", 'the first message is text: {"type": "start", ...}')
        try:
            return msgspec.json.decode(message, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            raise RefusedError("bad_message", f"not understood: {error}") from None


def _rules(mode: str | float) -> EndpointRules:
    try:
        if isinstance(mode, str):
            return EndpointRules.named(mode)
        return EndpointRules(trailing_s=mode)
    except ConfigError as error:
        raise RefusedError("bad_message", str(error)) from None


def _message(event: Event, audio_s: float, *, words: bool) -> dict[str, Any]:
    message: dict[str, Any] = {
        "type": event.kind,
        "segment": event.segment,
        "text": event.text,
        "stable": event.stable,
        "start_s": round(event.start_s, 3),
        "end_s": round(event.end_s, 3),
        "audio_s": round(audio_s, 3),
    }
    if event.kind == "final" or (words and len(event.words) <= MOST_WORDS):
        message["words"] = [_encoded(word) for word in event.words]
    return message


@lru_cache(maxsize=8192)
def _encoded(word: Word) -> msgspec.Raw:
    """Encode a word once, although every partial repeats it."""
    values = {
        "text": word.text,
        "start_s": round(word.start_s, 3),
        "end_s": round(word.end_s, 3),
        "confidence": round(word.confidence, 3),
    }
    return msgspec.Raw(msgspec.json.encode(values))
