"""Tokenizers of characters, word pieces and phones, behind one protocol.

Each holds a list of tokens, of which the first is the blank. Decoding needs the list alone, so
that a model of word pieces runs without sentencepiece; encoding text (in training) needs it.
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
"""File names: the list of tokens, and beside it the sentencepiece model of word pieces."""

BLANK, SPACE, WORD_START = "<blank>", "<space>", "▁"
LARGEST_FILE = 4_000_000
TokenKind = Literal["characters", "pieces", "phones"]


class Tokenizer(Protocol):
    """Encodes texts as token ids and decodes them; id 0 is the blank."""

    @property
    def kind(self) -> TokenKind:
        """What a token is."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """The token of each id, the blank included."""
        ...

    def __len__(self) -> int:
        """How many tokens there are, the blank included."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; DataError names a character that has no token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the words of ``ids``, joined by spaces."""
        ...

    def word_spans(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return each word with the positions of its first token and past its last."""
        ...

    def save(self, folder: Path) -> str:
        """Write the list of tokens into ``folder`` and return the file's name."""
        ...


class _Listed:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = [BLANK, *tokens]

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def symbols(self) -> Sequence[str]:
        """The token of each id, the blank included."""
        return tuple(self._tokens)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the words of ``ids``, joined by spaces."""
        return " ".join(word for word, _, _ in self.word_spans(ids))

    def word_spans(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return each word with the positions of its first token and past its last."""
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


class CharacterTokenizer(_Listed):
    """One token per character (Unicode code point, NFC); the space is one of them."""

    kind: TokenKind = "characters"

    def __init__(self, characters: Sequence[str]) -> None:
        super().__init__(characters)
        self._ids = {character: i for i, character in enumerate(self._tokens) if i}

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; DataError names what has no token."""
        text = unicodedata.normalize("NFC", text)
        unknown = next((character for character in text if character not in self._ids), None)
        if unknown is not None:
            raise DataError(
                f"no token for {unknown!r} (U+{ord(unknown):04X}) in {text[:40]!r}; "
                "normalise the text as the model's was"
            )
        return [self._ids[character] for character in text]


class PieceTokenizer(_Listed):
    """Word pieces of a sentencepiece model; ``▁`` begins a word."""

    kind: TokenKind = "pieces"

    def __init__(self, pieces: Sequence[str], model: bytes | None = None) -> None:
        super().__init__(pieces)
        self._ids = {piece: i for i, piece in enumerate(self._tokens) if i}
        self._model = model
        self._processor: Any = None

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; DataError names what has no token."""
        if self._model is None:
            raise ModelError(
                "these word pieces have no tokens.model, so no text can be written with them; "
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


class PhoneTokenizer(_Listed):
    """Phones under their names (``AA``, ``B``); in a text they stand between spaces.

    They are sounds, not letters: a lexicon makes words of them.
    """

    kind: TokenKind = "phones"

    def __init__(self, phones: Sequence[str]) -> None:
        super().__init__(phones)
        self._ids = {phone: i for i, phone in enumerate(self._tokens) if i}

    def encode(self, text: str) -> list[int]:
        """Return the ids of the phones in ``text``; DataError names what is none."""
        phones = text.split()
        unknown = next((phone for phone in phones if phone not in self._ids), None)
        if unknown is not None:
            raise DataError(
                f"no phone {unknown!r} in {text[:40]!r}; the model has {' '.join(self._ids)}"
            )
        return [self._ids[phone] for phone in phones]

    def word_spans(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return each phone by itself: which of them make a word is the lexicon's to say."""
        return [
            (self._tokens[token], at, at + 1)
            for at, token in enumerate(ids)
            if self._tokens[token] != " "
        ]


def build_character_tokenizer(texts: Iterable[str]) -> CharacterTokenizer:
    """Return a tokenizer with every character of ``texts``, in code point order."""
    found = {character for text in texts for character in unicodedata.normalize("NFC", text)}
    odd = next((character for character in found if character in "\r\n\t"), None)
    if odd is not None:
        raise DataError(f"a text holds {odd!r}; normalise texts before training")
    return CharacterTokenizer(sorted(found | {" "}))


def train_piece_tokenizer(texts: Sequence[str], size: int) -> PieceTokenizer:
    """Learn ``size`` word pieces, the blank included (Kudo 2018, unigram language model)."""
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
        raise DataError(f"cannot learn {size} word pieces from these texts: {error}") from None
    return _from_model(model.getvalue())


def find_tokens(folder: Path) -> Path | None:
    """Return the file in ``folder`` to load the tokenizer from, or None if there is none."""
    paths = (folder / PIECE_MODEL, folder / TOKENS)
    return next((path for path in paths if path.exists()), None)


def load_tokenizer(path: str | Path, kind: TokenKind | None = None) -> Tokenizer:
    """Read ``tokens.txt``, with ``tokens.model`` beside it for pieces.

    Args:
        path: the file.
        kind: what its tokens are; None tells from them: word pieces have a ``▁`` somewhere, phones
            names of several letters.

    Raises:
        ModelError: not there, or not such a list.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: too large for a list of tokens")
        if path.suffix == ".model":
            return _from_model(path.read_bytes())
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        beside = path.with_name(PIECE_MODEL)
        if beside.is_file() and beside.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{beside}: too large for a list of tokens")
        model = beside.read_bytes() if beside.is_file() else None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; give the folder of a model") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: not a list of tokens in UTF-8") from None
    tokens = [" " if line == SPACE else line for line in lines]
    if tokens[0] != BLANK or len(set(tokens)) != len(tokens) or not all(tokens):
        raise ModelError(f"{path}: not a list of tokens (one a line, {BLANK} first, none twice)")
    several = any(len(token) > 1 for token in tokens[1:])
    if kind is None and several:
        kind = "pieces" if any(WORD_START in token for token in tokens[1:]) else "phones"
    if kind == "phones":
        return PhoneTokenizer(tokens[1:])
    if several:
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
