"""Microphone input: format negotiation, buffering, and detection of lost devices."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import numpy as np

from asr_gru.audio.blocks import Block, BlockQueue
from asr_gru.audio.devices import (
    Backend,
    DeviceStream,
    MicrophoneInfo,
    PortAudio,
    find_microphone,
    list_microphones,
)
from asr_gru.audio.samples import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, check_samples
from asr_gru.errors import DeviceError

__all__ = ["Microphone", "MicrophoneInfo", "list_microphones"]

BUFFER_S = 30.0
"""Seconds of audio to buffer before the oldest is dropped."""
STALL_TIMEOUT_S = 1.0
"""Seconds without a callback after which a microphone counts as lost."""
STARTUP_TIMEOUT_S = 5.0
"""The same before the first callback: some sound servers start slowly."""
NAME_ONLY_TRIES = 3
"""Calls of ``reopen`` that look only for the same name before the default is accepted."""
FALLBACK_RATES = (48_000, 44_100, 16_000)
ALSA_NUMBER = re.compile(r" \(hw:\d+,\d+\)")


class Microphone:
    """An ``AudioSource`` that records from an input device, starting at once.

    The device is opened at its default sample rate with one or two channels, which are averaged;
    if it has more, one, two and all of them are tried. If that is refused, 48000, 44100 and
    16000 Hz are tried, each as float32 and int16. The audio thread only copies into a queue of
    ``BUFFER_S`` seconds; if it is not read, the oldest samples are dropped and counted.

    Args:
        device: number or part of the name; None is the default. See ``find_microphone``.
        backend: the audio API; PortAudio by default.
        clock: monotonic clock in seconds.

    Raises:
        DeviceError: PortAudio is missing, no such device, or it cannot be opened.
    """

    def __init__(
        self,
        device: int | str | None = None,
        *,
        backend: Backend | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend or PortAudio()
        self._clock = clock
        self._info = find_microphone(self._backend.devices(), device)
        self._by_name = device is not None
        self._reopen_tries = 0
        self._has_received = False
        self._closed = False
        self._open()

    @property
    def name(self) -> str:
        """Name of the device."""
        return self._info.name

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz, as opened."""
        return self._rate

    @property
    def description(self) -> str:
        """Name of the device and the format it was opened with."""
        return self._description

    def read(self, timeout_s: float, min_samples: int = 1) -> Block | None:
        """Return the audio recorded since the last call; see ``AudioSource.read``.

        Raises:
            DeviceError: closed, or lost: its stream ended, or made no callback in time.
        """
        taken = None if self._closed else self._queue.take(timeout_s, min_samples)
        failure = "" if taken is not None else self._failure()
        if failure:
            taken = self._queue.take(0.0)
        if taken is None:
            if failure:
                raise DeviceError(failure)
            return None
        self._has_received = True
        samples, arrived_s, dropped = taken
        if samples.dtype.kind == "f":
            np.nan_to_num(samples, copy=False)
        return Block(check_samples(samples), arrived_s, dropped)

    def _failure(self) -> str:
        if self._closed:
            return f"microphone {self.name!r} is closed; open it again"
        idle_s = self._clock() - self._queue.last_put_s
        if idle_s > (STALL_TIMEOUT_S if self._has_received else STARTUP_TIMEOUT_S):
            return (
                f"microphone {self.name!r} has delivered no audio for {idle_s:.1f} s; "
                "check its cable or the sound server"
            )
        if not self._stream.active:
            return f"microphone {self.name!r} is disconnected; plug it in again"
        return ""

    def close(self) -> None:
        """Stop recording; audio that was recorded can still be read."""
        if not self._closed:
            self._closed = True
            self._stream.close()

    def reopen(self) -> Microphone:
        """Reopen this microphone after it was lost, and return it.

        The device is looked up by name; from the fourth call on, or if the default device was
        asked for, the default is accepted. Closes all other microphones of this process.

        Raises:
            DeviceError: it is not available yet; call again later.
        """
        self.close()
        self._backend.refresh()
        self._reopen_tries += 1
        wanted = [self.name, ALSA_NUMBER.sub("", self.name)] if self._by_name else []
        if not self._by_name or self._reopen_tries > NAME_ONLY_TRIES:
            wanted.append("")
        error = DeviceError(f"microphone {self.name!r} is not available")
        for name in dict.fromkeys(wanted):
            try:
                found = Microphone(name or None, backend=self._backend, clock=self._clock)
            except DeviceError as failed:
                error = failed
            else:
                found._by_name = self._by_name
                return found
        raise error

    def _open(self) -> None:
        reason = ""
        for rate, channels, dtype in _candidate_formats(self._info):
            queue = BlockQueue(round(BUFFER_S * rate), self._clock)
            try:
                stream = self._backend.open(self._info.index, rate, channels, dtype, queue.put)
            except DeviceError as error:
                reason = reason or str(error)
                continue
            self._stream: DeviceStream = stream
            self._queue, self._rate = queue, rate
            taken = f"{rate} Hz, {channels} channel{'s' * (channels > 1)}, {dtype}"
            self._description = f"{self.name}, {taken}"
            if reason:
                self._description += f" (its default of {self._info.rate} Hz was refused: {reason})"
            return
        raise DeviceError(
            f"microphone {self.name!r} cannot be opened ({reason}); "
            "close other programs that use it, or choose another device"
        )


def _candidate_formats(info: MicrophoneInfo) -> Iterator[tuple[int, int, str]]:
    """Yield sample rate, channels and dtype to try, the device's defaults first."""
    counts = [info.channels, 1] if info.channels <= 2 else [1, 2, info.channels]
    rates = [
        rate for rate in (info.rate, *FALLBACK_RATES) if MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE
    ]
    steps = [(rates[0], count) for count in counts]
    steps += [(rate, count) for count in (1, counts[0], counts[-1]) for rate in rates[1:]]
    for rate, count in dict.fromkeys(steps):
        for dtype in ("float32", "int16"):
            yield rate, count, dtype
