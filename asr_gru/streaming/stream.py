"""Recognition of a stream of audio in real time."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import TreeSearch
from asr_gru.errors import AudioError, ConfigError, ModelError
from asr_gru.streaming.batching import step_engines
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.engine import StreamEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asr_gru.decoding import AnyDecoder
    from asr_gru.language import HotWord, HotWordsLike
    from asr_gru.results import Event
    from asr_gru.streaming.engine import Pipeline

    WithHotWords = Callable[[tuple[HotWord, ...], AnyDecoder], AnyDecoder]

__all__ = ["Stream", "StreamState"]


@dataclass(frozen=True, slots=True)
class StreamState:
    """A snapshot of a stream without the model, which can be pickled.

    Created by ``Stream.state``. ``Recognizer.resume`` turns it into a stream any number of times,
    also in another process with the same model and version of this package. As always with pickle,
    load only data you trust.

    Attributes:
        engine: buffered audio and the states of resampler, acoustic model and decoder.
        finals: texts of the closed segments.
        open: text of the open segment.
        hot_words: hot words of the stream; None for those of its decoder.
        signature: what its decoder's states refer to; see ``decoding.Decoder``.
    """

    engine: StreamEngine
    finals: tuple[str, ...]
    open: str
    hot_words: tuple[HotWord, ...] | None = None
    signature: object = None


class Stream:
    r"""A stream that is fed blocks of audio and returns events. Created by ``Recognizer.stream``.

        stream = recognizer.stream(48_000)
        for block in blocks:
            for event in stream.feed(block):
                print(event.text, end="\n" if event.kind == "final" else "\r")
        stream.finish()
        print(stream.text)

    Blocks may have any length. ``Event`` documents the guarantees of events.

    Args:
        new_engine: returns a new engine with the given rules.
        rules: endpoint rules.
        hot_words: hot words of the engine; None for those of its decoder.
        with_hot_words: returns a copy of a decoder with other hot words.

    Attributes:
        engine: interface for schedulers that step many streams in one call of the model; see
            ``streaming.batching``.
    """

    def __init__(
        self,
        new_engine: Callable[[EndpointRules], StreamEngine],
        rules: EndpointRules,
        hot_words: tuple[HotWord, ...] | None = None,
        *,
        with_hot_words: WithHotWords | None = None,
    ) -> None:
        self._new_engine = new_engine
        self._hot_words, self._with_hot_words = hot_words, with_hot_words
        self._finals: list[str] = []
        self._open = ""
        self.engine = new_engine(rules)

    @property
    def endpoint(self) -> EndpointRules:
        """The endpoint rules, which can be changed at any time.

        Accepts rules, a mode (``"short"``) or seconds of silence (``1.2``).
        """
        return self.engine.rules

    @endpoint.setter
    def endpoint(self, endpoint: EndpointRules | str | float) -> None:
        self.engine.rules = EndpointRules.parse(endpoint)

    @property
    def hot_words(self) -> dict[str, float | None]:
        """Weights of the hot words, None for the default; can be changed at any time.

        A word that was given with its phones has them, as ``Siobhan: SH AH V AO N``.
        Accepts the same values as ``Recognizer.stream``, or ``None`` for no hot words. A change
        applies from the next frame on. Recognised words stay, and so does a partly recognised word
        that is in both lists; one that is only in the old list is dropped or completed.
        """
        listed, decoder = self._hot_words, self.engine.pipeline.decoder
        if listed is None and isinstance(decoder, TreeSearch) and decoder.hot is not None:
            listed = decoder.hot.listed
        return {one.line: one.weight for one in listed or ()}

    @hot_words.setter
    def hot_words(self, hot_words: HotWordsLike | None) -> None:
        from asr_gru.language import parse_hot_words

        listed = () if hot_words is None else parse_hot_words(hot_words)
        self.use(self.decoder_with(listed), listed)

    def decoder_with(self, listed: tuple[HotWord, ...]) -> AnyDecoder:
        """Return this stream's decoder with other hot words, which takes a while to build.

        Raises:
            ConfigError: the decoder has no word search, or a hot word is invalid.
        """
        if self._with_hot_words is None:
            raise ConfigError("this stream has no hot words; create it with Recognizer.stream")
        return self._with_hot_words(listed, self.engine.pipeline.decoder)

    def use(self, decoder: AnyDecoder, listed: tuple[HotWord, ...]) -> None:
        """Switch to a decoder from ``decoder_with`` and its hot words."""
        self.engine.use(decoder)
        self._hot_words = listed

    @property
    def audio_s(self) -> float:
        """Seconds of audio fed so far."""
        return self.engine.audio_s

    @property
    def text(self) -> str:
        """The text of all closed segments and of the open one.

        A stream without partials has no text of the open segment.
        """
        return " ".join(filter(None, [*self._finals, self._open]))

    def feed(self, block: npt.ArrayLike | bytes) -> list[Event]:
        """Recognise a block of samples.

        Args:
            block: ``(n,)`` or ``(n, channels)``, floats in [-1, 1] or integers of 8 (unsigned), 16
                or 32 bits; or bytes, which are read as mono 16-bit little-endian PCM.

        Returns:
            events caused by the block, often none.

        Raises:
            AudioError: invalid samples; nothing of the block is recognised.
            Error: the stream is finished.
        """
        self.engine.accept(_samples(block))
        events = step_engines(self.engine.pipeline.acoustic, [self.engine], [1])[0]
        return self._note(events)

    def finish(self) -> list[Event]:
        """End the stream: recognise the buffered audio and close the open segment.

        Raises:
            Error: the stream is already finished.
        """
        return self._note(self.engine.finish())

    def reset(self) -> None:
        """Start again, with the current endpoint rules and hot words.

        Buffered audio and the open segment are dropped; call ``finish`` first to keep them.
        """
        decoder = self.engine.pipeline.decoder
        self.engine = self._new_engine(self.engine.rules)
        self.engine.use(decoder)
        self._finals, self._open = [], ""

    def state(self) -> StreamState:
        """Return a snapshot of the stream that can be pickled; see ``Recognizer.resume``.

        A resumed stream returns the same events as the original one. At sample rates other than the
        model's, the resampler is primed again, which changes samples by less than -120 dB.
        """
        engine, signature = self.engine.copy(), self.engine.pipeline.decoder.signature
        return StreamState(engine, tuple(self._finals), self._open, self._hot_words, signature)

    @classmethod
    def resume(
        cls,
        state: StreamState,
        pipeline: Pipeline,
        new_engine: Callable[[EndpointRules], StreamEngine],
        *,
        with_hot_words: WithHotWords | None = None,
    ) -> Stream:
        """Return a stream that continues from a snapshot; see ``Recognizer.resume``."""
        engine = state.engine.copy()
        engine.attach(pipeline)
        if state.signature != pipeline.decoder.signature:
            raise ModelError(
                "this state is of a decoder with other words; resume it with the model and the "
                "decoder= of its stream"
            )
        return cls._of(
            new_engine, engine, state.finals, state.open, state.hot_words, with_hot_words
        )

    def copy(self) -> Stream:
        """Return an independent stream in the same state; both share the loaded model."""
        return self._of(
            self._new_engine,
            self.engine.copy(),
            self._finals,
            self._open,
            self._hot_words,
            self._with_hot_words,
        )

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Stream:
        return self.copy()

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError(
            "a stream holds the loaded model and cannot be pickled; pickle Stream.state() and give "
            "it to Recognizer.resume()"
        )

    @classmethod
    def _of(
        cls,
        new_engine: Callable[[EndpointRules], StreamEngine],
        engine: StreamEngine,
        finals: Iterable[str],
        open_text: str,
        hot_words: tuple[HotWord, ...] | None,
        with_hot_words: WithHotWords | None,
    ) -> Stream:
        stream = object.__new__(cls)
        stream._new_engine, stream.engine = new_engine, engine
        stream._finals, stream._open = list(finals), open_text
        stream._hot_words, stream._with_hot_words = hot_words, with_hot_words
        return stream

    def _note(self, events: list[Event]) -> list[Event]:
        for event in events:
            if event.kind == "final":
                self._finals.append(event.text)
                self._open = ""
            else:
                self._open = event.text
        return events


def _samples(block: npt.ArrayLike | bytes) -> npt.ArrayLike:
    """Return samples; buffers of bytes, such as those of sound libraries, are 16-bit PCM."""
    if isinstance(block, np.ndarray):
        return block
    try:
        view = memoryview(block)  # type: ignore[arg-type]
    except TypeError:
        return block
    if view.format != "B":
        return np.asarray(view)
    if view.nbytes % 2:
        raise AudioError(f"an odd number of bytes ({view.nbytes}); give whole 16-bit samples")
    return np.frombuffer(view.tobytes(), "<i2")
