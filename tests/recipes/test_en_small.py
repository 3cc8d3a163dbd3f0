"""The stages of en-small are valid, and documents name only existing ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asr_gru.training.recipe import load_recipe

FOLDER = Path(__file__).parents[2] / "recipes" / "en_small"
STAGES = load_recipe(FOLDER / "recipe.toml")
NAMES = [stage.name for stage in STAGES]


def test_each_stage_starts_from_the_one_before():
    assert [stage.after for stage in STAGES] == ["", *NAMES[:-1]]
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


@pytest.mark.parametrize("name", ["README.md", "JOURNAL.md"])
def test_named_stages_exist(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    commands = re.findall(r"^train (\w+)", text, re.MULTILINE)
    commands += re.findall(r"--stage (\w+)", text)
    named = set(commands)
    assert len(named) >= 3
    assert named <= set(NAMES)
