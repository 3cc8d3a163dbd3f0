r"""Choose the vocabulary of the language model, by the words of the development texts' domain.

    python -m recipes.en_small.text.vocabulary words.txt OUT/*.txt --size 120000 \
        --development DATA/speech/dev-*.tsv --include DATA/speech/train.tsv

Words are ranked by their mean relative frequency in the texts, each text weighted so that its
unigrams fit the development texts best (Venkataraman and Wang 2003). The letters a to z, and the
words of the manifests of ``--include``, are taken in any case. Abbreviations without vowels, such
as "klm", are left out if they are not in the English dictionary: they sound like their letters.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

import numpy as np

from asr_gru.errors import DataError
from asr_gru.files import write_bytes
from asr_gru.language.english import is_spelled_out
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.pronounce import load_english
from asr_gru.language.text_files import read_blocks
from recipes.command_line import one_line_errors, whole_number
from recipes.en_small.text.collect import texts

__all__ = ["choose", "main"]

WORD = re.compile(r"'?[a-z]+(?:'[a-z]+)*'?")
FEWEST = 3  # in all texts; rarer words are misspelt as often as not


def choose(
    counted: Sequence[Counter[str]],
    development: Sequence[Sequence[str]],
    include: set[str],
    size: int,
) -> list[str]:
    """Return ``size`` words in alphabetical order, or all there are.

    Args:
        counted: words of each text.
        development: words of each development text, in running text.
        include: words to take in any case.
        size: how many words.
    """
    names = [word for word, count in sum(counted, Counter()).items() if count >= FEWEST]
    dictionary = load_english().dictionary
    names = [name for name in names if name in dictionary or not is_spelled_out(name)]
    names = sorted(set(filter(WORD.fullmatch, names)) | include)
    places = {word: place for place, word in enumerate(names)}
    counts = np.array([[text[word] for word in names] for text in counted], float)
    totals = counts.sum(axis=1, keepdims=True)
    smooth = (counts + 0.5) / (totals + 0.5 * len(names))
    wanted = [np.array([places[w] for w in text if w in places], int) for text in development]
    weights = mixture_weights([smooth[:, words] for words in wanted if len(words)])
    scores = weights @ (counts / np.maximum(totals, 1))
    scores[[places[word] for word in include]] = np.inf
    order = np.argsort(-scores, kind="stable")[:size]
    return sorted(names[place] for place in order)


def count(path: Path) -> Counter[str]:
    """Count the words of a text, which may be compressed.

    Raises:
        DataError: it cannot be read.
    """
    counts: Counter[str] = Counter()
    for _, block in read_blocks(path):
        counts.update(block.split())
    return counts


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the words and print how many words of the development texts are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="list of words to write")
    parser.add_argument("texts", type=Path, nargs="+", help="normalised texts")
    parser.add_argument("--size", type=whole_number, default=65_000, help="number of words [65000]")
    parser.add_argument(
        "--development",
        type=Path,
        nargs="+",
        required=True,
        metavar="MANIFEST",
        help="texts that weight the others",
    )
    parser.add_argument(
        "--include",
        type=Path,
        nargs="+",
        default=[],
        metavar="MANIFEST",
        help="take all their words",
    )
    options = parser.parse_args(arguments)
    development = [" ".join(texts([path])).split() for path in options.development]
    for path, words in zip(options.development, development, strict=True):
        if not words:
            raise DataError(f"{path}: has no words; give texts like those to be recognised")
    include = {word for text in texts(options.include) for word in text.split()}
    include = set(filter(WORD.fullmatch, include)) | set(ascii_lowercase)
    chosen = choose([count(path) for path in options.texts], development, include, options.size)
    write_bytes(options.out, "".join(f"{word}\n" for word in chosen).encode())
    known = set(chosen)
    print(f"{options.out}: {len(chosen)} words, {len(include)} of them in any case")
    for path, text in zip(options.development, development, strict=True):
        missing = sum(word not in known for word in text)
        print(f"{path.name}: {100 * missing / len(text):.2f} % of {len(text)} words are missing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
