from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asr_gru.decoding import TreeSearchParameters
from asr_gru.errors import ConfigError
from asr_gru.text import normalise
from asr_gru.tuning import EncodedUtterance, coordinate_search, word_error_rates
from tests.decoding.words import Bigrams, tree_search


def synthetic_set(decoder, seeds):
    """Return utterances whose texts are the decoder's own results."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(30, 4)) * rng.uniform(0.1, 3.0, (30, 1))
        rows = (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)
        (state,) = decoder.advance([decoder.start()], [rows])
        words = decoder.best(decoder.finish(state))[0].words
        found.append(EncodedUtterance(" ".join(word.text for word in words), rows))
    return found


@pytest.fixture
def lists():
    target = tree_search(Bigrams(), language_weight=1.0, blank_bias=0.5, word_bonus=0.5)
    return {
        "a": synthetic_set(target, range(12)),
        "b": synthetic_set(target, range(9)),
    }


def test_the_search_recovers_the_setting_that_produced_the_texts(lists):
    decoder = tree_search(Bigrams(), language_weight=0.6, blank_bias=0.0, word_bonus=0.0)
    trials = []
    best = coordinate_search(decoder, lists, rounds=2, on_trial=trials.append)
    assert trials[0].parameters == decoder.parameters
    assert best.mean == min(trial.mean for trial in trials) < trials[0].mean
    assert len({trial.parameters for trial in trials}) == len(trials)
    assert word_error_rates(decoder.tuned(best.parameters), lists) == best.rates
    assert best.mean == pytest.approx(np.mean(list(best.rates.values())))


def test_capitals_and_accents_of_words_are_no_errors():
    decoder = tree_search(Bigrams())
    decoder.words = ("Äa", "ab", "B", "bc", "bee", "a", "cab")
    lists = {"a": synthetic_set(decoder, range(12))}
    texts = {word for one in lists["a"] for word in one.text.split()}
    assert texts & {"Äa", "B"}
    spoken = [replace(one, text=normalise(one.text, "english")) for one in lists["a"]]
    assert word_error_rates(decoder, {"a": spoken}) == {"a": 0.0}


def test_only_the_given_parameters_change(lists):
    trials = []
    coordinate_search(tree_search(Bigrams()), lists, ["blank_bias"], on_trial=trials.append)
    assert len({trial.parameters.blank_bias for trial in trials}) > 1
    assert {trial.parameters.language_weight for trial in trials} == {
        TreeSearchParameters().language_weight
    }


def test_invalid_parameters_are_refused(lists):
    with pytest.raises(ConfigError, match="unknown parameter 'width'; choose from language_weight"):
        coordinate_search(tree_search(None), lists, ["width"])
    with pytest.raises(ConfigError, match="11 rounds"):
        coordinate_search(tree_search(None), lists, rounds=11)
