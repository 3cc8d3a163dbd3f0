"""A live session: sound from a source through streams to records, over every interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.errors import DeviceError, Error
from asr_gru.live.records import AudioBlock, AudioDropped, SourceLost, SourceRestored, Status

if TYPE_CHECKING:
    from asr_gru.audio import Samples
    from asr_gru.audio.blocks import AudioSource, Block
    from asr_gru.live.records import Record
    from asr_gru.recognizer import DecoderChoice, Recognizer
    from asr_gru.results import Event
    from asr_gru.streaming.endpoint import EndpointRules
    from asr_gru.streaming.stream import Stream

__all__ = ["LiveSession"]

STATUS_S = 0.1
READ_S = 0.2
SILENCE_S = 1.0
"""Dropped sound is fed as silence in pieces of this length."""
SMOOTHED_S = 2.0
"""Time constant of ``Status.load``."""
LOWEST_DB = -120.0


class LiveSession:
    """Iterate over it to run it; it prints nothing.

        with LiveSession(Recognizer.load(), Microphone()) as session:
            for record in session:
                if isinstance(record, Event) and record.kind == "final":
                    print(record.text)

    Times in all records are seconds since the session began. Its clock goes on while the source
    is gone and over dropped sound, so it keeps to the clock on the wall. Segment ids rise
    through the whole session. The session ends when the source is over or after ``stop``;
    its last records then close what is open.

    Args:
        recognizer: a streaming one.
        source: a ``Microphone``, a ``PacedRecording``, or your own.
        endpoint: where segments end; the recogniser's own rules when not given. May be changed
            while the session runs.
        decoder: as in ``Recognizer.stream``.
        audio: whether to give ``AudioBlock`` records too.
        retry_s: seconds between two looks for a source that is gone.
        clock: in seconds, rising; the source's clock.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        source: AudioSource,
        endpoint: EndpointRules | str | float | None = None,
        *,
        decoder: DecoderChoice = None,
        audio: bool = False,
        retry_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recognizer = recognizer
        self._source = source
        self._decoder = decoder
        self._audio = audio
        self._retry_s = retry_s
        self._clock = clock
        self._stopping = False
        self._first_s = 0.0
        self._next_id = 0
        self._stream = self._new_stream(endpoint)
        self._last_s = clock()
        self._is_back = False
        self._meter = _Meter(clock)

    def __enter__(self) -> LiveSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    @property
    def endpoint(self) -> EndpointRules:
        """Where segments end; may be changed while the session runs."""
        return self._stream.endpoint

    @endpoint.setter
    def endpoint(self, endpoint: EndpointRules | str | float) -> None:
        self._stream.endpoint = endpoint

    @property
    def now_s(self) -> float:
        """The session's clock: seconds of sound and gaps so far."""
        return self._first_s + self._stream.audio_s

    def stop(self) -> None:
        """End the session soon; may be called from another thread or a signal handler."""
        self._stopping = True

    def __iter__(self) -> Iterator[Record]:
        """Run the session.

        Raises:
            AudioError: the source cannot be read any further; what was said has been given.
        """
        try:
            yield from self._run()
        finally:
            self._source.close()

    def _run(self) -> Iterator[Record]:
        while True:
            if self._stopping:
                self._source.close()
            try:
                block = self._source.read(READ_S, self._useful())
            except EOFError:
                break
            except DeviceError as error:
                if self._stopping:
                    break
                yield from self._lost(str(error))
                if self._stopping:
                    return
                continue
            except Error:
                yield from self._finish()
                raise
            if block is not None:
                yield from self._take(block)
            if self._meter.is_due():
                yield self._meter.status(self.now_s)
        yield from self._finish()

    def _useful(self) -> int:
        """Return how many samples of the source complete the next step of the model."""
        info = self._recognizer.acoustic.info
        missing = info.step_samples - self._stream.engine.buffered
        return max(1, math.ceil(missing * self._source.sample_rate / info.sample_rate))

    def _take(self, block: Block) -> Iterator[Record]:
        rate = self._source.sample_rate
        if self._is_back:  # sound may begin some time after the source was opened
            self._is_back = False
            began_s = block.arrived_s - (len(block.samples) + block.dropped) / rate
            self._first_s += max(0.0, began_s - self._last_s)
        if block.dropped:
            yield AudioDropped(block.dropped / rate, self.now_s)
            yield from self._silence(block.dropped)
        if self._audio:
            yield AudioBlock(block.samples, rate, self.now_s)
        yield from self._feed(block.samples)
        self._last_s = block.arrived_s
        self._meter.heard(block)

    def _silence(self, count: int) -> Iterator[Event]:
        most = round(SILENCE_S * self._source.sample_rate)
        while count > 0:
            yield from self._feed(np.zeros(min(count, most), np.float32))
            count -= most

    def _feed(self, samples: Samples) -> Iterator[Event]:
        return self._placed(self._stream.feed(samples))

    def _finish(self) -> Iterator[Event]:
        return self._placed(self._stream.finish())

    def _lost(self, message: str) -> Iterator[Record]:
        """Close the open segment, wait for the source, begin a stream where the clock will be."""
        yield from self._finish()
        now_s = self.now_s
        yield SourceLost(message, now_s)
        source = self._wait_for_source()
        if source is None:
            return
        gap_s = max(0.0, self._clock() - self._last_s)
        self._source, self._last_s, self._is_back = source, self._clock(), True
        self._first_s = now_s + gap_s
        self._stream = self._new_stream(self.endpoint)
        yield SourceRestored(source.description, gap_s)

    def _wait_for_source(self) -> AudioSource | None:
        while not self._stopping:
            try:
                return self._source.reopen()
            except DeviceError:
                until_s = time.monotonic() + self._retry_s
                while not self._stopping and time.monotonic() < until_s:
                    time.sleep(min(READ_S, self._retry_s))
        return None

    def _new_stream(self, endpoint: EndpointRules | str | float | None) -> Stream:
        self._first_id = self._next_id
        return self._recognizer.stream(self._source.sample_rate, endpoint, decoder=self._decoder)

    def _placed(self, events: list[Event]) -> Iterator[Event]:
        """Move events of the stream to their place in the session."""
        for event in events:
            # a list first: a tuple made of a generator is cut down, and CPython keeps what was cut
            moved = [
                replace(w, start_s=w.start_s + self._first_s, end_s=w.end_s + self._first_s)
                for w in event.words
            ]
            self._next_id = self._first_id + event.segment + 1
            yield replace(
                event,
                segment=self._first_id + event.segment,
                words=tuple(moved),
                start_s=event.start_s + self._first_s,
                end_s=event.end_s + self._first_s,
            )


class _Meter:
    """Level, load and lag."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._shown_s = clock()
        self._cpu_s = time.process_time()
        self._power = 0.0
        self._load = 0.0
        self._lag_s = 0.0

    def heard(self, block: Block) -> None:
        if len(block.samples):
            power = float(np.dot(block.samples, block.samples)) / len(block.samples)
            self._power = max(self._power, power)
        self._lag_s = max(0.0, self._clock() - block.arrived_s)

    def is_due(self) -> bool:
        return self._clock() - self._shown_s >= STATUS_S

    def status(self, now_s: float) -> Status:
        passed_s, cpu_s = self._clock() - self._shown_s, time.process_time()
        kept = math.exp(-passed_s / SMOOTHED_S)
        self._load = kept * self._load + (1 - kept) * (cpu_s - self._cpu_s) / passed_s
        level_db = max(LOWEST_DB, 10 * math.log10(self._power + 1e-30))
        self._shown_s, self._cpu_s, self._power = self._clock(), cpu_s, 0.0
        return Status(now_s, level_db, self._load, self._lag_s)
