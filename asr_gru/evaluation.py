"""Evaluates a recogniser on a manifest: error rates, intervals, and the most frequent errors."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, check_files
from asr_gru.errors import AudioError, DataError
from asr_gru.recognizer import Recognizer
from asr_gru.scoring import (
    Pair,
    Score,
    align,
    bootstrap_interval,
    character_errors,
    confusions,
    word_errors,
)
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.text import normalise

__all__ = ["Evaluation", "UtteranceResult", "evaluate"]


@dataclass(frozen=True, slots=True)
class UtteranceResult:
    """Reference, hypothesis and errors of an utterance."""

    utterance: Utterance
    reference: str
    hypothesis: str
    words: Score
    characters: Score

    @property
    def aligned(self) -> list[Pair]:
        """The word alignment of reference and hypothesis."""
        return align(self.reference.split(), self.hypothesis.split())


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results of all utterances of a manifest.

    Attributes:
        results: one per utterance.
        audio_s: total duration of the recordings.
        spent_s: total recognition time, without reading.
        unreadable: error of each recording that was left out.
    """

    results: tuple[UtteranceResult, ...]
    audio_s: float
    spent_s: float
    unreadable: tuple[str, ...] = ()

    @property
    def words(self) -> Score:
        """Word errors of all utterances."""
        return sum((one.words for one in self.results), Score())

    @property
    def characters(self) -> Score:
        """Character errors of all utterances."""
        return sum((one.characters for one in self.results), Score())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the word error rate, in percent."""
        return bootstrap_interval([one.words for one in self.results])

    @property
    def real_time_factor(self) -> float:
        """Recognition time per second of audio."""
        return self.spent_s / max(self.audio_s, 1e-9)

    def worst(self, count: int) -> list[UtteranceResult]:
        """Return the utterances with the most word errors."""
        return sorted(self.results, key=lambda one: -one.words.errors)[:count]

    def confusions(self, count: int) -> list[tuple[Pair, int]]:
        """Return the most frequent substitutions, deletions and insertions."""
        counted: Counter[Pair] = confusions(one.aligned for one in self.results)
        return counted.most_common(count)


def evaluate(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    *,
    normaliser: Literal["none", "basic", "english"] = "english",
    endpoint: EndpointRules | str | float = "off",
    on_progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Transcribe all utterances and compare them with their references.

    A recording that cannot be read is left out; its error is in ``Evaluation.unreadable``.

    Raises:
        DataError: no utterances, recordings that are not there, or none that can be read.
    """
    if not utterances:
        raise DataError("the manifest is empty; there is nothing to evaluate")
    check_files(utterances)
    rate = recognizer.acoustic.info.sample_rate
    rules = EndpointRules.parse(endpoint)
    results, unreadable, audio_s, spent_s = [], [], 0.0, 0.0
    for number, utterance in enumerate(utterances, 1):
        try:
            samples = load_audio(utterance, rate)
        except AudioError as error:
            unreadable.append(str(error))
            continue
        began = time.perf_counter()
        text = recognizer.transcribe(samples, rate, endpoint=rules).text
        spent_s += time.perf_counter() - began
        audio_s += len(samples) / rate
        reference = normalise(utterance.text, normaliser)
        hypothesis = normalise(text, normaliser)
        words = word_errors(reference, hypothesis)
        characters = character_errors(reference, hypothesis)
        results.append(UtteranceResult(utterance, reference, hypothesis, words, characters))
        if on_progress is not None:
            on_progress(number)
    if not results:
        raise DataError(f"no recording of the manifest can be read ({unreadable[0]})")
    return Evaluation(tuple(results), audio_s, spent_s, tuple(unreadable))
