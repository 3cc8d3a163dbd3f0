"""Rules that derive the pronunciation of an English word from a related word in a dictionary.

They cover endings and British spellings; each names the related word and changes its phones.
``benchmarks/accuracy/pronunciation.py`` compares each rule with the grapheme-to-phoneme model.
Splitting compounds was far less accurate than the model, so there is no such rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["LETTER_NAMES", "Rule", "american_spellings", "endings", "is_spelled_out"]

Phones = tuple[str, ...]
Rule = tuple[str, Callable[[Phones], Phones], str]
"""A related word, a function that changes its phones, and the name of the rule."""

SIBILANTS = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH", "S", "SH", "CH"})
MAX_ABBREVIATION = 6

NAMES = """a EY, b B IY, c S IY, d D IY, e IY, f EH F, g JH IY, h EY CH, i AY, j JH EY,
k K EY, l EH L, m EH M, n EH N, o OW, p P IY, q K Y UW, r AA R, s EH S, t T IY, u Y UW, v V IY,
w D AH B AH L Y UW, x EH K S, y W AY, z Z IY"""
LETTER_NAMES: dict[str, Phones] = {
    name.split()[0]: tuple(name.split()[1:]) for name in NAMES.split(",")
}

REWRITTEN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"our", "or"),  # colour, favourite
        (r"is(?=(e|ed|es|ing|er|ers|ation|ations|ational|able)$)", "iz"),  # organise
        (r"ys(?=(e|ed|es|ing|er|ers)$)", "yz"),  # analyse
        (r"(?<=[bcdgt])re$", "er"),  # centre
        (r"(?<=[bcdgt])red$", "ered"),
        (r"ogue", "og"),  # catalogue
        (r"ll(?=(ed|ing|er|ers|ery|or|ors|ist|ists)$)", "l"),  # travelled
        (r"l(?=(ment|ful|fully|ments)$)", "ll"),  # fulfilment, skilful
        (r"ae", "e"),  # anaesthetic
        (r"oe", "e"),  # foetus
        (r"ence$", "ense"),  # defence
        (r"mme(?=s?$)", "m"),  # programme
        (r"grey", "gray"),
        (r"tyre", "tire"),
        (r"plough", "plow"),
        (r"mould", "mold"),
        (r"sceptic", "skeptic"),
        (r"pyjama", "pajama"),
        (r"cheque", "check"),
        (r"kerb", "curb"),
        (r"jeweller", "jeweler"),
    )
]


def endings(word: str) -> Iterator[Rule]:
    """Yield rules for the possible stems of a word, likeliest first."""
    for ending, added in (("'ll", ("AH", "L")), ("'ve", ("AH", "V")), ("'re", ("ER",))):
        if word.endswith(ending):
            yield word[: -len(ending)], _adding(*added), f"{ending} after"
    if word.endswith("'s"):
        yield word[:-2], _with_s, "possessive of"
    elif word.endswith("s'"):
        yield word[:-1], _same, "possessive of"
        yield word[:-2], _with_s, "possessive of"
    elif word.endswith("'d"):
        yield word[:-2], _with_d, "'d after"
    elif word.endswith("in'"):
        yield f"{word[:-1]}g", _with_n, "in' for"
    elif word.endswith("'"):
        yield word[:-1], _same, "apostrophe after"
    elif word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        if word.endswith("ies") and len(word) > 4:
            yield f"{word[:-3]}y", _with_s, "plural of"
        if word.endswith(("ses", "zes", "xes", "shes", "ches")):
            yield word[:-2], _with_s, "plural of"
        yield word[:-1], _with_s, "plural of"
    elif word.endswith("ed") and len(word) > 4:
        if word.endswith("ied"):
            yield f"{word[:-3]}y", _with_d, "past of"
        yield word[:-1], _with_d, "past of"
        yield word[:-2], _with_d, "past of"
        if word[-3] == word[-4]:
            yield word[:-3], _with_d, "past of"
    elif word.endswith("ing") and len(word) > 5:
        for stem in _stems(word[:-3]):
            yield stem, _adding("IH", "NG"), "-ing form of"


def american_spellings(word: str) -> Iterator[str]:
    """Yield possible American spellings of a word in British spelling."""
    for pattern, replacement in REWRITTEN:
        rewritten, times = pattern.subn(replacement, word)
        if times:
            yield rewritten


def is_spelled_out(word: str) -> bool:
    """Return whether a lower-case word is read letter by letter because it has no vowel."""
    return (
        1 <= len(word) <= MAX_ABBREVIATION
        and all(letter in LETTER_NAMES for letter in word)
        and (len(word) == 1 or not set(word) & set("aeiouy"))
    )


def _stems(stem: str) -> Iterator[str]:
    yield stem
    yield f"{stem}e"
    if len(stem) > 2 and stem[-1] == stem[-2]:
        yield stem[:-1]


def _same(phones: Phones) -> Phones:
    return phones


def _adding(*added: str) -> Callable[[Phones], Phones]:
    return lambda phones: (*phones, *added)


def _with_s(phones: Phones) -> Phones:
    if phones[-1] in SIBILANTS:
        return (*phones, "IH", "Z")
    return (*phones, "S" if phones[-1] in VOICELESS else "Z")


def _with_d(phones: Phones) -> Phones:
    if phones[-1] in ("T", "D"):
        return (*phones, "IH", "D")
    return (*phones, "T" if phones[-1] in VOICELESS else "D")


def _with_n(phones: Phones) -> Phones:
    return (*phones[:-1], "N") if phones[-1] == "NG" else phones
