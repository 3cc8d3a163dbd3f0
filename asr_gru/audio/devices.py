"""Input devices, and the audio API that provides them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asr_gru.errors import DeviceError

__all__ = [
    "Backend",
    "DeviceStream",
    "MicrophoneInfo",
    "PortAudio",
    "find_microphone",
    "list_microphones",
]


@dataclass(frozen=True, slots=True)
class MicrophoneInfo:
    """An input device.

    Attributes:
        index: device number; may change when devices are connected or removed.
        name: its name in the audio API.
        host: host API that provides it, such as ``ALSA`` or ``MME``.
        rate: default sample rate in Hz.
        channels: maximum number of input channels.
        is_default: whether it is the default input device.
    """

    index: int
    name: str
    host: str
    rate: int
    channels: int
    is_default: bool

    def __str__(self) -> str:
        return f"{self.index} ({self.name}, {self.host})"


class DeviceStream(Protocol):
    """An open input stream."""

    @property
    def active(self) -> bool:
        """Whether the callback is still being called."""
        ...

    def close(self) -> None:
        """Stop recording and free the device; never raises."""
        ...


class Backend(Protocol):
    """Audio API that ``Microphone`` records with."""

    def devices(self) -> list[MicrophoneInfo]:
        """Return the input devices; DeviceError if the audio API is not available."""
        ...

    def open(
        self, index: int, rate: int, channels: int, dtype: str, callback: Callable[[Any], None]
    ) -> DeviceStream:
        """Start recording.

        Args:
            index: as in ``MicrophoneInfo``.
            rate: sample rate in Hz.
            channels: number of channels.
            dtype: ``"float32"`` or ``"int16"``.
            callback: called from another thread with samples ``(n, channels)``, which are valid
                only during the call.

        Raises:
            DeviceError: the device refuses this format; the message is only the reason.
        """
        ...

    def refresh(self) -> None:
        """Rescan the devices; closes all open streams."""
        ...


class PortAudio:
    """The ``Backend`` over PortAudio; imports sounddevice when created.

    Raises:
        DeviceError: PortAudio is not installed.
    """

    BLOCK_S = 0.04

    def __init__(self) -> None:
        try:
            import sounddevice
        except OSError:
            raise DeviceError(
                "PortAudio is not installed, and microphones need it; install it "
                "(Debian and Ubuntu: apt-get install libportaudio2)"
            ) from None
        self._sd: Any = sounddevice

    def devices(self) -> list[MicrophoneInfo]:
        """Return the input devices."""
        with self._as_device_error():
            hosts = [host["name"] for host in self._sd.query_hostapis()]
            default = self._sd.default.device[0]
            return [
                MicrophoneInfo(
                    device["index"],
                    device["name"],
                    hosts[device["hostapi"]],
                    round(device["default_samplerate"]),
                    device["max_input_channels"],
                    device["index"] == default,
                )
                for device in self._sd.query_devices()
                if device["max_input_channels"] > 0
            ]

    def open(
        self, index: int, rate: int, channels: int, dtype: str, callback: Callable[[Any], None]
    ) -> DeviceStream:
        """Start recording; see ``Backend.open``."""

        def on_audio(samples: Any, count: int, when: Any, status: Any) -> None:  # noqa: ARG001
            callback(samples)

        with self._as_device_error():
            stream = self._sd.InputStream(
                device=index,
                samplerate=rate,
                channels=channels,
                dtype=dtype,
                blocksize=round(self.BLOCK_S * rate),
                callback=on_audio,
            )
            opened = _PortAudioStream(stream, self._sd.PortAudioError)
            try:
                stream.start()
            except self._sd.PortAudioError:
                opened.close()
                raise
        return opened

    def refresh(self) -> None:
        """Restart PortAudio, as it lists the devices only when it starts."""
        with self._as_device_error():
            self._sd._terminate()
            self._sd._initialize()

    @contextlib.contextmanager
    def _as_device_error(self) -> Iterator[None]:
        try:
            yield
        except (self._sd.PortAudioError, ValueError, OSError) as error:
            raise DeviceError(" ".join(str(error).split())) from None


class _PortAudioStream:
    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    @property
    def active(self) -> bool:
        try:
            return bool(self._stream.active)
        except self._error:
            return False

    def close(self) -> None:
        for end in (self._stream.abort, self._stream.close):
            with contextlib.suppress(self._error):
                end()


def list_microphones(backend: Backend | None = None) -> list[MicrophoneInfo]:
    """Return the available input devices.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    return (backend or PortAudio()).devices()


def find_microphone(
    devices: Sequence[MicrophoneInfo], wanted: int | str | None = None
) -> MicrophoneInfo:
    """Look up an input device.

    Args:
        devices: the available devices.
        wanted: its number, or part of ``"name, host"``, case-insensitive; None is the default.
            A complete name wins over a part, and then a device of the default's host API.

    Raises:
        DeviceError: no device matches, or several do.
    """
    if not devices:
        raise DeviceError("no microphone is connected; plug one in, or start the sound server")
    available = ", ".join(map(str, devices))
    default = next((d for d in devices if d.is_default), devices[0])
    if wanted is None:
        return default
    if isinstance(wanted, int):
        for device in devices:
            if device.index == wanted:
                return device
        raise DeviceError(f"no microphone has number {wanted}; available: {available}")
    part = wanted.casefold()
    matches = [d for d in devices if part in f"{d.name}, {d.host}".casefold()]
    if not matches:
        raise DeviceError(f"no microphone matches {wanted!r}; available: {available}")
    matches = [d for d in matches if d.name.casefold() == part] or matches
    matches = (
        matches if len(matches) == 1 else [d for d in matches if d.host == default.host] or matches
    )
    if len(matches) > 1:
        raise DeviceError(
            f"several microphones match {wanted!r}: {', '.join(map(str, matches))}; "
            "give the number of one"
        )
    return matches[0]
