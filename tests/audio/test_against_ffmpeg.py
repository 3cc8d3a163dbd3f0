"""Files of every format have the duration that ffmpeg counts (skipped without ffmpeg)."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from asr_gru.audio import open_recording
from asr_gru.errors import AudioError
from tests.audio.test_containers import OPUS, RATE, encoded, page_shortened

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
SOUND = "aevalsrc=0.2*sin(500*t*t)+0.05*random(0):s=44100:d=5"
MP3 = ("-c:a", "libmp3lame")
TABLE = {
    "stereo.wav": ("-ac", "2"),
    "adpcm.wav": ("-c:a", "adpcm_ms"),
    "ima.wav": ("-c:a", "adpcm_ima_wav"),
    "mulaw.wav": ("-c:a", "pcm_mulaw"),
    "rf64.wav": ("-rf64", "always"),
    "mp3.wav": MP3,
    "gsm.wav": ("-c:a", "libgsm_ms", "-ar", "8000"),
    "a.mp2": ("-c:a", "mp2"),
    "a.aiff": (),
    "a.caf": (),
    "a.au": (),
    "a.w64": (),
    "a.flac": (),
    "vbr.mp3": (*MP3, "-q:a", "5"),
    "bare.mp3": (*MP3, "-q:a", "5", "-write_xing", "0", "-id3v2_version", "0"),
    "cbr.mp3": (*MP3, "-b:a", "48k", "-ar", "22050", "-write_xing", "0"),
    "low.mp3": (*MP3, "-ar", "8000", "-write_xing", "0"),
    "tagged.mp3": (*MP3, "-metadata", "title=" + "x" * 9000, "-write_xing", "0"),
    "a.ogg": ("-c:a", "libvorbis"),
    "a.opus": ("-c:a", "libopus"),
    "six.opus": ("-c:a", "libopus", "-ac", "6"),
    "a.spx": ("-c:a", "libspeex", "-ar", "16000"),
    "a.m4a": ("-c:a", "aac", "-movflags", "+faststart"),
    "a.aac": ("-c:a", "aac"),
    "a.webm": ("-c:a", "libopus"),
    "a.mka": ("-c:a", "flac"),
    "a.wma": ("-c:a", "wmav2"),
    "a.ts": ("-c:a", "aac"),
    "a.ac3": ("-c:a", "ac3"),
    "a.eac3": ("-c:a", "eac3"),
    "a.tta": (),
    "a.voc": (),
    "a.rm": ("-c:a", "ac3"),
    "parts.m4a": ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "alac.m4a": ("-c:a", "alac"),
}
JOINED = ["bare.mp3", "cbr.mp3", "vbr.mp3", "a.ogg", "a.opus", "a.mp2"]
TRUNCATED = [
    "stereo.wav",
    "adpcm.wav",
    "ima.wav",
    "mulaw.wav",
    "rf64.wav",
    "mp3.wav",
    "gsm.wav",
    "a.aiff",
    "a.caf",
    "a.au",
    "a.w64",
    "a.flac",
    "vbr.mp3",
    "a.ogg",
    "a.opus",
    "six.opus",
    "a.spx",
    "a.m4a",
    "a.aac",
    "a.webm",
    "a.mka",
]
"""Formats in which one can tell that a file was cut."""
TAG = b"ID3\x04\0\0\0\0\x4e\x10" + bytes(0x4E * 128 + 0x10)
AROUND = {
    "a tag": (TAG, b""),
    "two tags": (TAG + TAG, b""),
    "zeros": (bytes(4096), b""),
    "a tag behind": (b"", b"TAG" + b"title".ljust(125, b"\0")),
    "zeros behind": (b"", bytes(5000)),
    "text behind": (b"", b"hello world" * 300),
}


def ffmpeg(*arguments):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a function that makes each file of the table once."""
    folder = tmp_path_factory.mktemp("table")

    def make(name):
        path = folder / name
        if not path.exists():
            try:
                ffmpeg("-f", "lavfi", "-i", SOUND, *TABLE[name], path)
            except subprocess.CalledProcessError:
                path.unlink(missing_ok=True)
                pytest.skip(f"this ffmpeg cannot write {name}")
        return path

    return make


def counted_s(path):
    """Return the seconds that ffmpeg decodes."""
    return len(ffmpeg("-i", path, "-f", "s16le", "-ac", "1", "-ar", "8000", "-").stdout) / 16_000


def read(path):
    with open_recording(path) as recording:
        samples = np.concatenate([*recording.blocks(), np.zeros(0, np.float32)])
    return len(samples) / recording.sample_rate, recording


@pytest.mark.parametrize("name", TABLE)
def test_whole_files_have_the_duration_that_ffmpeg_counts(files, name):
    path = files(name)
    length_s, recording = read(path)
    assert length_s == pytest.approx(counted_s(path), abs=0.08)
    assert recording.warnings == []


