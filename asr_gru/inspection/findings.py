"""Suspicious utterances of a manifest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from asr_gru.data.manifest import Utterance
from asr_gru.inspection.signal import SignalMeasures

__all__ = ["Finding", "Inspected", "Limits", "find"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds beyond which an utterance is suspicious.

    Attributes:
        shortest_s: minimum duration in seconds; by default, that of training.
        longest_s: maximum duration in seconds; by default, that of training.
        rate_factor: maximum ratio of the speaking rate, in characters per second of speech, to the
            median of the manifest. The minimum ratio is 1 / (1.5 ``rate_factor``).
        quietest_db: minimum level of speech, in dB of full scale.
        clipped_ratio: maximum ratio of samples at full scale.
        silent_ratio: maximum ratio of silence.
        doubt: maximum score of ``TextDoubt``, in nats per token.
    """

    shortest_s: float = 0.2
    longest_s: float = 20.0
    rate_factor: float = 2.0
    quietest_db: float = -50.0
    clipped_ratio: float = 0.001
    silent_ratio: float = 0.8
    doubt: float = 2.4


@dataclass(frozen=True, slots=True)
class Inspected:
    """An utterance and its measures.

    Attributes:
        utterance: the utterance from the manifest.
        text: the normalised text.
        signal: measures of the samples.
        warnings: warnings of the decoder.
        doubt: the score of ``TextDoubt``, or None.
    """

    utterance: Utterance
    text: str
    signal: SignalMeasures
    warnings: tuple[str, ...] = ()
    doubt: float | None = None

    @property
    def characters_per_s(self) -> float:
        """Characters of the text, without spaces, per second of speech."""
        return sum(map(len, self.text.split())) / max(self.signal.active_s, 0.02)


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason why an utterance is suspicious.

    Attributes:
        recording: path of the recording, with the times of a segment.
        kind: such as ``"clipping"`` or ``"doubtful text"``.
        detail: description with the measured value.
    """

    recording: Path
    kind: str
    detail: str


def find(items: Sequence[Inspected], limits: Limits | None = None) -> list[Finding]:
    """Return all findings, in the order of the utterances."""
    limits = limits or Limits()
    rates = [item.characters_per_s for item in items if item.text]
    median_rate = median(rates) if rates else 0.0
    seen: set[Path] = set()
    found = []
    for item in items:
        key = item.utterance.key
        details = _text(item, median_rate, limits) | _signal(item, limits)
        if key in seen:
            details["listed twice"] = "the same recording and times before"
        seen.add(key)
        found += [Finding(key, kind, detail) for kind, detail in details.items()]
    return found


def _text(item: Inspected, usual_rate: float, limits: Limits) -> dict[str, str]:
    found = {}
    rate = item.characters_per_s
    if not item.text:
        found["no text"] = "empty, or nothing of it is left after normalisation"
    elif rate > usual_rate * limits.rate_factor:
        found["too much text"] = f"{rate:.1f} characters per second, {usual_rate:.1f} are usual"
    elif rate < usual_rate / (1.5 * limits.rate_factor):
        found["too little text"] = f"{rate:.1f} characters per second, {usual_rate:.1f} are usual"
    if item.doubt is not None and math.isinf(item.doubt):
        found["doubtful text"] = "too long for its recording"
    elif item.doubt is not None and item.doubt > limits.doubt:
        found["doubtful text"] = f"{item.doubt:.1f} nats per token less likely than what is heard"
    return found


def _signal(item: Inspected, limits: Limits) -> dict[str, str]:
    signal, found = item.signal, {}
    declared_s = item.utterance.duration_s
    if abs(declared_s - signal.duration_s) > max(0.5, 0.1 * signal.duration_s) and declared_s:
        found["wrong duration"] = f"{signal.duration_s:.2f} s, but {declared_s:.2f} s in the list"
    if not limits.shortest_s <= signal.duration_s <= limits.longest_s:
        found["length"] = (
            f"{signal.duration_s:.2f} s; training takes {limits.shortest_s:g} to "
            f"{limits.longest_s:g} s by default"
        )
    if signal.level_db <= -119.0:
        found["silence"] = "no sound at all"
    elif signal.silent_ratio > limits.silent_ratio:
        found["silence"] = f"{100 * signal.silent_ratio:.0f} % of it"
    elif signal.level_db < limits.quietest_db:
        found["quiet"] = f"{signal.level_db:.0f} dB"
    if signal.clipped_ratio > limits.clipped_ratio:
        found["clipping"] = f"{100 * signal.clipped_ratio:.2f} % of the samples at full scale"
    if item.warnings:
        found["damaged file"] = "; ".join(item.warnings)
    return found
