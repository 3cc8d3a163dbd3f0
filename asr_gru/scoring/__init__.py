"""Word and character error rates, alignments of texts, confidence intervals."""

from asr_gru.scoring.comparison import Comparison, compare
from asr_gru.scoring.rates import (
    Pair,
    Score,
    align,
    bootstrap_interval,
    character_errors,
    confusions,
    word_errors,
)

__all__ = [
    "Comparison",
    "Pair",
    "Score",
    "align",
    "bootstrap_interval",
    "character_errors",
    "compare",
    "confusions",
    "word_errors",
]
