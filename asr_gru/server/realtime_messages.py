"""What clients of the realtime protocol send, taken apart and checked."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "SILENCE_MS",
    "ClientMistakeError",
    "checked_format",
    "decoded",
    "inner",
    "silence_s",
]

SILENCE_MS = 500
RATES = (8_000, 48_000)


class ClientMistakeError(Exception):
    """A message that is answered with an error and otherwise ignored."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def decoded(message: str | bytes) -> dict[str, Any]:
    """Return a client's event, which is a JSON object."""
    try:
        event = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ClientMistakeError("invalid_json", f"not JSON: {error}") from None
    if not isinstance(event, dict):
        raise ClientMistakeError("invalid_json", "an event is a JSON object")
    return event


def inner(outer: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object ``name`` within ``outer``, empty if there is none."""
    value = outer.get(name) or {}
    if not isinstance(value, dict):
        raise ClientMistakeError("invalid_session", f"{name} is not an object", f"session.{name}")
    return value


def checked_format(given: object) -> dict[str, Any]:
    """Return type and rate of an audio format that is understood."""
    kind = given.get("type") if isinstance(given, dict) else None
    if kind in ("audio/pcmu", "audio/pcma"):
        return {"type": kind, "rate": 8_000}
    rate = given.get("rate", 24_000) if isinstance(given, dict) else None
    if kind != "audio/pcm" or not isinstance(rate, int) or not RATES[0] <= rate <= RATES[1]:
        raise ClientMistakeError(
            "invalid_format",
            f"audio/pcm at {RATES[0]} to {RATES[1]} Hz, audio/pcmu and audio/pcma are understood",
            "session.audio.input.format",
        )
    return {"type": kind, "rate": rate}


def silence_s(detection: dict[str, Any] | None) -> float:
    """Return the seconds of silence that end a turn."""
    value = (detection or {}).get("silence_duration_ms") or SILENCE_MS
    if not isinstance(value, int | float) or not 100 <= value <= 60_000:
        raise ClientMistakeError(
            "invalid_session", "silence_duration_ms is not between 100 and 60000", "turn_detection"
        )
    return value / 1000
