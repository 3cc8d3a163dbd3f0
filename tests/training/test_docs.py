"""docs/training.md lists every configuration key with its default, and no other keys."""

import io
import json
import re
import tarfile
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

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


def test_the_program_that_writes_shards_cuts_segments(tmp_path, monkeypatch):
    pytest.importorskip("webdataset")
    monkeypatch.chdir(tmp_path)
    soundfile.write("long.wav", np.arange(80_000) / 80_000, 8_000)
    lines = ["path\ttext\tstart_s\tduration_s", "long.wav\tone\t1.0\t2.5", "long.wav\ttwo\t\t10"]
    Path("train.tsv").write_text("\n".join(lines) + "\n")
    Path("shards").mkdir()
    (program,) = [
        one for one in re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL) if "sink" in one
    ]
    exec(compile(program, "docs/training.md", "exec"), {})  # noqa: S102
    with tarfile.open("shards/train-000.tar") as shard:
        data = {name: shard.extractfile(name).read() for name in shard.getnames()}
    for number, text, seconds in ((0, "one", 2.5), (1, "two", 10.0)):
        info = soundfile.info(io.BytesIO(data[f"{number:08}.flac"]))
        assert (info.format, info.duration) == ("FLAC", seconds)
        assert json.loads(data[f"{number:08}.json"])["text"] == text
