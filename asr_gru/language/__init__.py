"""From sounds to words: a pronunciation lexicon, grapheme to phoneme, and n-grams (numpy only)."""

from asr_gru.language.arpa import read_arpa, write_arpa
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.language.lexicon import Lexicon
from asr_gru.language.ngram import LanguageModel
from asr_gru.language.ngrams import NGrams

__all__ = ["ENGLISH_PHONES", "LanguageModel", "Lexicon", "NGrams", "read_arpa", "write_arpa"]
