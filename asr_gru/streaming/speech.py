"""Speech detection: words are shown and kept only where the acoustic model is sure of phones.

A language model turns any noise into words. So the tree search's words are accepted only on
evidence from the acoustic model alone, without lexicon and language model: several phones that it
is sure of, in quick succession. The evidence is a cumulative sum of log-likelihood ratios that
never falls below zero (the CUSUM test of Page, "Continuous inspection schemes", 1954). Each run of
frames with the same likeliest phone counts once, at its surest frame: the log odds of the phone
against all other tokens, plus its log-likelihood ratio to the blank, minus what noise reaches.

A segment is shown once its evidence has reached ``SpeechThresholds.shown``, and is then always
kept. One that never gets there is kept if a score of its evidence, the confidence of its words and
its duration reaches ``SpeechThresholds.kept``. Shortly after a kept segment, both thresholds are
lower.

The decision depends on frames and words only, not on how audio is chunked nor on whether partials
are requested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.model.directory import ModelDirectory
    from asr_gru.results import Word

__all__ = [
    "SpeechEvidence",
    "SpeechGate",
    "SpeechThresholds",
    "accumulate",
    "is_speech",
    "speech_thresholds",
]

NOISE_RATIO = 4.2
"""Log-likelihood ratio that phones reach in noise, in nats."""
MAX_STEP = 3.0
"""The most by which one phone raises or lowers the evidence, in nats."""
EVIDENCE_CAP = 8.0
"""Evidence counts up to this in the score of a segment, in nats."""
CONFIDENCE_WEIGHT, DURATION_WEIGHT = 0.7, 0.6
"""Weights in that score of the words' mean log confidence and of the log duration."""
CONFIDENCE_FLOOR = 1e-4
CONTEXT_S, CONTEXT_DISCOUNT = 8.0, 3.0
"""For so long after a kept segment, thresholds are so many nats lower."""


@dataclass(frozen=True, slots=True)
class SpeechThresholds:
    """How much evidence of speech words need, in nats.

    Attributes:
        shown: evidence at which a segment is shown, and is certain to be kept; 0 to 100.
        kept: score at which a segment that was not shown is kept; -100 to 100.

    Raises:
        ConfigError: a value outside its range.
    """

    shown: float = 4.5
    kept: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), RANGES[field.name]
            if not low <= value <= high:
                raise ConfigError(f"speech.{field.name} {value:g}: give {low:g} to {high:g}")

    def after(self, since_s: float) -> SpeechThresholds:
        """Return the thresholds that apply ``since_s`` seconds after the last kept word."""
        if since_s >= CONTEXT_S:
            return self
        return SpeechThresholds(
            max(RANGES["shown"][0], self.shown - CONTEXT_DISCOUNT),
            max(RANGES["kept"][0], self.kept - CONTEXT_DISCOUNT),
        )


RANGES = {"shown": (0.0, 100.0), "kept": (-100.0, 100.0)}


def speech_thresholds(directory: ModelDirectory) -> SpeechThresholds | None:
    """Return the thresholds of a model directory; None if it has none.

    Raises:
        ModelError: a threshold outside its range.
    """
    speech = directory.config.speech
    try:
        return SpeechThresholds(speech.shown, speech.kept) if speech is not None else None
    except ConfigError as error:
        raise ModelError(f"{directory.path}: {error}") from None


@dataclass(frozen=True, slots=True)
class SpeechEvidence:
    """The evidence in the frames of a segment so far, in nats.

    Attributes:
        highest: its maximum.
        current: its value after the newest frame.
        before_run: its value before the newest run of frames of one phone.
        token: the likeliest token of the newest frame.
        run_ratio: ratio of the newest run at its surest frame.
    """

    highest: float = 0.0
    current: float = 0.0
    before_run: float = 0.0
    token: int = 0
    run_ratio: float = -math.inf


def accumulate(
    evidence: SpeechEvidence, log_probs: npt.NDArray[np.float32], enough: float = math.inf
) -> SpeechEvidence:
    """Return the evidence after further rows ``(frames, tokens)``; column 0 is the blank.

    Once ``enough`` was reached, further rows are not looked at.
    """
    if evidence.highest >= enough or not len(log_probs):
        return evidence
    highest, current, before_run = evidence.highest, evidence.current, evidence.before_run
    token, run_ratio = evidence.token, evidence.run_ratio
    tokens = log_probs.argmax(axis=1)
    for frame in np.flatnonzero((tokens != 0) | (np.append(token, tokens[:-1]) != 0)).tolist():
        newest = int(tokens[frame])
        if newest != token:
            token, before_run, run_ratio = newest, current, -math.inf
        if newest:
            ratio = _ratio(float(log_probs[frame, newest]), float(log_probs[frame, 0]))
            run_ratio = max(run_ratio, ratio)
            current = max(0.0, before_run + max(-MAX_STEP, min(run_ratio, MAX_STEP)))
            highest = max(highest, current)
    return SpeechEvidence(highest, current, before_run, token, run_ratio)


def is_speech(
    evidence: SpeechEvidence, words: Sequence[Word], thresholds: SpeechThresholds
) -> bool:
    """Return whether to keep a segment that ended, which has at least one word."""
    if evidence.highest >= thresholds.shown:
        return True
    log_confidence = sum(math.log(word.confidence + CONFIDENCE_FLOOR) for word in words)
    score = (
        min(evidence.highest, EVIDENCE_CAP)
        + CONFIDENCE_WEIGHT * log_confidence / len(words)
        - DURATION_WEIGHT * math.log(words[-1].end_s - words[0].start_s + 0.1)
    )
    return score >= thresholds.kept


@dataclass(frozen=True, slots=True)
class SpeechGate:
    """Decides which segments of one stream are shown and kept.

    Attributes:
        base: thresholds without context; None shows and keeps everything.
        thresholds: thresholds of the open segment.
        evidence: evidence in the open segment so far.
        last_end_s: end of the last word that was kept, in seconds of the stream.
    """

    base: SpeechThresholds | None
    thresholds: SpeechThresholds | None = None
    evidence: SpeechEvidence = SpeechEvidence()
    last_end_s: float = -math.inf

    def restart(self, now_s: float) -> SpeechGate:
        """Return the gate of a segment that begins at ``now_s``."""
        thresholds = self.base.after(now_s - self.last_end_s) if self.base else None
        return SpeechGate(self.base, thresholds, SpeechEvidence(), self.last_end_s)

    def advance(self, log_probs: npt.NDArray[np.float32]) -> SpeechGate:
        """Return the gate after further rows ``(frames, tokens)``."""
        if self.thresholds is None:
            return self
        evidence = accumulate(self.evidence, log_probs, self.thresholds.shown)
        return self if evidence is self.evidence else replace(self, evidence=evidence)

    def keep(self, words: Sequence[Word]) -> SpeechGate:
        """Return the gate after a segment with ``words`` was kept."""
        return replace(self, last_end_s=words[-1].end_s)

    @property
    def is_shown(self) -> bool:
        """Whether the open segment may be shown."""
        return self.thresholds is None or self.evidence.highest >= self.thresholds.shown

    def is_kept(self, words: Sequence[Word]) -> bool:
        """Return whether to keep a segment that ended, which has at least one word."""
        return self.thresholds is None or is_speech(self.evidence, words, self.thresholds)


def _ratio(log_prob: float, blank: float) -> float:
    others = max(1.0 - math.exp(min(log_prob, 0.0)), 1e-6)
    return log_prob - math.log(others) - blank - NOISE_RATIO
