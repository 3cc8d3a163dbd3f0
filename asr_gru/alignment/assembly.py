"""Aligned frames to words and phones with times, and to the places where text and sound differ."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import WordTimes
from asr_gru.results import Alignment, Mismatch, Phone, Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.alignment.text import TextWord

__all__ = ["AlignedWord", "assemble"]

Rows = npt.NDArray[np.float32]
LAST_PHONE_S = 0.16
"""How long the last phone before a pause is taken to sound."""
FEWEST_PHONES = 4
"""Speech between words that has fewer phones is not reported."""


class AlignedWord(NamedTuple):
    """Tokens of a spoken word and their frames; none of a word that was not found."""

    tokens: tuple[int, ...]
    frames: tuple[int, ...]
    ends: tuple[int, ...]


def assemble(
    written: Sequence[TextWord],
    owners: Sequence[int],
    found: Sequence[AlignedWord],
    *,
    rows: Rows,
    symbols: Sequence[str],
    times: WordTimes,
    heard: Transcript,
    unpronounceable: frozenset[str],
) -> Alignment:
    """Assemble an alignment.

    Args:
        written: the words of the text.
        owners: for each spoken word, its place in ``written``.
        found: for each spoken word, its tokens.
        rows: log-probabilities ``(frames, tokens)``.
        symbols: names of tokens.
        times: frames to seconds.
        heard: the transcript of the recording.
        unpronounceable: spoken words that could not be aligned.
    """
    duration_s = heard.duration_s
    sounding = [word for word in found if word.tokens]
    phones = _phones(sounding, rows, symbols, times, duration_s)
    of_written: dict[int, list[Phone]] = {}
    at = 0
    for owner, word in zip(owners, found, strict=True):
        count = len(word.tokens)
        of_written.setdefault(owner, []).extend(phones[at : at + count])
        at += count
    words: list[Word | None] = []
    for place, text_word in enumerate(written):
        own = of_written.get(place)
        words.append(_word(text_word.written, own) if own else None)
    mismatches = _mismatches(written, words, rows, times, heard)
    placed = _interpolated(written, words, duration_s)
    segments = tuple(
        Segment(
            id=number,
            text=" ".join(word.text for word in own),
            start_s=own[0].start_s,
            end_s=own[-1].end_s,
            words=tuple(own),
        )
        for number, own in _by_sentence(written, placed)
    )
    return Alignment(
        Transcript(segments, duration_s, heard.warnings),
        mismatches,
        tuple(sorted(unpronounceable)),
    )


def _phones(
    found: Sequence[AlignedWord],
    rows: Rows,
    symbols: Sequence[str],
    times: WordTimes,
    duration_s: float,
) -> list[Phone]:
    """Return all phones: each begins where CTC emits it, and ends with the next or in a pause."""
    tokens = [token for word in found for token in word.tokens]
    frames = [frame for word in found for frame in word.frames]
    ends = [end for word in found for end in word.ends]
    starts = [min(max(0.0, times.seconds(frame)), duration_s) for frame in frames]
    phones = []
    for place, (token, first, behind) in enumerate(zip(tokens, frames, ends, strict=True)):
        limit = starts[place + 1] if place + 1 < len(starts) else duration_s
        end_s = max(times.seconds(behind), times.seconds(first) + LAST_PHONE_S)
        phones.append(
            Phone(
                symbols[token],
                starts[place],
                max(starts[place], min(end_s, limit)),
                math.exp(min(0.0, float(rows[first:behind, token].max()))),
            )
        )
    return phones


def _word(text: str, phones: Sequence[Phone]) -> Word:
    """Join the phones of a word; within it, each ends where the next begins."""
    joined = [
        Phone(one.text, one.start_s, after.start_s, one.confidence)
        for one, after in itertools.pairwise(phones)
    ]
    joined.append(phones[-1])
    mean = sum(math.log(max(phone.confidence, 1e-9)) for phone in phones) / len(phones)
    return Word(
        text=text,
        start_s=joined[0].start_s,
        end_s=joined[-1].end_s,
        confidence=math.exp(mean),
        phones=tuple(joined),
    )


def _mismatches(
    written: Sequence[TextWord],
    words: Sequence[Word | None],
    rows: Rows,
    times: WordTimes,
    heard: Transcript,
) -> tuple[Mismatch, ...]:
    """Go through the gaps between words that were found."""
    best = rows.argmax(axis=1)
    begins = np.flatnonzero((best != 0) & (best != np.concatenate(([0], best[:-1]))))
    middles = np.array([(word.start_s + word.end_s) / 2 for word in heard.words])
    mismatches = []
    missing: list[str] = []
    now_s = 0.0
    for place in range(len(words) + 1):
        word = words[place] if place < len(words) else None
        if place < len(words) and word is None:
            missing.append(written[place].written)
            continue
        next_s = word.start_s if word is not None else heard.duration_s
        low, high = ((second - times.shift_s) / times.frame_s for second in (now_s, next_s))
        between = np.searchsorted(begins, [math.ceil(low), math.floor(high)])
        speech = int(between[1] - between[0]) >= FEWEST_PHONES
        if missing or speech:
            other = ""
            if speech:
                first, behind = np.searchsorted(middles, [now_s, next_s])
                other = " ".join(one.text for one in heard.words[first:behind])
            mismatches.append(
                Mismatch(
                    "different" if missing and speech else "text" if missing else "audio",
                    now_s,
                    max(now_s, next_s),
                    " ".join(missing),
                    other,
                )
            )
        missing = []
        now_s = word.end_s if word is not None else now_s
    return tuple(mismatches)


def _interpolated(
    written: Sequence[TextWord], words: Sequence[Word | None], duration_s: float
) -> list[Word]:
    """Give words that were not found the time between their neighbours, in equal parts."""
    placed: list[Word] = []
    waiting: list[str] = []
    for place in range(len(words) + 1):
        word = words[place] if place < len(words) else None
        if place < len(words) and word is None:
            waiting.append(written[place].written)
            continue
        begin = placed[-1].end_s if placed else 0.0
        end = max(begin, word.start_s if word is not None else duration_s)
        for number, text in enumerate(waiting):
            low, high = (
                begin + (end - begin) * part / len(waiting) for part in (number, number + 1)
            )
            placed.append(Word(text=text, start_s=low, end_s=high, confidence=0.0))
        waiting = []
        if word is not None:
            placed.append(word)
    return placed


def _by_sentence(
    written: Sequence[TextWord], placed: Sequence[Word]
) -> list[tuple[int, list[Word]]]:
    """Split the words at the sentences of the text."""
    sentences: dict[int, list[Word]] = {}
    for word, origin in zip(placed, written, strict=True):
        sentences.setdefault(origin.sentence, []).append(word)
    return list(sentences.items())
