"""Opens lexicons and language models in binary or text formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr_gru.errors import DataError
from asr_gru.language.arpa import read_arpa
from asr_gru.language.corpus import MARKS
from asr_gru.language.lexicon import Lexicon
from asr_gru.language.ngram import LanguageModel

__all__ = ["BINARY", "open_language_model", "open_lexicon", "restrict_lexicon"]

BINARY = ".bin"


def open_lexicon(path: str | Path, phones: Sequence[str]) -> Lexicon:
    """Open a lexicon: ``.bin`` from ``Lexicon.save``, anything else as a text dictionary.

    Args:
        path: path of the file.
        phones: phones of a text dictionary, usually the acoustic model's tokens.

    Raises:
        ModelError, DataError: the file cannot be read.
    """
    path = Path(path)
    return Lexicon.load(path) if path.suffix == BINARY else Lexicon.read_text(path, phones)


def open_language_model(path: str | Path) -> LanguageModel:
    """Open a language model: ``.bin`` from ``LanguageModel.save``, anything else as ARPA.

    Raises:
        ModelError, DataError: the file cannot be read.
    """
    path = Path(path)
    if path.suffix == BINARY:
        return LanguageModel.load(path)
    return LanguageModel.build(read_arpa(path))


def restrict_lexicon(lexicon: Lexicon, model: LanguageModel) -> Lexicon:
    """Return the part of the lexicon whose words are in the language model's vocabulary.

    Raises:
        DataError: less than half of the language model's words have a pronunciation.
    """
    kept = [entry for entry in lexicon.entries() if entry[0] in model]
    words = len({word for word, _ in kept})
    known = sum(word not in MARKS for word in model.words)
    if not words or words * 2 < known:
        raise DataError(
            f"the lexicon has {words} of the language model's {known} words; "
            "both must be made for one vocabulary"
        )
    return (
        lexicon
        if words == len(lexicon)
        else Lexicon.build(kept, lexicon.phones, lexicon.entry_log_probs())
    )
