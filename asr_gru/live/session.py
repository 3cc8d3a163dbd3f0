"""A live session: recognises a live source and recovers when it is lost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
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
"""Dropped audio is replaced by silence, fed in blocks of this length."""
LOAD_TIME_CONSTANT_S = 2.0
"""Time constant of ``Status.load``."""
MIN_LEVEL_DB = -120.0


class LiveSession:
    """Recognises a live source; iterate over it to run it.

        with LiveSession(Recognizer.load(), Microphone()) as session:
            for record in session:
                if isinstance(record, Event) and record.kind == "final":
                    print(record.text)

    Times in all records are seconds since the start of the session. The clock keeps running while
    the source is lost and while audio is dropped, so it follows wall-clock time. Segment ids
    increase throughout the session, which ends with the source or after ``stop``; the open segment
    is finished first.

    Args:
        recognizer: a recogniser with a streaming model.
        source: a ``Microphone``, a ``PacedRecording``, or a custom source.
        endpoint: endpoint rules; those of the recogniser by default. May be changed while the
            session runs.
        decoder: as in ``Recognizer.stream``.
        minimum_confidence: words below are left out; see ``Recognizer.stream``.
        mark_uncertain: mark them instead.
        written: as in ``Recognizer.stream``.
        alternatives: as in ``Recognizer.stream``.
        audio: whether to yield ``AudioBlock`` records as well.
        retry_s: seconds between attempts to reopen a lost source.
        clock: monotonic clock of the source in seconds.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        source: AudioSource,
        endpoint: EndpointRules | str | float | None = None,
        *,
        decoder: DecoderChoice = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        audio: bool = False,
        retry_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recognizer = recognizer
        self._source = source
        self._start_stream = partial(
            recognizer.stream,
            decoder=decoder,
            minimum_confidence=minimum_confidence,
            mark_uncertain=mark_uncertain,
            written=written,
            alternatives=alternatives,
        )
        self._audio = audio
        self._retry_s = retry_s
        self._clock = clock
        self._stopping = False
        self._has_run = False
        self._stream_start_s = 0.0
        self._next_id = 0
        self._stream = self._new_stream(endpoint)
        self._last_arrival_s = clock()
        self._was_restored = False
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
        """Session time in seconds, including gaps."""
        return self._stream_start_s + self._stream.audio_s

    def stop(self) -> None:
        """Stop the session; may be called from another thread or a signal handler."""
        self._stopping = True

    def __iter__(self) -> Iterator[Record]:
        """Run the session, once.

        Raises:
            AudioError: the source cannot be decoded; all results so far were yielded.
            Error: the session has run already.
        """
        if self._has_run:
            raise Error("this session has ended; create another LiveSession")
        self._has_run = True
        try:
            yield from self._run()
        finally:
            self._source.close()

    def _run(self) -> Iterator[Record]:
        while True:
            if self._stopping:
                self._source.close()
            try:
                block = self._source.read(READ_S, self._samples_to_next_step())
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

    def _samples_to_next_step(self) -> int:
        """Return the number of source samples that complete the next step of the model."""
        info = self._recognizer.acoustic.info
        missing = info.step_samples - self._stream.engine.buffered
        return max(1, math.ceil(missing * self._source.sample_rate / info.sample_rate))

    def _take(self, block: Block) -> Iterator[Record]:
        rate = self._source.sample_rate
        if self._was_restored:  # audio may start some time after the source was opened
            self._was_restored = False
            began_s = block.arrived_s - (len(block.samples) + block.dropped) / rate
            self._stream_start_s += max(0.0, began_s - self._last_arrival_s)
        if block.dropped:
            yield AudioDropped(block.dropped / rate, self.now_s)
            yield from self._silence(block.dropped)
        if self._audio:
            yield AudioBlock(block.samples, rate, self.now_s)
        yield from self._feed(block.samples)
        self._last_arrival_s = block.arrived_s
        self._meter.update(block)

    def _silence(self, count: int) -> Iterator[Event]:
        max_samples = round(SILENCE_S * self._source.sample_rate)
        while count > 0:
            yield from self._feed(np.zeros(min(count, max_samples), np.float32))
            count -= max_samples

    def _feed(self, samples: Samples) -> Iterator[Event]:
        return self._to_session_events(self._stream.feed(samples))

    def _finish(self) -> Iterator[Event]:
        return self._to_session_events(self._stream.finish())

    def _lost(self, message: str) -> Iterator[Record]:
        """Finish the open segment, wait for the source, and start a stream at the current time."""
        yield from self._finish()
        now_s = self.now_s
        yield SourceLost(message, now_s)
        source = self._wait_for_source()
        if source is None:
            return
        gap_s = max(0.0, self._clock() - self._last_arrival_s)
        self._source, self._last_arrival_s, self._was_restored = source, self._clock(), True
        self._stream_start_s = now_s + gap_s
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
        return self._start_stream(self._source.sample_rate, endpoint)

    def _to_session_events(self, events: list[Event]) -> Iterator[Event]:
        """Convert events from stream time and segment ids to those of the session."""
        for event in events:
            self._next_id = self._first_id + event.segment + 1
            yield event.shifted(self._stream_start_s, self._first_id)


class _Meter:
    """Level, load and lag."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_status_s = clock()
        self._cpu_s = time.process_time()
        self._power = 0.0
        self._load = 0.0
        self._lag_s = 0.0

    def update(self, block: Block) -> None:
        if len(block.samples):
            power = float(np.dot(block.samples, block.samples)) / len(block.samples)
            self._power = max(self._power, power)
        self._lag_s = max(0.0, self._clock() - block.arrived_s)

    def is_due(self) -> bool:
        return self._clock() - self._last_status_s >= STATUS_S

    def status(self, now_s: float) -> Status:
        elapsed_s, cpu_s = self._clock() - self._last_status_s, time.process_time()
        decay = math.exp(-elapsed_s / LOAD_TIME_CONSTANT_S)
        self._load = decay * self._load + (1 - decay) * (cpu_s - self._cpu_s) / elapsed_s
        level_db = max(MIN_LEVEL_DB, 10 * math.log10(self._power + 1e-30))
        self._last_status_s, self._cpu_s, self._power = self._clock(), cpu_s, 0.0
        return Status(now_s, level_db, self._load, self._lag_s)
