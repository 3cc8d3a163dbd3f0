"""Tokenizers and text normalisers."""

from asr_gru.text.inverse import WrittenWord, inverse_normalise, write_words
from asr_gru.text.normaliser import normalise
from asr_gru.text.tokenizers import (
    TOKENS,
    CharacterTokenizer,
    PhoneTokenizer,
    PieceTokenizer,
    Tokenizer,
    TokenKind,
    build_character_tokenizer,
    find_tokens,
    load_tokenizer,
    train_piece_tokenizer,
)

__all__ = [
    "TOKENS",
    "CharacterTokenizer",
    "PhoneTokenizer",
    "PieceTokenizer",
    "TokenKind",
    "Tokenizer",
    "WrittenWord",
    "build_character_tokenizer",
    "find_tokens",
    "inverse_normalise",
    "load_tokenizer",
    "normalise",
    "train_piece_tokenizer",
    "write_words",
]
