"""A microphone: opened as it likes to be opened, read without loss, missed when it is gone."""

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
from asr_gru.audio.samples import HIGHEST_RATE, LOWEST_RATE, check_samples
from asr_gru.errors import DeviceError

__all__ = ["Microphone", "MicrophoneInfo", "list_microphones"]

KEPT_S = 30.0
"""Seconds that wait for a reader before the oldest are dropped."""
GONE_S = 1.0
"""Seconds without a callback after which a microphone is gone."""
STARTING_S = 5.0
"""The same before the first callback: some sound servers start slowly."""
LOYAL = 3
"""How often ``reopen`` looks for the microphone's name alone before it takes the default."""
RATES = (48_000, 44_100, 16_000)
NUMBER = re.compile(r" \(hw:\d+,\d+\)")


class Microphone:
    """A device that records from the moment it is made; an ``AudioSource``.

    It is opened at its own rate, with one or two channels, which are averaged; a device with more
    is asked for one, then two, then all. Where that is refused, one channel at 48000, 44100 and
    16000 Hz is tried, each as float32 and as int16. The sound system's thread only copies into a
    queue of ``KEPT_S`` seconds; when nobody reads, the oldest samples are dropped and counted.

    Args:
        device: number or part of the name; None is the default. See ``find_microphone``.
        backend: the sound system; PortAudio when not given.
        clock: in seconds, rising.

    Raises:
        DeviceError: no PortAudio, no such device, or it cannot be opened.
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
        self._named = device is not None
        self._tries = 0
        self._heard = False
        self._closed = False
        self._open()

    @property
    def name(self) -> str:
        """The device's name."""
        return self._info.name

    @property
    def sample_rate(self) -> int:
        """In Hz, as opened."""
        return self._rate

    @property
    def description(self) -> str:
        """The device and what it took."""
        return self._description

    def read(self, timeout_s: float, least: int = 1) -> Block | None:
        """Return what was recorded since the last call; see ``AudioSource.read``.

        Raises:
            DeviceError: closed, or gone: no callback for ``GONE_S``, or the sound system ended it.
        """
        taken = None if self._closed else self._queue.take(timeout_s, least)
        why = "" if taken is not None else self._why_gone()
        if why:
            taken = self._queue.take(0.0)
        if taken is None:
            if why:
                raise DeviceError(why)
            return None
        self._heard = True
        samples, arrived_s, dropped = taken
        if samples.dtype.kind == "f":
            np.nan_to_num(samples, copy=False)
        return Block(check_samples(samples), arrived_s, dropped)

    def _why_gone(self) -> str:
        if self._closed:
            return f"microphone {self.name!r} is closed; open it again"
        still_s = self._clock() - self._queue.last_s
        if still_s > (GONE_S if self._heard else STARTING_S):
            return (
                f"microphone {self.name!r} has been still for {still_s:.1f} s; "
                "check its cable or the sound server"
            )
        if not self._stream.active:
            return f"microphone {self.name!r} is gone; plug it in again"
        return ""

    def close(self) -> None:
        """Stop recording; what was recorded can still be read."""
        if not self._closed:
            self._closed = True
            self._stream.close()

    def reopen(self) -> Microphone:
        """Return this microphone, opened again after it was gone.

        It is looked for by its name; from the fourth call on, or when it was never named, the
        default one will do. Every other microphone of this process is closed by this.

        Raises:
            DeviceError: it is not back yet; call again after a while.
        """
        self.close()
        self._backend.refresh()
        self._tries += 1
        wanted = [self.name, NUMBER.sub("", self.name)] if self._named else []
        if not self._named or self._tries > LOYAL:
            wanted.append("")
        error = DeviceError(f"microphone {self.name!r} is not back")
        for name in dict.fromkeys(wanted):
            try:
                found = Microphone(name or None, backend=self._backend, clock=self._clock)
            except DeviceError as failed:
                error = failed
            else:
                found._named = self._named
                return found
        raise error

    def _open(self) -> None:
        reason = ""
        for rate, channels, dtype in _ladder(self._info):
            queue = BlockQueue(round(KEPT_S * rate), self._clock)
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
                self._description += f" (its own {self._info.rate} Hz was refused: {reason})"
            return
        raise DeviceError(
            f"microphone {self.name!r} cannot be opened ({reason}); "
            "end other programs that use it, or name another one"
        )


def _ladder(info: MicrophoneInfo) -> Iterator[tuple[int, int, str]]:
    """Yield rate, channels and type, the device's own first."""
    counts = [info.channels, 1] if info.channels <= 2 else [1, 2, info.channels]
    rates = [rate for rate in (info.rate, *RATES) if LOWEST_RATE <= rate <= HIGHEST_RATE]
    steps = [(rates[0], count) for count in counts]
    steps += [(rate, count) for count in (1, counts[0], counts[-1]) for rate in rates[1:]]
    for rate, count in dict.fromkeys(steps):
        for dtype in ("float32", "int16"):
            yield rate, count, dtype
