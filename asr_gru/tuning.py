"""Tunes the parameters of the word search by coordinate search on recordings.

The acoustic model runs once; its log-probabilities are decoded again for each setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, check_files
from asr_gru.decoding import TreeSearch, TreeSearchParameters
from asr_gru.errors import AudioError, ConfigError, DataError
from asr_gru.model.acoustic import AcousticModel
from asr_gru.model.search_parameters import PARAMETERS
from asr_gru.scoring import Score, word_errors
from asr_gru.streaming.engine import FINAL_SILENCE_S
from asr_gru.text import normalise

__all__ = [
    "STEPS",
    "EncodedUtterance",
    "Trial",
    "coordinate_search",
    "run_acoustic_model",
    "word_error_rates",
]

STEPS: Mapping[str, float] = {"language_weight": 0.2, "blank_bias": 0.5, "word_bonus": 0.5}
"""Parameters that can be tuned, and the initial step of each."""
BATCH_SIZE = 32
REFERENCES: Literal["english"] = "english"
"""Normaliser of the references."""
LogProbs = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncodedUtterance:
    """The reference and the log-probabilities of an utterance.

    Attributes:
        text: the normalised reference.
        log_probs: ``(frames, tokens)``.
        speaker: name of the speaker, or "".
    """

    text: str
    log_probs: LogProbs
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """Parameters, with the word error rate of each list in percent."""

    parameters: TreeSearchParameters
    rates: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Mean of the lists, in percent."""
        return sum(self.rates.values()) / len(self.rates)


def run_acoustic_model(
    acoustic: AcousticModel,
    utterances: Sequence[Utterance],
    on_unreadable: Callable[[str], None] | None = None,
) -> list[EncodedUtterance]:
    """Run the acoustic model over recordings.

    Args:
        acoustic: the model.
        utterances: recordings and their texts.
        on_unreadable: called with the error of each recording that is skipped.

    Raises:
        DataError: there are no utterances, recordings are missing, or none can be read.
    """
    if not utterances:
        raise DataError("the manifest is empty; there is nothing to tune on")
    check_files(utterances)
    encoded = []
    for utterance in utterances:
        try:
            samples = load_audio(utterance, acoustic.info.sample_rate)
        except AudioError as error:
            problem = str(error)
            if on_unreadable is not None:
                on_unreadable(problem)
            continue
        silence = round(FINAL_SILENCE_S * acoustic.info.sample_rate)
        samples = np.pad(samples, (0, silence))  # as streams end, so that their settings are tuned
        rows = acoustic.finish(samples[None], acoustic.start(1))[0]
        encoded.append(
            EncodedUtterance(normalise(utterance.text, REFERENCES), rows, utterance.speaker)
        )
    if not encoded:
        raise DataError(f"no recording of the manifest can be read ({problem})")
    return encoded


def word_error_rates(
    decoder: TreeSearch, lists: Mapping[str, Sequence[EncodedUtterance]]
) -> dict[str, float]:
    """Decode lists of utterances; return the word error rate of each in percent.

    What is recognised is normalised like the references, as words can have capitals or accents.
    """
    rates = {}
    for name, utterances in lists.items():
        errors = Score()
        for first in range(0, len(utterances), BATCH_SIZE):
            batch = utterances[first : first + BATCH_SIZE]
            states = [decoder.start() for _ in batch]
            for one, state in zip(
                batch, decoder.advance(states, [one.log_probs for one in batch]), strict=True
            ):
                words = decoder.best(decoder.finish(state))[0].words or ()
                text = normalise(" ".join(word.text for word in words), REFERENCES)
                errors += word_errors(one.text, text)
        rates[name] = errors.rate
    return rates


def coordinate_search(
    decoder: TreeSearch,
    lists: Mapping[str, Sequence[EncodedUtterance]],
    parameters: Sequence[str] = tuple(STEPS),
    *,
    rounds: int = 2,
    on_trial: Callable[[Trial], None] | None = None,
) -> Trial:
    """Tune one parameter after the other while the mean word error rate falls.

    Each round tries all parameters, first up, then down; the next round halves the steps.

    Args:
        decoder: decoder with the initial parameters.
        lists: utterances by name of their list; all lists have equal weight.
        parameters: names of the parameters to tune, of ``STEPS``.
        rounds: number of rounds, 1 to 10.
        on_trial: called with each setting that was tried.

    Raises:
        ConfigError: an unknown parameter, or rounds out of range.
    """
    unknown = [name for name in parameters if name not in STEPS]
    if unknown or not parameters:
        problem = f"unknown parameter {unknown[0]!r}" if unknown else "no parameters to tune"
        raise ConfigError(f"{problem}; choose from {', '.join(STEPS)}")
    if not 1 <= rounds <= 10:
        raise ConfigError(f"{rounds} rounds; give 1 to 10")
    tried: dict[TreeSearchParameters, Trial] = {}

    def trial(setting: TreeSearchParameters) -> Trial:
        if setting not in tried:
            tried[setting] = Trial(setting, word_error_rates(decoder.tuned(setting), lists))
            if on_trial is not None:
                on_trial(tried[setting])
        return tried[setting]

    best = trial(decoder.parameters)
    for halving in range(rounds):
        for name in parameters:
            for step in (STEPS[name] / 2**halving, -STEPS[name] / 2**halving):
                moved = False
                while (following := _moved(best.parameters, name, step)) is not None:
                    found = trial(following)
                    if found.mean >= best.mean:
                        break
                    best, moved = found, True
                if moved:
                    break
    return best


def _moved(parameters: TreeSearchParameters, name: str, step: float) -> TreeSearchParameters | None:
    value = round(getattr(parameters, name) + step, 6)
    _, low, high = PARAMETERS[name]
    if not low <= value <= high:
        return None
    if name == "language_weight":
        return replace(parameters, language_weight=value)
    if name == "blank_bias":
        return replace(parameters, blank_bias=value)
    return replace(parameters, word_bonus=value)
