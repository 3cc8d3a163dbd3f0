"""Turn a run whose phones were written as letters into one whose tokens are phones.

    python -m recipes.en_small.letters_to_phones RUN NEW_RUN

Early models of this recipe were trained on texts in which each of the 39 phones was one letter
(AA to OY: a to z, P to ZH: A to M) beside a space that never occurred. NEW_RUN has the same
weights, with the head's rows in the order of the phones, and is what ``--start-from``,
``asr-gru align-corpus`` and ``asr-gru export`` take.
"""

import argparse
import string
import sys
from pathlib import Path

import msgspec

from asr_gru.errors import DataError
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.text import TOKENS, PhoneTokenizer, load_tokenizer
from recipes.command_line import needed, one_line_errors

with needed(__name__, "train"):
    from torch import Tensor

    from asr_gru.training.checkpoint import NAME, Checkpoint, load_checkpoint, save_checkpoint

LETTERS = dict(zip(ENGLISH_PHONES, string.ascii_lowercase + string.ascii_uppercase, strict=False))


def convert(run: Path, new_run: Path) -> None:
    """Write ``new_run``.

    Raises:
        DataError: the tokens of ``run`` are not those letters.
    """
    checkpoint = load_checkpoint(run)
    symbols = list(load_tokenizer(run / TOKENS).symbols)
    missing = [letter for letter in LETTERS.values() if letter not in symbols]
    if missing:
        raise DataError(
            f"{run / TOKENS}: no letter {missing[0]!r}; give a run with phones as letters"
        )
    rows = [0, *(symbols.index(LETTERS[phone]) for phone in ENGLISH_PHONES)]

    def mapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: value[rows].clone() if name.startswith("encoder.head.") else value
            for name, value in weights.items()
        }

    new_run.mkdir(parents=True, exist_ok=True)
    tokens = PhoneTokenizer(ENGLISH_PHONES)
    tokens.save(new_run)
    data = msgspec.structs.replace(
        checkpoint.config.data, tokens="phones", normaliser="english", lexicon="lexicon.txt"
    )
    converted = Checkpoint(
        config=msgspec.structs.replace(checkpoint.config, data=data),
        vocab_size=len(tokens),
        weights=mapped(checkpoint.weights),
        ema=mapped(checkpoint.ema),
        global_step=checkpoint.global_step,
        epoch=checkpoint.epoch,
        history=[_phone_errors(row) for row in checkpoint.history],
    )
    save_checkpoint(converted, new_run / NAME)


def _phone_errors(row: dict[str, float]) -> dict[str, float]:
    """Rename character errors to phone errors, as each letter was a phone."""
    return {
        key.replace(".ph CER", " PER"): value
        for key, value in row.items()
        if not key.endswith("WER")
    }


@one_line_errors()
def main() -> int:
    """Convert a run; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run with phones as letters")
    parser.add_argument("new_run", type=Path, help="run to write")
    options = parser.parse_args()
    convert(options.run, options.new_run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
