"""Pronunciations, n-gram language models, phrases and grammars (numpy only)."""

from asr_gru.language.arpa import read_arpa, write_arpa
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.language.estimate import EstimateConfig, EstimatedModel, estimate
from asr_gru.language.files import open_language_model, open_lexicon, restrict_lexicon
from asr_gru.language.grammar import Grammar, is_jsgf, read_grammar
from asr_gru.language.hot_words import HotWord, HotWordsLike, default_weight, parse_hot_words
from asr_gru.language.lexicon import Lexicon
from asr_gru.language.ngram import LanguageModel
from asr_gru.language.ngrams import NGrams
from asr_gru.language.perplexity import Perplexity, perplexity
from asr_gru.language.phrases import PhraseList
from asr_gru.language.word_graph import WordGraph, phrase_graph
from asr_gru.language.word_pronunciations import PronunciationTable, WordPronunciations

__all__ = [
    "ENGLISH_PHONES",
    "EstimateConfig",
    "EstimatedModel",
    "Grammar",
    "HotWord",
    "HotWordsLike",
    "LanguageModel",
    "Lexicon",
    "NGrams",
    "Perplexity",
    "PhraseList",
    "PronunciationTable",
    "WordGraph",
    "WordPronunciations",
    "default_weight",
    "estimate",
    "is_jsgf",
    "open_language_model",
    "open_lexicon",
    "parse_hot_words",
    "perplexity",
    "phrase_graph",
    "read_arpa",
    "read_grammar",
    "restrict_lexicon",
    "write_arpa",
]
