"""An archive on a local cluster of two workers: the texts of ``asr-gru transcribe``, each once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest
import ray

from asr_gru.data.manifest import Utterance, write_manifest
from asr_gru.errors import DataError, Error
from recipes.archive import cluster as cluster_module
from recipes.archive import worker
from recipes.archive.__main__ import main
from recipes.archive.cluster import transcribe_parts
from recipes.archive.parts import OutputFolder, Part, plan_parts
from recipes.archive.sources import ArchiveRecording, list_recordings
from recipes.archive.worker import PartTranscriber, Settings

SAMPLES = Path(__file__).parents[2] / "audio_samples"
SAMPLE = SAMPLES / "read.flac"
NAMES = ("accent.opus", "read.flac", "stereo.flac", "synthetic.wav", "telephone.wav")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number in range(2):
        (folder / str(number)).mkdir()
        for name in NAMES:
            shutil.copy(SAMPLES / name, folder / str(number) / name)
    (folder / "damaged.wav").write_bytes(b"no recording")
    return folder


@pytest.fixture(scope="module")
def expected(archive) -> dict[str, str]:
    """Return the text of each recording as ``asr-gru transcribe`` prints it."""
    paths = [str(path) for path in sorted(archive.glob("*/*"))]
    command = [sys.executable, "-m", "asr_gru", "transcribe", "--format", "json", *paths]
    project = str(SAMPLES.parent)
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    return dict(zip(paths, texts, strict=True))


@pytest.fixture(scope="module")
def cluster():
    """Connect to a cluster of this machine with room for two workers.

    Ray gives each of its processes 15 s to start, which a machine with other work may not meet.
    """
    for _ in range(3):
        try:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        except Exception as error:  # noqa: BLE001 - which Ray raises itself
            ray.shutdown()
            reason = str(error)
        else:
            yield
            ray.shutdown()
            return
    pytest.skip(f"Ray does not start: {reason}")


def check(output: OutputFolder, expected: dict[str, str], archive: Path) -> None:
    rows = list(output.rows())
    assert {row["path"]: row["text"] for row in rows if row["error"] is None} == expected
    failed = [row["path"] for row in rows if row["error"] is not None]
    assert failed == [str(archive / "damaged.wav")]
    assert len(rows) == len(expected) + 1


def test_the_command_writes_each_recording_once(
    archive, expected, cluster, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(archive)
    out = tmp_path / "out"
    arguments = [".", str(out), "--actors", "2", "--part-size", "3"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "11 recordings, 0 finished; 4 parts" in printed
    assert "\n1 recording could not be read" in printed
    check(OutputFolder(str(out), "jsonl"), expected, archive)

    assert main([*arguments[:2], "--part-size", "2"]) == 0  # other parts, and nothing to do
    assert capsys.readouterr().out == "11 recordings, 11 finished; 0 parts\n"
    assert main([*arguments[:2], "--format", "parquet"]) == 1
    assert "holds parts in jsonl" in capsys.readouterr().err


def test_a_killed_worker_and_a_stopped_run_lose_nothing(archive, expected, cluster, tmp_path):
    """A bucket in Parquet: a run is stopped, goes on, and then loses a worker."""
    output = OutputFolder(f"file://{tmp_path}", "parquet")
    settings = Settings(output.url, "parquet", "en-small", 2)
    recordings = list_recordings(f"file://{archive}")
    parts = plan_parts(recordings, output.finished(), 1)
    assert len(parts) == 11
    running = transcribe_parts(parts, settings, 2)
    next(running)
    next(running)
    running.close()

    finished = output.finished()
    rest = plan_parts(recordings, finished, 1)
    assert 2 <= len(finished) == 11 - len(rest)
    running = transcribe_parts(rest, settings, 2)
    first = next(running)
    os.kill(first["pid"], signal.SIGKILL)
    later = list(running)
    assert len(later) == len(rest) - 1
    local = {f"file://{path}": text for path, text in expected.items()}
    rows = list(output.rows())
    assert {row["path"]: row["text"] for row in rows if row["error"] is None} == local
    (damaged,) = (row for row in rows if row["error"] is not None)
    assert damaged["error"].startswith(f"file://{archive / 'damaged.wav'}: ")
    assert len(rows) == 11


def test_segments_lists_and_unreachable_recordings(archive, tmp_path):
    recording = archive / "0" / "read.flac"
    parts = [
        Utterance(recording, "", start_s=0.0, duration_s=1.2),
        Utterance(recording, "", start_s=1.2, duration_s=1.2),
    ]
    write_manifest(tmp_path / "parts.tsv", [*parts, parts[0]])
    assert [one.start_s for one in list_recordings(str(tmp_path / "parts.tsv"))] == [0.0, 1.2]
    write_manifest(tmp_path / "two.tsv", [*parts, replace(parts[0], duration_s=0.8)])
    with pytest.raises(DataError, match=r"two segments of .*read\.flac begin at 0\.0 s; keep one"):
        list_recordings(str(tmp_path / "two.tsv"))

    gone = f"file://{tmp_path}/gone.wav"
    (tmp_path / "names.txt").write_text(f"{recording}\n\n{gone}\n")
    listed = list_recordings(str(tmp_path / "names.txt"))
    assert {one.path for one in listed} == {str(recording), gone}
    output = OutputFolder(str(tmp_path / "out"), "jsonl")
    work = PartTranscriber(Settings(output.url, "jsonl", "en-small", 4))
    segments = list_recordings(str(tmp_path / "parts.tsv"))
    done = work({"recordings": [one.to_dict() for one in (*listed, *segments)]})
    assert (done["recordings"], done["unreadable"]) == (3, 0)
    assert [line.split(": ")[0] for line in done["unreachable"]] == [gone]
    assert output.finished() == {
        (str(recording), None),
        (str(recording), 0.0),
        (str(recording), 1.2),
    }
    assert sorted(row["duration_s"] for row in output.rows()) == [1.2, 1.2, 2.54]


def test_errors_that_are_not_of_the_system_are_one_line_too(tmp_path, monkeypatch):
    """Without credentials, S3 raises exceptions that are no ``OSError``."""

    class NoCredentialsError(Exception):
        pass

    class Bucket(fsspec.AbstractFileSystem):  # type: ignore[misc]
        protocol = "locked"
        cachable = False

        def ls(self, path, detail=True, **_options):
            raise NoCredentialsError("Unable to locate\ncredentials")

        def get_file(self, *_arguments, **_options):
            raise NoCredentialsError

    fsspec.register_implementation("locked", Bucket, clobber=True)
    for call in (list_recordings, lambda url: OutputFolder(url, "jsonl")):
        with pytest.raises(DataError, match=r"^locked://b: Unable to locate credentials$"):
            call("locked://b")
    monkeypatch.setattr(worker, "PAUSE_S", 0.0)
    work = PartTranscriber(Settings(str(tmp_path), "jsonl", "en-small", 4))
    done = work({"recordings": [ArchiveRecording("locked://b/a.wav").to_dict()]})
    assert done["unreachable"] == ["locked://b/a.wav: NoCredentialsError"]
    assert not [*tmp_path.iterdir()]


def test_finished_parts_are_found_in_a_folder_with_brackets(tmp_path):
    output = OutputFolder(str(tmp_path / "talks [2024]"), "jsonl")
    part = Part((ArchiveRecording("a.wav"),))
    row = dict.fromkeys(("duration_s", "text", "segments", "start_s"))
    output.write(part, [{"path": "a.wav", "error": "not a recording", **row}])
    assert output.finished() == {("a.wav", None)}
    with pytest.raises(DataError, match="holds parts in jsonl"):
        OutputFolder(str(tmp_path / "talks [2024]"), "parquet")


def test_a_ray_that_does_not_start_is_one_line(monkeypatch):
    def fail(*_arguments, **_options):
        raise Exception("The current node\ntimed out")  # noqa: TRY002 - as Ray does

    monkeypatch.setattr(cluster_module.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster_module.ray, "init", fail)
    with pytest.raises(Error, match=r"^Ray does not start: The current node timed out; run"):
        cluster_module.connect(None)
    with pytest.raises(Error, match=r"^--address auto: The current node timed out; start one"):
        cluster_module.connect("auto")


def test_a_bucket_has_no_hidden_recordings_either():
    files = fsspec.filesystem("memory")
    for name in ("a.wav", "._a.wav", ".trash/old.wav", "b/c.FLAC", "b/notes.txt"):
        files.pipe(f"/.hidden/{name}", b"")
    found = [one.path for one in list_recordings("memory://.hidden")]
    assert found == ["memory:///.hidden/a.wav", "memory:///.hidden/b/c.FLAC"]
    assert [one.path for one in list_recordings(found[0])] == found[:1]


def test_a_name_in_a_list_may_have_any_letter_but_the_end_of_its_line(tmp_path):
    table = tmp_path / "list.txt"
    table.write_text("a\u2028b.wav\r\nc.wav\n", encoding="utf-8", newline="")
    assert [Path(one.path).name for one in list_recordings(str(table))] == ["a\u2028b.wav", "c.wav"]


def test_a_signed_address_is_fetched_under_a_short_name(tmp_path, monkeypatch):
    monkeypatch.setattr(
        worker.fsspec.core, "url_to_fs", lambda url: (SimpleNamespace(get_file=shutil.copy), SAMPLE)
    )
    signed = ArchiveRecording(f"https://host/a.flac?signature={'x.y' * 200}")
    assert worker._fetch(signed, tmp_path / "0") == tmp_path / "0.flac"


@pytest.mark.parametrize("option", ["--actors", "--batch-size", "--part-size"])
def test_numbers_below_one_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        main([".", "out", option, "0"])
    assert "'0' is not a whole number from 1" in capsys.readouterr().err


def test_a_part_is_named_by_its_recordings():
    one, other = ArchiveRecording("a.wav"), ArchiveRecording("a.wav", 0.0, 1.0)
    assert Part((one,)).name == Part((one,)).name != Part((other,)).name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.tsv", "out"], "missing.tsv"),
        (["nowhere://bucket", "out"], "nowhere"),
        ([".", "out"], "no recordings in this folder"),
        (["empty.txt", "out"], "names no recording"),
        ([".", "out", "--model", "en-smal"], "en-smal"),
        (["one.txt", "out", "--address", "localhost:1"], "--address localhost:1"),
        (["one.txt", "damaged"], "delete it"),
        (["one.txt", "one.txt"], "one.txt: a file; give a folder"),
    ],
)
def test_wrong_input_is_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("\n")
    Path("one.txt").write_text("a.wav\n")
    Path("damaged").mkdir()
    Path("damaged/part-0.jsonl").write_text('{"path": "a')
    assert main(arguments) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_a_missing_extra_is_one_line(tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("recipes.archive.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([str(tmp_path), "out"]) == 2
    assert "ray is not installed; run: pip install '.[archive]'" in capsys.readouterr().err
