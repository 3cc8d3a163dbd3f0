"""A stream of audio that is recognised while it comes in."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from asr_gru.errors import AudioError, ConfigError
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
    """A stream at a moment, without the model; it can be pickled, copied and resumed many times.

    Made by ``Stream.state``, and turned into a stream by ``Recognizer.resume``, in this process or
    in another with the same model and version of this package. Unpickle only what you trust.

    Attributes:
        engine: buffered audio and the states of resampler, acoustic model and decoder.
        finals: the texts of the closed segments.
        open: the text of the segment being spoken.
        hot_words: those of the stream.
    """

    engine: StreamEngine
    finals: tuple[str, ...]
    open: str
    hot_words: tuple[HotWord, ...] = ()


class Stream:
    r"""Feed blocks of audio, receive events. Made by ``Recognizer.stream``.

        stream = recognizer.stream(48_000)
        for block in blocks:
            for event in stream.feed(block):
                print(event.text, end="\n" if event.kind == "final" else "\r")
        stream.finish()
        print(stream.text)

    Blocks may have any length. What the events promise is written at ``Event``.

    Args:
        new_engine: returns an engine at the beginning of a stream, with the given rules.
        rules: where segments end.
        hot_words: those of the engine.
        with_hot_words: returns a decoder with other hot words than the given one's.

    Attributes:
        engine: the stream as a scheduler drives it that steps many streams in one call of the
            model; see ``streaming.batching``.
    """

    def __init__(
        self,
        new_engine: Callable[[EndpointRules], StreamEngine],
        rules: EndpointRules,
        hot_words: tuple[HotWord, ...] = (),
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
        """The endpoint rules. They may be replaced while the stream runs.

        Rules, a mode (``"short"``) and seconds of silence (``1.2``) can be assigned.
        """
        return self.engine.rules

    @endpoint.setter
    def endpoint(self, endpoint: EndpointRules | str | float) -> None:
        self.engine.rules = EndpointRules.parse(endpoint)

    @property
    def hot_words(self) -> dict[str, float | None]:
        """Weights of the hot words, None for the default; may be replaced while the stream runs.

        What ``Recognizer.stream`` takes can be assigned, ``None`` for no hot words. It holds from
        the next frame on; words already said stay, and so does a word being said that both lists
        have, while one that only the old list has is dropped or completed.
        """
        return {one.phrase: one.weight for one in self._hot_words}

    @hot_words.setter
    def hot_words(self, hot_words: HotWordsLike | None) -> None:
        from asr_gru.language import parse_hot_words

        listed = () if hot_words is None else parse_hot_words(hot_words)
        self.use(self.decoder_with(listed), listed)

    def decoder_with(self, listed: tuple[HotWord, ...]) -> AnyDecoder:
        """Return this stream's decoder with other hot words, which takes a while to make.

        Raises:
            ConfigError: the stream does not search for words, or the words cannot be.
        """
        if self._with_hot_words is None:
            raise ConfigError("this stream cannot take hot words; start it with a recogniser")
        return self._with_hot_words(listed, self.engine.pipeline.decoder)

    def use(self, decoder: AnyDecoder, listed: tuple[HotWord, ...]) -> None:
        """Go on with what ``decoder_with`` returned for these hot words."""
        self.engine.use(decoder)
        self._hot_words = listed

    @property
    def audio_s(self) -> float:
        """Seconds of audio fed so far."""
        return self.engine.audio_s

    @property
    def text(self) -> str:
        """All text so far: of the closed segments, then of the one being spoken.

        A stream without partials shows closed segments only.
        """
        return " ".join(filter(None, [*self._finals, self._open]))

    def feed(self, block: npt.ArrayLike | bytes) -> list[Event]:
        """Recognise a block of samples.

        Args:
            block: ``(n,)`` or ``(n, channels)``, floats in [-1, 1] or integers of 8, 16 or 32
                bits; or bytes, which are read as mono 16-bit little-endian PCM.

        Returns:
            the events that the block brought about, often none.

        Raises:
            AudioError: samples that are not sound; nothing of the block is recognised.
            Error: the stream is finished.
        """
        self.engine.accept(_samples(block))
        events = step_engines(self.engine.pipeline.acoustic, [self.engine], [1])[0]
        return self._note(events)

    def finish(self) -> list[Event]:
        """End the stream: recognise what is still buffered and close the open segment.

        Raises:
            Error: the stream is finished already.
        """
        return self._note(self.engine.finish())

    def reset(self) -> None:
        """Begin again, as a new stream with the same settings, current endpoint and hot words.

        What is buffered or not yet final is dropped; call ``finish`` first to keep it.
        """
        decoder = self.engine.pipeline.decoder
        self.engine = self._new_engine(self.engine.rules)
        self.engine.use(decoder)
        self._finals, self._open = [], ""

    def state(self) -> StreamState:
        """Return the stream's state, which can be pickled; ``Recognizer.resume`` goes on with it.

        Events and text go on as if nothing had happened. At rates other than the model's the
        resampler's filter is filled again, which alters samples by rounding (below -120 dB).
        """
        return StreamState(self.engine.copy(), tuple(self._finals), self._open, self._hot_words)

    @classmethod
    def resume(
        cls,
        state: StreamState,
        pipeline: Pipeline,
        new_engine: Callable[[EndpointRules], StreamEngine],
        *,
        with_hot_words: WithHotWords | None = None,
    ) -> Stream:
        """Return a stream that goes on from a state; see ``Recognizer.resume``."""
        engine = state.engine.copy()
        engine.attach(pipeline)
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
        hot_words: tuple[HotWord, ...],
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
    if not isinstance(block, bytes | bytearray | memoryview):
        return block
    if len(block) % 2:
        raise AudioError(f"an odd number of bytes ({len(block)}); give whole 16-bit samples")
    return np.frombuffer(block, "<i2")
