"""Recipes: a base configuration, and the differences of each stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_gru.errors import ConfigError
from asr_gru.training.config_file import load_train_config
from asr_gru.training.recipe import (
    FINISHED,
    choose_stage,
    load_recipe,
    mark_finished,
    read_finished,
)

RECIPE = """
epochs = 5
[data]
train = ["train.tsv"]
weights = { a = 0.5, b = 0.5 }
[optimiser]
name = "muon"
learning_rate = 1e-3

[[stage]]
name = "first"

[[stage]]
name = "second"
new_head = true
epochs = 2
data.tokens = "pieces"
data.weights = { a = 0.1 }
[stage.optimiser]
learning_rate = 5e-4

[[stage]]
name = "third"
start_from = "first"
minutes = 3.5

[[stage]]
name = "fresh"
start_from = ""
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stage_is_the_base_with_its_differences(tmp_path):
    first, second, third, fresh = load_recipe(written(tmp_path, RECIPE))
    assert (first.name, first.after, first.new_head, first.minutes) == ("first", "", False, None)
    assert first.config.epochs == 5
    assert (second.after, second.new_head) == ("first", True)
    assert second.config.epochs == 2
    assert second.config.optimiser.name == "muon"  # tables are merged
    assert second.config.optimiser.learning_rate == 5e-4
    assert second.config.data.train == ("train.tsv",)
    assert second.config.data.weights == {"a": 0.1}  # values are replaced
    assert (third.after, third.minutes, third.config) == ("first", 3.5, first.config)
    assert (fresh.after, fresh.start_from) == ("", "")


EXTENDING = """
epochs = 5
[data]
train = ["train.tsv"]
[optimiser]
learning_rate = 1e-3
warmup_steps = 100

[[stage]]
name = "first"

[[stage]]
name = "second"
start_from = ""
minutes = 90
seed = 7
data.batch_s = 40
data.weights = { a = 0.5, b = 0.5 }
optimiser.learning_rate = 5e-4

[[stage]]
name = "third"
extends = "second"
data.batch_s = 80
data.weights = { a = 0.1 }

[[stage]]
name = "fourth"
extends = "third"
optimiser.warmup_steps = 30

[[stage]]
name = "fifth"
new_head = true
extends = "fourth"
epochs = 3
"""


def test_a_stage_is_the_one_it_extends_with_its_differences(tmp_path):
    path = written(tmp_path, EXTENDING)
    first, second, third, fourth, fifth = (stage.config for stage in load_recipe(path))
    assert third.data.train == ("train.tsv",)
    assert (third.seed, third.epochs, third.optimiser) == (7, 5, second.optimiser)
    assert third.data.batch_s == 80
    assert third.data.weights == {"a": 0.1}  # replaced, as in a stage of the base
    assert fourth.data == third.data
    assert fourth.seed == 7
    assert (fourth.optimiser.learning_rate, fourth.optimiser.warmup_steps) == (5e-4, 30)
    assert second.optimiser.warmup_steps == first.optimiser.warmup_steps == 100
    assert second.data.batch_s == 40
    assert fifth.optimiser == fourth.optimiser
    assert fifth.epochs == 3


def test_what_a_stage_starts_from_is_not_inherited(tmp_path):
    text = EXTENDING + '[[stage]]\nname = "sixth"\nextends = "fifth"\n'
    stages = {stage.name: stage for stage in load_recipe(written(tmp_path, text))}
    assert (stages["second"].after, stages["third"].after) == ("", "second")
    assert (stages["fifth"].new_head, stages["sixth"].new_head) == (True, False)


@pytest.mark.parametrize("key", ["epochs", "passes"])
def test_minutes_are_inherited_unless_a_stage_has_its_own_epochs(tmp_path, key):
    text = EXTENDING.replace("epochs = 3\n", f"{key} = 3\n")
    text += '[[stage]]\nname = "sixth"\nextends = "second"\nminutes = 20\nepochs = 3\n'
    minutes = [stage.minutes for stage in load_recipe(written(tmp_path, text))]
    assert minutes == [None, 90, 90, 90, None, 20]


@pytest.mark.parametrize("recipe", [RECIPE, EXTENDING])
def test_changes_apply_to_every_stage(tmp_path, recipe):
    for stage in load_recipe(written(tmp_path, recipe), ["optimiser.learning_rate=0.1"]):
        assert stage.config.optimiser.learning_rate == 0.1


