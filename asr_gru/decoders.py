"""The decoders of a model, by name, for closed vocabularies and for hot words."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from asr_gru.decoder_config import default_kind, search_parameters
from asr_gru.decoding import (
    AnyDecoder,
    BeamDecoder,
    Fusion,
    GraphSearch,
    GraphSearchParameters,
    GreedyDecoder,
    TreeSearch,
    build_phone_graph,
    hot_word_search,
    word_search,
)
from asr_gru.errors import ConfigError, ModelError, did_you_mean, is_integer, one_of

if TYPE_CHECKING:
    from asr_gru.closed_vocabulary import ClosedVocabulary
    from asr_gru.language import HotWord, Lexicon, WordPronunciations
    from asr_gru.language.pronounce import Pronouncer
    from asr_gru.model.config import DecoderKind
    from asr_gru.model.directory import ModelDirectory
    from asr_gru.text import Tokenizer

__all__ = ["Decoders"]

KINDS: tuple[DecoderKind, ...] = ("greedy", "beam", "words", "phones")
DEFAULT_BEAM = 8
TRIGRAM_WEIGHT = 1.0
MAX_BEAM = 100_000
CACHE_SIZE = 16
"""Closed vocabularies, and lists of hot words, that are kept compiled."""
HOT_WORD_PRONUNCIATIONS = 2
"""Pronunciations per hot word that the lexicon lacks."""


class Decoders:
    """Creates the decoders of a model on demand and caches them.

    Args:
        directory: the model; None offers greedy decoding and prefix beam search only.
    """

    def __init__(self, directory: ModelDirectory | None = None) -> None:
        self._directory = directory
        self._config = directory.config.decoder if directory else None
        self._decoders: dict[tuple[DecoderKind, int | None], AnyDecoder] = {}
        self._vocabularies: dict[ClosedVocabulary, GraphSearch] = {}
        self._hot: dict[tuple[tuple[HotWord, ...], int], tuple[TreeSearch, TreeSearch]] = {}
        self._compiling = threading.Lock()
        self._lexicon: Lexicon | None = None

    def get(self, decoder: str | AnyDecoder | None = None, beam: int | None = None) -> AnyDecoder:
        """Return a decoder.

        Args:
            decoder: ``"greedy"``, ``"beam"``, ``"words"``, ``"phones"``, a decoder object, which
                is returned as it is, or None for the model's default.
            beam: beam width; None for the model's default. Without ``decoder``, a width of 1
                selects greedy decoding and a larger one prefix beam search, unless the model's
                default is a word search.

        Raises:
            ConfigError: the name is unknown, the beam is out of range, or greedy decoding is given
                a beam of more than 1.
            ModelError: a word search is requested from a model without a lexicon.
        """
        if decoder is not None and not isinstance(decoder, str):
            if not callable(getattr(decoder, "start", None)):
                raise ConfigError(f"decoder {decoder!r}; choose {one_of(KINDS)}, or give a decoder")
            if beam is not None:
                raise ConfigError("a beam cannot be set for a decoder object; leave it out")
            return decoder
        if beam is not None and not (is_integer(beam) and 1 <= beam <= MAX_BEAM):
            raise ConfigError(f"a beam of {str(beam)[:40]}; give a whole number, 1 to {MAX_BEAM}")
        kind = self._kind(decoder, beam)
        if kind == "greedy" and beam is not None and beam > 1:
            raise ConfigError(
                "greedy decoding has no beam; leave it out, or choose another decoder"
            )
        key = (kind, beam if kind != "greedy" else None)
        if key not in self._decoders:
            self._decoders[key] = self._create(kind, beam)
        return self._decoders[key]

    def for_vocabulary(self, vocabulary: ClosedVocabulary, tokens: Tokenizer) -> GraphSearch:
        """Return the decoder for a closed vocabulary. Thread-safe.

        The most recent ``CACHE_SIZE`` vocabularies are kept compiled.

        Args:
            vocabulary: phrases or a grammar.
            tokens: the model's tokenizer.

        Raises:
            ConfigError: the phrases or the grammar are invalid, or a word has no pronunciation.
        """
        with self._compiling:
            search = self._vocabularies.pop(vocabulary, None)
            if search is None:
                search = self._compile(vocabulary, tokens)
            self._vocabularies[vocabulary] = search
            if len(self._vocabularies) > CACHE_SIZE:
                del self._vocabularies[next(iter(self._vocabularies))]
        return search

    def with_hot_words(
        self,
        hot_words: tuple[HotWord, ...],
        tokens: Tokenizer,
        decoder: AnyDecoder,
        *,
        max_unknown: int | None = None,
    ) -> TreeSearch:
        """Return a word search with these hot words. Thread-safe.

        The most recent ``CACHE_SIZE`` lists are kept compiled.

        Args:
            hot_words: the hot words; empty for a search without hot words.
            tokens: the model's tokenizer.
            decoder: the word search; hot words that it has are replaced.
            max_unknown: maximum number of words that the lexicon lacks; None for no limit.

        Raises:
            ConfigError: the decoder is not a word search, or a hot word is invalid.
        """
        if isinstance(decoder, GraphSearch):
            raise ConfigError(
                "hot words cannot be combined with phrases or a grammar; put the words into these, "
                "or open a stream without them"
            )
        if not isinstance(decoder, TreeSearch):
            raise ConfigError(
                "hot words need a word search, which this decoder is not; take a model with a "
                "lexicon, or leave the decoder out"
            )
        decoder = decoder.plain
        if not hot_words:
            return decoder
        key = (hot_words, id(decoder))
        with self._compiling:
            cached = self._hot.pop(key, None)
            if cached is None:
                cached = decoder, self._compile_hot(hot_words, tokens, decoder, max_unknown)
            self._hot[key] = cached
            if len(self._hot) > CACHE_SIZE:
                del self._hot[next(iter(self._hot))]
        return cached[1]

    def _compile_hot(
        self,
        hot_words: tuple[HotWord, ...],
        tokens: Tokenizer,
        decoder: TreeSearch,
        max_unknown: int | None,
    ) -> TreeSearch:
        from asr_gru.text import normalise

        return hot_word_search(
            decoder,
            hot_words,
            lambda phrase: normalise(phrase, self.normaliser).split(),
            pronunciations=self.pronunciations(tokens, max_generated=HOT_WORD_PRONUNCIATIONS),
            max_unknown=max_unknown,
        )

    def _compile(self, vocabulary: ClosedVocabulary, tokens: Tokenizer) -> GraphSearch:
        from asr_gru.language import Grammar, PhraseList

        parameters = GraphSearchParameters()
        if vocabulary.rejection is not None:
            parameters = replace(parameters, rejection=vocabulary.rejection)
        source: PhraseList | Grammar
        grammar, max_states = vocabulary.grammar, vocabulary.max_states
        if grammar is None:
            source = PhraseList(vocabulary.phrases or (), self.normaliser)
        elif max_states is None:
            source = Grammar(grammar, vocabulary.name, self.normaliser)
        else:
            source = Grammar(grammar, vocabulary.name, self.normaliser, max_states=max_states)
        words = source.graph.spoken_as
        table = self.pronunciations(tokens).look_up(words, vocabulary.max_unknown)
        graph = build_phone_graph(source.graph, table)
        return GraphSearch(graph, len(tokens.symbols), source.match, parameters=parameters)

    def pronunciations(
        self, tokens: Tokenizer, lexicon: Lexicon | None = None, *, max_generated: int = 1
    ) -> WordPronunciations:
        """Return an object that looks up or generates pronunciations of words.

        Args:
            tokens: the model's tokenizer.
            lexicon: the first lexicon to look up; the model's own by default.
            max_generated: maximum number of pronunciations per word that are generated from its
                letters.

        Raises:
            ConfigError: the model's tokens are word pieces, which have no pronunciations.
        """
        from asr_gru.language import WordPronunciations

        config = self._directory.config if self._directory else None
        is_english = config is None or config.language.partition("-")[0] in ("", "en")
        return WordPronunciations(
            tokens.symbols,
            tokens.kind,
            lexicon or self._own_lexicon(),
            pronouncer=_english_pronouncer if is_english else None,
            max_predicted=max_generated,
        )

    @property
    def normaliser(self) -> Literal["none", "basic", "english"]:
        """The normaliser of the model's texts; ``"basic"`` without a model directory."""
        return self._directory.config.normaliser if self._directory else "basic"

    def _own_lexicon(self) -> Lexicon | None:
        from asr_gru.language import Lexicon
        from asr_gru.model.directory import LEXICON

        if self._lexicon is None and self._directory is not None:
            if LEXICON not in self._directory.config.files:
                return None
            self._lexicon = Lexicon.load(self._directory.path / LEXICON)
        return self._lexicon

    def _kind(self, name: str | None, beam: int | None) -> DecoderKind:
        if name is None:
            default = default_kind(self._config) if self._config else "greedy"
            if default == "words" or beam is None:
                return default
            return "greedy" if beam == 1 else "beam"
        for kind in KINDS:
            if kind == name:
                return kind
        raise ConfigError(
            f"unknown decoder {name!r}{did_you_mean(name, KINDS)}; choose {one_of(KINDS)}"
        )

    def _create(self, kind: DecoderKind, beam: int | None) -> AnyDecoder:
        if kind == "greedy":
            return GreedyDecoder()
        if kind == "beam":
            own = self._config.beam if self._config and self._config.beam > 1 else DEFAULT_BEAM
            return BeamDecoder(own if beam is None else beam)
        if kind == "phones":
            return _phone_search(self._directory, beam)
        if self._directory is None or not self._directory.has_lexicon:
            raise ModelError(
                "this model has no lexicon for a word search; export it with --lexicon, "
                "or choose greedy or beam"
            )
        return _word_search(self._directory, beam)


