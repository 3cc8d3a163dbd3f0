"""Find how a model's search for words is best tuned: a coordinate search on recordings.

The acoustic model is run once; its log-probabilities are decoded again for every setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, check_files
from asr_gru.decoding import TreeSearch, TreeSearchParameters
from asr_gru.errors import AudioError, ConfigError, DataError
from asr_gru.model.acoustic import AcousticModel
from asr_gru.model.search_parameters import PARAMETERS
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

__all__ = ["STEPS", "Heard", "Trial", "coordinate_search", "hear", "word_error_rates"]

STEPS: Mapping[str, float] = {"language_weight": 0.2, "blank_bias": 0.5, "word_bonus": 0.5}
"""Parameters that can be tuned, and the initial step of each."""
TOGETHER = 32
LogProbs = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance: its text, normalised, and what the acoustic model made of it.

    Attributes:
        text: what was said.
        log_probs: ``(frames, tokens)``.
        speaker: who said it, or "".
    """

    text: str
    log_probs: LogProbs
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting, with the word error rate of each list in percent."""

    parameters: TreeSearchParameters
    rates: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Mean of the lists, in percent."""
        return sum(self.rates.values()) / len(self.rates)


def hear(
    acoustic: AcousticModel,
    utterances: Sequence[Utterance],
    on_unreadable: Callable[[str], None] | None = None,
) -> list[Heard]:
    """Run the acoustic model over recordings.

    Args:
        acoustic: the model.
        utterances: recordings and their texts.
        on_unreadable: told, in a line, of each recording that cannot be read and is left out.

    Raises:
        DataError: no utterances, recordings that are not there, or none that can be read.
    """
    if not utterances:
        raise DataError("the manifest is empty; there is nothing to tune on")
    check_files(utterances)
    heard = []
    for utterance in utterances:
        try:
            samples = load_audio(utterance, acoustic.info.sample_rate)
        except AudioError as error:
            problem = str(error)
            if on_unreadable is not None:
                on_unreadable(problem)
            continue
        rows = acoustic.finish(samples[None], acoustic.start(1))[0]
        heard.append(Heard(normalise(utterance.text, "english"), rows, utterance.speaker))
    if not heard:
        raise DataError(f"no recording of the manifest can be read ({problem})")
    return heard


def word_error_rates(decoder: TreeSearch, lists: Mapping[str, Sequence[Heard]]) -> dict[str, float]:
    """Decode lists of utterances; return the word error rate of each in percent."""
    rates = {}
    for name, heard in lists.items():
        errors = Score()
        for first in range(0, len(heard), TOGETHER):
            some = heard[first : first + TOGETHER]
            states = [decoder.start() for _ in some]
            for one, state in zip(
                some, decoder.advance(states, [one.log_probs for one in some]), strict=True
            ):
                words = decoder.best(decoder.finish(state))[0].words or ()
                errors += word_errors(one.text, " ".join(word.text for word in words))
        rates[name] = errors.rate
    return rates


def coordinate_search(
    decoder: TreeSearch,
    lists: Mapping[str, Sequence[Heard]],
    parameters: Sequence[str] = tuple(STEPS),
    *,
    rounds: int = 2,
    on_trial: Callable[[Trial], None] | None = None,
) -> Trial:
    """Tune one parameter after the other while the mean word error rate falls.

    Each round goes through all parameters, first up, then down; the next takes half the steps.

    Args:
        decoder: where the search begins.
        lists: utterances by the name of their list; all lists count alike.
        parameters: which, of ``STEPS``.
        rounds: how often the steps are halved, 1 to 10.
        on_trial: called with every setting that was tried.

    Raises:
        ConfigError: an unknown parameter, or rounds out of range.
    """
    unknown = [name for name in parameters if name not in STEPS]
    if unknown or not parameters:
        raise ConfigError(
            f"unknown parameter {', '.join(unknown) or 'given'}; there are {', '.join(STEPS)}"
        )
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