def test_a_plain_configuration_is_a_single_unnamed_stage(tmp_path):
    path = written(tmp_path, '[data]\ntrain = ["train.tsv"]\n')
    (stage,) = load_recipe(path)
    assert (stage.name, stage.config) == ("", load_train_config(path))
    with pytest.raises(ConfigError, match="has no stages"):
        choose_stage([stage], "first", path)
    with pytest.raises(ConfigError, match="has stages"):
        load_train_config(written(tmp_path, RECIPE))


def test_keys_of_earlier_versions_are_read(tmp_path):
    text = 'passes = 3\n[data]\ntrain = ["t"]\n[[stage]]\nname = "a"\noptimiser.rate = 0.5\n'
    notices: list[str] = []
    (stage,) = load_recipe(written(tmp_path, text), (), notices.append)
    assert (stage.config.epochs, stage.config.optimiser.learning_rate) == (3, 0.5)
    assert len(notices) == 2
    assert "stage 'a'" in notices[1]


@pytest.mark.parametrize(
    ("stage", "named"),
    [
        ('name = "a"\nepoch = 3', "stage 'a': unknown key 'epoch' (did you mean 'epochs'?)"),
        ('name = "a"\nnew_had = true', "stage 'a': unknown key 'new_had' (did you mean 'new_head'"),
        ('name = "a"\ndata.batchs = 3', "stage 'a': unknown key 'data.batchs' (did you mean"),
        ('name = "a"\nepochs = 0', "stage 'a': Expected `int` >= 1 - at `epochs`"),
        ('name = "a"\nminutes = 0', "stage 'a': Expected `float` > 0"),
        ("epochs = 3", "stage 1: Object missing required field `name`"),
        ('name = "../a"', "names have to differ"),
        ('name = "a"\n[[stage]]\nname = "a"', "names have to differ"),
        ('name = "a"\nnew_head = true', "stage 'a': new_head needs a stage"),
        ('name = "a"\nextend = "b"', "stage 'a': unknown key 'extend' (did you mean 'extends'?)"),
        ('name = "a"\nextends = 3', "stage 'a': Expected `str | null`, got `int` - at `extends`"),
        (
            'name = "a"\nextends = "a"',
            "stage 'a': extends 'a', which is not an earlier stage; the first stage cannot",
        ),
        (
            'name = "a"\nextends = "b"\n[[stage]]\nname = "b"',
            "stage 'a': extends 'b', which comes after it; move it before",
        ),
        (
            'name = "long"\n[[stage]]\nname = "b"\nextends = "longer"',
            "stage 'b': extends 'longer', which is not an earlier stage (did you mean 'long'?)",
        ),
        (
            'name = "long"\n[[stage]]\nname = "b"\nextends = "b"',
            "stage 'b': extends 'b', which is not an earlier stage; there are long",
        ),
        ('name = "a"\naugment.noise_prob = 0.5', "stage 'a': augment: noise_prob"),
    ],
)
def test_errors_in_a_stage_name_the_stage(tmp_path, stage, named):
    path = written(tmp_path, f'[data]\ntrain = ["t"]\n[[stage]]\n{stage}\n')
    with pytest.raises(ConfigError) as error:
        load_recipe(path)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_errors_in_the_base_do_not_name_a_stage(tmp_path):
    path = written(tmp_path, '[data]\ntrian = ["t"]\n[[stage]]\nname = "a"\n')
    with pytest.raises(ConfigError, match=r"recipe.toml: unknown key 'data.trian'"):
        load_recipe(path)
    with pytest.raises(ConfigError, match=r"write \[\[stage\]\]"):
        load_recipe(written(tmp_path, '[data]\ntrain = ["t"]\n[stage]\nname = "a"\n'))


def test_a_finished_stage_keeps_its_configuration(tmp_path):
    first, second, *_ = load_recipe(written(tmp_path, RECIPE))
    assert read_finished(tmp_path) is None
    mark_finished(tmp_path, first.config)
    assert read_finished(tmp_path) == first.config != second.config
    (tmp_path / FINISHED).write_text('{"epochs": 3')
    with pytest.raises(ConfigError, match="delete it"):
        read_finished(tmp_path)
    (tmp_path / FINISHED).write_text("[1]")
    with pytest.raises(ConfigError, match="delete it"):
        read_finished(tmp_path)


def test_a_recipe_without_a_stage_is_refused(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('stage = []\n[data]\ntrain = ["train.tsv"]\n')
    with pytest.raises(ConfigError, match=r"write \[\[stage\]\]"):
        load_recipe(path)
