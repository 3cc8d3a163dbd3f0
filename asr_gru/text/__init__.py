"""Tokens and the text normaliser: everything that knows how words are written."""

from asr_gru.text.normaliser import normalise
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
    "PieceTokens",
    "Tokens",
    "build_characters",
    "load_tokens",
    "normalise",
    "train_pieces",
]
