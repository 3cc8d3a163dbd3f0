"""Tokenizers and the text normaliser: everything that knows how words are written."""

from asr_gru.text.normaliser import normalise
from asr_gru.text.tokenizers import (
    CharacterTokenizer,
    PhoneTokenizer,
    PieceTokenizer,
    Tokenizer,
    TokenKind,
    build_character_tokenizer,
    load_tokenizer,
    train_piece_tokenizer,
)

__all__ = [
    "CharacterTokenizer",
    "PhoneTokenizer",
    "PieceTokenizer",
    "TokenKind",
    "Tokenizer",
    "build_character_tokenizer",
    "load_tokenizer",
    "normalise",
    "train_piece_tokenizer",
]
