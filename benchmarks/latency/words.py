"""When each word was shown, became stable and became final, from what was seen at what time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from asr_gru.results import Event
from asr_gru.scoring import align

__all__ = ["Delay", "Grid", "Seen", "Spoken", "delays", "revised", "seen_event", "seen_message"]

APART_S = 2.0
"""A recognised word further than this from the spoken one is another word with the same text."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word of the reference, with its times in the recording."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as a listener met it.

    Attributes:
        at_s: when, in seconds of the recording that was playing.
        final: whether it closed its segment.
        segment: its number.
        words: each with the end that the recogniser gave it.
        stable: how many of the words will not change.
    """

    at_s: float
    final: bool
    segment: int
    words: tuple[tuple[str, float], ...]
    stable: int


def seen_event(event: Event, at_s: float) -> Seen:
    words = tuple((word.text, word.end_s) for word in event.words)
    return Seen(at_s, event.kind == "final", event.segment, words, len(event.stable.split()))


def seen_message(message: Mapping[str, Any], at_s: float) -> Seen:
    words = tuple((word["text"], word["end_s"]) for word in message["words"])
    stable = len(message["stable"].split())
    return Seen(at_s, message["type"] == "final", message["segment"], words, stable)


@dataclass(frozen=True, slots=True)
class Delay:
    """A spoken word that was recognised, and its delays.

    Attributes:
        spoken: the word in the reference.
        recognised: the word in the final.
        shown_s: until a partial (or the final) first had it as the final has it.
        stable_s: until it was first in a stable part.
        final_s: until its segment was final.
        read_s: the end that the recogniser gave it when it was first shown right: the end of the
            frame of its last token, moved by the model's shift.
        pause_s: silence after it, until the next spoken word.
    """

    spoken: Spoken
    recognised: str
    shown_s: float
    stable_s: float
    final_s: float
    read_s: float
    pause_s: float

    @property
    def exact(self) -> bool:
        """Whether the right word was recognised."""
        return self.spoken.text == self.recognised


@dataclass(frozen=True, slots=True)
class _RecognisedWord:
    text: str
    shown_s: float
    stable_s: float
    final_s: float
    read_s: float
    end_s: float


def _recognised_words(seen: Iterable[Seen]) -> list[_RecognisedWord]:
    """Return the words of all finals with the times at which they were first right."""
    recognised: list[_RecognisedWord] = []
    history: dict[int, list[Seen]] = {}
    for event in seen:
        events = history.setdefault(event.segment, [])
        events.append(event)
        if not event.final:
            continue
        for k, (text, end_s) in enumerate(event.words):
            right = [e for e in events if len(e.words) > k and e.words[k][0] == text]
            stable = next(e for e in right if e.stable > k)
            first = right[0]
            recognised.append(
                _RecognisedWord(text, first.at_s, stable.at_s, event.at_s, first.words[k][1], end_s)
            )
    return recognised


def delays(seen: Iterable[Seen], spoken: Sequence[Spoken], offset_s: float = 0.0) -> list[Delay]:
    """Align the words of the finals with those that were spoken.

    Matches and substitutions count, insertions and deletions do not.

    Args:
        seen: in the order of time.
        spoken: all words of the recording.
        offset_s: where in the recogniser's audio the recording begins.
    """
    recognised = _recognised_words(seen)
    found: list[Delay] = []
    i = j = 0
    pairs = align([word.text for word in spoken], [word.text for word in recognised])
    for reference, hypothesis in pairs:
        if reference is not None and hypothesis is not None:
            word, there = spoken[i], recognised[j]
            if abs(there.end_s - offset_s - word.end_s) < APART_S:
                pause_s = spoken[i + 1].start_s - word.end_s if i + 1 < len(spoken) else math.inf
                times = (there.shown_s, there.stable_s, there.final_s)
                shown, stable, final = (time_s - word.end_s for time_s in times)
                delay = Delay(word, hypothesis, shown, stable, final, there.read_s, pause_s)
                found.append(delay)
        i += reference is not None
        j += hypothesis is not None
    return found


def revised(seen: Iterable[Seen]) -> tuple[int, int]:
    """Return how many shown words were altered later, and how many were shown.

    A word that only grew by letters was not altered.
    """
    altered = shown = 0
    history: dict[int, list[Seen]] = {}
    for event in seen:
        history.setdefault(event.segment, []).append(event)
    for events in history.values():
        most = max(len(event.words) for event in events)
        for k in range(most):
            texts = [event.words[k][0] if len(event.words) > k else "" for event in events]
            first = next(n for n, text in enumerate(texts) if text)
            shown += 1
            altered += any(
                not after.startswith(before) for before, after in pairwise(texts[first:])
            )
    return altered, shown


@dataclass(frozen=True, slots=True)
class Grid:
    """The time grid of recognition.

    Attributes:
        frame_s: seconds per row of log-probabilities.
        step_s: seconds per step of the model.
        lookahead_s: seconds by which rows trail the audio.
        shift_s: seconds from the time of a row to that of its word, including the look-ahead.
        block_s: seconds per block of the source; 0 if they vary.
        arrivals: of such blocks, the seconds of sound up to the end of each, and when it came.
        fed_s: seconds of sound after which the resampler has given the k-th step, from 1.
    """

    frame_s: float
    step_s: float
    lookahead_s: float
    shift_s: float
    block_s: float
    fed_s: Sequence[float]
    arrivals: Sequence[tuple[float, float]] = ()

    def split(self, delay: Delay, offset_s: float = 0.0) -> dict[str, float]:
        """Return the parts of ``delay.shown_s``; their sum is ``delay.shown_s``."""
        row_s = round((delay.read_s - self.shift_s) / self.frame_s) * self.frame_s
        step = max(1, math.ceil(row_s / self.step_s - 1e-6))
        fed_s = self.fed_s[min(step, len(self.fed_s)) - 1]
        came_s = fed_s
        if self.block_s:
            came_s = math.ceil(fed_s / self.block_s - 1e-6) * self.block_s
        elif self.arrivals:
            block = bisect_left(self.arrivals, (fed_s - 1e-6, 0.0))
            came_s = self.arrivals[min(block, len(self.arrivals) - 1)][1]
        end_s = delay.spoken.end_s + offset_s
        return {
            "emission": row_s - self.lookahead_s - end_s,
            "lookahead": self.lookahead_s,
            "step": step * self.step_s - row_s,
            "resampler": fed_s - step * self.step_s,
            "block": came_s - fed_s,
            "compute": end_s + delay.shown_s - came_s,
        }
