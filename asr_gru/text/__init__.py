"""Tokens, the text normaliser and scoring: everything that knows how words are written."""

from asr_gru.text.normaliser import normalise
from asr_gru.text.scoring import (
    Pair,
    Score,
    align,
    bootstrap_interval,
    character_errors,
    confusions,
    word_errors,
)
from asr_gru.text.tokens import (
    CharacterTokens,
    PieceTokens,
    Tokens,
    build_characters,
    load_tokens,
    train_pieces,
)

__all__ = [
    "CharacterTokens",
    "Pair",
    "PieceTokens",
    "Score",
    "Tokens",
    "align",
    "bootstrap_interval",
    "build_characters",
    "character_errors",
    "confusions",
    "load_tokens",
    "normalise",
    "train_pieces",
    "word_errors",
]
