"""Messages of OpenAI's realtime protocol for transcription.

``ClientEvent`` is what clients send. Other fields are ignored; ``session_settings`` returns
the names of ignored settings of a session update.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from asr_gru.server.decoding_request import DecodingRequest

__all__ = [
    "LOGPROBS",
    "Append",
    "AudioFormat",
    "BetaSessionUpdate",
    "Clear",
    "ClientEvent",
    "ClientMistakeError",
    "Commit",
    "Input",
    "SessionUpdate",
    "Transcription",
    "TurnDetection",
    "decode_event",
    "session_settings",
]

RATES = (8_000, 48_000)
LOGPROBS = "item.input_audio_transcription.logprobs"
"""The value of ``include`` that asks for log-probabilities of words."""
BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


class ClientMistakeError(Exception):
    """A message that is answered with an error, after which the session continues."""

    def __init__(
        self, code: str, message: str, param: str | None = None, event_id: object = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.event_id = event_id


# ---- what clients send


class ClientEvent(msgspec.Struct, tag_field="type"):
    """A client's message; an error about it names its ``event_id``."""

    event_id: Any = None


class Append(ClientEvent, tag="input_audio_buffer.append", kw_only=True):
    """More audio, in base64."""

    audio: bytes


class Commit(ClientEvent, tag="input_audio_buffer.commit"):
    """The end of a turn."""


class Clear(ClientEvent, tag="input_audio_buffer.clear"):
    """Drop the audio since the last turn."""


class SessionUpdate(ClientEvent, tag="session.update", kw_only=True):
    """Change settings; those that are not given stay."""

    session: dict[str, Any]


class BetaSessionUpdate(ClientEvent, tag="transcription_session.update", kw_only=True):
    """The same in the protocol's beta, which has the fields of ``audio.input`` at the top level."""

    session: dict[str, Any]


# ---- the settings of a session


class AudioFormat(msgspec.Struct):
    """How the audio is encoded; ``rate`` in Hz is 8000 for G.711."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: Annotated[int, Meta(ge=RATES[0], le=RATES[1])] = 24_000

    def __post_init__(self) -> None:
        if self.type != "audio/pcm":
            self.rate = 8_000


class TurnDetection(msgspec.Struct):
    """The server ends turns, after this much silence."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    silence_duration_ms: (
        Annotated[int, Meta(ge=100, le=60_000)] | Annotated[float, Meta(ge=100, le=60_000)]
    ) = 500


class Transcription(DecodingRequest, kw_only=True):
    """The model and the language that a client asks for, and how it wants words to be found."""

    model: str | None = None
    language: str | None = None


class Input(msgspec.Struct):
    """Settings of a session.

    Attributes:
        format: encoding of the audio.
        transcription: model, language and decoding options.
        turn_detection: None where the client's commits end turns.
        include: additional fields of results; only ``LOGPROBS`` has an effect.
    """

    format: AudioFormat | UnsetType | None = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET
    include: list[str] | UnsetType | None = UNSET


class _Audio(msgspec.Struct):
    input: Input = field(default_factory=Input)


class _Session(msgspec.Struct):
    type: Literal["transcription"] = "transcription"
    audio: _Audio = field(default_factory=_Audio)
    include: list[str] | UnsetType | None = UNSET


class _BetaSession(msgspec.Struct):
    input_audio_format: Literal["pcm16", "g711_ulaw", "g711_alaw"] | UnsetType | None = UNSET
    input_audio_transcription: Transcription | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET
    include: list[str] | UnsetType | None = UNSET


_EVENTS: msgspec.json.Decoder[ClientEvent] = msgspec.json.Decoder(
    Append | Commit | Clear | SessionUpdate | BetaSessionUpdate
)


def decode_event(message: str | bytes) -> ClientEvent:
    """Return a client's event; ClientMistakeError if it is invalid or unknown."""
    try:
        return _EVENTS.decode(message)
    except msgspec.ValidationError as error:
        problem = str(error)
        event = _parsed(message)  # the first problem may stand before a place that is not JSON
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_json(error) from None
    if not isinstance(event, dict):
        raise ClientMistakeError("invalid_json", "an event is a JSON object")
    kind, event_id = event.get("type"), event.get("event_id")
    codes = {"audio": "invalid_audio", "session": "invalid_session"}
    param = next((name for name in codes if f"`{name}`" in problem or f"$.{name}" in problem), None)
    if param is None:
        text = f"no event {kind!r} in transcription"
        raise ClientMistakeError("unknown_event", text, "type", event_id)
    raise ClientMistakeError(codes[param], problem, param, event_id)


def _parsed(message: str | bytes) -> Any:
    try:
        return msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _not_json(error) from None


def _not_json(error: Exception) -> ClientMistakeError:
    return ClientMistakeError("invalid_json", f"not JSON: {error}")


def session_settings(event: SessionUpdate | BetaSessionUpdate) -> tuple[Input, list[str]]:
    """Parse a session update.

    Returns:
        the settings, and the paths of those that have no effect here.

    Raises:
        ClientMistakeError: a setting that has an effect has an invalid value.
    """
    beta = isinstance(event, BetaSessionUpdate)
    kind: type[_Session] | type[_BetaSession] = _BetaSession if beta else _Session
    try:
        session = msgspec.convert(event.session, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        param = f"session{path.rstrip('`')}"
        code = "invalid_format" if "format" in param else "invalid_session"
        raise ClientMistakeError(code, f"{param}: {problem}", param) from None
    ignored = _unused(event.session, msgspec.to_builtins(session), "session")
    if isinstance(session, _BetaSession):
        given = session.input_audio_format
        form = AudioFormat(BETA_FORMATS[given]) if given else UNSET  # type: ignore[arg-type]
        settings = Input(form, session.input_audio_transcription, session.turn_detection)
        where = "session"
    else:
        settings, where = session.audio.input, "session.audio.input"
    settings.include = session.include
    if settings.include and set(settings.include) != {LOGPROBS}:
        ignored.append("session.include")
    if settings.turn_detection and settings.turn_detection.type != "server_vad":
        settings.turn_detection.type = "server_vad"
        ignored.append(f"{where}.turn_detection.type")
    return settings, ignored


def _unused(given: dict[str, Any], used: dict[str, Any], path: str) -> list[str]:
    """Return the paths in ``given`` that are not in ``used``; null asks for nothing."""
    found = []
    for name, value in given.items():
        if name not in used:
            found += [] if value is None else [f"{path}.{name}"]
        elif isinstance(value, dict) and isinstance(used[name], dict):
            found += _unused(value, used[name], f"{path}.{name}")
    return found
