"""Statistics of a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance
from asr_gru.errors import AudioError
from asr_gru.inspection.doubt import TextDoubt
from asr_gru.inspection.findings import Finding, Inspected, Limits, find
from asr_gru.inspection.signal import measure
from asr_gru.text import normalise

__all__ = ["PERCENTILES", "Inspection", "inspect"]

SAMPLE_RATE = 16_000
PERCENTILES = (0, 5, 25, 50, 75, 95, 100)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Measures of all utterances of a manifest.

    Attributes:
        items: utterances that could be read, in order.
        unreadable: errors of the others.
    """

    items: tuple[Inspected, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        """Hours of all recordings."""
        return sum(item.signal.duration_s for item in self.items) / 3600

    @property
    def speakers(self) -> Counter[str]:
        """Rounded seconds per speaker; "" for utterances without a speaker."""
        counts: Counter[str] = Counter()
        for item in self.items:
            counts[item.utterance.speaker] += round(item.signal.duration_s)
        return counts

    @property
    def words(self) -> Counter[str]:
        """Words of the normalised texts."""
        return Counter(word for item in self.items for word in item.text.split())

    @property
    def characters(self) -> Counter[str]:
        """Characters of the normalised texts, without spaces."""
        counts: Counter[str] = Counter()
        for word, count in self.words.items():
            for letter in word:
                counts[letter] += count
        return counts

    @property
    def distributions(self) -> dict[str, list[float]]:
        """Values of all utterances, by quantity."""
        found = {
            "seconds": [item.signal.duration_s for item in self.items],
            "characters per second": [item.characters_per_s for item in self.items],
            "level in dB": [item.signal.level_db for item in self.items],
            "silence in %": [100 * item.signal.silent_ratio for item in self.items],
        }
        doubts = [item.doubt for item in self.items if item.doubt is not None]
        if doubts:
            found["doubt in nats per token"] = doubts
        return found

    @property
    def percentiles(self) -> dict[str, list[float]]:
        """``PERCENTILES`` of the distributions."""
        return {
            name: np.percentile(values, PERCENTILES, method="nearest").tolist()
            for name, values in self.distributions.items()
            if values
        }

    def findings(self, limits: Limits | None = None) -> list[Finding]:
        """Return what is suspicious in the utterances, in their order."""
        return find(self.items, limits)


def inspect(
    utterances: Sequence[Utterance],
    *,
    normaliser: Literal["none", "basic", "english"] = "english",
    doubt: TextDoubt | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Read and measure all recordings of a manifest.

    Args:
        utterances: recordings and their texts.
        normaliser: normaliser of the texts.
        doubt: scores the texts by forced alignment, in about a hundredth of the audio's duration.
        on_progress: called with the number of utterances processed.
    """
    rate = SAMPLE_RATE if doubt is None else doubt.sample_rate
    items, unreadable = [], []
    for number, utterance in enumerate(utterances, 1):
        warnings: list[str] = []
        try:
            samples = load_audio(utterance, rate, warnings)
        except AudioError as error:
            unreadable.append(str(error))
            continue
        text = normalise(utterance.text, normaliser)
        score = None if doubt is None else doubt.score(text, samples)
        items.append(
            Inspected(utterance, text, measure(samples, rate), _reasons(utterance, warnings), score)
        )
        if on_progress is not None:
            on_progress(number)
    return Inspection(tuple(items), tuple(unreadable))


def _reasons(utterance: Utterance, warnings: Sequence[str]) -> tuple[str, ...]:
    """Return warnings without the path at their start."""
    return tuple(warning.removeprefix(f"{utterance.path}: ") for warning in warnings)
