"""The engine of a stream, which a scheduler advances together with others.

Applications with a single stream use ``Stream`` instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asr_gru.audio import Resampler, Samples, check_samples
from asr_gru.errors import Error, ModelError
from asr_gru.results import Event, Segment
from asr_gru.streaming.confidence_filter import ConfidenceFilter
from asr_gru.streaming.segmenter import Segmenter, advance_segmenters, update_partials
from asr_gru.streaming.written_form import with_written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.decoding import AnyDecoder, WordTimes
    from asr_gru.model.acoustic import AcousticModel, State
    from asr_gru.streaming.confidence_filter import MinimumConfidence
    from asr_gru.streaming.endpoint import EndpointRules
    from asr_gru.streaming.speech import SpeechThresholds
    from asr_gru.text import Tokenizer

__all__ = ["Pipeline", "StreamEngine", "advance_engines"]

FINAL_SILENCE_S = 0.08
"""Silence appended to a stream: of 306 words that were cut out of sentences, a search of ten words
finds 55 % without, 75 % with it, and 68 % with 0.24 s, in which the network hears more phones."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The loaded parts of a recogniser, shared by all of its streams.

    Attributes:
        acoustic: acoustic model.
        tokenizer: tokenizer.
        decoder: decoder.
        times: converts frames to seconds.
        speech: thresholds of the speech detector for a tree search; None accepts all words.
        minimum_confidence: minimum confidence of words; None keeps all words.
        written: whether finals also have their written form.
        alternatives: maximum length of n-best lists; None for no lists.
    """

    acoustic: AcousticModel
    tokenizer: Tokenizer
    decoder: AnyDecoder
    times: WordTimes
    speech: SpeechThresholds | None = None
    minimum_confidence: MinimumConfidence | None = None
    written: bool = False
    alternatives: int | None = None


class StreamEngine:
    """The state of one stream, advanced from outside.

    One call of the acoustic model can serve many engines (``batching.step_engines`` does this)::

        engine.accept(block)                                   # for each engine, as audio comes
        ready = [e for e in engines if e.buffered >= n]        # n: a multiple of info.step_samples
        samples = np.stack([e.take(n) for e in ready])
        state = tuple(np.concatenate(a) for a in zip(*(e.state for e in ready)))
        log_probs, state = acoustic.step(samples, state)
        states = [tuple(a[i : i + 1] for a in state) for i in range(len(ready))]
        events = advance_engines(ready, log_probs, states)

    The finals are bit-identical however audio is chunked and whichever engines share a call.

    Attributes:
        state: state of the acoustic model, with batch size 1.
        partials: whether ``advance`` returns partials.
        alternatives: maximum length of n-best lists; None for no lists.
        written: whether finals have their written form.
    """

    def __init__(
        self, pipeline: Pipeline, sample_rate: int, rules: EndpointRules, *, partials: bool = True
    ) -> None:
        self.pipeline = pipeline
        self._resampler = Resampler(sample_rate, pipeline.acoustic.info.sample_rate)
        self._segmenter = Segmenter(
            pipeline.decoder, pipeline.tokenizer, pipeline.times, rules, pipeline.speech
        )
        self._segmenter.alternatives = self.alternatives = pipeline.alternatives
        minimum = pipeline.minimum_confidence
        self._filter = None if minimum is None else ConfidenceFilter(minimum)
        self.partials, self.written = partials, pipeline.written
        self._blocks: list[Samples] = []
        self._buffered = 0
        self._accepted = 0
        self._finished = False
        self._shown = ("", "")
        self.state: State = pipeline.acoustic.start(1)

    @property
    def rules(self) -> EndpointRules:
        """The endpoint rules; may be replaced at any time."""
        return self._segmenter.rules

    @rules.setter
    def rules(self, rules: EndpointRules) -> None:
        self._segmenter.rules = rules

    @property
    def sample_rate(self) -> int:
        """Rate of the blocks, in Hz."""
        return self._resampler.from_rate

    @property
    def minimum_confidence(self) -> MinimumConfidence | None:
        """The minimum confidence of words."""
        return None if self._filter is None else self._filter.minimum

    @property
    def audio_s(self) -> float:
        """Seconds of audio accepted so far."""
        return self._accepted / self._resampler.from_rate

    @property
    def buffered(self) -> int:
        """Number of buffered samples, at the model's rate."""
        return self._buffered

    @property
    def finished(self) -> bool:
        """Whether ``finish`` was called."""
        return self._finished

    def accept(self, block: npt.ArrayLike) -> None:
        """Resample and buffer a block ``(n,)`` or ``(n, channels)``.

        Raises:
            AudioError: invalid samples; nothing of the block is buffered.
            Error: the stream is finished.
        """
        self._refuse_if_finished()
        samples = check_samples(block)
        self._accepted += len(samples)
        self._buffer(self._resampler.feed(samples))

    def take(self, count: int) -> Samples:
        """Remove the first ``count`` buffered samples and return them."""
        joined, *more = self._blocks or [np.zeros(0, np.float32)]
        joined = np.concatenate([joined, *more]) if more else joined  # hours may be in one block
        self._blocks, self._buffered = [], 0
        self._buffer(joined[count:])
        return joined[:count]

    def put_back(self, samples: Samples) -> None:
        """Put samples back at the front of the buffer."""
        self._blocks.insert(0, samples)
        self._buffered += len(samples)

    def advance(self, log_probs: npt.NDArray[np.float32], state: State) -> list[Event]:
        """Decode the output of the acoustic model for the samples last taken.

        Args:
            log_probs: log-probabilities ``(frames, tokens)``.
            state: state of the acoustic model after the samples.
        """
        return advance_engines([self], [log_probs], [state])[0]

    def finish(self) -> list[Event]:
        """Recognise the remaining audio and close the open segment.

        Raises:
            Error: the stream is finished already.
        """
        self._refuse_if_finished()
        self._finished = True
        self._buffer(self._resampler.finish())
        segments: list[Segment] = []
        if self._accepted:
            silence = round(FINAL_SILENCE_S * self.pipeline.acoustic.info.sample_rate)
            self._buffer(np.zeros(silence, np.float32))
            rest = self.take(self._buffered)
            log_probs = self.pipeline.acoustic.finish(rest[None], self.state)
            segments = self._segmenter.advance(log_probs[0])
        return self._finals(segments + self._segmenter.finish(self.audio_s))

    def copy(self) -> StreamEngine:
        """Return an independent engine in the same state, with the same pipeline.

        Only buffers are copied; states of the acoustic model and of decoders are immutable.
        """
        copied = object.__new__(StreamEngine)
        vars(copied).update(vars(self))
        copied._resampler = self._resampler.copy()
        copied._segmenter = self._segmenter.copy()
        copied._filter = self._filter and self._filter.copy()
        copied._blocks = list(self._blocks)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> StreamEngine:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the pipeline; ``attach`` restores it."""
        return {key: value for key, value in vars(self).items() if key != "pipeline"}

    def attach(self, pipeline: Pipeline) -> None:
        """Restore the pipeline of an unpickled engine.

        Raises:
            ModelError: the pipeline has another model or another kind of decoder.
        """
        own, other = ([a.shape for a in s] for s in (self.state, pipeline.acoustic.start(1)))
        if own != other or self._resampler.to_rate != pipeline.acoustic.info.sample_rate:
            raise ModelError("this state is of another model; resume it with its own")
        if not self._segmenter.fits(pipeline.decoder):
            raise ModelError(
                "this state is of another decoder; name the one of its stream with decoder="
            )
        self.pipeline = pipeline
        self._segmenter.attach(pipeline.decoder, pipeline.tokenizer, pipeline.times)

    def use(self, decoder: AnyDecoder) -> None:
        """Switch to a decoder that differs in hot words, from the next frame on."""
        self.pipeline = replace(self.pipeline, decoder=decoder)
        self._segmenter.use(decoder)

    def _refuse_if_finished(self) -> None:
        if self._finished:
            raise Error("this stream is finished; reset it, or start another with stream()")

    def _buffer(self, samples: Samples) -> None:
        if len(samples):
            self._blocks.append(samples)
            self._buffered += len(samples)

    def _finals(self, segments: list[Segment]) -> list[Event]:
        if segments:
            self._shown = ("", "")
        if self._filter is not None:
            segments = [one for one in map(self._filter.final, segments) if one is not None]
        if self.written:
            segments = [with_written(segment) for segment in segments]
        return [Event.final(segment) for segment in segments]

    def _partial(self) -> list[Event]:
        segment = self._segmenter.open_segment(self._shown)
        if segment is None:
            return []
        self._shown = (segment.text, segment.stable)
        if self._filter is not None:
            segment = self._filter.partial(segment)
            if segment is None:
                return []
        return [
            Event(
                kind="partial",
                segment=segment.id,
                text=segment.text,
                stable=segment.stable,
                words=segment.words,
                start_s=segment.words[0].start_s,
                end_s=segment.words[-1].end_s,
            )
        ]


def advance_engines(
    engines: Sequence[StreamEngine],
    log_probs: Sequence[npt.NDArray[np.float32]],
    states: Sequence[State],
) -> list[list[Event]]:
    """Advance many engines; those with the same decoder share its calls.

    Args:
        engines: distinct engines.
        log_probs: log-probabilities ``(frames, tokens)`` of each engine.
        states: state of the acoustic model of each engine after them.

    Returns:
        the events of each engine.
    """
    closed = advance_segmenters([engine._segmenter for engine in engines], log_probs)
    update_partials(
        [
            engine._segmenter
            for engine in engines
            if engine.partials and not engine._segmenter.reads_alike(engine._shown)
        ]
    )
    events = []
    for engine, state, segments in zip(engines, states, closed, strict=True):
        engine.state = state
        finals = engine._finals(segments)
        events.append(finals + engine._partial() if engine.partials else finals)
    return events
