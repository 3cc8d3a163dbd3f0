from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from asr_gru.errors import ConfigError
from asr_gru.language import HotWord, default_weight, parse_hot_words


def test_weights_are_given_by_phrase_or_in_lines():
    expected = (
        HotWord("Kubernetes", 8.0),
        HotWord("Frau Öztürk", 10.0),
        HotWord("Siobhan", 3.5, ("SH", "AH", "V", "AO", "N")),
    )
    weights = {"Kubernetes": 8, "Frau Öztürk": 10.0, " Siobhan:  SH AH V AO N": 3.5}
    assert parse_hot_words(weights) == expected
    lines = ["Kubernetes = 8", "Frau Öztürk=10", "Siobhan: SH AH V AO N = 3.5"]
    assert parse_hot_words(lines) == expected
    assert parse_hot_words(iter(["Kubernetes"])) == (HotWord("Kubernetes", None),)
    assert parse_hot_words({"Kubernetes": None}) == (HotWord("Kubernetes", None),)
    assert parse_hot_words({"Kubernetes": np.float32(2)}) == (HotWord("Kubernetes", 2.0),)
    assert parse_hot_words({}) == parse_hot_words([]) == ()


def test_default_weights_grow_with_the_number_of_phones():
    weights = [default_weight(phones) for phones in (0, 2, 3, 5, 8, 9, 60)]
    assert weights == pytest.approx([0, 0, 1.2, 3.6, 7.2, 8.4, 9])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Kubernetes", "hot_words is 'Kubernetes'; give a list"),
        (b"Kubernetes", "hot_words is "),
        (7, "hot_words is '7'; give a list"),
        ([7], "hot word 1 is '7'; give text"),
        (["", "a"], r"hot word 1 \(''\) has no words"),
        ([": K AE T"], "has no words"),
        (["cat:"], "has no phones"),
        (["cat = heavy"], r"hot word 1 \('cat = heavy'\): weight 'heavy' is not a number"),
        (["cat = nan"], "weight nan; give 0 to 20"),
        ({"cat": math.inf}, "weight inf; give 0 to 20"),
        ({"cat": -1}, "weight -1; give 0 to 20"),
        ({"cat": 20.5}, "weight 20.5; give 0 to 20"),
        ({"cat": "8"}, "weight '8' is not a number|weight 8 is not a number"),
        ({"cat": True}, "is not a number"),
        (["x" * 101], r"hot word 1 \('x+ \.\.\.'\) has 101 characters; give at most 100"),
        (["a: " + "AH " * 61], "has 61 phones; give at most 60"),
        (itertools.repeat("a"), "more than 5000 hot words; leave some out"),
    ],
)
def test_invalid_hot_words_are_refused_in_one_line(given, said):
    with pytest.raises(ConfigError, match=said) as refused:
        parse_hot_words(given)
    assert "\n" not in str(refused.value)
