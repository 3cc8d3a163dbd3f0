"""Whole recordings through streams, several side by side, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.audio import RawAudio, Samples, check_rate, check_samples, open_recording
from asr_gru.errors import AudioError, Error
from asr_gru.results import Event, Segment, Transcript
from asr_gru.streaming.batching import step_streams
from asr_gru.streaming.stream import Pipeline, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asr_gru.audio import Recording
    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["AudioInput", "Update", "transcribe_recordings"]

AudioInput = str | Path | RawAudio | npt.NDArray[np.generic]
BLOCK_S = 1.0
STEPS = (32, 16, 8, 4, 2, 1)
"""Live steps that are taken in one call of the model: the most that are there."""
WINDOW_S, QUIET_S, PAUSE_S = 40.0, 10.0, 0.3
"""A model that does not stream hears at most 40 s, cut in the quietest pause of the last 10 s."""


@dataclass(frozen=True, slots=True)
class Update:
    """How far one of several recordings has come.

    Attributes:
        index: its place among the sources, from 0.
        segments: those that have become final since its last update.
        audio_s: seconds of it that were recognised.
        duration_s: seconds that its header announces, or None.
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
    """Yield each source with its transcript, or with the error it met, in their order.

    Args:
        pipeline: the recogniser's.
        sources: files, or samples at ``sample_rate``.
        sample_rate: of samples, in Hz; files say theirs.
        rules: where segments end.
        batch_size: recordings open at a time; each call of the model serves all of them.
        on_progress: called with the seconds of audio that have been recognised in all.
        on_segment: called with each segment when it is final (of any of the recordings).
        on_update: called for each recording after every few seconds of it.
    """
    coming = enumerate(sources)
    running: dict[int, _RecordingRun] = {}
    results: dict[int, tuple[AudioInput, Transcript | Error]] = {}
    given, more, finished_s = 0, True, 0.0
    info = pipeline.acoustic.info
    wanted = (
        STEPS[0] * info.step_samples if info.streaming else _window_samples(pipeline.acoustic)[0]
    )
    try:
        while more or running:
            while more and len(running) < batch_size:
                index, source = next(coming, (-1, ""))
                more = index >= 0
                if more:
                    opened = _open(pipeline, source, sample_rate, rules, on_segment)
                    if isinstance(opened, Error):
                        results[index] = (source, opened)
                    else:
                        running[index] = opened
            for index, job in list(running.items()):
                error = job.read(wanted)
                if error:
                    results[index] = (job.source, error)
                    running.pop(index).close()
            if info.streaming:
                _step_together(pipeline.acoustic, list(running.values()))
            else:
                for job in running.values():
                    _step_window(pipeline.acoustic, job)
            if on_update is not None:
                for index, job in running.items():
                    on_update(job.update(index))
            for index, job in list(running.items()):
                if job.ended:
                    results[index] = (job.source, job.transcript())
                    finished_s += running.pop(index).stream.audio_s
            if on_progress is not None:
                on_progress(finished_s + sum(job.stream.audio_s for job in running.values()))
            while given in results:
                yield results.pop(given)
                given += 1
    finally:
        for job in running.values():
            job.close()


class _RecordingRun:
    """One recording on its way through a stream."""

    def __init__(
        self,
        pipeline: Pipeline,
        source: AudioInput,
        sample_rate: int | None,
        rules: EndpointRules,
        on_segment: Callable[[Segment], None] | None,
    ) -> None:
        self.source = source
        self.ended = False
        self._segments: list[Segment] = []
        self._updated = 0
        self._on_segment = on_segment
        self._recording: Recording | None = None
        self.warnings: list[str] = []
        self.close: Callable[[], None] = lambda: None
        self._blocks: Iterator[Samples]
        if isinstance(source, str | Path | RawAudio):
            recording = self._recording = open_recording(source)
            rate, self.warnings, self.close = (
                recording.sample_rate,
                recording.warnings,
                recording.close,
            )
            self._blocks = recording.blocks(BLOCK_S)
        elif sample_rate is None:
            raise AudioError("samples come without a rate; give sample_rate= in Hz")
        else:
            rate = check_rate(sample_rate)
            size = round(BLOCK_S * rate)
            whole = np.asarray(source)
            check_samples(whole[:0] if whole.ndim else whole)
            self._blocks = (check_samples(whole[i : i + size]) for i in range(0, len(whole), size))
        self.stream = Stream(pipeline, rate, rules, partials=False)

    def read(self, count: int) -> Error | None:
        """Read until ``count`` samples at the model's rate wait, or the recording ends.

        Returns:
            the error that the recording met.
        """
        try:
            while not self.ended and self.stream.waiting < count:
                block = next(self._blocks, None)
                if block is None:
                    self.ended = True
                    self.close()
                else:
                    self.stream.accept(block)
        except Error as error:
            return error
        except OSError as error:
            return AudioError(f"{self.source}: {error.strerror or error}")
        return None

    def update(self, index: int) -> Update:
        """Say how far it is, with the segments that no update had."""
        fresh = tuple(self._segments[self._updated :])
        self._updated = len(self._segments)
        duration_s = None if self._recording is None else self._recording.duration_s
        return Update(index, fresh, self.stream.audio_s, duration_s)

    def transcript(self) -> Transcript:
        """End the stream and return all that was said."""
        self.take(self.stream.finish())
        return Transcript(tuple(self._segments), self.stream.audio_s, tuple(self.warnings))

    def take(self, events: list[Event]) -> None:
        """Keep what was said; the streams of recordings have no partials."""
        for event in events:
            segment = Segment(event.segment, event.text, event.start_s, event.end_s, event.words)
            self._segments.append(segment)
            if self._on_segment is not None:
                self._on_segment(segment)


def _open(
    pipeline: Pipeline,
    source: AudioInput,
    sample_rate: int | None,
    rules: EndpointRules,
    on_segment: Callable[[Segment], None] | None,
) -> _RecordingRun | Error:
    try:
        return _RecordingRun(pipeline, source, sample_rate, rules, on_segment)
    except Error as error:
        return error


def _step_together(acoustic: AcousticModel, jobs: list[_RecordingRun]) -> None:
    for steps in STEPS:
        for job, events in zip(
            jobs, step_streams(acoustic, [job.stream for job in jobs], steps), strict=True
        ):
            job.take(events)
        jobs = [job for job in jobs if job.ended]  # the others wait for a whole call's worth


def _step_window(acoustic: AcousticModel, job: _RecordingRun) -> None:
    longest, quiet = _window_samples(acoustic)
    while job.stream.waiting >= longest:
        samples = job.stream.take(longest)
        cut = longest - quiet + _quietest(samples[-quiet:], acoustic.info.frame_samples)
        job.stream.give_back(samples[cut:])
        start = acoustic.start(1)
        log_probs = acoustic.finish(samples[None, :cut], start)
        job.take(job.stream.advance(log_probs[0], start))


def _window_samples(acoustic: AcousticModel) -> tuple[int, int]:
    info = acoustic.info
    longest, quiet = (int(seconds / info.frame_s) for seconds in (WINDOW_S, QUIET_S))
    return longest * info.frame_samples, quiet * info.frame_samples


def _quietest(samples: Samples, frame: int) -> int:
    """Return the middle of the quietest pause, a multiple of ``frame``."""
    energy = np.square(samples, dtype=np.float64).reshape(-1, frame).sum(axis=1)
    span = max(1, round(PAUSE_S * len(energy) / QUIET_S))
    return (int(np.convolve(energy, np.ones(span), "valid").argmin()) + span // 2) * frame