@pytest.mark.parametrize("name", JOINED)
def test_concatenated_files_have_the_duration_that_ffmpeg_counts(files, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(files(name).read_bytes() * 3)
    length_s, recording = read(path)
    assert length_s == pytest.approx(counted_s(path), abs=0.2)
    assert length_s > 14.8
    assert recording.warnings == []


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", ["vbr.mp3", "bare.mp3", "cbr.mp3", "low.mp3"])
def test_tags_and_zeros_around_mp3_are_not_truncation(files, tmp_path, name, around):
    path = tmp_path / name
    front, behind = AROUND[around]
    path.write_bytes(front + files(name).read_bytes() + behind)
    length_s, recording = read(path)
    assert length_s == pytest.approx(counted_s(path), abs=0.15)
    assert recording.warnings == []


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_files_have_the_duration_that_ffmpeg_counts(files, tmp_path, name):
    path, data = tmp_path / name, files(name).read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    length_s, recording = read(path)
    assert length_s == pytest.approx(counted_s(path), abs=0.15)
    assert length_s < 4.9
    (warning,) = recording.warnings
    assert warning.startswith(f"{path}: ends early, after ")


@pytest.mark.parametrize("form", ["wav", "flac", "au"])
def test_files_written_to_a_pipe_have_the_duration_that_ffmpeg_counts(tmp_path, form):
    path = tmp_path / f"a.{form}"
    path.write_bytes(ffmpeg("-f", "lavfi", "-i", SOUND, "-f", form, "-").stdout)
    length_s, recording = read(path)
    assert length_s == pytest.approx(5.0, abs=0.01)
    assert recording.warnings == []


def test_opus_that_libsndfile_cannot_decode_is_decoded_by_ffmpeg(tmp_path):
    path = tmp_path / "a.opus"
    path.write_bytes(page_shortened(encoded(**OPUS), 4, 490))
    length_s, recording = read(path)
    assert length_s == pytest.approx(6.0, abs=0.02)
    assert recording.sample_rate == RATE
    assert recording.warnings == []


def test_video_is_decoded_and_one_without_audio_is_refused(tmp_path):
    picture = ("-f", "lavfi", "-i", "testsrc=d=7:s=64x64")
    ffmpeg(*picture, "-f", "lavfi", "-i", SOUND, "-c:a", "aac", tmp_path / "a.mp4")
    length_s, recording = read(tmp_path / "a.mp4")
    assert length_s == pytest.approx(5.0, abs=0.05)
    assert recording.warnings == []
    ffmpeg(*picture, "-an", tmp_path / "b.mp4")
    with pytest.raises(AudioError, match=r"b\.mp4: has no audio track"):
        read(tmp_path / "b.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "c.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"c\.mp4: was cut off before its index"):
        read(tmp_path / "c.mp4")


def test_messages_about_undecodable_files_name_them_once(tmp_path):
    nothing = Path(os.fsdecode(os.fsencode(tmp_path) + b"/nothing\xff.ogg"))
    nothing.write_bytes(b"nothing" * 100)
    (tmp_path / "a.raw").write_bytes(b"nothing" * 100)
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64", tmp_path / "a.gif")
    reasons = {
        nothing: r"cannot be decoded \(ffmpeg: [\w ]+\)",
        tmp_path / "a.gif": "is in a format that is not accepted",
        tmp_path / "a.raw": r"(is in a format|cannot be decoded \(ffmpeg: )[\w ]+\)?",
    }
    for path, reason in reasons.items():
        with pytest.raises(AudioError) as refused:
            open_recording(path)
        said = str(refused.value).removeprefix(f"{path}: ")
        raw = ", or give raw PCM to asr-gru transcribe --raw-rate" * (path.suffix == ".raw")
        assert re.fullmatch(f"{reason}; convert it to WAV{raw}", said)


def test_playlists_and_concat_scripts_are_refused(tmp_path):
    """ffmpeg would read playlists and concat scripts, which name other files."""
    (tmp_path / "secret.wav").write_bytes(encoded(1.0, format="WAV"))
    lists = {
        "a.m3u8": "#EXTM3U\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n",
        "a.ffconcat": "ffconcat version 1.0\nfile secret.wav\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(AudioError, match=name.replace(".", r"\.")):
            read(tmp_path / name)


def test_phase_inverted_stereo_in_any_format_is_not_silent(tmp_path):
    path = tmp_path / "a.m4a"
    graph = "[0:a]pan=stereo|c0=c0|c1=-1*c0"
    ffmpeg("-f", "lavfi", "-i", SOUND, "-filter_complex", graph, "-c:a", "aac", path)
    with open_recording(path) as recording:
        samples = np.concatenate(list(recording.blocks()))
    assert np.std(samples) > 0.1
    assert "cancel out" in recording.warnings[0]
