"""The microphones that are there, and the sound system behind them."""

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
        index: its number; may change whenever a device comes or goes.
        name: as the sound system calls it.
        host: which of the computer's sound systems offers it, such as ``ALSA`` or ``MME``.
        rate: its own sample rate in Hz.
        channels: the most it offers.
        is_default: whether it is taken when none is named.
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
    """A device that is recording."""

    @property
    def active(self) -> bool:
        """Whether it still calls back."""
        ...

    def close(self) -> None:
        """Stop recording and free the device; never raises."""
        ...


class Backend(Protocol):
    """What a microphone needs of a sound system."""

    def devices(self) -> list[MicrophoneInfo]:
        """Return the input devices; DeviceError when there is no sound system."""
        ...

    def open(
        self, index: int, rate: int, channels: int, dtype: str, callback: Callable[[Any], None]
    ) -> DeviceStream:
        """Start to record.

        Args:
            index: of ``MicrophoneInfo``.
            rate: in Hz.
            channels: to be opened.
            dtype: ``"float32"`` or ``"int16"``.
            callback: called from another thread with ``(n, channels)`` samples, which are valid
                during the call only.

        Raises:
            DeviceError: this rate, count or type is refused; the message is the reason alone.
        """
        ...

    def refresh(self) -> None:
        """Look for devices that came and went; ends every stream that is open."""
        ...


class PortAudio:
    """The ``Backend`` over sounddevice, which is imported only here.

    Raises:
        DeviceError: PortAudio is not installed.
    """

    BLOCK_S = 0.04

    def __init__(self) -> None:
        try:
            import sounddevice
        except OSError:
            raise DeviceError(
                "no microphone can be opened without PortAudio; install it "
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
        """Start to record; see ``Backend.open``."""

        def heard(samples: Any, count: int, when: Any, status: Any) -> None:  # noqa: ARG001
            callback(samples)

        with self._as_device_error():
            stream = self._sd.InputStream(
                device=index,
                samplerate=rate,
                channels=channels,
                dtype=dtype,
                blocksize=round(self.BLOCK_S * rate),
                callback=heard,
            )
            opened = _PortAudioStream(stream, self._sd.PortAudioError)
            try:
                stream.start()
            except self._sd.PortAudioError:
                opened.close()
                raise
        return opened

    def refresh(self) -> None:
        """Start PortAudio anew: it reads the list of devices at no other time."""
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
    """Return the microphones that are there.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    return (backend or PortAudio()).devices()


def find_microphone(
    devices: Sequence[MicrophoneInfo], wanted: int | str | None = None
) -> MicrophoneInfo:
    """Choose a microphone.

    Args:
        devices: those that are there.
        wanted: its number, or a part of ``"name, host"`` in any case; None is the default one.
            A whole name wins over a part; among several, one of the default's host wins.

    Raises:
        DeviceError: none or several fit.
    """
    if not devices:
        raise DeviceError("no microphone is connected; plug one in, or start the sound server")
    there = ", ".join(map(str, devices))
    default = next((d for d in devices if d.is_default), devices[0])
    if wanted is None:
        return default
    if isinstance(wanted, int):
        for device in devices:
            if device.index == wanted:
                return device
        raise DeviceError(f"no microphone has number {wanted}; there are {there}")
    part = wanted.casefold()
    fit = [d for d in devices if part in f"{d.name}, {d.host}".casefold()]
    if not fit:
        raise DeviceError(f"no microphone is named {wanted!r}; there are {there}")
    fit = [d for d in fit if d.name.casefold() == part] or fit
    fit = fit if len(fit) == 1 else [d for d in fit if d.host == default.host] or fit
    if len(fit) > 1:
        raise DeviceError(
            f"several microphones are named {wanted!r}: {', '.join(map(str, fit))}; "
            "give one's number"
        )
    return fit[0]
