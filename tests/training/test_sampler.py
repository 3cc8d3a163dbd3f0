from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.training.sampler import NOISE, plan_epoch

DURATIONS = np.random.default_rng(0).uniform(0.5, 15.0, 300)


def plan(durations=DURATIONS, **changes: Any) -> list[list[list[int]]]:
    options: dict[str, Any] = {
        "weights": [1.0] * len(durations),
        "batch_s": 60.0,
        "processes": 1,
        "noise_only": 0.0,
        "seed": 1,
        "epoch": 0,
        "ascending": False,
    }
    return plan_epoch(durations, **(options | changes))


def seen(steps: list[list[list[int]]]) -> Counter[int]:
    return Counter(index for step in steps for batch in step for index in batch)


@settings(max_examples=40, deadline=None)
@given(
    durations=st.lists(st.floats(0.2, 30.0), min_size=1, max_size=60),
    batch_s=st.floats(1.0, 100.0),
    ascending=st.booleans(),
)
def test_every_utterance_is_seen_once_and_batches_keep_their_size(durations, batch_s, ascending):
    steps = plan(np.array(durations), batch_s=batch_s, ascending=ascending)
    assert seen(steps) == Counter(range(len(durations)))
    for (batch,) in steps:
        longest = max(durations[index] for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_s + 1e-6


def test_the_plan_depends_only_on_seed_and_epoch():
    assert plan() == plan()
    assert plan(epoch=1) != plan()
    assert plan(seed=2) != plan()


def test_curriculum_epochs_start_with_the_shortest():
    steps = plan(ascending=True)
    longest = [DURATIONS[batch].max() for (batch,) in steps]
    assert longest == sorted(longest)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_get_batches_of_similar_duration(processes):
    steps = plan(processes=processes)
    assert all(len(step) == processes for step in steps)
    assert set(seen(steps)) == set(range(len(DURATIONS)))
    assert seen(steps).total() - len(DURATIONS) <= processes * max(len(b) for s in steps for b in s)
    widest = [[DURATIONS[batch].max() for batch in step] for step in steps]
    spread = np.mean([max(row) - min(row) for row in widest])
    assert spread < 0.1 * np.ptp(DURATIONS)


def test_noise_only_utterances_are_a_fraction_of_the_others():
    counts = seen(plan(noise_only=0.1))
    assert counts[NOISE] == 30
    assert NOISE not in seen(plan())


def test_weights_set_how_often_a_source_is_seen():
    weights = [0.0] * 100 + [0.5] * 100 + [2.0] * 100
    counts = seen(plan(weights=weights))
    assert not any(counts[index] for index in range(100))
    assert all(counts[index] == 2 for index in range(200, 300))
    over_passes = [
        sum(seen(plan(weights=weights, epoch=n))[i] for i in range(100, 200)) for n in range(20)
    ]
    assert 40 < np.mean(over_passes) < 60


@pytest.mark.parametrize("ascending", [False, True])
def test_an_epoch_can_be_empty(ascending):
    assert plan(weights=[0.0] * len(DURATIONS), ascending=ascending) == []
