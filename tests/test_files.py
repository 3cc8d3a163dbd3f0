import io
import os
import threading

import pytest

from asr_gru.errors import ConfigError, DataError
from asr_gru.files import read_text, replace_file, write_bytes


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    with replace_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), OSError(28, "full")])
def test_a_failed_write_leaves_only_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def write():
        with replace_file(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_reported_with_the_name_of_the_file(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_bytes(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_reported_with_the_name_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_bytes(tmp_path / "no" / "a.txt", b"new")
    assert caught.value.filename == str(tmp_path / "no" / "a.txt")


def test_a_name_of_maximum_length_can_be_written(tmp_path):
    path = tmp_path / ("ä" * 127)
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a.txt", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_file_can_be_private_to_its_owner(tmp_path):
    write_bytes(tmp_path / "key.pem", b"secret", mode=0o600)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


def test_unreadable_text_is_refused_in_one_line_with_a_remedy(tmp_path):
    path = tmp_path / "a.toml"
    with pytest.raises(DataError, match=r"a\.toml: No such file or directory; give a list"):
        read_text(path, "give a list")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"a\.toml: not UTF-8 text; give a list"):
        read_text(path, "give a list", ConfigError)
    path.write_text("größe", encoding="utf-8")
    assert read_text(path, "give a list") == "größe"


def test_byte_order_marks_and_any_line_ends_are_accepted(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\ntwo\rthree\n".encode())
    assert read_text(path, "give a list") == "one\ntwo\nthree\n"


def test_an_endless_text_is_not_read_into_memory():
    with pytest.raises(DataError, match=r"/dev/zero: longer than 1000 characters; give a list"):
        read_text("/dev/zero", "give a list", max_characters=1000)


@pytest.mark.parametrize("name", ["nothing.txt", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match="; give a list"):
        read_text(tmp_path / name, "give a list", ConfigError)


def test_standard_input_can_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("café".encode())))
    with pytest.raises(DataError, match="-: No such file"):
        read_text("-", "give a list")
    assert read_text("-", "give a list", stdin=True) == "café"


def test_devices_and_pipes_are_written_to_and_links_are_followed(tmp_path):
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"new")
    reader.join(10)
    assert read == [b"new"]
    assert pipe.is_fifo()
    with pytest.raises(OSError, match="No space left") as caught:
        write_bytes("/dev/full", b"new")
    assert caught.value.filename == "/dev/full"
    link.symlink_to(target)
    for data in (b"old", b"new"):
        write_bytes(link, data)
        assert (link.is_symlink(), target.read_bytes()) == (True, data)


def test_threads_can_write_the_same_file(tmp_path):
    path = tmp_path / "a.txt"
    with replace_file(path) as first:
        first.write(b"first")
        write_bytes(path, b"second")
    assert path.read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
