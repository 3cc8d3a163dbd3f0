"""``/v1/realtime?intent=transcription``: the realtime transcription protocol of OpenAI's clients.

A turn becomes an item. With ``server_vad`` (the default) the endpoint rules end turns; with
``turn_detection: null`` the client's ``input_audio_buffer.commit`` does. Deltas carry what is
stable, so together they are the transcript.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.datastructures import QueryParams

from asr_gru.audio.g711 import decode_alaw, decode_ulaw
from asr_gru.results import Event
from asr_gru.server.batcher import Said
from asr_gru.server.client import Client, bounded
from asr_gru.server.limits import RefusedError
from asr_gru.server.realtime_messages import (
    SILENCE_MS,
    ClientMistakeError,
    checked_format,
    decoded,
    inner,
    silence_s,
)
from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["RealtimeClient"]


class RealtimeClient(Client):
    """A client that speaks as the official ``openai`` package does."""

    protocol = "realtime"

    def __init__(self, socket: Any, state: Any) -> None:
        super().__init__(socket, state)
        self._id = f"sess_{uuid.uuid4().hex[:24]}"
        self._items = itertools.count(1)
        self._format: dict[str, Any] = {"type": "audio/pcm", "rate": 24_000}
        self._detection: dict[str, Any] | None = {
            "type": "server_vad",
            "silence_duration_ms": SILENCE_MS,
        }
        self._item = ""
        self._previous: str | None = None
        self._sent = ""
        self._turn: list[str] = []
        self._offset_s = 0.0
        self._appended = 0
        self._dropping = False
        self._completed = False

    async def hello(self) -> None:
        """Check the key and the intent, say what the session is."""
        if not self.socket.scope["key_known"]:
            raise RefusedError("unauthorized", "send the header Authorization: Bearer KEY")
        query = QueryParams(self.socket.scope["query_string"])
        if query.get("intent") != "transcription":
            raise RefusedError("bad_message", "only ?intent=transcription is served here")
        self.admit()
        self._open()
        self._event("session.created", session=self._session())

    async def receive(self, message: str | bytes) -> bool:
        """Take one event of the client's; a mistake is answered and the session goes on."""
        event: dict[str, Any] = {}
        try:
            event = decoded(message)
            await self._take(event)
        except ClientMistakeError as mistake:
            event_id = event.get("event_id")
            self._mistake(mistake.code, str(mistake), mistake.param, event_id)
        return True

    def say(self, said: Said) -> None:
        """Turn events of the stream into those of items."""
        if self._dropping:
            return
        for event in said.events:
            if self._detection is None:
                self._turn += [event.text] if event.kind == "final" else []
            else:
                self._say(event)

    def complain(self, refused: RefusedError) -> None:
        """Send the error."""
        self._mistake(refused.code, refused.message)

    def finished(self) -> None:
        """Nothing: this protocol has no message for it."""

    def status(self) -> None:
        """Nothing: this protocol has no message for it."""

    # ---- the client's events

    async def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "input_audio_buffer.append":
            self._append(event.get("audio"))
        elif kind in ("session.update", "transcription_session.update"):
            await self._update(event.get("session"), beta=kind.startswith("transcription"))
        elif kind == "input_audio_buffer.commit":
            await self._commit()
        elif kind == "input_audio_buffer.clear":
            await self._clear()
        else:
            raise ClientMistakeError("unknown_event", f"no event {kind!r} in transcription", "type")

    def _append(self, audio: object) -> None:
        assert self.seat is not None
        try:
            data = base64.b64decode(audio, validate=True)  # type: ignore[arg-type]
            samples = self._decoder()(data)
        except (binascii.Error, TypeError, ValueError):
            raise ClientMistakeError(
                "invalid_audio", "audio is not whole samples in base64", "audio"
            ) from None
        self._appended += len(samples)
        self.state.batcher.feed(self.seat, samples)

    async def _update(self, session: object, *, beta: bool) -> None:
        if not isinstance(session, dict):
            raise ClientMistakeError("invalid_session", "session is not an object", "session")
        audio = inner(session, "audio") if not beta else {}
        given = session if beta else inner(audio, "input")
        if beta and "input_audio_format" in given:
            name = str(given["input_audio_format"])
            names = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
            new: Any = {"type": names.get(name, name)}
        else:
            new = given.get("format") or self._format
        form = checked_format(new)
        detection = given.get("turn_detection", self._detection)
        if detection is not None and not isinstance(detection, dict):
            raise ClientMistakeError("invalid_session", "turn_detection is no object", "session")
        silence_s(detection)
        wanted = given.get("transcription") or given.get("input_audio_transcription") or {}
        model = wanted.get("model") if isinstance(wanted, dict) else None
        if model not in (None, self.state.name):
            raise ClientMistakeError(
                "model_not_found", f"no model {model!r} here; there is {self.state.name}", "model"
            )
        fresh = form != self._format or (detection is None) != (self._detection is None)
        if fresh and self._appended:
            await self._flush()
        if fresh:
            await self._close_stream()
        self._format, self._detection = form, detection
        if fresh:
            self._open()
        else:
            assert self.seat is not None
            self.state.batcher.change(self.seat, bounded(self._rules()))
        kind = "transcription_session.updated" if beta else "session.updated"
        self._event(kind, session=self._session())

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
        self._item, self._sent, self._turn = "", "", []
        await self._close_stream()
        self._open()
        self._event("input_audio_buffer.cleared")

    # ---- streams and items

    def _open(self) -> None:
        """Begin a stream; where the client makes the turns nobody hears its partials."""
        partials = self._detection is not None
        self.open_seat(int(self._format["rate"]), self._rules(), partials=partials)

    async def _close_stream(self) -> None:
        await self.end_stream()
        self._offset_s += self._appended / self._format["rate"]
        self._appended = 0

    async def _flush(self) -> None:
        """Say what is left of the audio, as a turn of its own unless the server found its end."""
        self._turn, self._completed = [], False
        await self.end_stream()
        if self._detection is None or not self._completed:  # every commit is answered
            self._begin_item()
            self._commit_item()
            self._complete(" ".join(self._turn), self._appended / self._format["rate"])

    def _say(self, event: Event) -> None:
        if not self._item:
            self._begin_item()
            start_ms = round((self._offset_s + event.start_s) * 1000)
            self._event(
                "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self._item
            )
        if event.kind == "partial":
            self._delta(event.stable)
            return
        end_ms = round((self._offset_s + event.end_s) * 1000)
        self._event("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=self._item)
        self._commit_item()
        self._complete(event.text, event.end_s - event.start_s)

    def _begin_item(self) -> None:
        self._item = f"item_{next(self._items):06}_{self._id[-8:]}"

    def _commit_item(self) -> None:
        self._event(
            "input_audio_buffer.committed", item_id=self._item, previous_item_id=self._previous
        )
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": self._item, "type": "message", "role": "user", "status": "completed"}
        self._event(
            "conversation.item.added",
            previous_item_id=self._previous,
            item={**item, "content": content},
        )
        self._previous = self._item

    def _delta(self, stable: str) -> None:
        if len(stable) > len(self._sent):
            self._transcription("delta", delta=stable[len(self._sent) :])
            self._sent = stable

    def _complete(self, text: str, seconds: float) -> None:
        self._delta(text)
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        self._transcription("completed", transcript=text, usage=usage)
        self._item, self._sent, self._completed = "", "", True

    def _transcription(self, what: str, **values: Any) -> None:
        kind = f"conversation.item.input_audio_transcription.{what}"
        self._event(kind, item_id=self._item, content_index=0, **values)

    # ---- what is said

    def _session(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "expires_at": int(time.time() + self.state.limits.session_s),
            "audio": {
                "input": {
                    "format": self._format,
                    "transcription": {"model": self.state.name, "language": self.state.language},
                    "noise_reduction": None,
                    "turn_detection": self._detection,
                }
            },
        }

    def _event(self, kind: str, **values: Any) -> None:
        self.put({"type": kind, "event_id": f"event_{uuid.uuid4().hex[:20]}", **values})

    def _mistake(
        self, code: str, message: str, param: str | None = None, event_id: object = None
    ) -> None:
        kind = "server_error" if code in ("internal", "shutting_down") else "invalid_request_error"
        error = {"type": kind, "code": code, "message": message, "param": param}
        self._event("error", error={**error, "event_id": event_id})

    def _rules(self) -> EndpointRules:
        if self._detection is None:
            return EndpointRules.off()
        return EndpointRules(trailing_s=silence_s(self._detection))

    def _decoder(self) -> Callable[[bytes], npt.NDArray[np.generic]]:
        decoders: dict[str, Callable[[bytes], npt.NDArray[np.generic]]] = {
            "audio/pcm": lambda data: np.frombuffer(data, "<i2"),
            "audio/pcmu": decode_ulaw,
            "audio/pcma": decode_alaw,
        }
        return decoders[self._format["type"]]
