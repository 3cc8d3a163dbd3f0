from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from asr_gru.errors import ConfigError
from asr_gru.training.config import load_train_config, parse_train_config

MINIMAL = '[data]\ntrain = ["train.tsv"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_minimal_file_has_defaults(tmp_path):
    config = load_train_config(written(tmp_path, MINIMAL))
    assert config.data.train == ("train.tsv",)
    assert config.net.encoder is config.encoder
    assert config.optimiser.name == "adamw"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pases = 3\n" + MINIMAL, "unknown key 'pases' (did you mean 'passes'?)"),
        (MINIMAL + "batch_sec = 3\n", "unknown key 'data.batch_sec' (did you mean 'batch_s'?)"),
        (MINIMAL + "[encoder]\nwidht = 3\n", "'encoder.widht' (did you mean 'width'?)"),
        (MINIMAL + "[optimizer]\nrate = 1\n", "'optimizer' (did you mean 'optimiser'?)"),
        (MINIMAL + "[augment]\nqqqq = 1\n", "unknown key 'augment.qqqq'"),
        ("passes = 3\n", "data"),
        (MINIMAL + '[encoder]\ncell = "gro"\n', "encoder.cell"),
        (MINIMAL + '[optimiser]\nrate = "fast"\n', "optimiser.rate"),
        (MINIMAL + "[optimiser]\nrate = -1.0\n", "optimiser.rate"),
        (MINIMAL + "[optimiser]\nrate = nan\n", "optimiser.rate"),
        (MINIMAL + "[optimiser]\naverage = 1.0\n", "optimiser.average"),
        (MINIMAL + "batch_s = 0\n", "data.batch_s"),
        (MINIMAL + "[augment]\nspeed = 1.5\n", "augment.speed"),
        (MINIMAL + "[augment]\nbabble_share = 3\n", "augment.babble_share"),
        (MINIMAL + "[augment]\nnoise_share = 0.5\n", "need the folders noise and rooms"),
        (MINIMAL + "[level]\nstart_s = 0\n", "level.start_s"),
        (MINIMAL + "[encoder]\nlayers = 0\n", "encoder.layers"),
        (MINIMAL + "[frontend]\nmels = -1\n", "frontend.mels"),
        ("passes = = 3\n", "not TOML"),
        ("x = " + "[" * 5_000, "not TOML"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, text, named):
    """Promise 9."""
    with pytest.raises(ConfigError) as caught:
        load_train_config(written(tmp_path, text))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    """Promise 9."""
    with pytest.raises(ConfigError, match="give a configuration"):
        load_train_config(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="give a configuration"):
        load_train_config(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not TOML"):
        load_train_config(tmp_path / "binary.toml")


def test_changes_from_the_command_line(tmp_path):
    path = written(tmp_path, MINIMAL)
    changes = [
        "passes=7",
        "optimiser.rate=2e-3",
        "optimiser.name=sgd",
        "augment.gain_db=[-6.0, 6.0]",
        'data.train=["a.tsv", "b.tsv"]',
        "data.weights.here=0.5",
        "level.follow=false",
    ]
    config = load_train_config(path, changes)
    assert config.passes == 7
    assert config.optimiser.rate == 2e-3
    assert config.optimiser.name == "sgd"
    assert config.augment.gain_db == (-6.0, 6.0)
    assert config.data.train == ("a.tsv", "b.tsv")
    assert config.data.weights == {"here": 0.5}
    assert config.level.follow is False


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("passes", "write it as key.name=value"),
        ("pases=3", "did you mean 'passes'"),
        ("data.train.x=3", "train is not a table"),
        ("encoder.width=wide", "encoder.width"),
        ("=3", "unknown"),
    ],
)
def test_changes_that_are_refused(tmp_path, change, named):
    with pytest.raises(ConfigError, match=named):
        load_train_config(written(tmp_path, MINIMAL), [change])


def test_a_configuration_survives_its_plain_form():
    config = parse_train_config({"data": {"train": ["a"]}, "augment": {"gain_db": [-3, 3]}})
    assert parse_train_config(msgspec.to_builtins(config)) == config
