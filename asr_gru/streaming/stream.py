"""One speaker's flow: samples in, events out. The contract is in ``transcript.Event``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.audio import Resampler, Samples, check_samples
from asr_gru.errors import Error
from asr_gru.results import Event, Segment
from asr_gru.streaming.segmenter import Segmenter, advance_segmenters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.decoding import AnyDecoder, WordTimes
    from asr_gru.model.acoustic import AcousticModel, State
    from asr_gru.streaming.endpoint import EndpointRules
    from asr_gru.text import Tokenizer

__all__ = ["Pipeline", "Stream", "advance_streams"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What all streams of a recogniser share."""

    acoustic: AcousticModel
    tokens: Tokenizer
    decoder: AnyDecoder
    times: WordTimes


class Stream:
    """Feed blocks of any length at ``sample_rate``; read events.

    A caller that runs the acoustic model itself, once for many streams, uses the pipeline that
    ``feed`` is made of::

        stream.accept(block)                                  # for each stream, as audio comes
        ready = [s for s in streams if s.waiting >= n]        # n: a multiple of info.step_samples
        samples = np.stack([s.take(n) for s in ready])
        state = tuple(np.concatenate(a) for a in zip(*(s.state for s in ready)))
        log_probs, state = acoustic.step(samples, state)
        states = [tuple(a[i : i + 1] for a in state) for i in range(len(ready))]
        events = advance_streams(ready, log_probs, states)

    Whatever the cuts and whoever does the steps, the finals are the same.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sample_rate: int,
        rules: EndpointRules,
        *,
        partials: bool = True,
    ) -> None:
        info = pipeline.acoustic.info
        self._pipeline = pipeline
        self._resampler = Resampler(sample_rate, info.sample_rate)
        self._segmenter = Segmenter(pipeline.decoder, pipeline.tokens, pipeline.times, rules)
        self._partials = partials
        self._waiting: list[Samples] = []
        self._count = 0
        self._fed = 0
        self._finished = False
        self._shown = ("", "")
        self.state: State = pipeline.acoustic.start(1)

    @property
    def endpoint(self) -> EndpointRules:
        """The endpoint rules; may be changed while the stream runs."""
        return self._segmenter.rules

    @endpoint.setter
    def endpoint(self, rules: EndpointRules) -> None:
        self._segmenter.rules = rules

    @property
    def audio_s(self) -> float:
        """Seconds of audio fed so far."""
        return self._fed / self._resampler.from_rate

    @property
    def waiting(self) -> int:
        """Samples at the model's rate that wait for the next step."""
        return self._count

    def feed(self, block: npt.ArrayLike) -> list[Event]:
        """Take a block of samples and return what there is to say about it.

        Args:
            block: ``(n,)`` or ``(n, channels)``, any length; see ``audio.check_samples``.

        Raises:
            AudioError: samples that are not numbers; the block is left out as a whole.
            Error: the stream is finished.
        """
        self.accept(block)
        acoustic = self._pipeline.acoustic
        events: list[Event] = []
        while self._count >= acoustic.info.step_samples:
            samples = self.take(acoustic.info.step_samples)
            log_probs, state = acoustic.step(samples[None], self.state)
            events += self.advance(log_probs[0], state)
        return events

    def finish(self) -> list[Event]:
        """End the stream: recognise what step and look-ahead held back, close what is open.

        Raises:
            Error: the stream is finished already.
        """
        self._refuse_if_finished()
        self._finished = True
        self._queue(self._resampler.finish())
        segments: list[Segment] = []
        if self._fed:
            rest = self.take(self._count)
            log_probs = self._pipeline.acoustic.finish(rest[None], self.state)
            segments = self._segmenter.advance(log_probs[0])
        return self._finals(segments + self._segmenter.finish(self.audio_s))

    def accept(self, block: npt.ArrayLike) -> None:
        """Take a block without recognising it yet; raises as ``feed`` does."""
        self._refuse_if_finished()
        samples = check_samples(block)
        self._fed += len(samples)
        self._queue(self._resampler.feed(samples))

    def take(self, count: int) -> Samples:
        """Return the next ``count`` of the ``waiting`` samples."""
        joined = np.concatenate([*self._waiting, np.zeros(0, np.float32)])
        self._waiting, self._count = [], 0
        self._queue(joined[count:])
        return joined[:count]

    def give_back(self, samples: Samples) -> None:
        """Put samples that were taken back in front of those that wait."""
        self._waiting.insert(0, samples)
        self._count += len(samples)

    def advance(self, log_probs: npt.NDArray[np.float32], state: State) -> list[Event]:
        """Take the rows ``(frames, tokens)`` of the samples last taken, and the state after."""
        return advance_streams([self], [log_probs], [state])[0]

    def _refuse_if_finished(self) -> None:
        if self._finished:
            raise Error("this stream is finished; start another with Recognizer.stream()")

    def _queue(self, samples: Samples) -> None:
        if len(samples):
            self._waiting.append(samples)
            self._count += len(samples)

    def _finals(self, segments: list[Segment]) -> list[Event]:
        if segments:
            self._shown = ("", "")
        return [Event("final", s.id, s.text, s.text, s.words, s.start_s, s.end_s) for s in segments]

    def _partial(self) -> list[Event]:
        spoken = self._segmenter.open()
        if spoken is None or (spoken.text, spoken.stable) == self._shown:
            return []
        self._shown = (spoken.text, spoken.stable)
        first, last = spoken.words[0], spoken.words[-1]
        return [
            Event(
                "partial",
                spoken.id,
                spoken.text,
                spoken.stable,
                spoken.words,
                first.start_s,
                last.end_s,
            )
        ]


def advance_streams(
    streams: Sequence[Stream],
    log_probs: Sequence[npt.NDArray[np.float32]],
    states: Sequence[State],
) -> list[list[Event]]:
    """Do what ``Stream.advance`` does for many streams; those of one decoder share its calls.

    Args:
        streams: each once.
        log_probs: the rows ``(frames, tokens)`` of each.
        states: the acoustic model's state after them, of each.

    Returns:
        the events of each stream.
    """
    closed = advance_segmenters([stream._segmenter for stream in streams], log_probs)
    events = []
    for stream, state, segments in zip(streams, states, closed, strict=True):
        stream.state = state
        finals = stream._finals(segments)
        events.append(finals + stream._partial() if stream._partials else finals)
    return events
