"""Text normalisation, shared by training, scoring and language models.

``none`` only collapses white space; ``basic`` removes case and punctuation in any script;
``english`` also keeps apostrophes within words, verbalises numbers, spells out a few titles and
removes accents from Latin letters.
"""

from __future__ import annotations

import re
import string
import unicodedata
from typing import Literal

from asr_gru.text.verbalise import verbalise

__all__ = ["normalise"]

APOSTROPHE = "\x00"
"""Stands for an apostrophe that is part of a word until punctuation has been removed."""
TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("’‘‛ʼʻʽʹˈ′`´΄᾽᾿`´", "'")
    | dict.fromkeys("“”„«»", '"')
    | {"—": " - ", "…": "...", "\xa0": " ", "\xad": "", "\ufeff": ""}
)
# Thousands between spaces that do not break lines (SI Brochure, 2019, 5.4.4).
GROUPS = re.compile(
    "(?<![0-9.,])[1-9][0-9]{0,2}(?:[\u00a0\u2009\u202f][0-9]{3})+(?![0-9]|[\u00a0\u2009\u202f][0-9])"
)
DETACHED_ACCENT = re.compile(r"(?<=[^\W_]) [\u0300\u0301\u0313\u0314](?=[^\W_])")
LATIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
LETTER = r"[^\W_]"
POWER = re.compile(r"(?<=[0-9A-Za-z])([²³])(?![⁰²³¹⁴-⁹])")
TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}
TITLE = re.compile(rf"(?<!{LETTER})(mrs?|dr)(?= {LETTER})")
TIME_WORD = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|o'clock"
)
MERIDIEM = re.compile(rf"(?<!{LETTER})({TIME_WORD}) ([ap])m(?!{LETTER}| i(?: |$))")
"""``am`` or ``pm`` after a time in words, but not in ``which one am i``."""

WITHIN_WORD = re.compile(rf"(?<={LETTER})'(?={LETTER})")
ELIDED = r"(?:em|til|tis|twas|twere|twill|cause|bout)\b"
ELISION = re.compile(rf"(?<!{LETTER})'(?={ELIDED})")
OPENING_QUOTE = re.compile(rf"(?<!{LETTER})'(?!{ELIDED})(?={LETTER})")
POSSESSIVE = re.compile(r"(?<=s)'(?=\s|$)")

# ASCII text without any of these needs only the rules for case, punctuation and apostrophes.
SPECIAL = (string.digits + "%&@" + APOSTROPHE).encode()
SIMPLE = bytes(set(range(128)) - set(SPECIAL))
SIMPLE_TABLE = bytes(
    ord("'") if c == 0 else c if chr(c) in string.ascii_lowercase else ord(" ") for c in range(256)
)


def normalise(text: str, how: Literal["none", "basic", "english"]) -> str:
    """Return ``text`` in the form used for training and scoring.

    Idempotent. Format characters (soft hyphens, joiners, byte order marks)
    are removed, so that they do not split words.

    >>> normalise("Mr. O’Brien paid $20 - TWICE!", "english")
    "mister o'brien paid twenty dollars twice"
    """
    if how == "none":
        return " ".join(unicodedata.normalize("NFC", text).split())
    if how == "english":
        if "`" in text or not text.isascii():
            text = GROUPS.sub(lambda match: ",".join(match[0].split()), text)
            text = text.translate(TYPOGRAPHIC)
        if text.isascii() and not text.encode().translate(None, SIMPLE):
            return _simple_english(text.lower())
        return _english(text)
    return _without_punctuation(_folded(text))


def _simple_english(text: str) -> str:
    """Normalise lower-case ASCII text that has no character of ``SPECIAL``."""
    if "'" in text:
        text = _mark_apostrophes(text)
    return _spell_abbreviations(" ".join(text.encode().translate(SIMPLE_TABLE).decode().split()))


def _english(text: str) -> str:
    if text.isascii():
        text = _folded(text)
    else:
        text = POWER.sub(_power, text)
        text = re.sub(r"(?<=[0-9])(?=[¼-¾⅐-⅞⁰²³¹⁴-⁹₀-₉])", " ", text)  # 3½ is not 31/2
        text = DETACHED_ACCENT.sub("'", _folded(text)).translate(TYPOGRAPHIC)
        text = _without_accents(text)
    text = verbalise(text)
    if text.isascii():
        return _simple_english(text)
    text = _without_punctuation(_mark_apostrophes(text), keep=APOSTROPHE).replace(APOSTROPHE, "'")
    return _spell_abbreviations(text)


def _folded(text: str) -> str:
    """Return ``text`` in lower case and NFKC, without format characters."""
    if text.isascii():
        return text.lower().replace(APOSTROPHE, " ")
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    return text.replace(APOSTROPHE, " ")


def _without_accents(text: str) -> str:
    """Remove the combining marks of Latin letters; other scripts keep theirs."""
    kept: list[str] = []
    latin = False
    for character in unicodedata.normalize("NFKD", text.translate(LATIN)):
        if unicodedata.category(character) == "Mn":
            if latin:
                continue
        else:
            latin = character.isascii() and character.isalpha()
        kept.append(character)
    return unicodedata.normalize("NFKC", "".join(kept))


def _mark_apostrophes(text: str) -> str:
    """Replace apostrophes that are part of a word by ``APOSTROPHE``.

    An apostrophe after a final s is a plural possessive unless a quotation is open.
    """
    quoted = OPENING_QUOTE.search(text)
    text = ELISION.sub(APOSTROPHE, WITHIN_WORD.sub(APOSTROPHE, text))
    return text if quoted else POSSESSIVE.sub(APOSTROPHE, text)


def _power(match: re.Match[str]) -> str:
    return " squared " if match[1] == "²" else " cubed "


def _spell_abbreviations(text: str) -> str:
    """Spell out titles before a word, and ``am`` and ``pm`` after a time.

    ``three pm`` becomes ``three p m``, as ``3 pm`` does: letters that are read one by one are
    separate words in lexicons and language models.

    Args:
        text: text without punctuation.
    """
    if "mr" in text or "dr" in text:
        text = TITLE.sub(lambda match: TITLES[match[1]], text)
    if " am" in text or " pm" in text:
        text = MERIDIEM.sub(r"\1 \2 m", text)
    return text


def _without_punctuation(text: str, keep: str = "") -> str:
    kept: list[str] = []
    for character in text:
        kind = unicodedata.category(character)[0]
        if character in keep or kind in "LN" or (kind == "M" and kept and kept[-1] != " "):
            kept.append(character)
        else:
            kept.append(" ")
    return " ".join("".join(kept).split())
