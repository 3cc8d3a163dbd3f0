"""The LibriSpeech recipe, with a local server in place of OpenSLR."""

import errno
import hashlib
import http.server
import io
import socket
import tarfile
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import read_manifest
from asr_gru.errors import DataError
from asr_gru.training.recipe import load_recipe
from recipes.librispeech import cost, fetch, parts, prepare


@pytest.fixture
def folder(tmp_path):
    """Two speakers of dev-clean-2, in the layout of the archive."""
    for speaker, chapter in ((84, 121123), (174, 50561)):
        place = tmp_path / "LibriSpeech" / "dev-clean-2" / str(speaker) / str(chapter)
        place.mkdir(parents=True)
        lines = []
        for number in range(2):
            name = f"{speaker}-{chapter}-{number:04}"
            soundfile.write(place / f"{name}.flac", np.zeros(16_000 * (number + 1)), 16_000)
            lines.append(f"{name} GO  DO YOU HEAR IT'S {number}")
        (place / f"{speaker}-{chapter}.trans.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_folder_is_converted_to_a_manifest(folder, capsys):
    assert prepare.main(["--folder", str(folder), "--parts", "dev-clean-2"]) == 0
    assert "4 utterances" in capsys.readouterr().out
    utterances = read_manifest(folder / "dev-clean-2.tsv")
    assert [utterance.duration_s for utterance in utterances] == [1.0, 2.0, 1.0, 2.0]
    assert utterances[0].text == "go do you hear it's 0"
    assert utterances[0].speaker == "174"
    assert all(utterance.path.is_file() for utterance in utterances)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--parts", "dev-clean-3"], "'dev-clean-2'"),
        (["--parts", "test-clean"], "--download"),
    ],
)
def test_missing_folders_are_named(folder, capsys, arguments, named):
    assert prepare.main(["--folder", str(folder), *arguments]) == 1
    err = capsys.readouterr().err
    assert named in err
    assert err.count("\n") == 1


def test_a_missing_recording_is_named(folder):
    (folder / "LibriSpeech/dev-clean-2/84/121123/84-121123-0001.flac").unlink()
    with pytest.raises(DataError, match="84-121123-0001"):
        prepare.read_part(folder, "dev-clean-2")


def test_unreadable_files_are_named(folder, capsys):
    place = folder / "LibriSpeech/dev-clean-2/84/121123"
    (place / "84-121123-0001.flac").write_bytes(b"not flac")
    command = ["--folder", str(folder), "--parts", "dev-clean-2"]
    assert prepare.main(command) == 1
    err = capsys.readouterr().err
    assert "84-121123-0001.flac" in err
    assert f"delete {folder / 'LibriSpeech/dev-clean-2'}" in err
    assert err.count("\n") == 1
    (place / "84-121123.trans.txt").write_bytes(b"84-121123-0000 \xff\n")
    assert prepare.main(command) == 1
    assert "84-121123.trans.txt: not UTF-8" in capsys.readouterr().err
    assert not (folder / "dev-clean-2.tsv").exists()


