"""Turns recordings into transcripts and streams into events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from asr_gru.audio import check_rate
from asr_gru.decoders import Closed
from asr_gru.errors import ConfigError, Error, ModelError
from asr_gru.loaded_model import DecoderChoice, LoadedModel
from asr_gru.streaming.confidence_filter import MinimumConfidence
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.engine import StreamEngine
from asr_gru.streaming.recordings import (
    AudioInput,
    Update,
    iterate_segments,
    transcribe_recordings,
)
from asr_gru.streaming.stream import Stream, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from asr_gru.language import HotWord, HotWordsLike, Lexicon
    from asr_gru.results import Alignment, Segment, Transcript

__all__ = ["DecoderChoice", "Recognizer"]


class Recognizer(LoadedModel):
    """Turns speech into text.

        recognizer = Recognizer.load()
        recognizer.transcribe("talk.flac").text

    One recogniser serves any number of recordings and streams. It is made of a model's name or
    folder by ``load``, or of the parts of a model.

    Args:
        acoustic: the acoustic model.
        tokenizer: its tokenizer.
        time_shift_s: added to all times; usually negative, as CTC emits a token a little after
            its sound. The look-ahead is subtracted as well. Times are never moved forward.
        temperature: see ``decoding.word_confidence``.
        confidence: see ``decoding.ConfidenceWeights``.
        decoder: the decoder unless a call names another; greedy by default.
        decoders: the decoders that calls can choose by name; greedy and beam by default.
        endpoint: default for where segments end: rules, a mode, or seconds of silence.
        speech: evidence of speech that the words of a tree search need; None accepts all words.
        name: shown in ``info``.
        language: shown in ``info``.

    Raises:
        ModelError: the tokenizer does not fit the acoustic model.
        ConfigError: an endpoint that cannot be.
    """

    def stream(
        self,
        sample_rate: int,
        endpoint: EndpointRules | str | float | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        partials: bool = True,
    ) -> Stream:
        """Start a stream.

        Args:
            sample_rate: rate of the blocks that will be fed, in Hz.
            endpoint: where segments end: rules, a mode (``"short"``, ``"normal"``, ``"long"``,
                ``"off"``) or seconds of silence. ``Stream.endpoint`` can be changed later.
            decoder: as in ``load``; by default the one that was loaded.
            phrases: only these are listened for; see ``phrase_decoder``.
            grammar: only its sentences are listened for; see ``grammar_decoder``.
            rejection: how much is rejected that is none of them; see ``phrase_decoder``.
            hot_words: likelier than the language model expects; see ``hot_word_decoder``.
            minimum_confidence: words below, between 0 and 1, are left out; None keeps all.
            mark_uncertain: keep them instead, with ``Word.uncertain`` set and ``[word?]`` in text.
            written: also write finals as people do; see ``text.inverse_normalise``.
            alternatives: how many hypotheses each segment comes with at most, its own text first,
                1 to 20; a decoder may find fewer, and greedy finds one.
            partials: False yields finals only, at a lower cost.

        Raises:
            ModelError: the model needs whole recordings.
            AudioError: an impossible rate.
            ConfigError: an endpoint, a decoder, phrases, a grammar, a minimum or a number of
                alternatives that cannot be.
        """
        if not self.acoustic.info.streaming:
            raise ModelError(
                "this model is bidirectional and needs whole recordings; use transcribe, "
                "or load a model that streams"
            )
        listed = _listed(hot_words)
        pipeline = self._pipeline_with(
            decoder,
            Closed.of(phrases, rejection, grammar=grammar),
            listed,
            MinimumConfidence.of(minimum_confidence, mark=mark_uncertain),
            written=written,
            alternatives=alternatives,
        )
        rate = check_rate(sample_rate)
        new_engine = partial(StreamEngine, pipeline, rate, partials=partials)
        return Stream(
            new_engine,
            self._rules(endpoint),
            listed or (),
            with_hot_words=self.decoder_with_hot_words,
        )

    def resume(self, state: StreamState, *, decoder: DecoderChoice = None) -> Stream:
        """Go on with a stream whose state was kept, as if it had not been interrupted.

        Args:
            state: what ``Stream.state`` returned, pickled or not; it can be resumed many times.
            decoder: the one of that stream, as given to ``stream``.

        Raises:
            ModelError: the state is of another model or decoder.
            ConfigError: a decoder that cannot be.
        """
        pipeline = self._pipeline_with(
            decoder,
            None,
            state.hot_words or None,
            written=state.engine.written,
            alternatives=state.engine.alternatives,
        )
        pipeline = replace(pipeline, minimum_confidence=state.engine.minimum_confidence)
        rate, partials = state.engine.sample_rate, state.engine.partials
        new_engine = partial(StreamEngine, pipeline, rate, partials=partials)
        return Stream.resume(
            state, pipeline, new_engine, with_hot_words=self.decoder_with_hot_words
        )

    def transcribe(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        endpoint: EndpointRules | str | float | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length in constant memory.

        Text, times and confidences are those of a stream of the same audio.

        Args:
            source: the name of a file, a binary file object, the bytes of a file, or samples
                ``(n,)`` or ``(n, channels)``.
            sample_rate: rate of the samples, in Hz; not needed for files.
            decoder: as in ``load``; by default the one that was loaded.
            phrases: only these are listened for; see ``phrase_decoder``.
            grammar: only its sentences are listened for; see ``grammar_decoder``.
            rejection: how much is rejected that is none of them; see ``phrase_decoder``.
            hot_words: likelier than the language model expects; see ``hot_word_decoder``.
            minimum_confidence: words below are left out; see ``stream``.
            mark_uncertain: mark them instead; see ``stream``.
            written: also write segments as people do; see ``text.inverse_normalise``.
            alternatives: how many hypotheses each segment comes with at most, its own text first,
                1 to 20; a decoder may find fewer, and greedy finds one.
            endpoint: where segments end; see ``stream``.
            on_progress: called now and then with the seconds of audio recognised so far.
            on_segment: called with each segment as soon as it is final.

        Raises:
            AudioError: the source cannot be read as audio.
            ConfigError: an endpoint, a decoder, phrases, a grammar, a minimum or a number of
                alternatives that cannot be.
        """
        rules = self._rules(endpoint)
        ((_, result),) = transcribe_recordings(
            self._pipeline_with(
                decoder,
                Closed.of(phrases, rejection, grammar=grammar),
                _listed(hot_words),
                MinimumConfidence.of(minimum_confidence, mark=mark_uncertain),
                written=written,
                alternatives=alternatives,
            ),
            [source],
            sample_rate,
            rules,
            batch_size=1,
            on_progress=on_progress,
            on_segment=on_segment,
        )
        if isinstance(result, Error):
            raise result
        return result

    def segments(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        endpoint: EndpointRules | str | float | None = None,
    ) -> Iterator[Segment]:
        """Yield the segments of a recording as soon as each is final.

        The recording is read as the iterator advances; arguments and errors are those of
        ``transcribe``.
        """
        pipeline = self._pipeline_with(
            decoder,
            Closed.of(phrases, rejection, grammar=grammar),
            _listed(hot_words),
            MinimumConfidence.of(minimum_confidence, mark=mark_uncertain),
            written=written,
            alternatives=alternatives,
        )
        return iterate_segments(pipeline, source, sample_rate, self._rules(endpoint))

    def transcribe_batch(
        self,
        sources: Iterable[AudioInput],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        endpoint: EndpointRules | str | float | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_update: Callable[[Update], None] | None = None,
    ) -> Iterator[tuple[AudioInput, Transcript | Error]]:
        """Transcribe many recordings, ``batch_size`` of them in each call of model and decoder.

        Yields:
            each source with its transcript, or with its error, in the order of ``sources``. The
            transcripts are those of ``transcribe``. Meanwhile ``on_update`` is called for each
            recording, with the segments that became final.

        Raises:
            ConfigError: a batch size below 1, or an endpoint, a decoder, phrases, a grammar or
                a number of alternatives that cannot be.
        """
        if batch_size < 1:
            raise ConfigError(f"a batch size of {batch_size}; give 1 or more")
        return transcribe_recordings(
            self._pipeline_with(
                decoder,
                Closed.of(phrases, rejection, grammar=grammar),
                _listed(hot_words),
                MinimumConfidence.of(minimum_confidence, mark=mark_uncertain),
                written=written,
                alternatives=alternatives,
            ),
            sources,
            sample_rate,
            self._rules(endpoint),
            batch_size=batch_size,
            on_progress=on_progress,
            on_update=on_update,
        )

    def align(
        self,
        text: str,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        lexicon: Lexicon | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Alignment:
        """Find when each word and phone of a text is spoken in a recording of it.

        The recording may last hours; memory grows with its length and that of the text. The
        method is described at ``alignment.aligner``.

        Args:
            text: what is said, as people write it.
            source: as in ``transcribe``.
            sample_rate: of samples, in Hz.
            lexicon: pronunciations to use in place of the model's own; words that it lacks are
                pronounced by the English rules.
            on_progress: called now and then with the seconds of audio recognised so far.

        Raises:
            DataError: a text without words that can be pronounced.
            AudioError: the source cannot be read as audio.
            ConfigError: a model of word pieces, which have no pronunciations.
        """
        from asr_gru.alignment import Aligner

        aligner = Aligner(
            self._pipeline, self.word_pronunciations(lexicon), self._decoders.normaliser
        )
        return aligner.align(text, source, sample_rate, on_progress=on_progress)


def _listed(hot_words: HotWordsLike | None) -> tuple[HotWord, ...] | None:
    if hot_words is None:
        return None
    from asr_gru.language import parse_hot_words

    return parse_hot_words(hot_words)
