import json
from pathlib import Path

import pytest

from asr_gru.backends import load_acoustic_model
from asr_gru.errors import ConfigError, ModelError
from asr_gru.model.config import ModelConfig, TokensConfig
from asr_gru.model.directory import ModelDirectory, write_model_directory
from asr_gru.model.onnx import OnnxAcousticModel

FILES = {"acoustic.onnx": b"not a graph", "tokens.txt": b"<blank>\n<space>\na\n"}
CONFIG = ModelConfig(
    name="tiny",
    sample_rate=16_000,
    frame_samples=640,
    step_samples=2_560,
    tokens=TokensConfig(kind="characters", file="tokens.txt", count=3),
)


@pytest.fixture
def folder(tmp_path):
    return write_model_directory(tmp_path / "tiny", CONFIG, FILES).path


def change(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    config.update(values)
    (folder / "config.json").write_text(json.dumps(config))


def files_of(folder):
    return json.loads((folder / "config.json").read_text())["files"]


def refused(folder):
    with pytest.raises(ModelError) as refusal:
        ModelDirectory.open(folder)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_written_models_are_read_back(folder):
    directory = ModelDirectory.open(folder)
    assert directory.config.name == "tiny"
    assert directory.info.frame_s == 0.04
    assert len(directory.tokenizer()) == 3
    (folder / "README.md").write_text("a word about it")
    ModelDirectory.open(folder)


def test_a_missing_file_is_refused_by_name(folder):
    (folder / "tokens.txt").unlink()
    assert "tokens.txt: missing" in refused(folder)


def test_a_truncated_file_is_refused_by_name(folder):
    (folder / "acoustic.onnx").write_bytes(b"not")
    assert "acoustic.onnx: has 3 bytes" in refused(folder)


def test_an_altered_file_is_refused_by_name(folder):
    (folder / "acoustic.onnx").write_bytes(b"not a grapH")
    assert "acoustic.onnx: altered" in refused(folder)
    ModelDirectory.open(folder, verify=False)


def test_a_file_that_cannot_be_read_is_refused_by_name(folder):
    change(folder, files={"a" * 300: {"sha256": "", "bytes": 1}, **files_of(folder)})
    assert "File name too long" in refused(folder)


def test_an_additional_file_is_refused_by_name(folder):
    (folder / "virus.exe").write_bytes(b"x")
    assert "virus.exe" in refused(folder)


def test_links_are_refused(folder, tmp_path):
    (tmp_path / "elsewhere").write_bytes(FILES["tokens.txt"])
    (folder / "tokens.txt").unlink()
    (folder / "tokens.txt").symlink_to(tmp_path / "elsewhere")
    assert "tokens.txt" in refused(folder)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"temprature": 1.0}, "'temperature'"),
        ({"format": 9}, "format 9; this version reads formats 1 to 2"),
        ({"format": 9, "decoder": {"kind": "grammar"}, "new": 1}, "format 9"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"step_samples": 1000}, "step_samples"),
        ({"files": {}}, "acoustic.onnx"),
        ({"decoder": {"beem": 3}}, "'beam'"),
        ({"decoder": {"beam": 0}}, "beam"),
        ({"frame_samples": 10**15, "step_samples": 10**15}, "60 seconds"),
        ({"lookahead_frames": 10**12}, "60 seconds"),
        ({"time_shift_s": -1e9}, "time_shift_s"),
    ],
)
def test_errors_of_a_configuration_are_explained(folder, values, named):
    change(folder, **values)
    assert named in refused(folder)


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd", "a\\b", ".."])
def test_no_path_leaves_the_folder(folder, name):
    config = json.loads((folder / "config.json").read_text())
    change(folder, files={**config["files"], name: {"sha256": "", "bytes": 0}})
    assert "not a file name" in refused(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff", b" " * 2_000_000])
def test_a_file_that_is_not_a_configuration_is_refused(folder, data):
    (folder / "config.json").write_bytes(data)
    assert "config.json" in refused(folder)


def test_a_folder_that_is_not_a_model_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "is a file" in refused(tmp_path / "file")
    assert "config.json" in refused(tmp_path)
    for name in ("en-smal", "a" * 5_000, "a\0b"):
        with pytest.raises(ModelError, match=r"no model 'a|no model 'en-smal'"):
            ModelDirectory.open(name)


def test_a_file_that_is_not_a_graph_is_refused(folder):
    directory = ModelDirectory.open(folder)
    with pytest.raises(ModelError, match="cannot be loaded"):
        OnnxAcousticModel(directory.acoustic_path, directory.info)
    with pytest.raises(ModelError, match="tpu"):
        load_acoustic_model(directory, device="tpu")
    with pytest.raises(ConfigError, match="'onnx'"):
        load_acoustic_model(directory, backend="onxn")
    with pytest.raises(ModelError, match="--weights"):
        load_acoustic_model(directory, backend="torch")


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(ModelError):
        write_model_directory(tmp_path / "tiny", CONFIG, {"tokens.txt": b"x"})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ModelError, match="not a model directory"):
        write_model_directory(tmp_path / "mine", CONFIG, FILES)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_an_existing_file_of_the_same_name_is_kept(tmp_path):
    (tmp_path / "tiny").write_text("dear")
    with pytest.raises(ModelError, match="is a file"):
        write_model_directory(tmp_path / "tiny", CONFIG, FILES)
    assert (tmp_path / "tiny").read_text() == "dear"


def test_a_model_can_be_written_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path / "tiny")
    assert write_model_directory(".", CONFIG, FILES).path == tmp_path / "tiny"


def test_an_old_model_is_replaced(folder):
    (folder / "README.md").write_text("kept")
    write_model_directory(folder, CONFIG, {**FILES, "acoustic.onnx": b"another"})
    assert (folder / "acoustic.onnx").read_bytes() == b"another"
    assert (folder / "README.md").read_text() == "kept"


def test_an_old_model_stays_if_the_new_one_cannot_take_its_place(folder, monkeypatch):
    replace = Path.replace

    def refuse(source, target):
        if source.parent.name.startswith(".tiny-") and source.name == "tiny":
            raise PermissionError(13, "Permission denied")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        write_model_directory(folder, CONFIG, {**FILES, "acoustic.onnx": b"another"})
    assert (folder / "acoustic.onnx").read_bytes() == FILES["acoustic.onnx"]
    assert list(folder.parent.iterdir()) == [folder]
