"""The decoding options of a call, and the pipeline that they select."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr_gru.closed_vocabulary import ClosedVocabulary
from asr_gru.decoding import AnyDecoder
from asr_gru.decoding.alternatives import check_alternatives
from asr_gru.errors import ConfigError
from asr_gru.streaming.confidence_filter import MinimumConfidence

if TYPE_CHECKING:
    from asr_gru.decoders import Decoders
    from asr_gru.language import HotWord, HotWordsLike
    from asr_gru.streaming.engine import Pipeline

__all__ = ["DecoderChoice", "DecodingOptions"]

DecoderChoice = AnyDecoder | str | None
"""A decoder, or the name of one: greedy, beam, words; None for the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingOptions:
    """The options of a stream or recording; ``Recognizer.stream`` describes them.

    Attributes:
        decoder: a decoder or its name; None for the model's default.
        vocabulary: a closed vocabulary; None for open speech.
        hot_words: hot words; None keeps those of the decoder.
        minimum_confidence: how words of low confidence are treated; None keeps all words.
        written: whether finals are also given in written form.
        alternatives: length of the n-best lists; None for none.
    """

    decoder: DecoderChoice = None
    vocabulary: ClosedVocabulary | None = None
    hot_words: tuple[HotWord, ...] | None = None
    minimum_confidence: MinimumConfidence | None = None
    written: bool = False
    alternatives: int | None = None

    @classmethod
    def parse(
        cls,
        *,
        decoder: DecoderChoice,
        phrases: Iterable[str] | None,
        grammar: str | Path | None,
        rejection: float | None,
        hot_words: HotWordsLike | None,
        minimum_confidence: float | None,
        mark_uncertain: bool,
        written: bool,
        alternatives: int | None,
    ) -> DecodingOptions:
        """Create options from the arguments of a call.

        Raises:
            ConfigError: an argument is invalid by itself.
        """
        return cls(
            decoder=decoder,
            vocabulary=ClosedVocabulary.parse(phrases, grammar=grammar, rejection=rejection),
            hot_words=_parse_hot_words(hot_words),
            minimum_confidence=MinimumConfidence.parse(minimum_confidence, mark=mark_uncertain),
            written=written,
            alternatives=alternatives,
        )

    def apply(self, pipeline: Pipeline, decoders: Decoders) -> Pipeline:
        """Return a copy of a model's pipeline with these options.

        Args:
            pipeline: the pipeline with the default decoder.
            decoders: the decoders of the model.

        Raises:
            ConfigError: options that exclude each other, or that the model does not support.
        """
        alternatives = check_alternatives(self.alternatives)
        decoder = self._decoder(pipeline, decoders)
        if self.minimum_confidence is not None and decoder.whole_utterances:
            raise ConfigError(
                "a minimum confidence cannot be combined with phrases or a grammar, which are "
                "accepted or rejected as a whole; use rejection"
            )
        return replace(
            pipeline,
            decoder=decoder,
            minimum_confidence=self.minimum_confidence,
            written=self.written,
            alternatives=alternatives,
        )

    def _decoder(self, pipeline: Pipeline, decoders: Decoders) -> AnyDecoder:
        tokens = pipeline.tokenizer
        if self.vocabulary is not None:
            if self.decoder is not None:
                raise ConfigError(
                    "phrases and grammars have their own decoder; leave the decoder out"
                )
            if self.hot_words is not None:
                raise ConfigError(
                    "hot words cannot be combined with phrases or a grammar; leave them out"
                )
            return decoders.for_vocabulary(self.vocabulary, tokens)
        decoder = pipeline.decoder if self.decoder is None else decoders.get(self.decoder)
        if self.hot_words is None:
            return decoder
        return decoders.with_hot_words(self.hot_words, tokens, decoder)


def _parse_hot_words(hot_words: HotWordsLike | None) -> tuple[HotWord, ...] | None:
    if hot_words is None:
        return None
    from asr_gru.language import parse_hot_words

    return parse_hot_words(hot_words)
