import gc
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.audio import find_recordings, open_recording, opening, read_recording
from asr_gru.audio.containers import read_layout
from asr_gru.errors import AudioError

RATE = 16_000


def tone(seconds=1.0, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(
        "float32"
    )


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"),
        ("a.wav", "FLOAT"),
        ("a.wav", "ULAW"),
        ("a.flac", "PCM_24"),
        ("a.aiff", "PCM_16"),
        ("a.ogg", "VORBIS"),
        ("a.mp3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_read(tmp_path, name, subtype, channels):
    rate = 44_100 if name.endswith("mp3") else 22_050
    samples = tone(1.0, rate)
    soundfile.write(tmp_path / name, np.stack([samples] * channels, 1), rate, subtype)
    read = read_recording(tmp_path / name, RATE)
    assert abs(len(read) - RATE) < RATE * 0.1
    middle = read[RATE // 4 : RATE // 2]
    assert abs(np.sqrt(np.mean(middle**2)) - 0.3 / np.sqrt(2)) < 0.02


def test_opus_is_read(tmp_path):
    soundfile.write(tmp_path / "a.opus", tone(), RATE, format="OGG", subtype="OPUS")
    assert abs(len(read_recording(tmp_path / "a.opus", RATE)) - RATE) < 500


def test_blocks_add_up_to_the_recording(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(2.0), RATE)
    with open_recording(tmp_path / "a.flac") as recording:
        assert (recording.sample_rate, recording.channels, recording.duration_s) == (RATE, 1, 2.0)
        blocks = np.concatenate(list(recording.blocks(0.3)))
    np.testing.assert_array_equal(blocks, soundfile.read(tmp_path / "a.flac", dtype="float32")[0])


def test_bad_inputs_are_refused_with_their_name(bad_inputs, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for what, path in bad_inputs.items():
        with pytest.raises(AudioError) as refusal:
            read_recording(find_recordings([path])[0], RATE)
        assert str(path) in str(refusal.value), what
        assert "\n" not in str(refusal.value), what


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff"])
def test_a_truncated_recording_is_read_to_its_end(tmp_path, name):
    random = np.random.default_rng(0).standard_normal(4 * RATE).astype("float32") * 0.1
    soundfile.write(tmp_path / name, random, RATE)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with open_recording(tmp_path / name) as recording:
        read = np.concatenate(list(recording.blocks()))
    assert 1.5 * RATE < len(read) < 2.5 * RATE
    assert len(recording.warnings) == (1 if name.endswith("flac") else len(recording.warnings))


def test_a_header_without_samples_is_an_empty_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0, "float32"), RATE)
    assert len(read_recording(tmp_path / "a.wav", 8000)) == 0


def test_folders_are_searched_for_recordings(tmp_path):
    for name in ("b/two.flac", "a/one.wav", ".hidden/no.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, tone(0.1), RATE)
    (tmp_path / "a" / "notes.txt").write_text("x")
    found = find_recordings([tmp_path])
    assert [path.name for path in found] == ["one.wav", "two.flac"]


class Failing(io.RawIOBase):
    """The body of a reply that breaks off after some bytes."""

    name = "reply"

    def __init__(self, good):
        self.good = good

    def read(self, size=-1):
        data, self.good = self.good, b""
        if not data:
            raise ConnectionResetError(104, "Connection reset by peer")
        return data


def test_file_objects_that_cannot_be_read_are_refused_with_the_remedy(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    with path.open(encoding="utf-8") as file, pytest.raises(AudioError, match="mode 'rb'"):
        open_recording(file)
    with path.open("rb") as closed:
        pass
    with pytest.raises(AudioError, match=r"a\.wav: cannot be read \(read of closed file\)"):
        open_recording(closed)
    with (tmp_path / "b.wav").open("wb") as file, pytest.raises(AudioError, match="cannot be read"):
        open_recording(file)
    for good in (b"", path.read_bytes()[:2000]):
        with pytest.raises(AudioError, match=r"^reply: cannot be read \(Connection reset by peer"):
            open_recording(Failing(good))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the open files from /proc")
def test_a_temporary_copy_is_open_only_once_and_always_removed(tmp_path, monkeypatch):
    """Windows opens a temporary file only once, and removes none that is open."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    copies = []

    def layout(path):
        copies.append(path)
        assert path not in [one.resolve() for one in Path("/proc/self/fd").iterdir()]
        return read_layout(path)

    monkeypatch.setattr(opening, "read_layout", layout)
    soundfile.write(tmp_path / "a.flac", tone(), RATE)
    data = (tmp_path / "a.flac").read_bytes()
    with open_recording(data) as recording:
        assert list(folder.iterdir()) == copies
        assert sum(map(len, recording.blocks())) == RATE
    assert not list(folder.iterdir())
    with pytest.raises(AudioError):
        open_recording(b"no sound " * 99)
    assert not list(folder.iterdir())
    recording = open_recording(data)
    assert list(folder.iterdir()) == copies[2:]
    del recording
    gc.collect()
    assert not list(folder.iterdir())


def test_a_file_object_without_data_yet_is_refused_with_the_remedy():
    class Waiting(io.RawIOBase):
        def read(self, size=-1):
            return None

    with pytest.raises(AudioError, match="no data yet; open it in blocking mode"):
        open_recording(Waiting())


def test_bytes_need_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(AudioError, match=r"^the recording: needs a temporary file .* TMPDIR"):
        open_recording(b"RIFF" * 10)


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(AudioError, match=r"^'a\\x00b.wav': is no name of a file"):
        open_recording("a\0b.wav")
