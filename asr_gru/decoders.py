"""Which decoder reads a model's log-probabilities: the model's own, or another by name."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr_gru.decoding import (
    AnyDecoder,
    BeamDecoder,
    ConfidenceWeights,
    GraphKnobs,
    GraphSearch,
    GreedyDecoder,
    TreeSearch,
    TreeSearchKnobs,
    build_phone_graph,
    hot_word_search,
    word_search,
)
from asr_gru.errors import ConfigError, ModelError, did_you_mean

if TYPE_CHECKING:
    from asr_gru.language import HotWord, Lexicon, WordPronunciations
    from asr_gru.language.pronounce import Pronouncer
    from asr_gru.model.config import DecoderConfig, DecoderKind, ModelConfig
    from asr_gru.model.directory import ModelDirectory
    from asr_gru.text import Tokenizer

__all__ = ["Closed", "Decoders", "confidence_weights", "configured", "default_kind", "knobs_of"]

KINDS: tuple[DecoderKind, ...] = ("greedy", "beam", "words")
DEFAULT_BEAM = 8
MOST_BEAM = 100_000
MOST_PHRASES = 100_000
MOST_COMPILED = 16
"""Lists of phrases and grammars that stay compiled."""
WAYS = 2
"""Pronunciations that hot words get from their letters."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What alone is listened for, as a program gives it.

    Attributes:
        phrases: a list of phrases.
        grammar: the text of a grammar.
        rejection: see ``GraphKnobs``; None is the default.
        max_unknown: how many words may be missing from the lexicon; None sets no limit.
        max_states: how large a grammar may be; see ``Grammar``.
        name: what errors call the grammar.
    """

    phrases: tuple[str, ...] | None = None
    grammar: str | None = None
    rejection: float | None = None
    max_unknown: int | None = None
    max_states: int | None = None
    name: str = "grammar"

    @classmethod
    def of(
        cls,
        phrases: Iterable[str] | None,
        rejection: float | None = None,
        max_unknown: int | None = None,
        *,
        grammar: str | Path | None = None,
        max_states: int | None = None,
        name: str | None = None,
    ) -> Closed | None:
        """Return what the arguments of a call ask for; None if they ask for nothing.

        Raises:
            ConfigError: a threshold without phrases, phrases that are one text, a grammar beside
                them, or its file cannot be read.
        """
        if grammar is not None:
            if phrases is not None:
                raise ConfigError("phrases beside a grammar; give one of them")
            if not isinstance(grammar, str | Path):
                raise ConfigError(f"grammar is {str(grammar)[:40]!r}; give its text or its file")
            from asr_gru.language import read_grammar

            text, named = read_grammar(grammar)
            return cls(None, text, rejection, max_unknown, max_states, name or named)
        if phrases is None:
            if rejection is not None:
                raise ConfigError("rejection is of phrases and grammars; give one of them")
            return None
        if isinstance(phrases, str) or not isinstance(phrases, Iterable):
            raise ConfigError(f"phrases is {str(phrases)[:40]!r}; give a list of phrases")
        given = tuple(islice(phrases, MOST_PHRASES + 1))
        for number, phrase in enumerate(given, 1):
            if not isinstance(phrase, str):
                raise ConfigError(f"phrase {number} is {str(phrase)[:40]!r}; give text")
        if len(given) > MOST_PHRASES:
            raise ConfigError(f"more than {MOST_PHRASES} phrases; leave some out")
        return cls(given, None, rejection, max_unknown)


class Decoders:
    """The decoders of a model, each made when it is first asked for.

    Args:
        directory: the model; without one there are greedy and beam.
    """

    def __init__(self, directory: ModelDirectory | None = None) -> None:
        self._directory = directory
        self._config = directory.config.decoder if directory else None
        self._made: dict[tuple[DecoderKind, int | None], AnyDecoder] = {}
        self._compiled: dict[Closed, GraphSearch] = {}
        self._hot: dict[tuple[tuple[HotWord, ...], int], tuple[TreeSearch, TreeSearch]] = {}
        self._compiling = threading.Lock()
        self._lexicon: Lexicon | None = None

    def get(self, decoder: str | AnyDecoder | None = None, beam: int | None = None) -> AnyDecoder:
        """Return a decoder.

        Args:
            decoder: ``"greedy"``, ``"beam"``, ``"words"``, one that was made elsewhere, or None
                for the model's own.
            beam: readings kept from frame to frame; None is the model's own choice. Without a
                decoder, 1 is greedy and more a beam for models that do not search for words.

        Raises:
            ConfigError: no such decoder, or a beam that cannot be.
            ModelError: words from a model that has no lexicon.
        """
        if decoder is not None and not isinstance(decoder, str):
            if beam is not None:
                raise ConfigError("a beam beside a decoder that is made already; give one of them")
            return decoder
        if beam is not None and not 1 <= beam <= MOST_BEAM:
            raise ConfigError(f"a beam of {beam}; give 1 to {MOST_BEAM}")
        kind = self._kind(decoder, beam)
        key = (kind, beam if kind != "greedy" else None)
        if key not in self._made:
            self._made[key] = self._make(kind, beam)
        return self._made[key]

    def closed(self, asked: Closed, tokens: Tokenizer) -> GraphSearch:
        """Return the search for phrases or a grammar; safe to call from threads.

        The last few stay compiled.

        Args:
            asked: what is listened for.
            tokens: what the model writes with.

        Raises:
            ConfigError: phrases or a grammar that cannot be, a word that cannot be pronounced.
        """
        with self._compiling:
            found = self._compiled.pop(asked, None)
            if found is None:
                found = self._compile(asked, tokens)
            self._compiled[asked] = found
            if len(self._compiled) > MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
        return found

    def hot(
        self,
        listed: tuple[HotWord, ...],
        tokens: Tokenizer,
        decoder: AnyDecoder,
        *,
        max_unknown: int | None = None,
    ) -> TreeSearch:
        """Return a search for words with hot words; the last few stay compiled. Safe in threads.

        Args:
            listed: the hot words; none for a search without any.
            tokens: what the model writes with.
            decoder: the search without them, or with others.
            max_unknown: how many words may be missing from the lexicon; None sets no limit.

        Raises:
            ConfigError: another decoder, words that cannot be.
        """
        if not isinstance(decoder, TreeSearch):
            raise ConfigError(
                "hot words need a search for words, which is not this decoder; take a model with "
                "a lexicon, or leave the decoder out"
            )
        decoder = decoder.plain
        if not listed:
            return decoder
        key = (listed, id(decoder))
        with self._compiling:
            kept = self._hot.pop(key, None)
            if kept is None:
                kept = decoder, self._compile_hot(listed, tokens, decoder, max_unknown)
            self._hot[key] = kept
            if len(self._hot) > MOST_COMPILED:
                del self._hot[next(iter(self._hot))]
        return kept[1]

    def _compile_hot(
        self,
        listed: tuple[HotWord, ...],
        tokens: Tokenizer,
        decoder: TreeSearch,
        max_unknown: int | None,
    ) -> TreeSearch:
        from asr_gru.text import normalise

        return hot_word_search(
            decoder,
            listed,
            lambda phrase: normalise(phrase, self.normaliser).split(),
            sounds=self.sounds(tokens, ways=WAYS),
            max_unknown=max_unknown,
        )

    def _compile(self, asked: Closed, tokens: Tokenizer) -> GraphSearch:
        from asr_gru.language import Grammar, PhraseList

        knobs = GraphKnobs()
        if asked.rejection is not None:
            knobs = replace(knobs, rejection=asked.rejection)
        said: PhraseList | Grammar
        if asked.grammar is None:
            said = PhraseList(asked.phrases or (), self.normaliser)
        elif asked.max_states is None:
            said = Grammar(asked.grammar, asked.name, self.normaliser)
        else:
            said = Grammar(asked.grammar, asked.name, self.normaliser, max_states=asked.max_states)
        spoken = self.sounds(tokens).spoken(said.graph.spoken_as, asked.max_unknown)
        graph = build_phone_graph(said.graph, spoken)
        return GraphSearch(graph, len(tokens.symbols), said.match, knobs=knobs)

    def sounds(
        self, tokens: Tokenizer, lexicon: Lexicon | None = None, *, ways: int = 1
    ) -> WordPronunciations:
        """Return what finds pronunciations of words.

        Args:
            tokens: what the model writes with.
            lexicon: asked first; by default the model's own.
            ways: the most pronunciations of a word by its letters alone.

        Raises:
            ConfigError: a model of word pieces.
        """
        from asr_gru.language import WordPronunciations

        config = self._directory.config if self._directory else None
        is_english = config is None or config.language.partition("-")[0] in ("", "en")
        return WordPronunciations(
            tokens.symbols,
            tokens.kind,
            lexicon or self._own_lexicon(),
            pronouncer=_english_pronouncer if is_english else None,
            ways=ways,
        )

    @property
    def normaliser(self) -> Literal["none", "basic", "english"]:
        """How the model's texts are normalised; basic without a model directory."""
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
            own = default_kind(self._config) if self._config else "greedy"
            if own == "words" or beam is None:
                return own
            return "greedy" if beam == 1 else "beam"
        for kind in KINDS:
            if kind == name:
                return kind
        raise ConfigError(
            f"no decoder {name!r}{did_you_mean(name, KINDS)}; there are {', '.join(KINDS)}"
        )

    def _make(self, kind: DecoderKind, beam: int | None) -> AnyDecoder:
        if kind == "greedy":
            return GreedyDecoder()
        if kind == "beam":
            own = self._config.beam if self._config and self._config.beam > 1 else DEFAULT_BEAM
            return BeamDecoder(own if beam is None else beam)
        if self._directory is None or not self._directory.has_lexicon:
            raise ModelError(
                "this model has no lexicon to find words with; export it with --lexicon, "
                "or choose greedy or beam"
            )
        return _word_search(self._directory, beam)


