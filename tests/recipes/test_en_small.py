"""The stages of en-small are valid, and documents name only existing ones."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from asr_gru.training.recipe import load_recipe

FOLDER = Path(__file__).parents[2] / "recipes" / "en_small"
STAGES = load_recipe(FOLDER / "recipe.toml")
NAMES = [stage.name for stage in STAGES]
CHOICES = load_recipe(FOLDER / "choices.toml")


def test_each_stage_starts_from_the_one_before():
    assert NAMES[-4:] == ["settle", "digits", "streams", "again"]
    assert [stage.after for stage in STAGES] == ["", *NAMES[:-3], "settle", "settle"]
    assert not any(stage.start_from for stage in STAGES)
    kinds = [stage.config.data.tokens for stage in STAGES]
    for before, stage, kind in zip(kinds, STAGES[1:], kinds[1:], strict=False):
        assert stage.new_head or kind == before, stage.name


def test_only_a_deeper_network_or_a_new_front_end_changes_the_shape():
    shapes = {stage.name: stage.config.encoder for stage in STAGES}
    assert shapes["quiet"].subsampler == "linear"
    assert shapes["phones"].subsampler == shapes["longer"].subsampler == "conv"
    assert (shapes["phones"].layers, shapes["deeper"].layers) == (4, 6)
    assert shapes["deeper"] == shapes["longer"] == shapes["crf"]
    assert {shape.width for shape in shapes.values()} == {384}


def test_views_is_dropout_with_its_own_differences():
    stages = {stage.name: stage for stage in STAGES}
    dropout, views = stages["dropout"].config, stages["views"].config
    assert len(dropout.data.train) == 3
    assert dropout.data.weights["alphanumeric"] == 2.0
    assert (dropout.encoder.layers, dropout.encoder.subsampler) == (8, "conv")
    assert dropout.ctc_crf_weight == 0.9
    assert views == msgspec.structs.replace(
        dropout,
        seed=49,
        cr_ctc_weight=0.2,
        augment=msgspec.structs.replace(dropout.augment, time_masks=8),
        optimiser=msgspec.structs.replace(dropout.optimiser, learning_rate=6e-4),
    )
    assert (stages["dropout"].minutes, stages["views"].minutes) == (95, 55)
    weights = stages["words"].config.data.weights
    assert weights == {**views.data.weights, "single-words": 0.5}


def test_choices_start_alike_and_differ_in_what_they_are_called_after():
    base, *others = CHOICES
    assert not any(stage.after or stage.start_from for stage in (base, *others))
    differences = {}
    for stage in others:
        differences[stage.name] = {
            f"{table}.{key}"
            for table in ("data", "augment", "optimiser", "frontend", "level", "encoder")
            for key in msgspec.to_builtins(getattr(base.config, table))
            if getattr(getattr(base.config, table), key)
            != getattr(getattr(stage.config, table), key)
        }
    assert differences == {
        "subsampling-3": {"encoder.subsampling", "encoder.lookahead"},
        "width-512": {"encoder.width"},
        "little-augmentation": {
            "augment.speed_prob",
            "augment.frequency_masks",
            "augment.time_masks",
        },
    }


@pytest.mark.parametrize("name", ["README.md", "JOURNAL.md"])
def test_named_stages_exist(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    commands = re.findall(r"^train (\w+)", text, re.MULTILINE)
    commands += re.findall(r"--stage ([\w-]+)", text)
    named = set(commands)
    assert len(named) >= 3
    assert named <= {*NAMES, *(stage.name for stage in CHOICES)}
