"""Transcription of recordings by streams, several in parallel, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.audio import (
    RawAudio,
    Samples,
    check_rate,
    check_samples,
    open_recording,
)
from asr_gru.audio.samples import as_array
from asr_gru.errors import AudioError, Error
from asr_gru.results import Event, Segment, Transcript
from asr_gru.streaming.batching import step_engines
from asr_gru.streaming.engine import Pipeline, StreamEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from asr_gru.audio import Recording
    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["AudioInput", "Update", "iterate_segments", "transcribe_recordings"]

AudioInput = str | Path | RawAudio | IO[bytes] | bytes | npt.NDArray[np.generic]
"""A path, raw PCM in a file, a binary file object, the contents of a file, or samples."""
BLOCK_S = 1.0
WAITING_PER_SLOT = 32
"""Results that may wait for an earlier recording, per recording that is open at the same time.
They hold their sources, which may be samples, so all that follow a long one would be too many."""
SIZES = (32, 16, 8, 4, 2, 1)
"""Steps per call of the model; the smaller sizes are for the end of a recording."""
WINDOW_S, QUIET_S, PAUSE_S = 40.0, 10.0, 0.3
"""Models that do not stream get windows of up to 40 s, split at the quietest pause of the last
10 s."""


def iterate_segments(
    pipeline: Pipeline, source: AudioInput, sample_rate: int | None, rules: EndpointRules
) -> Iterator[Segment]:
    """Yield the segments of a recording as soon as they are final."""
    run = _RecordingRun(pipeline, source, sample_rate, rules)
    try:
        while not run.ended:
            error = run.read(_samples_per_call(pipeline.acoustic))
            if error:
                raise error
            _step(pipeline.acoustic, [run])
            yield from run.take_segments()
        run.finish()
        yield from run.take_segments()
    finally:
        run.close()


@dataclass(frozen=True, slots=True)
class Update:
    """Progress of one of several recordings.

    Attributes:
        index: index of the source, from 0.
        segments: segments that have become final since its last update.
        audio_s: seconds of audio that have been recognised.
        duration_s: duration in seconds according to its header, or None.
    """

    index: int
    segments: tuple[Segment, ...]
    audio_s: float
    duration_s: float | None


def transcribe_recordings(
    pipeline: Pipeline,
    sources: Iterable[AudioInput],
    sample_rate: int | None,
    rules: EndpointRules,
    *,
    batch_size: int,
    on_progress: Callable[[float], None] | None = None,
    on_segment: Callable[[Segment], None] | None = None,
    on_update: Callable[[Update], None] | None = None,
) -> Iterator[tuple[AudioInput, Transcript | Error]]:
    """Yield each source with its transcript or error, in order.

    Args:
        pipeline: the pipeline of the recogniser.
        sources: recordings.
        sample_rate: sample rate of sources that are samples, in Hz.
        rules: endpoint rules.
        batch_size: number of recordings that are open at the same time and share calls of the
            model.
        on_progress: called with the seconds of audio recognised so far in all recordings.
        on_segment: called with each segment of any recording as soon as it is final.
        on_update: called for each recording every few seconds of its audio.
    """
    numbered = enumerate(sources)
    running: dict[int, _RecordingRun] = {}
    results: dict[int, tuple[AudioInput, Transcript | Error]] = {}
    yielded, more, finished_s = 0, True, 0.0
    wanted = _samples_per_call(pipeline.acoustic)
    max_waiting = WAITING_PER_SLOT * batch_size
    try:
        while more or running:
            while more and len(running) < batch_size and len(results) < max_waiting:
                index, source = next(numbered, (-1, ""))
                more = index >= 0
                if more:
                    try:
                        running[index] = _RecordingRun(pipeline, source, sample_rate, rules)
                    except Error as error:
                        results[index] = (source, error)
            for index, run in list(running.items()):
                failed = run.read(wanted)
                if failed:
                    results[index] = (run.source, failed)
                    running.pop(index).close()
            _step(pipeline.acoustic, list(running.values()))
            for run in running.values():
                if run.ended:
                    run.finish()
            if on_update is not None:
                for index, run in running.items():
                    on_update(run.update(index))
            for index, run in list(running.items()):
                if run.ended:
                    results[index] = (run.source, run.transcript())
                    finished_s += running.pop(index).engine.audio_s
                if on_segment is not None:
                    for segment in run.take_segments():
                        on_segment(segment)
            if on_progress is not None:
                on_progress(finished_s + sum(run.engine.audio_s for run in running.values()))
            while yielded in results:
                yield results.pop(yielded)
                yielded += 1
    finally:
        for run in running.values():
            run.close()


class _RecordingRun:
    """A recording that is being recognised.

    Attributes:
        ended: whether the recording has been read to its end.
    """

    def __init__(
        self, pipeline: Pipeline, source: AudioInput, sample_rate: int | None, rules: EndpointRules
    ) -> None:
        self.source = source
        self.ended = False
        self.warnings: list[str] = []
        self.close: Callable[[], None] = lambda: None
        self._segments: list[Segment] = []
        self._taken = self._updated = 0
        self._recording: Recording | None = None
        self._blocks: Iterator[Samples]
        if _is_samples(source):
            if sample_rate is None:
                raise AudioError("samples come without a rate; give sample_rate= in Hz")
            rate = check_rate(sample_rate)
            samples = as_array(source)  # type: ignore[arg-type]
            check_samples(samples[:0])
            size = round(BLOCK_S * rate)
            self._blocks = (
                check_samples(samples[i : i + size]) for i in range(0, len(samples), size)
            )
        else:
            recording = self._recording = open_recording(source)  # type: ignore[arg-type]
            rate, self.warnings, self.close = (
                recording.sample_rate,
                recording.warnings,
                recording.close,
            )
            self._blocks = recording.blocks(BLOCK_S)
        self.engine = StreamEngine(pipeline, rate, rules, partials=False)

    def read(self, count: int) -> Error | None:
        """Read until ``count`` samples at the model's rate are buffered, or the recording ends.

        Returns:
            the error, if reading failed.
        """
        try:
            while not self.ended and self.engine.buffered < count:
                block = next(self._blocks, None)
                if block is None:
                    self.ended = True
                    self.close()
                else:
                    self.engine.accept(block)
        except Error as error:
            return error
        except OSError as error:
            name = self._recording.path if self._recording else "the samples"
            return AudioError(f"{name}: {error.strerror or error}")
        return None

    def update(self, index: int) -> Update:
        """Return the progress, with the segments since the last update."""
        new = tuple(self._segments[self._updated :])
        self._updated = len(self._segments)
        duration_s = None if self._recording is None else self._recording.duration_s
        return Update(index, new, self.engine.audio_s, duration_s)

    def add(self, events: list[Event]) -> None:
        """Store the segments of events, all of which are finals."""
        self._segments += [event.to_segment() for event in events]

    def finish(self) -> None:
        """End the stream."""
        self.add(self.engine.finish())

    def take_segments(self) -> list[Segment]:
        """Return the segments that became final since the last call."""
        new = self._segments[self._taken :]
        self._taken = len(self._segments)
        return new

    def transcript(self) -> Transcript:
        """Return the transcript so far."""
        return Transcript(tuple(self._segments), self.engine.audio_s, tuple(self.warnings))


def _is_samples(source: AudioInput) -> bool:
    """Return whether a source is samples, perhaps as a list of numbers, rather than a file."""
    if isinstance(source, str | Path | RawAudio | bytes | bytearray | memoryview):
        return False
    return not hasattr(source, "read")


def _samples_per_call(acoustic: AcousticModel) -> int:
    if acoustic.info.streaming:
        return SIZES[0] * acoustic.info.step_samples
    return _window_samples(acoustic)[0]


def _step(acoustic: AcousticModel, runs: Sequence[_RecordingRun]) -> None:
    """Recognise the buffered audio, in large steps until the end of a recording."""
    if not acoustic.info.streaming:
        for run in runs:
            _step_window(acoustic, run)
        return
    ended = [run for run in runs if run.ended]
    for group, sizes in ((runs, SIZES[:1]), (ended, SIZES[1:])):
        events = step_engines(acoustic, [run.engine for run in group], sizes)
        for run, found in zip(group, events, strict=True):
            run.add(found)


def _step_window(acoustic: AcousticModel, run: _RecordingRun) -> None:
    longest, quiet = _window_samples(acoustic)
    while run.engine.buffered >= longest:
        samples = run.engine.take(longest)
        split = longest - quiet + _quietest(samples[-quiet:], acoustic.info.frame_samples)
        run.engine.put_back(samples[split:])
        start = acoustic.start(1)
        log_probs = acoustic.finish(samples[None, :split], start)
        run.add(run.engine.advance(log_probs[0], start))


def _window_samples(acoustic: AcousticModel) -> tuple[int, int]:
    info = acoustic.info
    longest, quiet = (int(seconds / info.frame_s) for seconds in (WINDOW_S, QUIET_S))
    return longest * info.frame_samples, quiet * info.frame_samples


def _quietest(samples: Samples, frame: int) -> int:
    """Return the middle of the quietest pause, a multiple of ``frame``."""
    energy = np.square(samples, dtype=np.float64).reshape(-1, frame).sum(axis=1)
    span = max(1, round(PAUSE_S * len(energy) / QUIET_S))
    return (int(np.convolve(energy, np.ones(span), "valid").argmin()) + span // 2) * frame