def _english_pronouncer() -> Pronouncer:
    from asr_gru.language.pronounce import load_english

    return load_english()


def _word_search(directory: ModelDirectory, width: int | None) -> TreeSearch:
    from asr_gru.language import LanguageModel, Lexicon
    from asr_gru.model.directory import CONFIG, LANGUAGE, LEXICON

    try:
        knobs = knobs_of(directory.config.decoder)
    except ConfigError as error:
        raise ModelError(f"{directory.path / CONFIG}: decoder.words: {error}") from None
    if width is not None:
        knobs = replace(knobs, width=width)
    tokenizer, model = directory.tokenizer(), None
    if LANGUAGE in directory.config.files:
        model = LanguageModel.load(directory.path / LANGUAGE)
    lexicon = Lexicon.load(directory.path / LEXICON)
    spaced = tokenizer.kind == "characters"
    try:
        return word_search(tokenizer.symbols, lexicon, model, knobs=knobs, spaced=spaced)
    except ModelError as error:
        raise ModelError(f"{directory.path}: {error}") from None


def default_kind(config: DecoderConfig) -> DecoderKind:
    """Return the kind that a model's configuration asks for."""
    return config.kind or ("greedy" if config.beam == 1 else "beam")


def knobs_of(config: DecoderConfig) -> TreeSearchKnobs:
    """Return how a model's search for words is tuned; ConfigError names a knob out of range."""
    import msgspec

    return TreeSearchKnobs(**msgspec.structs.asdict(config.words))


def confidence_weights(config: ModelConfig) -> ConfidenceWeights | None:
    """Return the weights of a model's confidences, or None."""
    import msgspec

    own = config.confidence
    return None if own is None else ConfidenceWeights(**msgspec.structs.asdict(own))


def configured(config: ModelConfig, knobs: TreeSearchKnobs) -> ModelConfig:
    """Return a model's configuration with its search for words tuned so."""
    import msgspec

    names = config.decoder.words.__struct_fields__
    words = type(config.decoder.words)(**{name: getattr(knobs, name) for name in names})
    decoder = msgspec.structs.replace(config.decoder, words=words)
    return msgspec.structs.replace(config, decoder=decoder)
