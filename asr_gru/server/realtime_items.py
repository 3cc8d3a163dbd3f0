"""The items of a realtime session: each turn becomes one, with its deltas and its transcript."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from asr_gru.results import Event

__all__ = ["ItemWriter"]


class ItemWriter:
    """Turns events of a stream into events of items.

    Args:
        suffix: end of the items' names, which tells sessions apart.
        send: called with the type of an event and its fields.

    Attributes:
        completed: items that have their transcript.
    """

    def __init__(self, suffix: str, send: Callable[..., None]) -> None:
        self.completed = 0
        self._suffix = suffix
        self._send = send
        self._numbers = itertools.count(1)
        self._item = ""
        self._previous: str | None = None
        self._sent = ""

    def add(self, event: Event, offset_s: float) -> None:
        """Send the events for a stream event; the stream began at ``offset_s`` of the session."""
        if not self._item:
            self._begin()
            start_ms = round((offset_s + event.start_s) * 1000)
            self._send(
                "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self._item
            )
        if event.kind == "partial":
            self._delta(event.stable)
            return
        end_ms = round((offset_s + event.end_s) * 1000)
        self._send("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=self._item)
        self._commit()
        self._complete(event.text, event.end_s - event.start_s)

    def add_turn(self, text: str, seconds: float) -> None:
        """Send a whole turn, whose end the client has found."""
        self._begin()
        self._commit()
        self._complete(text, seconds)

    def drop(self) -> None:
        """Discard the open item."""
        self._item, self._sent = "", ""

    def _begin(self) -> None:
        self._item = f"item_{next(self._numbers):06}_{self._suffix}"

    def _commit(self) -> None:
        self._send(
            "input_audio_buffer.committed", item_id=self._item, previous_item_id=self._previous
        )
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": self._item, "type": "message", "role": "user", "status": "completed"}
        self._send(
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
        self.drop()
        self.completed += 1

    def _transcription(self, what: str, **values: object) -> None:
        kind = f"conversation.item.input_audio_transcription.{what}"
        self._send(kind, item_id=self._item, content_index=0, **values)
