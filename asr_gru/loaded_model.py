"""A loaded model: its parts, and the choices that every call has among them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from asr_gru.decoders import Closed, Decoders, confidence_weights
from asr_gru.decoding import AnyDecoder, ConfidenceWeights, WordTimes
from asr_gru.decoding.alternatives import check_alternatives
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
    from asr_gru.streaming.confidence_filter import MinimumConfidence
    from asr_gru.text import Tokenizer

__all__ = ["DecoderChoice", "LoadedModel"]

DecoderChoice = AnyDecoder | str | None
"""A decoder, or the name of one: greedy, beam, words; None is the default."""


class LoadedModel:
    """Acoustic model, tokenizer and decoders of a model.

    ``Recognizer`` adds recordings and streams, and describes the arguments.
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
            confidence=confidence_weights(config),
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
        """The loaded parts, with the default decoder."""
        return self._pipeline

    def word_pronunciations(self, lexicon: Lexicon | None = None) -> WordPronunciations:
        """Return what finds pronunciations for this model, in a lexicon or else the model's own.

        Raises:
            ConfigError: a model of word pieces, which have no pronunciations.
        """
        return self._decoders.sounds(self.tokenizer, lexicon)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._pipeline.tokenizer

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
        max_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder that hears nothing but these phrases, for any number of calls.

        An utterance, from pause to pause, is one of the phrases as a whole, or is rejected: it
        yields no segment. Segments and finals say in ``match`` which phrase it was; there are no
        partials. The method is described at ``decoding.GraphSearch``.

        Args:
            phrases: as people write them; digits are read as numbers, case and punctuation do
                not matter.
            rejection: shortfall against the likeliest phones that a phrase may have for each of
                its phones, in nats: less rejects more. 3 by default, 0 to 20.
            max_unknown: how many words may be missing from the model's lexicon, as finding out
                how each is pronounced takes milliseconds; None sets no limit.

        Raises:
            ConfigError: no phrases, one without words, a word that cannot be pronounced.
        """
        asked = Closed.of(phrases, rejection, max_unknown)
        assert asked is not None
        return self._decoders.closed(asked, self.tokenizer)

    def grammar_decoder(
        self,
        grammar: str | Path,
        *,
        rejection: float | None = None,
        max_unknown: int | None = None,
        max_states: int | None = None,
        name: str | None = None,
    ) -> AnyDecoder:
        """Return a decoder that hears nothing but the sentences of a grammar.

        It rejects as ``phrase_decoder`` does. ``match`` of a segment or final has the intent and
        the slots.

        Args:
            grammar: JSGF, or the name of its file; ``docs/grammars.md`` describes it.
            rejection: see ``phrase_decoder``.
            max_unknown: see ``phrase_decoder``.
            max_states: how large the grammar may become once its rules are written out, in
                states, of which each takes about 500 bytes; 200,000 by default.
            name: what errors call it; by default its file.

        Raises:
            ConfigError: a fault in the grammar, with line and column; one that is too large; a
                word that cannot be pronounced.
        """
        asked = Closed.of(
            None,
            rejection,
            max_unknown,
            grammar=grammar,
            max_states=max_states,
            name=name,
        )
        assert asked is not None
        return self._decoders.closed(asked, self.tokenizer)

    def hot_word_decoder(
        self,
        hot_words: HotWordsLike,
        *,
        decoder: DecoderChoice = None,
        max_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder that expects these words and phrases, for any number of calls.

        All other words are heard as before. The method is described at ``decoding.HotWords``.

        Args:
            hot_words: weights by phrase, or phrases, each a line that may end in ``= WEIGHT``; a
                weight is what a phrase earns in all where it is said, in nats, 0 to 20, by
                default 0.8 a letter and at most 8. Words that the lexicon lacks are pronounced by
                their letters, or as a line says: ``Siobhan: SH AH V AO N``.
            decoder: a search for words, as in ``load``.
            max_unknown: how many words may be missing from the lexicon, as finding out how
                each is pronounced takes milliseconds; None sets no limit.

        Raises:
            ConfigError: a decoder that does not search for words, a phrase without words, a weight
                out of range, a word that cannot be pronounced, too many or too long ones.
        """
        from asr_gru.language import parse_hot_words

        return self.decoder_with_hot_words(parse_hot_words(hot_words), decoder, max_unknown)

    def decoder_with_hot_words(
        self,
        listed: tuple[HotWord, ...],
        decoder: DecoderChoice = None,
        max_unknown: int | None = None,
    ) -> AnyDecoder:
        """Return a decoder for hot words that were read already; see ``hot_word_decoder``."""
        base = self.decoder_for(decoder)
        return self._decoders.hot(listed, self.tokenizer, base, max_unknown=max_unknown)

    def check_written(self) -> None:
        """Raise ConfigError if the model's language has no rules for ``written=True``."""
        if self._language.partition("-")[0].lower() not in ("", "en"):
            raise ConfigError(
                f"there are no rules to write {self._language!r}, only English; leave written out"
            )

    def _pipeline_with(
        self,
        decoder: DecoderChoice,
        closed: Closed | None = None,
        hot_words: tuple[HotWord, ...] | None = None,
        least: MinimumConfidence | None = None,
        *,
        written: bool = False,
        alternatives: int | None = None,
    ) -> Pipeline:
        listed = check_alternatives(alternatives)
        if written:
            self.check_written()
        pipeline = self._chosen_pipeline(decoder, closed, hot_words)
        if least is not None and pipeline.decoder.whole_utterances:
            raise ConfigError(
                "a minimum confidence beside phrases or a grammar, which are heard whole; "
                "use rejection"
            )
        return replace(pipeline, minimum_confidence=least, written=written, alternatives=listed)

    def _chosen_pipeline(
        self,
        decoder: DecoderChoice,
        closed: Closed | None,
        hot_words: tuple[HotWord, ...] | None,
    ) -> Pipeline:
        if closed is not None:
            if decoder is not None:
                raise ConfigError(
                    "a decoder beside phrases or a grammar, which have their own; give one"
                )
            if hot_words is not None:
                raise ConfigError(
                    "hot words beside phrases or a grammar, which are all that is heard"
                )
            return replace(self._pipeline, decoder=self._decoders.closed(closed, self.tokenizer))
        chosen = self.decoder_for(decoder)
        if hot_words is not None:
            chosen = self._decoders.hot(hot_words, self.tokenizer, chosen)
        return replace(self._pipeline, decoder=chosen)
