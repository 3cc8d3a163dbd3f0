from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from asr_gru.errors import ConfigError
from asr_gru.training.config_file import load_train_config, parse_train_config
from asr_gru.training.renamed_keys import RENAMED

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
        ("epohs = 3\n" + MINIMAL, "unknown key 'epohs' (did you mean 'epochs'?)"),
        (MINIMAL + "batch_sec = 3\n", "unknown key 'data.batch_sec' (did you mean 'batch_s'?)"),
        (MINIMAL + "batch-s = 3\n", "unknown key 'data.batch-s' (did you mean 'batch_s'?)"),
        (MINIMAL + "[encoder]\nwidht = 3\n", "'encoder.widht' (did you mean 'width'?)"),
        (MINIMAL + "[optimizer]\nlearning_rate = 1\n", "'optimizer' (did you mean 'optimiser'?)"),
        (MINIMAL + "[augment]\nqqqq = 1\n", "unknown key 'augment.qqqq'"),
        ("epochs = 3\n", "data"),
        (MINIMAL + '[encoder]\ncell = "gro"\n', "encoder.cell"),
        (MINIMAL + '[optimiser]\nlearning_rate = "fast"\n', "optimiser.learning_rate"),
        (MINIMAL + "[optimiser]\nlearning_rate = -1.0\n", "optimiser.learning_rate"),
        (MINIMAL + "[optimiser]\nlearning_rate = nan\n", "optimiser.learning_rate"),
        (MINIMAL + "[optimiser]\nema = 1.0\n", "optimiser.ema"),
        (MINIMAL + "batch_s = 0\n", "data.batch_s"),
        (MINIMAL + "[augment]\nspeed = 1.5\n", "augment.speed"),
        (MINIMAL + "[augment]\nbabble_prob = 3\n", "augment.babble_prob"),
        (MINIMAL + "[augment]\nnoise_prob = 0.5\n", "need the folders noise and rooms"),
        (MINIMAL + "[augment]\ngain_db = [6.0, -20.0]\n", "augment.gain_db = [6, -20]: write"),
        (MINIMAL + "[augment]\nsnr_db = [30.0, 5.0]\n", "augment.snr_db = [30, 5]: write"),
        (MINIMAL + "[augment]\nsnr_db = [nan, 5.0]\n", "augment.snr_db"),
        (MINIMAL + "longest_s = inf\n", "data.longest_s = inf: write a finite number"),
        (MINIMAL + "weights = { a = inf }\n", "data.weights.a = inf: write a finite number"),
        (MINIMAL + "[optimiser]\nclip = inf\n", "optimiser.clip = inf: write a finite number"),
        (MINIMAL + "[level]\nprior_db = nan\n", "level.prior_db = nan: write a finite number"),
        (MINIMAL + "[frontend]\nwindow_ms = inf\n", "hop_ms <= window_ms"),
        ("seed = 99999999999999999999\n" + MINIMAL, "seed"),
        (MINIMAL + "[level]\nstart_s = 0\n", "level.start_s"),
        (MINIMAL + "[encoder]\nlayers = 0\n", "encoder.layers"),
        (MINIMAL + "[frontend]\nmels = -1\n", "frontend.mels"),
        ("epochs = = 3\n", "not TOML"),
        ("x = " + "[" * 5_000, "not TOML"),
    ],
)
def test_errors_are_one_line(tmp_path, text, named):
    with pytest.raises(ConfigError) as caught:
        load_train_config(written(tmp_path, text))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="give a configuration"):
        load_train_config(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="give a configuration"):
        load_train_config(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8 text; give a configuration in TOML"):
        load_train_config(tmp_path / "binary.toml")


def test_values_can_be_set_on_the_command_line(tmp_path):
    path = written(tmp_path, MINIMAL)
    changes = [
        "epochs=7",
        "optimiser.learning_rate=2e-3",
        "optimiser.name=sgd",
        "augment.gain_db=[-6.0, 6.0]",
        'data.train=["a.tsv", "b.tsv"]',
        "data.weights.here=0.5",
        "level.follow=false",
        "encoder.width = 64",
    ]
    config = load_train_config(path, changes)
    assert config.epochs == 7
    assert config.optimiser.learning_rate == 2e-3
    assert config.optimiser.name == "sgd"
    assert config.augment.gain_db == (-6.0, 6.0)
    assert config.data.train == ("a.tsv", "b.tsv")
    assert config.data.weights == {"here": 0.5}
    assert config.level.follow is False
    assert config.encoder.width == 64


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("epochs", "write it as table.key=value"),
        ("epohs=3", "did you mean 'epochs'"),
        ("data.train.x=3", "train is not a table"),
        ("encoder.width=wide", "encoder.width"),
        ("=3", "unknown"),
    ],
)
def test_invalid_settings_are_refused(tmp_path, change, named):
    with pytest.raises(ConfigError, match=named):
        load_train_config(written(tmp_path, MINIMAL), [change])


def test_configurations_convert_to_plain_values_and_back():
    config = parse_train_config({"data": {"train": ["a"]}, "augment": {"gain_db": [-3, 3]}})
    assert parse_train_config(msgspec.to_builtins(config)) == config


def test_keys_of_earlier_versions_are_read_with_a_notice(tmp_path):
    old = "passes = 3\n" + MINIMAL + "[augment]\nspeed_share = 0.5\n[optimiser]\nrate = 0.5\n"
    messages: list[str] = []
    config = load_train_config(written(tmp_path, old), ["optimiser.average=0.5"], messages.append)
    assert (config.epochs, config.augment.speed_prob) == (3, 0.5)
    assert (config.optimiser.learning_rate, config.optimiser.ema) == (0.5, 0.5)
    (line,) = messages
    for part in ("passes is now epochs", "optimiser.average is now optimiser.ema"):
        assert part in line
    new = load_train_config(written(tmp_path, "epochs = 3\n" + MINIMAL), (), messages.append)
    assert new.epochs == 3
    assert len(messages) == 1
    with pytest.raises(ConfigError, match="passes is now epochs, and both are given"):
        load_train_config(written(tmp_path, "epochs = 3\npasses = 3\n" + MINIMAL))


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_every_new_name_is_a_key_and_no_old_one_is(old, new):
    config = parse_train_config({"data": {"train": ["t"]}})
    for path, is_key in ((old, False), (new, True)):
        *tables, key = path.split(".")
        struct = getattr(config, tables[0]) if tables else config
        assert hasattr(struct, key) is is_key
