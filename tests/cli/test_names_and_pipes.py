"""Names of recordings and transcripts, standard input and pipes."""

import errno
import json
import ntpath
import os
import resource
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from asr_gru.audio import find_recordings
from asr_gru.cli import outputs
from asr_gru.cli.outputs import name_outputs
from asr_gru.errors import AudioError

RATE = 16_000


@pytest.fixture
def noise():
    return np.random.default_rng(0).standard_normal(2 * RATE) * 0.1


def transcribe(*arguments, **rest):
    command = [sys.executable, "-m", "asr_gru", "transcribe", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, **rest)


def test_a_file_name_that_is_not_utf_8_is_transcribed_like_others(model, tmp_path, noise):
    folder = tmp_path / "talks"
    folder.mkdir()
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"))
    for path in (odd, folder / "z.wav"):
        with path.open("wb") as file:
            soundfile.write(file, noise, RATE, format="WAV")
    (folder / os.fsdecode(b"\xff.wav")).write_bytes(b"nothing" * 9)
    printed = transcribe("--model", model, folder)
    assert printed.returncode == 1
    assert printed.stdout.count(b"# ") == 2
    assert b"/caf\xe9.wav\n" in printed.stdout
    assert printed.stderr.count(b"\n") == 1
    lines = transcribe("--model", model, "--format", "json", folder).stdout.splitlines()
    assert {json.loads(line)["name"][-5:] for line in lines} == {"\ufffd.wav", "z.wav"}
    out = tmp_path / "out"
    transcribe("--model", model, "--format", "json", "--format", "ctm", "--output-dir", out, folder)
    assert out / os.fsdecode(b"caf\xe9.json") in out.iterdir()
    assert len(list(out.iterdir())) == 4


def test_a_locale_that_lacks_a_letter_does_not_stop_the_transcription(model, tmp_path, noise):
    names = ["t\xfcr.wav", os.fsdecode(b"\xff.wav")]
    for name in names:
        with (tmp_path / name).open("wb") as file:
            soundfile.write(file, noise, RATE, format="WAV")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    printed = transcribe("--model", model, *names, cwd=tmp_path, env=environment)
    assert (printed.returncode, printed.stderr) == (0, b"")
    assert [line for line in printed.stdout.splitlines() if line.startswith(b"# ")] == [
        b"# t?r.wav",
        b"# \xff.wav",
    ]


def test_commands_run_without_standard_streams(model, tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    closing = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    command = [sys.executable, "-m", "asr_gru", "transcribe", "--model", str(model), "a.wav"]
    for options in ([], ["--output-dir", "out"]):
        done = subprocess.run([*closing, *command, *options], cwd=tmp_path, timeout=120)
        assert done.returncode == 0
    assert (tmp_path / "out" / "a.txt").exists()


def test_json_of_several_recordings_is_one_line_each(run, model, tmp_path, noise):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, noise, RATE)
    result = run("transcribe", "--model", model, "--format", "json", tmp_path)
    names = [json.loads(line)["name"] for line in result.out.splitlines()]
    assert names == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]
    for form in ("srt", "vtt", "tsv", "TextGrid"):
        refused = run("transcribe", "--model", model, "--format", form, tmp_path)
        assert (refused.status, refused.out) == (2, "")
        assert "--output-dir" in refused.err


@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_standard_input_and_pipes_are_read(model, tmp_path, noise, options):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    soundfile.write(tmp_path / "a.flac", noise, RATE)
    expected = transcribe("--model", model, tmp_path / "a.wav").stdout
    assert expected.strip()
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cp", tmp_path / "a.flac", tmp_path / "pipe"]):
        arguments = ["--model", model, *options, "-", tmp_path / "pipe"]
        both = transcribe(*arguments, input=(tmp_path / "a.wav").read_bytes())
    assert (both.returncode, both.stderr) == (0, b"")
    assert both.stdout == b"# -\n" + expected + f"# {tmp_path}/pipe\n".encode() + expected
    with (tmp_path / "a.wav").open("rb") as file:
        assert transcribe("--model", model, "-", stdin=file).stdout == expected
    out = tmp_path / "out"
    data = (tmp_path / "a.wav").read_bytes()
    assert transcribe("--model", model, "--output-dir", out, "-", input=data).returncode == 0
    assert (out / "stdin.txt").read_bytes() == expected
    empty = transcribe("--model", model, "-", stdin=subprocess.DEVNULL)
    assert empty.returncode == 1
    assert empty.stderr.count(b"\n") == 1


