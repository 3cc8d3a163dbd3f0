"""Memory and lag over two hours of live audio, and the cost of silence.

    python -m benchmarks.memory.live_soak
    python -m benchmarks.memory.live_soak --hours 0.5 --recording TALK.flac

A ``LiveSession`` reads a recording in a loop, faster than real time but through the same code: its
clock counts this process's CPU time and the time that the session would have waited, so the lag is
what the session itself causes. Finals are written to a file as ``asr-gru live --output`` does. Then
come an hour of digital silence in the same way, and twenty seconds of it in real time, which
includes the cost of waking up.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from asr_gru import DeviceError, Event, Recognizer
from asr_gru.audio.blocks import AudioSource, Block
from asr_gru.audio.paced import PacedRecording
from asr_gru.live import LiveSession, Status
from asr_gru.live.writers import SessionWriter
from benchmarks._common import (
    AUDIO_SAMPLES,
    Table,
    load,
    make_parser,
    positive,
    resident_mb,
    run,
    whole_number,
)

BLOCK_S = 0.02


class Clock:
    """Counts this process's CPU time and the time it would have waited."""

    def __init__(self) -> None:
        self._waited_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self._waited_s + time.process_time()

    def sleep(self, seconds: float) -> None:
        """Add ``seconds`` without waiting."""
        self._waited_s += max(0.0, seconds)


class RepeatedRecording:
    """A recording, repeated until ``seconds`` are full."""

    def __init__(self, path: Path, seconds: float, clock: Clock) -> None:
        self._path, self._seconds, self._clock = path, seconds, clock
        self._source = self._open()
        self.sample_rate = self._source.sample_rate
        self.description = f"{path.name}, repeated"
        self._given = 0

    def _open(self) -> PacedRecording:
        return PacedRecording(self._path, clock=self._clock, sleep=self._clock.sleep)

    def read(self, timeout_s: float, min_samples: int = 1) -> Block | None:
        """Return what is due; see ``AudioSource.read``."""
        if self._given >= self._seconds * self.sample_rate:
            self.close()
            raise EOFError
        try:
            block = self._source.read(timeout_s, min_samples)
        except EOFError:
            self._source.close()
            self._source = self._open()
            block = self._source.read(timeout_s, min_samples)
        if block is not None:
            self._given += len(block.samples)
        return block

    def close(self) -> None:
        """End it."""
        self._source.close()
        self._seconds = 0.0

    def reopen(self) -> AudioSource:
        """Raise DeviceError."""
        raise DeviceError("a recording cannot vanish")


class Silence:
    """Digital silence in blocks of 20 ms, each when it is due."""

    def __init__(
        self,
        seconds: float,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.sample_rate = rate
        self.description = "silence"
        self._seconds, self._clock, self._sleep = seconds, clock, sleep
        self._began_s: float | None = None
        self._given = 0

    def read(self, timeout_s: float, min_samples: int = 1) -> Block | None:
        """Return what is due; see ``AudioSource.read``."""
        if self._began_s is None:
            self._began_s = self._clock()
        if self._given >= self._seconds * self.sample_rate:
            raise EOFError
        size = round(BLOCK_S * self.sample_rate)
        count = -(-min_samples // size) * size
        due_s = self._began_s + (self._given + count) / self.sample_rate
        wait_s = due_s - self._clock()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return None
        self._given += count
        return Block(np.zeros(count, np.float32), due_s)

    def close(self) -> None:
        """End it."""
        self._seconds = 0.0

    def reopen(self) -> AudioSource:
        """Raise DeviceError."""
        raise DeviceError("silence cannot vanish")


def growth(megabytes: list[float]) -> float:
    """Return in percent how far the last value is above the first."""
    return 100 * (megabytes[-1] / megabytes[0] - 1)


def soak(recognizer: Recognizer, recording: Path, hours: float, every_s: float) -> None:
    clock = Clock()
    source = RepeatedRecording(recording, hours * 3600, clock)
    table = Table(
        *(("minute", "7.0f"), ("MB", "7.1f"), ("lag ms, median", "15.1f")),
        *(("highest", "8.1f"), ("words", "7d")),
    )
    megabytes, lags, words, next_s = [], [], 0, every_s
    with tempfile.TemporaryDirectory() as folder:
        writer = SessionWriter(Path(folder) / "session.jsonl")
        with writer, LiveSession(recognizer, source, clock=clock) as session:
            for record in session:
                if isinstance(record, Event):
                    writer.write(record)
                    words += len(record.words) if record.kind == "final" else 0
                elif isinstance(record, Status):
                    lags.append(record.lag_s)
                    if record.audio_s >= next_s:
                        megabytes.append(resident_mb())
                        lag_ms = 1000 * float(np.median(lags))
                        table.row(
                            *(record.audio_s / 60, megabytes[-1], lag_ms, 1000 * max(lags), words)
                        )
                        next_s += every_s
                        lags.clear()
    if megabytes:
        print(f"memory at the end against the first line: {growth(megabytes):+.1f} %")


def cpu_s(recognizer: Recognizer, source: Silence, clock: Callable[[], float]) -> float:
    """Return the seconds of CPU time that listening to ``source`` takes."""
    began_s = time.process_time()
    with LiveSession(recognizer, source, clock=clock) as session:
        for _ in session:
            pass
    return time.process_time() - began_s


def from_zero(text: str) -> float:
    """Read a number of which 0 leaves a measurement out, as a type of arguments."""
    return float(text) and positive(text)


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--recording", type=Path, default=AUDIO_SAMPLES / "long.ogg")
    parser.add_argument("--hours", type=positive, default=2.0, help="of live audio")
    parser.add_argument("--every", type=positive, default=10.0, help="minutes between two lines")
    parser.add_argument("--silence", type=from_zero, default=1.0, help="hours of silence, or 0")
    parser.add_argument(
        "--paced", type=from_zero, default=20.0, help="seconds of it in real time, or 0"
    )
    parser.add_argument("--rate", type=whole_number, default=48_000, help="of the silence, in Hz")
    options = parser.parse_args(argv)
    recognizer = load(options)
    soak(recognizer, options.recording, options.hours, options.every * 60)
    if options.silence:
        clock = Clock()
        seconds = options.silence * 3600
        source = Silence(seconds, options.rate, clock, clock.sleep)
        work_s = cpu_s(recognizer, source, clock)
        print(f"{options.silence:g} h of silence: {100 * work_s / seconds:.2f} % of a core")
    if options.paced:
        work_s = cpu_s(recognizer, Silence(options.paced, options.rate), time.monotonic)
        print(
            f"{options.paced:g} s of silence in real time: "
            f"{100 * work_s / options.paced:.2f} % of a core"
        )


if __name__ == "__main__":
    run(main)
