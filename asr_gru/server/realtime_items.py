"""The items of a realtime session: each turn becomes one, with its deltas and its transcript."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from asr_gru.results import Event, Segment
from asr_gru.server.logprobs import token_log_probabilities

__all__ = ["ItemWriter"]


class ItemWriter:
    """Turns events of a stream into events of items.

    Args:
        suffix: end of the names of items, which is unique to the session.
        send: called with the type of an event and its fields.

    Attributes:
        completed: items that have their transcript.
        logprobs: whether transcripts come with the log-probabilities of their words.
    """

    def __init__(self, suffix: str, send: Callable[..., None]) -> None:
        self.completed = 0
        self.logprobs = False
        self._suffix = suffix
        self._send = send
        self._numbers = itertools.count(1)
        self._item = ""
        self._previous: str | None = None
        self._sent = ""

    def add(self, event: Event) -> None:
        """Send the events for a stream event, whose times are the session's."""
        if not self._item:
            self._begin()
            start_ms = round(event.start_s * 1000)
            self._send(
                "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self._item
            )
        if event.kind == "partial":
            self._delta(event.stable)
            return
        end_ms = round(event.end_s * 1000)
        self._send("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=self._item)
        self._commit()
        self._complete([event.to_segment()], event.end_s - event.start_s)

    def add_turn(self, segments: Sequence[Segment], seconds: float) -> None:
        """Send a whole turn, whose end the client has found."""
        self._begin()
        self._commit()
        self._complete(segments, seconds)

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

    def _complete(self, segments: Sequence[Segment], seconds: float) -> None:
        spoken = " ".join(segment.text for segment in segments)
        self._delta(spoken)
        fields: dict[str, object] = {"transcript": spoken}
        if any(segment.written_words for segment in segments):
            written = " ".join(segment.written or segment.text for segment in segments)
            fields = {"transcript": written, "spoken": spoken}
        if self.logprobs:
            fields["logprobs"] = token_log_probabilities(segments)
        self._transcription(
            "completed",
            **fields,
            segments=[segment.to_dict() for segment in segments],
            usage={"type": "duration", "seconds": round(seconds, 3)},
        )
        self.drop()
        self.completed += 1

    def _transcription(self, what: str, **values: object) -> None:
        kind = f"conversation.item.input_audio_transcription.{what}"
        self._send(kind, item_id=self._item, content_index=0, **values)
