"""Tokenizers for characters, word pieces and phones.

Each has a list of tokens, the first of which is the blank. Decoding needs only this list, so a
model with word pieces runs without sentencepiece, which is needed to encode text (in training).
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from asr_gru.errors import DataError, MissingExtraError, ModelError
from asr_gru.files import write_bytes

__all__ = [
    "TOKENS",
    "CharacterTokenizer",
    "PhoneTokenizer",
    "PieceTokenizer",
    "TokenKind",
    "Tokenizer",
    "build_character_tokenizer",
    "find_tokens",
    "load_tokenizer",
    "train_piece_tokenizer",
]

TOKENS, PIECE_MODEL = "tokens.txt", "tokens.model"
"""File names of the list of tokens, and of the sentencepiece model of word pieces."""

BLANK, SPACE, WORD_START = "<blank>", "<space>", "▁"
MAX_FILE_BYTES = 4_000_000
TokenKind = Literal["characters", "pieces", "phones"]


class Tokenizer(Protocol):
    """Encodes texts as token ids and decodes them; id 0 is the blank."""

    @property
    def kind(self) -> TokenKind:
        """Type of the tokens."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """Token of each id, including the blank."""
        ...

    def __len__(self) -> int:
        """Return the vocabulary size, including the blank."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; DataError if a character has no token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``: words joined by spaces."""
        ...

    def word_spans(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return the words with the positions of their first token and after their last."""
        ...

    def save(self, folder: Path) -> str:
        """Write the list of tokens into ``folder`` and return the file's name."""
        ...


class _BaseTokenizer:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = [BLANK, *tokens]

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def symbols(self) -> Sequence[str]:
        """Token of each id, including the blank."""
        return tuple(self._tokens)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``: words joined by spaces."""
        return " ".join(word for word, _, _ in self.word_spans(ids))

    def word_spans(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return the words with the positions of their first token and after their last."""
        spans: list[tuple[str, int, int]] = []
        inside = False
        for position, token in enumerate(ids):
            text = self._tokens[token]
            if text.startswith((" ", WORD_START)):
                inside = False
                text = text[1:]
            if not text:
                continue
            if inside:
                word, first, _ = spans[-1]
                spans[-1] = (word + text, first, position + 1)
            else:
                spans.append((text, position, position + 1))
            inside = True
        return spans

    def save(self, folder: Path) -> str:
        """Write the list of tokens into ``folder`` and return the file's name."""
        lines = [SPACE if token == " " else token for token in self._tokens]
        write_bytes(folder / TOKENS, ("\n".join(lines) + "\n").encode())
        return TOKENS


class CharacterTokenizer(_BaseTokenizer):
    """One token per character (Unicode code point, NFC); the space is one of them."""

    kind: TokenKind = "characters"

    def __init__(self, characters: Sequence[str]) -> None:
        super().__init__(characters)
        self._ids = {character: i for i, character in enumerate(self._tokens) if i}

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; DataError if part of it has no token."""
        text = unicodedata.normalize("NFC", text)
        unknown = next((character for character in text if character not in self._ids), None)
        if unknown is not None:
            raise DataError(
                f"no token for {unknown!r} (U+{ord(unknown):04X}) in {text[:40]!r}; "
                "normalise it as the training texts were"
            )
        return [self._ids[character] for character in text]


class PieceTokenizer(_BaseTokenizer):
    """Word pieces of a sentencepiece model; ``▁`` marks the start of a word."""

    kind: TokenKind = "pieces"

    def __init__(self, pieces: Sequence[str], model: bytes | None = None) -> None:
        super().__init__(pieces)
        self._ids = {piece: i for i, piece in enumerate(self._tokens) if i}
        self._model = model
        self._processor: Any = None

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; DataError if part of it has no token."""
        if self._model is None:
            raise ModelError(
                "tokens.model is missing, which is needed to split text into word pieces; "
                "export the model again, or train with --new-head"
            )
        if self._processor is None:
            self._processor = _sentencepiece().SentencePieceProcessor(model_proto=self._model)
        text = unicodedata.normalize("NFC", text)
        pieces: list[str] = self._processor.encode(text, out_type=str)
        unknown = next((piece for piece in pieces if piece not in self._ids), None)
        if unknown is not None:
            raise DataError(f"no word piece for {unknown!r} in {text[:40]!r}; normalise the text")
        return [self._ids[piece] for piece in pieces]

    def save(self, folder: Path) -> str:
        """Write the list of tokens into ``folder`` and return the file's name."""
        super().save(folder)
        if self._model is not None:
            write_bytes(folder / PIECE_MODEL, self._model)
        return TOKENS


class PhoneTokenizer(_BaseTokenizer):
    """Phones by name (``AA``, ``B``), separated by spaces in text.

    A lexicon is needed to turn them into words.
    """

    kind: TokenKind = "phones"

    def __init__(self, phones: Sequence[str]) -> None:
        super().__init__(phones)
        self._ids = {phone: i for i, phone in enumerate(self._tokens) if i}

    def encode(self, text: str) -> list[int]:
        """Return the ids of the phones in ``text``; DataError if one is unknown."""
        phones = text.split()
        unknown = next((phone for phone in phones if phone not in self._ids), None)
        if unknown is not None:
            raise DataError(
                f"unknown phone {unknown!r} in {text[:40]!r}; the model has {' '.join(self._ids)}"
            )
        return [self._ids[phone] for phone in phones]

    def word_spans(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return each phone as a word, as only a lexicon knows the words they form."""
        return [
            (self._tokens[token], position, position + 1)
            for position, token in enumerate(ids)
            if self._tokens[token] != " "
        ]


def build_character_tokenizer(texts: Iterable[str]) -> CharacterTokenizer:
    """Return a tokenizer for all characters in ``texts``, in code point order."""
    found = {character for text in texts for character in unicodedata.normalize("NFC", text)}
    control = next((character for character in found if character in "\r\n\t"), None)
    if control is not None:
        raise DataError(f"a text contains {control!r}; normalise texts before training")
    return CharacterTokenizer(sorted(found | {" "}))


def train_piece_tokenizer(texts: Sequence[str], size: int) -> PieceTokenizer:
    """Train a unigram model of ``size`` word pieces, including the blank (Kudo 2018)."""
    library = _sentencepiece()
    model = io.BytesIO()
    try:
        library.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=size,
            character_coverage=1.0,
            normalization_rule_name="identity",
            bos_id=-1,
            eos_id=-1,
            unk_id=0,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise DataError(f"cannot train {size} word pieces on these texts: {error}") from None
    return _from_model(model.getvalue())


def find_tokens(folder: Path) -> Path | None:
    """Return the tokenizer file in ``folder``, or None."""
    paths = (folder / PIECE_MODEL, folder / TOKENS)
    return next((path for path in paths if path.exists()), None)


def load_tokenizer(path: str | Path, kind: TokenKind | None = None) -> Tokenizer:
    """Read ``tokens.txt``, and for word pieces also ``tokens.model`` in the same folder.

    Args:
        path: the file.
        kind: type of the tokens. None infers it: word pieces contain ``▁``, and some names of
            phones have several letters.

    Raises:
        ModelError: the file is missing, or not a valid list of tokens.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: too large for a list of tokens")
        if path.suffix == ".model":
            return _from_model(path.read_bytes())
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        beside = path.with_name(PIECE_MODEL)
        if beside.is_file() and beside.stat().st_size > MAX_FILE_BYTES:
            raise ModelError(f"{beside}: too large for a list of tokens")
        model = beside.read_bytes() if beside.is_file() else None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; give the folder of a model") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: not a list of tokens in UTF-8") from None
    tokens = [" " if line == SPACE else line for line in lines]
    if tokens[0] != BLANK or len(set(tokens)) != len(tokens) or not all(tokens):
        raise ModelError(f"{path}: not a token list (one per line, {BLANK} first, no duplicates)")
    multi_letter = any(len(token) > 1 for token in tokens[1:])
    if kind is None and multi_letter:
        kind = "pieces" if any(WORD_START in token for token in tokens[1:]) else "phones"
    if kind == "phones":
        return PhoneTokenizer(tokens[1:])
    if multi_letter:
        return PieceTokenizer(tokens[1:], model)
    return CharacterTokenizer(tokens[1:])


def _from_model(model: bytes) -> PieceTokenizer:
    processor = _sentencepiece().SentencePieceProcessor(model_proto=model)
    pieces = [processor.id_to_piece(i) for i in range(1, processor.get_piece_size())]
    return PieceTokenizer(pieces, model)


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise MissingExtraError("sentencepiece", "train") from None
    return sentencepiece
