from pathlib import Path

import pytest

from asr_gru.data.manifest import (
    Utterance,
    check_files,
    name_manifests,
    read_manifest,
    write_manifest,
)
from asr_gru.errors import DataError
from tests.data.manifests import write_lines


def write(tmp_path, text):
    path = tmp_path / "list.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_written_manifests_are_read_back(tmp_path):
    said = [Utterance(tmp_path / "a" / "b.wav", 'the "cat"', 1.5, "s1", "mine", 'The "cat".')]
    write_manifest(tmp_path / "list.tsv", said)
    assert read_manifest(tmp_path / "list.tsv") == said


def test_columns_may_be_in_any_order_and_unknown_ones_are_ignored(tmp_path):
    path = write(tmp_path, "text\tcolour\tpath\r\nhello\tred\tx.wav\r\n")
    (utterance,) = read_manifest(path)
    assert (utterance.text, utterance.path) == ("hello", tmp_path / "x.wav")
    (moved,) = read_manifest(path, root="/elsewhere")
    assert moved.path.as_posix() == "/elsewhere/x.wav"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("path\tspeaker\nx.wav\ts\n", "text"),
        ("", "path and text"),
        ("path\ttext\nx.wav\n", ":2"),
        ("path\ttext\tduration_s\nx.wav\thi\tlong\n", "long"),
        ("path\ttext\tduration_s\nx.wav\thi\tinf\n", "inf"),
        ("path\ttext\n\thi\n", ":2"),
        (b"path\ttext\nx.wav\t\xff\n", "UTF-8"),
        ("path\ttext\ttext\nx.wav\thi\tho\n", "two columns 'text'"),
        ("path\ttext\nx.wav\t" + "x" * 1_500_000 + "\n", ":2: longer"),
        # if cut at the limit, the rest would be read as another line
        ("path\ttext\nx.wav\t" + "x" * 999_994 + "y.wav\thi\n", ":2: longer"),
        ("path\ttext\t" + "x" * 1_500_000 + "\nx.wav\thi\tho\n", ":1: longer"),
    ],
)
def test_invalid_manifests_are_refused_with_the_line(tmp_path, text, named):
    with pytest.raises(DataError, match=named):
        read_manifest(write(tmp_path, text))


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.tsv"):
        read_manifest(tmp_path / "none.tsv")


def test_missing_recordings_are_named_and_counted(tmp_path):
    path = write(tmp_path, "path\ttext\na.wav\thi\nb.wav\tho\n")
    with pytest.raises(DataError, match=r"a\.wav, .*b\.wav: named"):
        check_files(read_manifest(path))


def test_a_byte_order_mark_is_skipped(tmp_path):
    (utterance,) = read_manifest(write(tmp_path, "\ufeffpath\ttext\nx.wav\thi\n"))
    assert utterance.text == "hi"


def test_an_invalid_file_name_is_a_missing_recording(tmp_path):
    path = write(tmp_path, f"path\ttext\n{'a' * 5_000}\thi\n")
    with pytest.raises(DataError, match="not there"):
        check_files(read_manifest(path))


def test_relative_paths_are_rewritten_for_a_manifest_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").touch()
    for name in ("lists/m.tsv", "m.tsv", "clips/m.tsv"):
        write_manifest(name, [Utterance(Path("clips/a.wav"), "hi")])
        check_files(read_manifest(name))
    assert "\nclips/a.wav\t" in (tmp_path / "m.tsv").read_text()


@pytest.mark.parametrize("name", ["here.tsv", "here.jsonl"])
def test_a_manifest_of_a_neighbouring_folder_can_be_read_back(tmp_path, monkeypatch, name):
    for folder in ("data", "work"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data" / "a.wav").touch()
    (tmp_path / "data" / "list.tsv").write_text("path\ttext\na.wav\thi\n")
    monkeypatch.chdir(tmp_path / "work")
    write_manifest(name, read_manifest("../data/list.tsv"))
    (found,) = read_manifest(name)
    assert found.path.samefile(tmp_path / "data" / "a.wav")


def test_a_tab_in_a_text_is_refused(tmp_path):
    with pytest.raises(DataError, match="tab"):
        write_manifest(tmp_path / "list.tsv", [Utterance(tmp_path / "a.wav", "a\tb")])
    assert not (tmp_path / "list.tsv").exists()


def test_paths_outside_the_folder_are_refused(tmp_path):
    write_lines(tmp_path / "list.tsv", "path\ttext", "../a.wav\thi")
    with pytest.raises(DataError, match="outside"):
        read_manifest(tmp_path / "list.tsv")


def test_missing_recordings_are_listed_up_to_a_limit(tmp_path):
    missing = [Utterance(tmp_path / f"{n}.wav", "a") for n in range(8)]
    with pytest.raises(DataError, match=r"0\.wav, .*4\.wav and 3 more: named in the manifest"):
        check_files(missing)


def test_manifests_have_distinct_names(tmp_path):
    assert name_manifests(["a/dev.tsv", "b/test.jsonl.gz"]) == ["dev", "test"]
    names = name_manifests(["a/x/dev.tsv", "b/x/dev.tsv", "a/y/dev.tsv", "b/c.tsv"])
    assert names == ["a/x/dev", "b/x/dev", "y/dev", "c"]
    (tmp_path / "v1.2").mkdir()
    assert name_manifests([tmp_path / "v1.2"]) == ["v1.2"]
    assert name_manifests(["dev.tsv", "dev.jsonl"]) == ["dev.tsv", "dev.jsonl"]
    assert name_manifests(["a/dev.tsv", "a/dev.tsv", "b/dev.tsv"]) == ["a/dev", "a/dev", "b/dev"]
