"""A loaded model: acoustic model, tokenizer and decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from asr_gru.closed_vocabulary import ClosedVocabulary
from asr_gru.decoders import Decoders
from asr_gru.decoding import AnyDecoder, WordTimes
from asr_gru.decoding_options import DecoderChoice, DecodingOptions
from asr_gru.errors import ConfigError, ModelError
from asr_gru.model.info import DEFAULT_MODEL, ModelInfo
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.engine import Pipeline
from asr_gru.streaming.speech import SpeechThresholds, speech_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from asr_gru.language import HotWord, HotWordsLike, Lexicon, WordPronunciations
    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.model.config import ConfidenceWeights
    from asr_gru.text import Tokenizer

__all__ = ["DecoderChoice", "LoadedModel"]


class LoadedModel:
    """Acoustic model, tokenizer and decoders of a model.

    ``Recognizer`` describes the arguments, and adds recordings and streams.
    """

    def __init__(
        self,
        acoustic: AcousticModel,
        tokenizer: Tokenizer,
        *,
        time_shift_s: float = 0.0,
        temperature: float = 1.0,
        confidence: ConfidenceWeights | None = None,
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
        times = WordTimes(info.frame_s, shift_s, temperature, confidence)
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
    ) -> Self:
        """Load a model.

        Args:
            model: name of a bundled model, or path of a model directory.
            backend: ``"onnx"`` runs the int8 graph; ``"torch"`` runs the float network and needs
                the extra ``train``.
            device: ``"cpu"`` or ``"cuda"``.
            threads: number of threads of the acoustic model.
            decoder: ``"greedy"``, ``"beam"`` (prefix beam search), ``"words"`` (lexicon and
                language model), ``"phones"`` (prefix beam search with the model's phone trigram;
                greedy without one) or a decoder object; None for the model's default.
            beam: beam width; None for the model's default. Without a decoder, a width of 1
                selects greedy decoding and a larger one prefix beam search, unless the model's
                default is a word search.

        Raises:
            ModelError: a file is missing, truncated or not of a model, or the device is missing.
            ConfigError: the backend, decoder or beam is invalid.
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
            confidence=config.confidence,
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
    def pipeline(self) -> Pipeline:
        """The pipeline with the default decoder."""
        return self._pipeline

    def word_pronunciations(self, lexicon: Lexicon | None = None) -> WordPronunciations:
        """Return an object that looks up or generates pronunciations for this model.

        Args:
            lexicon: the first lexicon to look up; the model's own by default.

        Raises:
            ConfigError: the model's tokens are word pieces, which have no pronunciations.
        """
        return self._decoders.pronunciations(self.tokenizer, lexicon)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._pipeline.tokenizer

    def _rules(self, endpoint: EndpointRules | str | float | None) -> EndpointRules:
        return self._endpoint if endpoint is None else EndpointRules.parse(endpoint)

    def decoder_for(self, decoder: DecoderChoice) -> AnyDecoder:
        """Return the decoder for ``decoder``; raises like ``load``."""
        return self._pipeline.decoder if decoder is None else self._decoders.get(decoder)

    def phrase_decoder(
        self,
        phrases: Iterable[str],
        *,
        rejection: float | None = None,
        max_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder that recognises only these phrases, for any number of calls.

        Each utterance between two pauses is either one of the phrases or rejected, in which case
        there is no segment. ``match`` of segments and finals is the phrase; there are no partials.
        ``decoding.GraphSearch`` describes the method.

        Args:
            phrases: in any spelling; digits are read as numbers, case and punctuation are
                ignored.
            rejection: how much worse than the most probable phones a phrase may score, in nats
                per phone, 0 to 20; lower values reject more. 3 by default.
            max_unknown: maximum number of words that are missing from the lexicon, as generating
                a pronunciation takes milliseconds; None for no limit.

        Raises:
            ConfigError: there are no phrases, or one has no words or a word without a
                pronunciation.
        """
        vocabulary = ClosedVocabulary.parse(phrases, rejection=rejection, max_unknown=max_unknown)
        assert vocabulary is not None
        return self._decoders.for_vocabulary(vocabulary, self.tokenizer)

    def grammar_decoder(
        self,
        grammar: str | Path,
        *,
        rejection: float | None = None,
        max_unknown: int | None = None,
        max_states: int | None = None,
        name: str | None = None,
    ) -> AnyDecoder:
        """Return a decoder that recognises only the sentences of a grammar.

        Other speech is rejected as by ``phrase_decoder``. ``match`` of a segment or final has the
        intent and the slots.

        Args:
            grammar: a JSGF grammar, or the path of one; see ``docs/grammars.md``.
            rejection: see ``phrase_decoder``.
            max_unknown: see ``phrase_decoder``.
            max_states: maximum number of states of the expanded grammar, of about 500 bytes
                each; 200,000 by default.
            name: name of the grammar in error messages; its file by default.

        Raises:
            ConfigError: the grammar has an error (with line and column), is too large, or has a
                word without a pronunciation.
        """
        vocabulary = ClosedVocabulary.parse(
            None,
            grammar=grammar,
            rejection=rejection,
            max_unknown=max_unknown,
            max_states=max_states,
            name=name,
        )
        assert vocabulary is not None
        return self._decoders.for_vocabulary(vocabulary, self.tokenizer)

    def hot_word_decoder(
        self,
        hot_words: HotWordsLike,
        *,
        decoder: DecoderChoice = None,
        max_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder that favours these words and phrases, for any number of calls.

        All other words can still be recognised. ``decoding.HotWords`` describes the method.

        Args:
            hot_words: weights by phrase, or lines of ``PHRASE`` or ``PHRASE = WEIGHT``. The weight
                is the total bonus of a phrase in nats, 0 to 20; the default is 1.2 per phone after
                the second and at most 9. Pronunciations that the lexicon lacks are generated from
                the letters, or given by a line such as ``Siobhan: SH AH V AO N``.
            decoder: a word search, as in ``load``.
            max_unknown: maximum number of words that are missing from the lexicon, as generating
                a pronunciation takes milliseconds; None for no limit.

        Raises:
            ConfigError: the decoder is not a word search, there are too many hot words, or one
                has no words, is too long, or has a weight out of range or no pronunciation.
        """
        from asr_gru.language import parse_hot_words

        return self.decoder_with_hot_words(parse_hot_words(hot_words), decoder, max_unknown)

    def decoder_with_hot_words(
        self,
        hot_words: tuple[HotWord, ...],
        decoder: DecoderChoice = None,
        max_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder for parsed hot words; see ``hot_word_decoder``."""
        base = self.decoder_for(decoder)
        return self._decoders.with_hot_words(
            hot_words, self.tokenizer, base, max_unknown=max_unknown
        )

    def check_written(self) -> None:
        """Raise ConfigError if ``written=True`` is not available in the model's language."""
        if self._language.partition("-")[0].lower() not in ("", "en"):
            raise ConfigError(
                f"written form is available in English only, not in {self._language!r}; "
                "leave written out"
            )

    def _pipeline_for(self, options: DecodingOptions) -> Pipeline:
        if options.written:
            self.check_written()
        return options.apply(self._pipeline, self._decoders)
