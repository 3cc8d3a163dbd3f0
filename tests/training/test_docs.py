"""docs/training.md lists every configuration key with its default, and no other keys."""

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from asr_gru.training.config import TrainConfig
from asr_gru.training.config_file import parse_train_config

DOCS = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
EMPTY = parse_train_config({"data": {"train": ["train.tsv"]}})


def documented(part: str) -> dict[str, str | None]:
    """Return keys and defaults of the table of ``part`` (``""``: the keys outside tables)."""
    title = f"| `[{part}]` |" if part else "| key |"
    table = DOCS.split(title, 1)[1].split("\n\n", 1)[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    pairs = re.findall(r"`(\w+)`(?: \[((?:\[\]|[^\]])*)\])?", " ".join(rows))
    return {key: default or None for key, default in pairs}


def shown(value: object) -> str:
    if isinstance(value, tuple):
        return repr(value) if value else "[]"
    return json.dumps(value)


@pytest.mark.parametrize(
    "part",
    [
        "",
        *(
            f.name
            for f in msgspec.structs.fields(TrainConfig)
            if isinstance(getattr(EMPTY, f.name), msgspec.Struct)
        ),
    ],
)
def test_every_key_is_documented_with_its_default(part: str):
    struct = getattr(EMPTY, part) if part else EMPTY
    expected = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if not isinstance(value, msgspec.Struct):
            expected[field.name] = None if field.required else shown(value)
    assert documented(part) == expected


def test_the_example_is_a_configuration():
    example = re.search(r"```toml\n(.*?)```", DOCS, re.DOTALL)[1]
    assert parse_train_config(tomllib.loads(example)).data.vocab_size == 300