def test_raw_pcm_is_transcribed_with_its_rate(run, model, tmp_path, noise):
    sound = (noise * 20_000).astype("<i2")
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    expected = run("transcribe", "--model", model, tmp_path / "a.wav").out
    sound.tofile(tmp_path / "a.raw")
    raw = ["transcribe", "--model", model, "--raw-rate", RATE]
    assert run(*raw, tmp_path / "a.raw").out == expected
    np.stack([sound, sound], 1).astype(">i2").tofile(tmp_path / "b.raw")
    stereo = ["--raw-format", "s16be", "--raw-channels", 2]
    assert run(*raw, *stereo, tmp_path / "b.raw").out == expected
    for wrong in ([*raw, "--raw-format", "s16"], [*raw, "--raw-channels", "0"], [*raw[:-1], "5"]):
        result = run(*wrong, tmp_path / "a.raw")
        assert result.status in (1, 2)
        assert result.err.count("\n") == 1
    result = run("transcribe", "--raw-format", "u8", tmp_path / "a.raw")
    assert (result.status, "--raw-rate" in result.err) == (2, True)


def test_an_empty_name_is_refused(run, model, monkeypatch, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    monkeypatch.chdir(tmp_path)  # "" must not mean "."
    result = run("transcribe", "--model", model, "")
    assert (result.status, result.out) == (1, "")
    assert "empty name" in result.err


def test_invalid_file_names_are_refused(run, model):
    for name in ("x" * 5000 + ".wav", "a/" * 3000):
        result = run("transcribe", "--model", model, name)
        assert (result.status, result.out, result.err.count("\n")) == (1, "", 1)


def test_folders_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    (tmp_path / "secret").mkdir()
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE)
    scan = os.scandir

    def refuse(path):
        if Path(path).name == "secret":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for folder in (tmp_path, tmp_path / "secret"):
        with pytest.raises(AudioError, match="secret: Permission denied; name a recording"):
            find_recordings([folder])


def test_recordings_of_equal_names_are_told_apart_in_ctm(run, model, tmp_path, noise):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "s.wav", noise, RATE)
    result = run("transcribe", "--model", model, "--format", "ctm", tmp_path / "x", tmp_path / "y")
    assert result.status == 0, result.err
    assert {line.split()[0] for line in result.out.splitlines()} == {"x/s", "y/s"}


def test_linked_folders_are_searched_once(tmp_path):
    real = tmp_path / "elsewhere"
    real.mkdir()
    soundfile.write(real / "a.wav", np.zeros(100), RATE)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(real)
    (folder / "again").symlink_to(folder)
    (real / "circle").symlink_to(folder)
    assert find_recordings([folder]) == [folder / "link" / "a.wav"]
    (folder / "link").unlink()
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="no recordings"):
        find_recordings([folder])


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.wav", "b.wav"], ["a", "b"]),
        (["a.wav", "a.mp3"], ["a.wav", "a.mp3"]),
        (["x/a.wav", "y/a.wav", "b.wav"], ["x/a", "y/a", "b"]),
        (["x/a.wav", "y/z/a.wav", "y/z/a.mp3"], ["x/a", "y/z/a.wav", "y/z/a.mp3"]),
        (["x/a.wav", "x/y/a.wav"], ["a", "y/a"]),
        (["a.wav", "A.wav"], ["a.wav", "A.wav-2"]),
        (["a.b.wav", "a.b.mp3", "-"], ["a.b.wav", "a.b.mp3", "stdin"]),
        (["a.partial.wav", "a.wav", "b.partial.wav"], ["a.partial-2", "a", "b.partial"]),
    ],
)
def test_transcripts_have_unique_names(paths, names):
    assert [str(name) for name in name_outputs(list(map(Path, paths)))] == names


def test_recordings_of_equal_names_may_be_on_several_drives(monkeypatch):
    monkeypatch.setattr(outputs, "os", SimpleNamespace(path=ntpath))
    monkeypatch.setattr(outputs, "Path", PureWindowsPath)
    paths = [PureWindowsPath(name) for name in (r"C:\x\a.wav", r"D:\x\a.wav", r"D:\b.wav")]
    assert [str(name) for name in name_outputs(paths)] == ["a.wav", "a.wav-2", "b"]  # type: ignore[arg-type]