class _Handler(http.server.BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012
    ranges: list[str | None] = []  # noqa: RUF012
    break_after = 0

    def do_GET(self):
        data = self.files[self.path.rpartition("/")[2]]
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        if type(self).break_after:
            self.wfile.write(data[first : type(self).break_after])
            type(self).break_after = 0
            self.connection.close()
            return
        self.wfile.write(data[first:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    _Handler.files, _Handler.ranges, _Handler.break_after = {}, [], 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def archive(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def test_parts_are_downloaded_unpacked_and_prepared(server, folder, tmp_path, monkeypatch, capsys):
    source = folder / "LibriSpeech"
    members = {
        f"LibriSpeech/{path.relative_to(source).as_posix()}": path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file()
    }
    data = archive(members)
    digest = hashlib.md5(data).hexdigest()  # noqa: S324
    _Handler.files = {
        "dev-clean-2.tar.gz": data,
        "md5sum.txt": f"{digest}  dev-clean-2.tar.gz\n".encode(),
    }
    part = parts.Part(f"{server}/31/dev-clean-2.tar.gz", "", 1.0)
    monkeypatch.setitem(parts.PARTS, "dev-clean-2", part)
    new = tmp_path / "new"
    command = ["--folder", str(new), "--parts", "dev-clean-2", "--download"]
    assert prepare.main(command) == 0, capsys.readouterr().err
    assert len(read_manifest(new / "dev-clean-2.tsv")) == 4


def test_an_archive_is_unpacked_completely_or_not_at_all(server, tmp_path, monkeypatch, capsys):
    inside = "LibriSpeech/dev-clean-2/84/121123/84-121123.trans.txt"
    command = ["--folder", str(tmp_path / "new"), "--parts", "dev-clean-2", "--download"]
    for members in ({inside: b"x", "LibriSpeech/link": None}, {"LibriSpeech/README.TXT": b"x"}):
        data = archive(members)
        _Handler.files = {"dev-clean-2.tar.gz": data}
        digest = hashlib.md5(data).hexdigest()  # noqa: S324
        part = parts.Part(f"{server}/31/dev-clean-2.tar.gz", digest, 1.0)
        monkeypatch.setitem(parts.PARTS, "dev-clean-2", part)
        assert prepare.main(command) == 1
        assert "dev-clean-2.tar.gz" in capsys.readouterr().err
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["dev-clean-2.tar.gz"]


def test_responses_that_are_not_http_are_refused_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"what?\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DataError, match="go on"):
            fetch.download(
                f"http://127.0.0.1:{listening.getsockname()[1]}/a.tar.gz", tmp_path / "a", "0" * 32
            )
        thread.join()


def test_an_interrupted_download_is_resumed(server, tmp_path):
    data = np.random.default_rng(0).bytes(300_000)
    _Handler.files = {"a.tar.gz": data}
    _Handler.break_after = 100_000
    digest = hashlib.md5(data).hexdigest()  # noqa: S324
    with pytest.raises(DataError, match="go on"):
        fetch.download(f"{server}/a.tar.gz", tmp_path / "a.tar.gz", digest)
    assert not (tmp_path / "a.tar.gz").exists()
    fetch.download(f"{server}/a.tar.gz", tmp_path / "a.tar.gz", digest)
    assert (tmp_path / "a.tar.gz").read_bytes() == data
    assert _Handler.ranges[-1].startswith("bytes=")
    count = len(_Handler.ranges)
    fetch.download(f"{server}/a.tar.gz", tmp_path / "a.tar.gz", digest)
    assert len(_Handler.ranges) == count


def test_a_corrupt_archive_is_refused(server, tmp_path):
    _Handler.files = {"a.tar.gz": b"something else"}
    with pytest.raises(DataError, match="MD5"):
        fetch.download(f"{server}/a.tar.gz", tmp_path / "a.tar.gz", "0" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "members",
    [
        {"../out.txt": b"x"},
        {"/out.txt": b"x"},
        {"C:out.txt": b"x"},
        {"link": None},
        {"big": b"x" * 2_000},
    ],
)
def test_malicious_archives_are_refused(tmp_path, members):
    (tmp_path / "a.tar.gz").write_bytes(archive({"fine.txt": b"ok", **members}))
    with pytest.raises(DataError, match=r"a\.tar\.gz"):
        fetch.unpack(tmp_path / "a.tar.gz", tmp_path / "inside", 1_000)
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {"a.tar.gz", "inside"}


def test_files_that_are_not_archives_are_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    whole = archive({"noise.bin": np.random.default_rng(0).bytes(100_000)})
    bent = whole[:5_000] + bytes(90_000) + whole[95_000:]
    for data in (b"no archive", whole[:50_000], bent):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.tar\.gz: damaged .* delete it"):
            fetch.unpack(path, tmp_path / "inside", 200_000)


def test_a_full_disk_is_not_a_damaged_archive(tmp_path, monkeypatch, capsys):
    def fill(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "x.flac")

    data = archive({"LibriSpeech/dev-clean-2/84/121123/84-121123.trans.txt": b"x"})
    (tmp_path / "dev-clean-2.tar.gz").write_bytes(data)
    digest = hashlib.md5(data).hexdigest()  # noqa: S324
    monkeypatch.setitem(parts.PARTS, "dev-clean-2", parts.Part("", digest, 1.0))
    monkeypatch.setattr(fetch.shutil, "copyfileobj", fill)
    command = ["--folder", str(tmp_path), "--parts", "dev-clean-2", "--download"]
    assert prepare.main(command) == 1
    assert capsys.readouterr().err == "error: x.flac: No space left on device\n"
    assert [path.name for path in tmp_path.iterdir()] == ["dev-clean-2.tar.gz"]


def test_an_interrupted_command_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "download", stop)
    command = ["--folder", str(tmp_path), "--parts", "dev-clean", "--download"]
    assert prepare.main(command) == 130
    assert capsys.readouterr().err == "stopped; the same command resumes the download\n"


RECIPES = Path(prepare.__file__).parent


@pytest.mark.parametrize("name", ["mini", "clean100", "full960"])
def test_recipes_are_valid(name):
    stages = {stage.name: stage for stage in load_recipe(RECIPES / f"{name}.toml")}
    assert list(stages) == ["phones", "crf", "teacher", "student", "pieces"]
    for stage in stages.values():
        data = stage.config.data
        wanted = {path.removesuffix(".tsv") for path in (*data.train, *data.validation)}
        assert wanted <= set(parts.PARTS)
    first, crf = stages["phones"].config.net, stages["crf"].config
    for name_of_stage in ("crf", "teacher", "student"):
        stage = stages[name_of_stage]
        assert stage.after == "phones"
        assert stage.config.net.grows_from(first)
    assert stages["student"].config.distillation.teacher == "teacher"
    alone = msgspec.structs.replace(stages["student"].config, distillation=crf.distillation)
    assert alone == crf
    assert stages["pieces"].config.data.tokens == "pieces"
    assert not stages["pieces"].after


def test_costs_grow_with_parameters_audio_and_a_teacher(capsys):
    stages = {stage.name: stage.config for stage in load_recipe(RECIPES / "mini.toml")}
    one = cost.stage_cost(stages["crf"], 100.0, 5.0)
    assert one.audio_h == pytest.approx(stages["crf"].epochs * 5.3)
    assert one.hours == pytest.approx(one.audio_h / 100 * one.parameters / 5)
    assert one.steps == round(3600 * one.audio_h / stages["crf"].data.batch_s / 2)
    taught = cost.stage_cost(stages["student"], 100.0, 5.0, teacher=9.0)
    assert taught.hours - one.hours == pytest.approx(one.audio_h / 100 * 3 / 5)
    both = cost.stage_cost(stages["teacher"], 100.0, 5.0)
    assert 1.8 < both.parameters / one.parameters < 2.0
    command = [str(RECIPES / "mini.toml"), "--speed", "130", "--parameters", "7.4"]
    assert cost.main(command) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2 + len(stages)
    table = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert all(line in table for line in shown)


def test_costs_of_unsupported_recipes_are_refused_in_one_line(tmp_path, capsys):
    options = ["--speed", "130", "--parameters", "7.4"]
    teacher = '[data]\ntrain = ["train-clean-5.tsv"]\n[distillation]\nteacher = "runs/large"\n'
    (tmp_path / "own.toml").write_text('[data]\ntrain = ["own.tsv"]\n')
    (tmp_path / "taught.toml").write_text(teacher)
    for name, reason in (
        ("own.toml", "hours of own are unknown"),
        ("taught.toml", "teacher 'runs/large'"),
        ("nowhere.toml", ""),
    ):
        assert cost.main([str(tmp_path / name), *options]) != 0
        err = capsys.readouterr().err
        assert name in err
        assert reason in err
        assert err.count("\n") == 1
