"""Runs with limited time."""

import functools
import itertools
import math

import torch

from asr_gru.training.checkpoint import load_checkpoint
from asr_gru.training.distributed import Processes
from asr_gru.training.schedule import Schedule

ALONE = Processes(0, 1, torch.device("cpu"))


def test_without_minutes_epochs_limit_the_run():
    schedule = Schedule(4, None, ALONE)
    assert [schedule.progress(done) for done in (0.0, 1.0, 3.5, 4.0, 9.0)] == [
        0.0,
        0.25,
        0.875,
        1.0,
        1.0,
    ]
    assert schedule.includes(3)
    assert not schedule.includes(4)


def test_minutes_limit_the_rest_of_the_run():
    now = [1000.0]
    schedule = Schedule(4, 20.0, ALONE, clock=lambda: now[0])
    now[0] += 600.0  # recordings are decoded before the first step
    assert schedule.progress(1.0) == 0.25
    now[0] += 300.0
    assert math.isclose(schedule.progress(1.1), 0.25 + 0.75 * 0.5)
    now[0] += 10_000.0
    assert schedule.progress(1.2) == 1.0
    assert schedule.includes(400)


def test_a_run_out_of_time_makes_no_step():
    now = [0.0]
    schedule = Schedule(4, 1.0, ALONE, clock=lambda: now[0])
    now[0] = 61.0
    assert schedule.progress(0.0) == 1.0


def by_ticks(monkeypatch, seconds):
    """Advance the clock of the next run by ``seconds`` per step."""
    ticks = itertools.count()
    clocked = functools.partial(Schedule, clock=lambda: seconds * next(ticks))
    monkeypatch.setattr("asr_gru.training.loop.Schedule", clocked)


def test_a_run_limited_by_minutes_ends_with_a_validated_checkpoint(
    tone_corpus, tmp_path, monkeypatch
):
    by_ticks(monkeypatch, 10.0)
    state, losses = tone_corpus.train(tmp_path, minutes=1.0)
    assert len(losses) == state.global_step
    assert state.history[-1]["step"] == state.global_step
    assert (
        0 < state.global_step <= 6
    )  # the first reading starts the clock, and the last one ends the run
    assert load_checkpoint(tmp_path / "checkpoint.pt").global_step == state.global_step


def test_more_minutes_than_the_epochs_take_are_allowed(tone_corpus, tmp_path, monkeypatch):
    by_ticks(monkeypatch, 60.0 / 40)
    state, _ = tone_corpus.train(tmp_path, minutes=1.0)
    assert state.epoch > tone_corpus.config().epochs
    assert state.global_step >= 38


def test_a_resumed_run_with_minutes_goes_on_where_it_was(tone_corpus, tmp_path, monkeypatch):
    by_ticks(monkeypatch, 60.0 / 40)
    first, _ = tone_corpus.train(tmp_path, minutes=1.0, stop_after=20)
    assert first.epoch >= tone_corpus.config().epochs  # epochs do not limit it
    assert 0.4 < first.progress < 0.6
    by_ticks(monkeypatch, 60.0 / 40)
    second, losses = tone_corpus.train(tmp_path, minutes=1.0)
    assert len(losses) >= 38  # it has the full time again
    assert second.progress == 0.0
