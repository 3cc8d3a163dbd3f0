"""Running text to normalised clauses of plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asr_gru.text import normalise

__all__ = ["split_clauses"]

# What the normaliser leaves alone, but books and articles abbreviate and speakers say in full.
SPOKEN = {
    "messrs": "messieurs",
    "capt": "captain",
    "prof": "professor",
    "gen": "general",
    "col": "colonel",
    "lieut": "lieutenant",
    "lt": "lieutenant",
    "sgt": "sergeant",
    "rev": "reverend",
    "hon": "honorable",
    "esq": "esquire",
    "jr": "junior",
    "sr": "senior",
    "st": "saint",
    "vs": "versus",
    "etc": "et cetera",
    "approx": "approximately",
    "mt": "mount",
    "ft": "fort",
    "ms": "miss",
}
ABBREVIATION = re.compile(r"\b([A-Za-z]{2,6})\.")
TITLE = re.compile(r"\b(mrs?|dr|no)\. (?=[A-Z0-9])", re.IGNORECASE)
PHRASES = (
    (".e.", re.compile(r"\b[Ii]\.e\."), "that is"),
    (".g.", re.compile(r"\b[Ee]\.g\."), "for example"),
    (".m", re.compile(r"\b([AaPp])\.m\."), r"\1 m"),
    (".", re.compile(r"\b([A-Z])\.(?=\s?[A-Z]\b|\s[A-Z][a-z]|[-',])"), r"\1 "),  # initials
)
TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "…": "... "})
BREAK = re.compile(r"[.!?;:]+[\"')\]]*(?:\s+|$)|--+|[—―]|\s[-–]\s|\n+")
MARKUP = re.compile(r"[<>{}|=\\^~_/*#]|https?:|www\.|\.(?:com|org|net|io|dev|html?)\b|::")
WORDS = re.compile(r"[a-z']+(?: [a-z']+)*")
MAX_WORD_LENGTH = 24


def split_clauses(text: str) -> Iterator[str]:
    """Yield the clauses of ``text`` that are plain English words, normalised.

    Text is cut at sentence ends, colons, semicolons, dashes and line breaks. Clauses with markup,
    addresses or letters outside a to z are left out.
    """
    text = ABBREVIATION.sub(_spoken, text.translate(TYPOGRAPHIC))
    text = TITLE.sub(r"\1 ", text)
    for needed, pattern, spoken in PHRASES:
        if needed in text:
            text = pattern.sub(spoken, text)
    for clause in BREAK.split(text):
        if len(clause) < 2 or MARKUP.search(clause):
            continue
        clause = normalise(clause, "english")
        if not WORDS.fullmatch(clause) or len(clause) < 2:
            continue
        if len(clause) > MAX_WORD_LENGTH and max(map(len, clause.split())) > MAX_WORD_LENGTH:
            continue
        yield clause


def _spoken(match: re.Match[str]) -> str:
    return SPOKEN.get(match[1].lower(), match[0])
