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


def test_changes_apply_to_every_stage(tmp_path):
    for stage in load_recipe(written(tmp_path, RECIPE), ["optimiser.learning_rate=0.1"]):
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
