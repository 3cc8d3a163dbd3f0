"""Limits for clients, and errors for exceeding them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from asr_gru.errors import ConfigError

__all__ = ["CLOSE_CODES", "INTERNAL", "SHUTTING_DOWN", "STATUSES", "Limits", "RefusedError"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits; each is an option of ``asr-gru serve``.

    Attributes:
        clients: concurrent WebSocket sessions.
        session_s: longest session, in seconds.
        idle_s: seconds without a message (or a part of an upload) after which a client is refused.
        message_bytes: largest WebSocket message.
        slow_reader_s: seconds that a client may leave a message unread.
        behind_s: seconds of a client's audio that may be queued; beyond, its socket is not read.
        lag_s: while half of the streams are further behind than this, new sessions are refused.
        upload_bytes: largest request body.
        upload_s: longest uploaded recording, in seconds of audio.
        uploads: recordings transcribed concurrently.
        queued_uploads: recordings that may wait for a slot.
    """

    clients: int = 500
    session_s: float = 4 * 3600.0
    idle_s: float = 30.0
    message_bytes: int = 1_000_000
    slow_reader_s: float = 10.0
    behind_s: float = 5.0
    lag_s: float = 2.0
    upload_bytes: int = 100_000_000
    upload_s: float = 2 * 3600.0
    uploads: int = 1
    queued_uploads: int = 16

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            may_be_zero = field.name == "queued_uploads"
            if not (0 if may_be_zero else 1e-3) <= value < math.inf:
                remedy = "0 or a number above" if may_be_zero else "a number above 0"
                raise ConfigError(f"a limit {field.name} of {value}; give {remedy}")


CLOSE_CODES = {
    "unauthorized": 1008,
    "bad_message": 1008,
    "bad_audio": 1008,
    "too_many_clients": 1013,
    "overloaded": 1013,
    "session_too_long": 1008,
    "idle": 1008,
    "too_slow": 1008,
    "shutting_down": 1012,
    "internal": 1011,
}
"""Error codes of WebSocket sessions, with the close code that follows each."""

STATUSES = {
    "bad_audio": 400,
    "idle": 408,
    "audio_too_long": 413,
    "upload_too_large": 413,
    "internal": 500,
    "too_many_uploads": 503,
    "shutting_down": 503,
}
"""Error codes of uploads, with the HTTP status of each."""


class RefusedError(Exception):
    """The server ends a session or an upload.

    Attributes:
        code: one of ``CLOSE_CODES`` (sessions) or ``STATUSES`` (uploads).
        message: one line that names the thing and the remedy.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


INTERNAL = "internal error; see the server's log"
SHUTTING_DOWN = "the server is shutting down; connect again later"
