"""``asr-gru train`` on recipes: each stage is trained once and starts from the previous one."""

import pytest
import torch

from asr_gru.training.checkpoint import load_checkpoint

STAGES = """
[[stage]]
name = "letters"

[[stage]]
name = "pieces"
new_head = true
data.tokens = "pieces"
data.vocab_size = 5

[[stage]]
name = "last"
data.tokens = "pieces"
optimiser.learning_rate = 1e-9
optimiser.ema = 0.0
"""


@pytest.fixture
def recipe(data):
    path = data / "recipe.toml"
    path.write_text((data / "tiny.toml").read_text() + STAGES)
    return path


@pytest.fixture
def train(run, recipe):
    def call(*options):
        folder = recipe.parent
        command = ("train", recipe, "--run-dir", folder / "runs", "--cache", folder / "cache")
        return run(*command, *options)

    return call


def test_stages_are_trained_in_order_and_once(train, recipe):
    runs = recipe.parent / "runs"
    first = train()
    assert first.status == 0, first.err
    assert [path.name for path in sorted(runs.iterdir())] == ["last", "letters", "pieces"]
    assert (runs / "letters" / "tokens.txt").read_text().split() == ["<blank>", "<space>", "a", "b"]
    assert (runs / "last" / "tokens.model").read_bytes() == (
        runs / "pieces" / "tokens.model"
    ).read_bytes()
    before, after = load_checkpoint(runs / "pieces"), load_checkpoint(runs / "last")
    for name, value in before.ema.items():  # the last stage hardly changes the weights
        assert torch.allclose(value, after.weights[name], atol=1e-6)

    written = (runs / "last" / "checkpoint.pt").read_bytes()
    again = train()
    assert again.status == 0, again.err
    assert again.err.count(": finished (") == 3
    assert "training set" not in again.err
    assert (runs / "last" / "checkpoint.pt").read_bytes() == written

    (runs / "last" / "finished.json").unlink()  # as if the run had been stopped
    resumed = train()
    assert resumed.err.count(": finished (") == 2
    assert "stage last: training in" in resumed.err


def test_a_student_is_distilled_from_an_earlier_stage(train, recipe):
    recipe.write_text(
        (recipe.parent / "tiny.toml").read_text()
        + """
[[stage]]
name = "teacher"
encoder.direction = "bi"

[[stage]]
name = "student"
start_from = ""
distillation.teacher = "teacher"
"""
    )
    refused = train("--stage", "student")
    assert refused.status == 2
    assert refused.err.count("\n") == 1
    assert "stage 'student' is distilled from 'teacher', which is not finished" in refused.err
    assert "--stage teacher" in refused.err
    result = train()
    assert result.status == 0, result.err
    teacher, student = (load_checkpoint(recipe.parent / "runs" / n) for n in ("teacher", "student"))
    assert any("backwards" in name for name in teacher.weights)
    assert not any("backwards" in name for name in student.weights)
    foreign = train("--stage", "student", "--set", "distillation.teacher=en-small")
    assert foreign.status == 2
    assert "en-small has other tokens than this run" in foreign.err


def test_a_stage_needs_the_one_before_it(train, recipe):
    refused = train("--stage", "pieces")
    assert refused.status == 2
    assert "stage 'pieces' starts from 'letters', which is not finished" in refused.err
    assert "--stage letters" in refused.err
    assert train("--stage", "letters").status == 0
    assert not (recipe.parent / "runs" / "pieces").exists()
    assert train("--stage", "pieces").status == 0
    other = recipe.parent / "other"
    given = train("--stage", "pieces", "--start-from", recipe.parent / "runs" / "letters")
    assert "finished" in given.err
    elsewhere = ("--run-dir", other, "--start-from", recipe.parent / "runs" / "pieces")
    assert train("--stage", "last", *elsewhere).status == 0
    assert (other / "last" / "checkpoint.pt").exists()


def test_a_finished_stage_with_more_epochs_is_resumed(train, recipe):
    assert train("--stage", "letters").status == 0
    longer = train("--stage", "letters", "--set", "epochs=2")
    assert longer.status == 0
    assert "finished with another configuration" in longer.err
    assert load_checkpoint(recipe.parent / "runs" / "letters").epoch == 2


def test_invalid_recipes_are_refused(train, run, data):
    unknown = train("--stage", "peices")
    assert unknown.status == 2
    assert "no stage 'peices' (did you mean 'pieces'?)" in unknown.err
    far = train("--stage", "xyz")
    assert "there are letters, pieces, last" in far.err
    assert "has no stages" in run("train", data / "tiny.toml", "--stage", "letters").err
    assert "--minutes: name the stage" in train("--minutes", "3").err