def _english_pronouncer() -> Pronouncer:
    from asr_gru.language.pronounce import load_english

    return load_english()


def _phone_search(directory: ModelDirectory | None, width: int | None) -> AnyDecoder:
    """Return a search with the phone trigram; greedy decoding if the model has none."""
    from asr_gru.language.token_trigram import TokenTrigram
    from asr_gru.model.directory import TRIGRAM

    if directory is None or TRIGRAM not in directory.config.files:
        return GreedyDecoder()
    trigram = TokenTrigram.load(directory.path / TRIGRAM, directory.tokenizer().symbols)
    return BeamDecoder(width or DEFAULT_BEAM, fusion=Fusion(trigram, TRIGRAM_WEIGHT))


def _word_search(directory: ModelDirectory, width: int | None) -> TreeSearch:
    from asr_gru.language import LanguageModel, Lexicon
    from asr_gru.model.directory import CONFIG, LANGUAGE, LEXICON

    try:
        parameters = search_parameters(directory.config.decoder)
    except ConfigError as error:
        raise ModelError(f"{directory.path / CONFIG}: decoder.words: {error}") from None
    if width is not None:
        parameters = replace(parameters, width=width)
    tokenizer, model = directory.tokenizer(), None
    if LANGUAGE in directory.config.files:
        model = LanguageModel.load(directory.path / LANGUAGE)
    lexicon = Lexicon.load(directory.path / LEXICON)
    spaced = tokenizer.kind == "characters"
    try:
        return word_search(tokenizer.symbols, lexicon, model, parameters=parameters, spaced=spaced)
    except ModelError as error:
        raise ModelError(f"{directory.path}: {error}") from None
