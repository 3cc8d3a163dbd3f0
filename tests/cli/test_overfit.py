"""``asr-gru train --overfit-one-batch`` detects configurations that cannot learn."""

import pytest

from asr_gru.training import overfit

LEARNING = ("--set", "optimiser.learning_rate=1e-2", "--set", "data.batch_s=4")


@pytest.fixture
def check(run, data):
    def call(*options):
        paths = ("--run-dir", data / "run", "--cache", data / "cache")
        return run("train", data / "tiny.toml", *paths, "--overfit-one-batch", *options)

    return call


def test_one_batch_is_overfitted(check, data):
    result = check(*LEARNING)
    assert result.status == 0, result.err
    *texts, last = result.out.splitlines()
    assert last.startswith("learned in ")
    assert float(last.split("loss ")[1].split()[0]) < overfit.SMALL_LOSS
    references = [line[5:] for line in texts[::2]]
    assert [line[5:] for line in texts[1::2]] == references
    assert all(set(reference.split()) <= {"a", "b"} for reference in references)
    assert len(references) >= 3
    assert not (data / "run").exists()


def test_augmentation_and_regularisation_are_disabled(check):
    noisy = ("--set", "encoder.dropout=0.9", "--set", "augment.time_masks=50")
    assert check(*LEARNING, *noisy).status == 0


def test_a_configuration_that_cannot_learn_fails(check, monkeypatch):
    monkeypatch.setattr(overfit, "MAX_STEPS", 40)
    result = check("--set", "optimiser.learning_rate=1e-7")
    assert result.status == 2
    assert "one batch was not learned in 40 steps" in result.err
    assert "optimiser.learning_rate" in result.err.splitlines()[-1]
    assert "ref: " in result.out
    assert "learned in" not in result.out


def test_minutes_limits_the_time(check):
    result = check("--set", "optimiser.learning_rate=1e-7", "--minutes", "0.001")
    assert result.status == 2
    assert "not learned" in result.err
