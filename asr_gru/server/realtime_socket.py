"""``/v1/realtime?intent=transcription``: the realtime transcription protocol of OpenAI's clients.

A turn becomes an item. With ``server_vad`` (the default) the endpoint rules end turns; with
``turn_detection: null`` the client's ``input_audio_buffer.commit`` does. Deltas carry what is
stable, so together they are the transcript.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import UNSET
from msgspec.structs import replace
from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket

from asr_gru.audio.g711 import decode_alaw, decode_ulaw
from asr_gru.language import parse_hot_words
from asr_gru.results import Segment
from asr_gru.server.connection import Connection, bounded
from asr_gru.server.context import ServerContext
from asr_gru.server.decoding_request import DecodingRequest, FieldError, StreamOptions
from asr_gru.server.limits import RefusedError
from asr_gru.server.realtime_items import ItemWriter
from asr_gru.server.realtime_messages import (
    LOGPROBS,
    Append,
    AudioFormat,
    BetaSessionUpdate,
    Clear,
    ClientEvent,
    ClientMistakeError,
    Commit,
    Input,
    SessionUpdate,
    Transcription,
    TurnDetection,
    decode_event,
    session_settings,
)
from asr_gru.server.registry import Registry
from asr_gru.server.served_stream import HotWordChange, StreamUpdate
from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["RealtimeConnection"]

DECODERS: dict[str, Callable[[bytes], npt.NDArray[np.generic]]] = {
    "audio/pcm": lambda data: np.frombuffer(data, "<i2"),
    "audio/pcmu": decode_ulaw,
    "audio/pcma": decode_alaw,
}
SERVER_ERRORS = ("internal", "overloaded", "shutting_down")
"""Codes of errors that the client did not cause."""


class RealtimeConnection(Connection):
    """A client of the realtime protocol, such as the official ``openai`` package."""

    protocol = "realtime"

    def __init__(self, socket: WebSocket, context: ServerContext, registry: Registry) -> None:
        super().__init__(socket, context, registry)
        self._id = f"sess_{uuid.uuid4().hex[:24]}"
        self._expires_at = int(time.time() + context.limits.session_s)
        self._items = ItemWriter(self._id[-8:], self._event)
        self._format = AudioFormat()
        self._detection: TurnDetection | None = TurnDetection()
        self._asked: DecodingRequest = Transcription()
        self._options = StreamOptions()
        self._turn: list[Segment] = []
        self._appended = 0
        self._offset_s = self._turn_start_s = 0.0
        self._first_segment = self._next_segment = 0
        self._dropping = False
        self._completed_before: int | None = None

    async def handshake(self) -> None:
        """Check the key and the intent, describe the session."""
        if not self.socket.scope["key_known"]:
            raise RefusedError("unauthorized", "send the header Authorization: Bearer KEY")
        query = QueryParams(self.socket.scope["query_string"])
        if query.get("intent") != "transcription":
            raise RefusedError("bad_message", "only ?intent=transcription is served here")
        self.admit()
        self._open()
        self._event("session.created", session=self._session())

    async def receive(self, message: str | bytes) -> bool:
        """Handle an event of the client; an invalid one is answered with an error."""
        event: ClientEvent | None = None
        try:
            event = decode_event(message)
            await self._take(event)
        except ClientMistakeError as mistake:
            event_id = event.event_id if event else mistake.event_id
            self._mistake(mistake.code, str(mistake), mistake.param, event_id)
        return True

    async def finish(self) -> None:
        """Complete the turn that is open, and one whose commit was being answered."""
        if self._completed_before is not None:
            await self._flush()
        elif self._dropping:
            await self.end_stream()
        else:
            await self._complete_open_turn()

    def send_update(self, update: StreamUpdate) -> None:
        """Queue the events of items; those of a client's turn wait for its commit."""
        if self._dropping:
            return
        for event in update.events:
            in_session = event.shifted(self._offset_s, self._first_segment)
            self._next_segment = in_session.segment + 1
            if self._detection is not None:
                self._items.add(in_session)
                self._turn_start_s = in_session.end_s
            elif event.kind == "final":
                self._turn.append(in_session.to_segment())

    def send_error(self, refusal: RefusedError) -> None:
        """Queue an error."""
        self._mistake(refusal.code, refusal.message)

    def send_end(self) -> None:
        """Do nothing: the protocol has no such message."""

    def send_status(self) -> None:
        """Do nothing: the protocol has no such message."""

    # ---- the client's events

    async def _take(self, event: ClientEvent) -> None:
        match event:
            case Append():
                self._append(event.audio)
            case Commit():
                await self._commit()
            case Clear():
                await self._clear()
            case SessionUpdate() | BetaSessionUpdate():
                await self._update(event)

    def _append(self, audio: bytes) -> None:
        assert self.stream is not None
        if self._format.type == "audio/pcm" and len(audio) % 2:
            raise ClientMistakeError("invalid_audio", "half of a 16-bit sample", "audio")
        samples = DECODERS[self._format.type](audio)
        self._appended += len(samples)
        self.context.batcher.feed(self.stream, samples)

    async def _update(self, event: SessionUpdate | BetaSessionUpdate) -> None:
        settings, ignored = session_settings(event)
        self._check_model(settings)
        form = settings.format or self._format
        detection = settings.turn_detection
        if detection is UNSET:
            detection = self._detection
        asked, options = await self._compiled(settings)
        restart = (
            form != self._format
            or (detection is None) != (self._detection is None)
            or replace(asked, hot_words=None) != replace(self._asked, hot_words=None)
        )
        if restart:
            await self._complete_open_turn()
            await self._close_stream()
        has_other_hot_words = asked.hot_words != self._asked.hot_words
        self._format, self._detection = form, detection
        self._asked, self._options = asked, options
        if settings.include is not UNSET:
            self._items.logprobs = LOGPROBS in (settings.include or ())
        if restart:
            self._open()
        else:
            assert self.stream is not None
            self.context.batcher.set_endpoint(self.stream, bounded(self._rules()))
            if has_other_hot_words:
                listed = parse_hot_words(asked.hot_words or ())
                decoder = self.context.recognizer.decoder_for(options["decoder"])
                self.context.batcher.set_hot_words(self.stream, HotWordChange(decoder, listed))
        beta = isinstance(event, BetaSessionUpdate)
        kind = "transcription_session.updated" if beta else "session.updated"
        self._event(kind, session=self._session(), ignored=ignored)

    async def _compiled(self, settings: Input) -> tuple[DecodingRequest, StreamOptions]:
        """Return the decoding options of ``transcription``, or those before if it is not given."""
        if settings.transcription is UNSET:
            return self._asked, self._options
        wanted = settings.transcription or Transcription()
        asked: DecodingRequest = replace(wanted, model=None, language=None)
        if asked == self._asked:
            return self._asked, self._options
        try:
            return asked, await asyncio.to_thread(asked.compile, self.context.recognizer)
        except FieldError as error:
            raise ClientMistakeError(
                "invalid_session", str(error), f"session.transcription.{error.field}"
            ) from None

    def _check_model(self, settings: Input) -> None:
        wanted = settings.transcription
        if not wanted:
            return
        context = self.context
        if wanted.model is not None and not context.answers_to(wanted.model):
            message = f"no model {wanted.model!r} here; there is {context.model}"
            raise ClientMistakeError("model_not_found", message, "session.transcription.model")
        if wanted.language is not None and not context.writes(wanted.language):
            message = f"{context.model} writes {context.language}, not {wanted.language}"
            raise ClientMistakeError("language", message, "session.transcription.language")

    async def _commit(self) -> None:
        if not self._appended:
            raise ClientMistakeError("input_audio_buffer_commit_empty", "no audio since the last")
        await self._flush()
        await self._close_stream()
        self._open()

    async def _clear(self) -> None:
        self._dropping = True
        await self.end_stream()
        self._dropping = False
        self._items.drop()
        await self._close_stream()
        self._open()
        self._event("input_audio_buffer.cleared")

    # ---- streams and turns

    def _open(self) -> None:
        """Start a stream; if the client commits turns, no partials are sent."""
        self._turn = []
        self._turn_start_s = self._offset_s
        self._first_segment = self._next_segment
        partials = self._detection is not None
        self.open_stream(self._format.rate, self._rules(), self._options, partials=partials)

    async def _close_stream(self) -> None:
        await self.end_stream()
        self._offset_s += self._appended / self._format.rate
        self._appended = 0

    async def _flush(self) -> None:
        """Complete the rest of the audio, as a separate turn unless an item ended with it."""
        if self._completed_before is None:  # otherwise, a shutdown has started in the meantime
            self._completed_before = self._items.completed
        await self.end_stream()
        if self._detection is None or self._items.completed == self._completed_before:
            end_s = self._offset_s + self._appended / self._format.rate
            self._items.add_turn(self._turn, max(0.0, end_s - self._turn_start_s))
        self._completed_before = None

    async def _complete_open_turn(self) -> None:
        """End the stream; audio in which no turn has begun makes none if the server finds them."""
        if self._detection is None and self._appended:
            await self._flush()
        else:
            await self.end_stream()

    def _rules(self) -> EndpointRules:
        if self._detection is None:
            return EndpointRules.off()
        return EndpointRules(trailing_s=self._detection.silence_duration_ms / 1000)

    # ---- what is sent

    def _session(self) -> dict[str, Any]:
        model, language = self.context.model, self.context.language
        return {
            "id": self._id,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "expires_at": self._expires_at,
            "include": [LOGPROBS] if self._items.logprobs else None,
            "audio": {
                "input": {
                    "format": self._format,
                    "transcription": {"model": model, "language": language, **self._chosen()},
                    "noise_reduction": None,
                    "turn_detection": self._detection,
                }
            },
        }

    def _chosen(self) -> dict[str, Any]:
        """Return the decoding options that are not the defaults."""
        default = DecodingRequest()
        chosen = {name: getattr(self._asked, name) for name in DecodingRequest.__struct_fields__}
        return {name: value for name, value in chosen.items() if value != getattr(default, name)}

    def _event(self, kind: str, **values: Any) -> None:
        self.put({"type": kind, "event_id": f"event_{uuid.uuid4().hex[:20]}", **values})

    def _mistake(
        self, code: str, message: str, param: str | None = None, event_id: object = None
    ) -> None:
        kind = "server_error" if code in SERVER_ERRORS else "invalid_request_error"
        error = {"type": kind, "code": code, "message": message, "param": param}
        self._event("error", error={**error, "event_id": event_id})
