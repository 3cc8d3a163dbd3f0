"""A microphone, or any live source, through a stream; and the files that a session writes."""

from asr_gru.live.session import Back, Dropped, Heard, LiveSession, Lost, Record, Status

__all__ = ["Back", "Dropped", "Heard", "LiveSession", "Lost", "Record", "Status"]