def test_recordings_of_equal_names_get_separate_files(run, model, tmp_path, noise):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", noise, RATE)
    out = tmp_path / "out"
    folders = [tmp_path / "x", tmp_path / "y"]
    assert run("transcribe", "--model", model, "--output-dir", out, *folders).status == 0
    assert (out / "x" / "a.txt").read_text() == (out / "y" / "a.txt").read_text()
    alone = run("transcribe", "--model", model, folders[0] / "a.wav", folders[0])
    assert "#" not in alone.out  # given twice, transcribed once


def test_a_recording_named_like_an_unfinished_transcript_keeps_its_own(run, model, tmp_path, noise):
    for name in ("talk.partial.wav", "talk.wav"):
        soundfile.write(tmp_path / name, noise, RATE)
    out = tmp_path / "out"
    result = run("transcribe", "--model", model, "--output-dir", out, tmp_path)
    assert result.status == 0, result.err
    assert sorted(path.name for path in out.iterdir()) == ["talk.partial-2.txt", "talk.txt"]


def test_what_was_saved_is_kept_if_the_transcript_cannot_be_written(
    run, model, tmp_path, noise, monkeypatch
):
    monkeypatch.setattr(outputs, "SAVE_INTERVAL_S", 0.0)
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    out = tmp_path / "out"
    (out / "a.txt").mkdir(parents=True)
    forms = ["--format", "txt", "--format", "json"]
    result = run("transcribe", "--model", model, *forms, "--output-dir", out, tmp_path / "a.wav")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert sorted(path.name for path in out.iterdir()) == ["a.json", "a.partial.txt", "a.txt"]
    assert (out / "a.partial.txt").read_text(encoding="utf-8").strip()


def test_output_names_are_made_in_linear_time():
    """Operations are counted, not timed: each name is used a fixed number of times."""
    calls = 0

    class Counted(type(Path())):  # type: ignore[misc]
        @property
        def stem(self):
            nonlocal calls
            calls += 1
            return super().stem

    paths = [Counted(f"folder{number % 7}/{number // 2}.wav") for number in range(2000)]
    names = name_outputs(paths)
    assert len({str(name) for name in names}) == 2000
    assert calls <= 4000


@pytest.mark.parametrize("what", ["a file", "below a file", "read-only"])
def test_an_unwritable_output_folder_is_refused_before_transcription(
    run, model, tmp_path, noise, what, monkeypatch
):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    (tmp_path / "file").write_text("x")
    out = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "out"}.get(what)
    if what == "read-only":
        out = Path("/proc/sys/out")
    monkeypatch.setattr(
        "asr_gru.cli.transcribe.transcribe_here", lambda *_: pytest.fail("began to transcribe")
    )
    result = run("transcribe", "--model", model, "--output-dir", out, tmp_path / "a.wav")
    assert (result.status, result.out, result.err.count("\n")) == (1, "", 1)
    assert str(out) in result.err


def test_a_full_disk_is_reported_and_finished_transcripts_are_complete(model, tmp_path, noise):
    """A full disk is simulated by a limit on file sizes, which long transcripts exceed."""
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    soundfile.write(tmp_path / "b.wav", np.tile(noise, 300), RATE)
    soundfile.write(tmp_path / "c.wav", noise, RATE)
    out = tmp_path / "out"
    files = [tmp_path / f"{name}.wav" for name in "abc"]
    done = transcribe(
        *("--model", model, "--format", "json", "--output-dir", out, *files),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000)),
    )
    assert done.returncode == 1
    errors = done.stderr.decode().replace("b.partial.json", "b.json")  # a slow machine has saved it
    assert errors == f"asr-gru: {out / 'b.json'}: File too large\n"
    assert [path.name for path in out.iterdir()] == ["a.json"]
    assert json.loads((out / "a.json").read_text())["text"]


def test_a_full_standard_output_is_reported(model, tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "asr_gru", "transcribe", "--model", model]
        done = subprocess.run(
            [*command, tmp_path / "a.wav"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "asr-gru: standard output: No space left on device\n"


def test_decoders_print_nothing_to_standard_error(tmp_path, model):
    """mpg123 writes to standard error itself, even about intact files."""
    time = np.arange(6 * RATE) / RATE
    sound = np.sin(2800 * time) * np.linspace(0, 0.3, len(time))
    path = tmp_path / "a.mp3"
    soundfile.write(path, sound, RATE, bitrate_mode="VARIABLE", compression_level=0.5)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(500) + data[len(data) // 2 + 37 :])
    done = transcribe("--model", model, path)
    assert done.returncode == 0
    assert all(line.startswith(b"asr-gru: ") for line in done.stderr.splitlines()), done.stderr
