"""A loaded model that turns recordings into transcripts and streams into events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from asr_gru.audio import check_rate
from asr_gru.decoders import Closed, Decoders
from asr_gru.decoding import AnyDecoder, WordTimes
from asr_gru.errors import ConfigError, Error, ModelError
from asr_gru.model.info import DEFAULT_MODEL, ModelInfo
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.engine import Pipeline, StreamEngine
from asr_gru.streaming.recordings import (
    AudioInput,
    Update,
    iterate_segments,
    transcribe_recordings,
)
from asr_gru.streaming.speech import SpeechThresholds, speech_thresholds
from asr_gru.streaming.stream import Stream, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.results import Segment, Transcript
    from asr_gru.text import Tokenizer

__all__ = ["DecoderChoice", "Recognizer"]

DecoderChoice = AnyDecoder | str | None
"""A decoder, or the name of one: greedy, beam, words; None is the default."""


class Recognizer:
    """Turns speech into text.

        recognizer = Recognizer.load()
        recognizer.transcribe("talk.flac").text

    One recogniser serves any number of recordings and streams.

    Args:
        acoustic: the acoustic model.
        tokenizer: its tokenizer.
        time_shift_s: added to all times; usually negative, as CTC emits a token a little after
            its sound. The look-ahead is subtracted as well. Times are never moved forward.
        temperature: see ``decoding.word_confidence``.
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

    def __init__(
        self,
        acoustic: AcousticModel,
        tokenizer: Tokenizer,
        *,
        time_shift_s: float = 0.0,
        temperature: float = 1.0,
        decoder: AnyDecoder | None = None,
        decoders: Decoders | None = None,
        endpoint: EndpointRules | str | float = "normal",
        speech: SpeechThresholds | None = None,
        name: str = "",
        language: str = "",
    ) -> None:
        info = acoustic.info
        if info.vocab_size != len(tokenizer):
            raise ModelError(
                f"the acoustic model has {info.vocab_size} tokens and the tokenizer "
                f"{len(tokenizer)}; take both from the same model"
            )
        shift_s = min(time_shift_s - info.lookahead_s, 0.0)  # no word is placed after its sound
        times = WordTimes(info.frame_s, shift_s, temperature)
        self._decoders = decoders or Decoders()
        self._pipeline = Pipeline(acoustic, tokenizer, self._decoders.get(decoder), times, speech)
        self._endpoint = EndpointRules.parse(endpoint)
        self._name, self._language = name, language

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        backend: Literal["onnx", "torch"] = "onnx",
        device: str = "cpu",
        threads: int = 1,
        decoder: DecoderChoice = None,
        beam: int | None = None,
    ) -> Recognizer:
        """Load a model.

        Args:
            model: the name of a bundled model, or the path of a model directory.
            backend: ``"onnx"`` runs the int8 graph; ``"torch"`` runs the float network and needs
                the extra ``train``.
            device: ``"cpu"`` or ``"cuda"``.
            threads: threads per call of the model.
            decoder: ``"greedy"``, ``"beam"`` (prefixes) or ``"words"`` (lexicon and language
                model), or a decoder of your own; None is the model's default.
            beam: hypotheses kept from frame to frame; None is the model's default. Without a
                decoder, 1 means greedy and more means beam, unless the model searches for words.

        Raises:
            ModelError: missing, cut or foreign files, or a device that is not there.
            ConfigError: a backend, decoder or beam that cannot be.
            MissingExtraError: the backend needs torch.
        """
        from asr_gru.backends import load_acoustic_model
        from asr_gru.model.directory import ModelDirectory

        directory = ModelDirectory.open(model)
        config = directory.config
        decoders = Decoders(directory)
        chosen = decoders.get(decoder, beam)
        return cls(
            load_acoustic_model(directory, backend=backend, device=device, threads=threads),
            directory.tokenizer(),
            name=config.name,
            language=config.language,
            time_shift_s=config.time_shift_s,
            temperature=config.temperature,
            decoder=chosen,
            decoders=decoders,
            speech=speech_thresholds(directory),
        )

    @property
    def acoustic(self) -> AcousticModel:
        """The acoustic model."""
        return self._pipeline.acoustic

    @property
    def info(self) -> ModelInfo:
        """Name, language, rate and delays of the model."""
        info = self.acoustic.info
        return ModelInfo(
            name=self._name,
            language=self._language,
            sample_rate=info.sample_rate,
            streaming=info.streaming,
            step_s=info.step_samples / info.sample_rate,
            lookahead_s=info.lookahead_s,
            vocab_size=info.vocab_size,
        )

    @property
    def decoder(self) -> AnyDecoder:
        """The default decoder."""
        return self._pipeline.decoder

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._pipeline.tokenizer

    def stream(
        self,
        sample_rate: int,
        endpoint: EndpointRules | str | float | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
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
            partials: False yields finals only, at a lower cost.

        Raises:
            ModelError: the model needs whole recordings.
            AudioError: an impossible rate.
            ConfigError: an endpoint, a decoder, phrases or a grammar that cannot be.
        """
        if not self.acoustic.info.streaming:
            raise ModelError(
                "this model is bidirectional and needs whole recordings; use transcribe, "
                "or load a model that streams"
            )
        pipeline = self._pipeline_with(decoder, Closed.of(phrases, rejection, grammar=grammar))
        rate = check_rate(sample_rate)
        new_engine = partial(StreamEngine, pipeline, rate, partials=partials)
        return Stream(new_engine, self._rules(endpoint))

    def resume(self, state: StreamState, *, decoder: DecoderChoice = None) -> Stream:
        """Go on with a stream whose state was kept, as if it had not been interrupted.

        Args:
            state: what ``Stream.state`` returned, pickled or not; it can be resumed many times.
            decoder: the one of that stream, as given to ``stream``.

        Raises:
            ModelError: the state is of another model or decoder.
            ConfigError: a decoder that cannot be.
        """
        pipeline = self._pipeline_with(decoder)
        rate, partials = state.engine.sample_rate, state.engine.partials
        new_engine = partial(StreamEngine, pipeline, rate, partials=partials)
        return Stream.resume(state, pipeline, new_engine)

    def transcribe(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
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
            endpoint: where segments end; see ``stream``.
            on_progress: called now and then with the seconds of audio recognised so far.
            on_segment: called with each segment as soon as it is final.

        Raises:
            AudioError: the source cannot be read as audio.
            ConfigError: an endpoint, a decoder, phrases or a grammar that cannot be.
        """
        rules = self._rules(endpoint)
        ((_, result),) = transcribe_recordings(
            self._pipeline_with(decoder, Closed.of(phrases, rejection, grammar=grammar)),
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
        endpoint: EndpointRules | str | float | None = None,
    ) -> Iterator[Segment]:
        """Yield the segments of a recording as soon as each is final.

        The recording is read as the iterator advances; arguments and errors are those of
        ``transcribe``.
        """
        pipeline = self._pipeline_with(decoder, Closed.of(phrases, rejection, grammar=grammar))
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
            ConfigError: a batch size below 1, or an endpoint, a decoder, phrases or a grammar that
                cannot be.
        """
        if batch_size < 1:
            raise ConfigError(f"a batch size of {batch_size}; give 1 or more")
        return transcribe_recordings(
            self._pipeline_with(decoder, Closed.of(phrases, rejection, grammar=grammar)),
            sources,
            sample_rate,
            self._rules(endpoint),
            batch_size=batch_size,
            on_progress=on_progress,
            on_update=on_update,
        )

    def _rules(self, endpoint: EndpointRules | str | float | None) -> EndpointRules:
        return self._endpoint if endpoint is None else EndpointRules.parse(endpoint)

    def decoder_for(self, decoder: DecoderChoice) -> AnyDecoder:
        """Return the decoder that a choice stands for; raises as ``load``."""
        return self._pipeline.decoder if decoder is None else self._decoders.get(decoder)

    def phrase_decoder(
        self,
        phrases: Iterable[str],
        *,
        rejection: float | None = None,
        most_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder that hears nothing but these phrases, for any number of calls.

        An utterance, from pause to pause, is one of the phrases as a whole, or is rejected: it
        yields no segment. Segments and finals say in ``match`` which phrase it was; there are no
        partials. The method is described at ``decoding.GraphSearch``.

        Args:
            phrases: as people write them; digits are read as numbers, case and punctuation do
                not matter.
            rejection: shortfall against the likeliest phones that a phrase may have for each of
                its phones, in nats: less rejects more. 2.5 by default, 0 to 20.
            most_unknown: how many words may be missing from the model's lexicon, as finding out
                how each is pronounced takes milliseconds; None sets no limit.

        Raises:
            ConfigError: no phrases, one without words, a word that cannot be pronounced.
        """
        asked = Closed.of(phrases, rejection, most_unknown)
        assert asked is not None
        return self._decoders.closed(asked, self.tokenizer)

    def grammar_decoder(
        self,
        grammar: str | Path,
        *,
        rejection: float | None = None,
        most_unknown: int | None = None,
        most_states: int | None = None,
        name: str | None = None,
    ) -> AnyDecoder:
        """Return a decoder that hears nothing but the sentences of a grammar.

        It rejects as ``phrase_decoder`` does. ``match`` of a segment or final has the intent and
        the slots.

        Args:
            grammar: JSGF, or the name of its file; ``docs/grammars.md`` describes it.
            rejection: see ``phrase_decoder``.
            most_unknown: see ``phrase_decoder``.
            most_states: how large the grammar may become once its rules are written out, in
                states, of which each takes about 500 bytes; 200,000 by default.
            name: what errors call it; by default its file.

        Raises:
            ConfigError: a fault in the grammar, with line and column; one that is too large; a
                word that cannot be pronounced.
        """
        asked = Closed.of(
            None,
            rejection,
            most_unknown,
            grammar=grammar,
            most_states=most_states,
            name=name,
        )
        assert asked is not None
        return self._decoders.closed(asked, self.tokenizer)

    def _pipeline_with(self, decoder: DecoderChoice, closed: Closed | None = None) -> Pipeline:
        if closed is not None:
            if decoder is not None:
                raise ConfigError(
                    "a decoder beside phrases or a grammar, which have their own; give one"
                )
            return replace(self._pipeline, decoder=self._decoders.closed(closed, self.tokenizer))
        if decoder is None:
            return self._pipeline
        return replace(self._pipeline, decoder=self._decoders.get(decoder))
