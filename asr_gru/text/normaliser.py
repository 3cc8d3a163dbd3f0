"""How texts are written for training and for scoring: the same function for both.

``none`` leaves a text as it is but for white space; ``basic`` takes case and punctuation away in
any script; ``english`` also keeps apostrophes within words and writes numbers as they are spoken.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from asr_gru.text.numerals import spell_numbers

__all__ = ["normalise"]

KEPT = "\x00"
APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})


def normalise(text: str, how: Literal["none", "basic", "english"]) -> str:
    """Return ``text`` in the form that is trained on and compared.

    >>> normalise("Mr. O’Brien paid $20 - TWICE!", "english")
    "mr o'brien paid twenty dollars twice"
    """
    if how == "none":
        return " ".join(unicodedata.normalize("NFC", text).split())
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    text = text.replace(KEPT, " ")
    if how == "basic":
        return _without_punctuation(text)
    text = spell_numbers(text.translate(APOSTROPHES))
    text = text.replace("&", " and ").replace("@", " at ")
    text = re.sub(r"(?<=\w)'(?=\w)", KEPT, text)  # an apostrophe within a word stays
    text = re.sub(r"(?<=s)'(?=\s|$)|(?<!\w)'(?=(?:em|til|tis|twas|cause)\b)", KEPT, text)
    return _without_punctuation(text, keep=KEPT).replace(KEPT, "'")


def _without_punctuation(text: str, keep: str = "") -> str:
    kept = [
        character if character in keep or unicodedata.category(character)[0] in "LMN" else " "
        for character in text
    ]
    return " ".join("".join(kept).split())
