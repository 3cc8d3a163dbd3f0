"""docs/own-data.md: the configuration fits the bundled model, and the commands run."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from asr_gru.cli import main
from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.inspection import Limits
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.net_config import NetConfig
from asr_gru.training.config_file import parse_train_config

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
CONFIG = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
BUNDLED = ROOT / "asr_gru" / "models" / "en-small"


def test_the_configuration_has_the_network_of_the_bundled_model():
    config = parse_train_config(tomllib.loads(CONFIG))
    network = msgspec.convert(ModelDirectory.open("en-small").config.network, NetConfig)
    assert config.net.grows_from(network)
    assert config.net.encoder.layers == network.encoder.layers


def test_the_documented_limits_are_the_defaults():
    limits = Limits()
    for text in (
        f"more than {limits.doubt:g} nats per token",
        f"more than {100 * limits.clipped_ratio:g} % of the samples",
        f"below {limits.quietest_db:g} dB",
        f"more than {100 * limits.silent_ratio:g} % silence",
        f"shorter than {limits.shortest_s:g} s or longer than {limits.longest_s:g} s",
    ):
        assert text in PAGE


@pytest.fixture
def own_data_folder(tmp_path, monkeypatch):
    """A folder with the input files of the page's commands, of a few short recordings."""
    spoken = [u for u in read_manifest("audio_samples/samples.tsv") if u.duration_s < 6]
    monkeypatch.chdir(tmp_path)
    for name, some in (
        ("train", spoken[:3]),
        ("dev", spoken[-1:]),
        ("own-train", spoken[:3]),
        ("own-dev", spoken[2:3]),
        ("old-dev", spoken[-1:]),
    ):
        absolute = [Utterance(ROOT / u.path, u.text, u.duration_s, u.speaker or name) for u in some]
        write_manifest(f"{name}.tsv", absolute)
    kaldi = tmp_path / "kaldi" / "data" / "train"
    kaldi.mkdir(parents=True)
    soundfile.write(kaldi / "a.wav", np.full(16_000, 0.1), 16_000)
    (kaldi / "wav.scp").write_text("a a.wav\n")
    (kaldi / "text").write_text("a HELLO\n")
    (tmp_path / "mine.toml").write_text(
        '[data]\ntrain = ["train.tsv"]\n[augment]\nspeed_prob = 1\n'
    )
    (tmp_path / "own.toml").write_text(CONFIG)
    return tmp_path


def test_the_commands_run_in_order(own_data_folder, monkeypatch, capsys):
    kinds = [shlex.split(command)[1] for command in COMMANDS]
    assert {"convert-manifest", "data", "train", "export", "tune", "evaluate"} == set(kinds)
    for command in COMMANDS:
        words = shlex.split(command.replace("MODEL", str(BUNDLED)).replace(" --play", ""))
        if words[1] == "convert-manifest" and Path(words[-1]).exists():
            words.append("--force")
        if words[1] == "train":
            words += ["--set", "epochs=1"]
        if words[1] == "export":
            words += ["--bound", "100"]
        if words[1] == "tune":
            words += ["--rounds", "1", "--parameter", "word_bonus"]
        if words[1] == "convert-manifest" and words[2].startswith("kaldi"):
            words[3] = "converted.tsv"
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert end.value.code == 0, (command, err)
        if words[1] == "train":
            assert "own-dev PER" in err
            assert "old-dev PER" in err
        if words[1] == "evaluate":
            assert "own-dev" in out
            assert "old-dev" in out
            assert "paired bootstrap" in out
    assert (own_data_folder / "distributions.png").exists()
    assert (own_data_folder / "augmented" / "speed.wav").exists()
