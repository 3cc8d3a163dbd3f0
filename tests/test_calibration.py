"""Confidences: features, fitting, calibration errors and saved weights."""

import json
import math
import shutil

import numpy as np
import pytest

from asr_gru.calibration import (
    RecognizedWords,
    calibration_error,
    confidences,
    cross_entropy,
    cross_validated,
    fit_confidence,
    recognized_words,
)
from asr_gru.decoding import Hypothesis, WordScore, WordTimes, words_of
from asr_gru.decoding.confidence import WORD_FEATURES, weighted_confidence, word_features
from asr_gru.errors import DataError, ModelError
from asr_gru.model.config import ConfidenceWeights, parse_config
from asr_gru.recognizer import Recognizer
from asr_gru.results import Match
from asr_gru.tuning import EncodedUtterance

TRUE = ConfidenceWeights(bias=0.5, weakest=0.4, mean=0.3, language=0.2, tokens=0.6, posterior=0.3)


def words(count, seed, speakers=20):
    chance = np.random.default_rng(seed)
    features = chance.standard_normal((count, len(WORD_FEATURES)))
    features[:, 0] = 1.0
    made = RecognizedWords(features, np.zeros(count, bool), chance.integers(0, speakers, count))
    right = chance.random(count) < confidences(TRUE, made)
    return RecognizedWords(features, right, made.speakers)


def hypothesis(match=None):
    return Hypothesis(
        tokens=(3, 4, 5),
        frames=(10, 12, 17),
        log_prob=-4.0,
        token_log_probs=(-0.1, -0.5, -2.0),
        ends=(11, 13, 18),
        words=(
            WordScore("a", 0, 2, acoustic=-1.0, language=-3.0, posterior=math.log(0.2)),
            WordScore("b", 2, 3, acoustic=-2.0, language=-50.0, posterior=-math.inf),
        ),
        match=match,
    )


def test_features_describe_the_word():
    said = hypothesis()
    first, second = (dict(zip(WORD_FEATURES, word_features(said, n), strict=True)) for n in (0, 1))
    assert first == pytest.approx(
        {
            "bias": 1.0,
            "weakest": math.log(math.exp(-0.5) / (1 - math.exp(-0.5))),
            "mean": -0.3,
            "acoustic": -0.5,
            "language": -3.0,
            "duration": math.log(1.5),
            "tokens": math.log(2),
            "posterior": math.log(0.2 / 0.8),
            "posterior_before": math.log(0.2 / 0.8),
            "posterior_after": -6.0,
            "language_before": -3.0,
            "language_after": -20.0,
        }
    )
    assert second["posterior"] == second["posterior_after"] == -6.0
    assert second["language"] == second["language_after"] == -20.0
    assert second["posterior_before"] == first["posterior"]


def test_words_of_the_tree_search_use_the_weights():
    times = WordTimes(0.04, 0.0, 1.0, TRUE)
    one, two = words_of(hypothesis(), None, times)
    said = hypothesis()
    assert one.confidence == weighted_confidence(TRUE, said, 0)
    assert two.confidence == weighted_confidence(TRUE, said, 1)
    plain = words_of(hypothesis(Match(phrase="a b", index=0)), None, times)
    assert plain[0].confidence == pytest.approx(math.exp(-0.5))


def test_the_fit_recovers_the_weights_and_is_calibrated():
    lists = {"one": words(6_000, 1), "other": words(3_000, 2)}
    found = fit_confidence(list(lists.values()))
    for name in WORD_FEATURES:
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), abs=0.12)
    for name, held_out in cross_validated(lists).items():
        assert calibration_error(held_out, lists[name].right) < 0.04


def test_cross_validation_leaves_out_the_speaker():
    lists = {"one": words(400, 3)}
    before = cross_validated(lists)["one"]
    one = lists["one"]
    changed = one.right.copy()
    changed[one.speakers == 7] ^= True
    after = cross_validated({"one": RecognizedWords(one.features, changed, one.speakers)})["one"]
    assert np.array_equal(before[one.speakers == 7], after[one.speakers == 7])
    assert not np.array_equal(before, after)


def test_words_of_one_speaker_are_refused():
    with pytest.raises(DataError, match="one speaker"):
        cross_validated({"one": words(100, 5, speakers=1)})


class SaysTwoWords:
    """A decoder that finds the same words in all utterances."""

    def start(self):
        return None

    def advance(self, states, log_probs):
        return states

    def finish(self, state):
        return state

    def best(self, state):
        return [hypothesis()]


def test_a_speaker_has_the_same_index_in_all_lists():
    heard = [EncodedUtterance("a b", np.zeros((20, 6), np.float32))] * 3
    numbers: dict[str, int] = {}
    lists = (("ann", "bob", ""), ("bob", "", "ann"))
    one, other = (recognized_words(SaysTwoWords(), heard, names, numbers) for names in lists)
    assert one.speakers.tolist() == [0, 0, 1, 1, 2, 2]
    assert other.speakers.tolist() == [1, 1, 3, 3, 0, 0]


def test_calibration_error_of_a_known_case():
    confidence = np.array([0.15, 0.15, 0.95, 0.95])
    right = np.array([True, False, True, True])
    assert calibration_error(confidence, right) == pytest.approx((0.35 + 0.05) / 2)


def test_cross_entropy_of_a_known_case():
    confidence, right = np.array([0.5, 0.8]), np.array([True, False])
    assert cross_entropy(confidence, right) == pytest.approx(-(math.log(0.5) + math.log(0.2)) / 2)


def test_lists_without_wrong_words_are_refused():
    one = words(10, 4)
    for right in (True, False):
        with pytest.raises(DataError, match="right and wrong"):
            fit_confidence([RecognizedWords(one.features, np.full(10, right), one.speakers)])


def test_weights_are_saved_in_the_model(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree("asr_gru/models/en-small", folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("confidence", None)
    path.write_text(json.dumps(config))
    plain = Recognizer.load(folder).transcribe("audio_samples/read.flac").words
    config["confidence"] = {"bias": -3.0, "weakest": 0.0}
    path.write_text(json.dumps(config))
    other = Recognizer.load(folder).transcribe("audio_samples/read.flac").words
    assert [word.text for word in plain] == [word.text for word in other]
    assert {round(word.confidence, 4) for word in other} == {0.0474}
    config["confidence"] = {"bias": 1e9}
    with pytest.raises(ModelError, match="confidence"):
        parse_config(json.dumps(config).encode())
