"""Files that a session writes: text that is complete after every final, and audio."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from asr_gru.errors import ConfigError, DeviceError, Error
from asr_gru.files import write_bytes
from asr_gru.live import AudioBlock, LiveSession
from asr_gru.live.wav import WavFile
from asr_gru.live.writers import AudioWriter, SessionWriter
from asr_gru.results import Event, Word
from tests.live.sources import RATE, Clock, ScriptedSource


def final(number, text, start_s):
    said = text.split()
    told = tuple(Word(w, start_s + i / 4, start_s + i / 4 + 0.2, 0.9) for i, w in enumerate(said))
    return Event("final", number, text, text, told, start_s, told[-1].end_s)


SAID = [final(0, "one & two", 1.0), final(1, "yes", 2.1), final(2, "three four", 9.0)]


@pytest.mark.parametrize("suffix", ["txt", "srt", "vtt", "json", "jsonl"])
def test_files_are_complete_after_every_final(tmp_path, suffix):
    path = tmp_path / f"talk.{suffix}"
    writer = SessionWriter(path)
    writer.write(SAID[0])
    first = path.read_text()
    assert "one" in first
    for event in SAID[1:]:
        writer.write(event)
    text = path.read_text()  # before it is closed
    writer.write(Event("partial", 3, "not this", "", (), 0, 0))
    writer.close()
    assert path.read_text() == text
    if suffix != "json":
        assert text.startswith(first)
    expected = {
        "txt": "one & two\nyes\nthree four\n",
        "srt": "1\n00:00:01,000 --> 00:00:02,000\none & two\n\n"
        "2\n00:00:02,100 --> 00:00:03,100\nyes\n\n"
        "3\n00:00:09,000 --> 00:00:10,000\nthree four\n\n",
        "vtt": "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none &amp; two\n\n"
        "00:00:02.100 --> 00:00:03.100\nyes\n\n00:00:09.000 --> 00:00:10.000\nthree four\n",
    }
    if suffix in expected:
        assert text == expected[suffix]
    lines = text.splitlines() if suffix == "jsonl" else [text] * (suffix == "json")
    found = [json.loads(line) for line in lines]
    if suffix == "json":
        found = found[0]["segments"]
    if found:
        assert [s["text"] for s in found] == ["one & two", "yes", "three four"]
        assert found[1]["words"][0]["start_s"] == 2.1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_cues_never_overlap(tmp_path):
    with SessionWriter(tmp_path / "a.srt") as writer:
        writer.write(final(0, "a", 1.0))
        writer.write(final(1, "b", 1.3))
    assert "01,000 --> 00:00:02,000" in (tmp_path / "a.srt").read_text()
    assert "02,000 --> 00:00:02,300" in (tmp_path / "a.srt").read_text()


def test_existing_files_are_never_overwritten(tmp_path):
    (tmp_path / "a.txt").write_text("precious")
    (tmp_path / "a.wav").write_bytes(b"precious")
    for make, name in ((SessionWriter, "a.txt"), (AudioWriter, "a.wav")):
        with pytest.raises(Error, match="already exists"):
            make(tmp_path / name)
        with pytest.raises(Error, match=r"there is no folder .*nowhere; create it"):
            make(tmp_path / "nowhere" / name)
    with pytest.raises(ConfigError, match=r"did you mean '\.srt'"):
        SessionWriter(tmp_path / "a.sr")
    with pytest.raises(ConfigError, match=r"\.wav"):
        AudioWriter(tmp_path / "a.mp3")


def test_files_that_others_began_meanwhile_are_not_overwritten(tmp_path):
    path = tmp_path / "a.txt"
    with SessionWriter(path) as first, SessionWriter(path) as second:  # still empty
        first.write(final(0, "precious", 1.0))
        second.write(final(0, "b", 1.0))
    assert path.read_text() == "precious\nb\n"
    writer = AudioWriter(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(b"precious")
    with pytest.raises(Error, match="already exists"):
        writer.write(AudioBlock(np.zeros(10, np.float32), 16_000, 0.0))
    assert (tmp_path / "a.wav").read_bytes() == b"precious"


def test_pending_text_is_written_when_the_disk_has_room_again(tmp_path, monkeypatch):
    class FullDisk:
        room = 3
        kept = b""

        def write(self, data):
            if not self.room:
                raise OSError(28, "No space left on device")
            taken = min(self.room, len(data))
            self.kept += data[:taken]
            self.room -= taken
            return taken

        def close(self):
            pass

    writer = SessionWriter(tmp_path / "a.txt")
    writer._file.close()
    full = FullDisk()
    monkeypatch.setattr(writer, "_file", full)
    with pytest.raises(Error, match=r"a\.txt: No space left.*7 bytes are kept"):
        writer.write(SAID[0])
    full.room = 1000
    writer.write(SAID[1])
    assert full.kept == b"one & two\nyes\n"
    full.room = 0
    with pytest.raises(Error, match="No space"):
        writer.write(SAID[2])
    full.room = 1000
    writer.close()
    assert full.kept.endswith(b"three four\n")


def test_a_json_file_that_a_full_disk_refused_is_written_at_the_end(tmp_path, monkeypatch):
    writer = SessionWriter(tmp_path / "a.json")
    writer.write(SAID[0])
    kept = (tmp_path / "a.json").read_text()
    full = [True]

    def write(path, data):
        if full[0]:
            raise OSError(28, "No space left on device", str(path))
        write_bytes(path, data)

    monkeypatch.setattr("asr_gru.live.writers.write_bytes", write)
    for act in (lambda: writer.write(SAID[1]), writer.close):
        with pytest.raises(Error, match=r"a\.json: No space left"):
            act()
        assert (tmp_path / "a.json").read_text() == kept
    full[0] = False
    writer.close()
    segments = json.loads((tmp_path / "a.json").read_text())["segments"]
    assert [segment["text"] for segment in segments] == [SAID[0].text, SAID[1].text]


def test_saved_audio_has_session_times(tmp_path, bundled, speech):
    clock = Clock()
    again = ScriptedSource(clock, speech)
    again.sample_rate = RATE
    first = ScriptedSource(clock, speech, 2.0, DeviceError("gone"), then=again)
    path = tmp_path / "a.wav"
    writer = AudioWriter(path)
    for record in LiveSession(bundled, first, clock=clock, audio=True):
        if isinstance(record, AudioBlock):
            writer.write(record)
    readable = soundfile.info(path)  # before the file is closed, as after kill -9
    assert readable.frames / RATE == pytest.approx(2 * len(speech) / RATE + 2, abs=1.1)
    writer.close()
    saved = soundfile.read(path, dtype="float32")[0]
    whole = np.concatenate([speech, np.zeros(2 * RATE, np.float32), speech])
    np.testing.assert_allclose(saved, whole, atol=1e-4)


def test_saved_audio_at_another_rate_is_resampled(tmp_path):
    tone = np.sin(np.arange(48_000) / 20).astype(np.float32)
    with AudioWriter(tmp_path / "a.wav") as writer:
        writer.write(AudioBlock(tone[:RATE], RATE, 0.0))
        writer.write(AudioBlock(tone, 48_000, 1.0))
        writer.write(AudioBlock(tone, 48_000, 2.0))
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
    assert info.duration == pytest.approx(3, abs=0.05)


def test_audio_lost_to_a_full_disk_is_silence_in_the_file(tmp_path, monkeypatch):
    sound = np.sin(np.arange(5 * RATE) / 20).astype(np.float32) * 0.5
    room = [10**9]
    descriptor_write = WavFile.append

    def append(file, samples):
        kept = samples[: max(0, room[0] - file.samples)]
        descriptor_write(file, kept)
        if len(kept) < len(samples):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(WavFile, "append", append)
    writer = AudioWriter(tmp_path / "a.wav")
    for second in range(5):
        room[0] = RATE + 100 if second in {1, 2} else 10**9
        block = AudioBlock(sound[second * RATE :][:RATE], RATE, float(second))
        if second in {1, 2}:
            with pytest.raises(Error, match=rf"a\.wav: No space left.*from {second}\.0 s"):
                writer.write(block)
        else:
            writer.write(block)
    writer.close()
    saved = soundfile.read(tmp_path / "a.wav", dtype="float32")[0]
    expected = sound.copy()
    expected[RATE + 100 : 3 * RATE] = 0
    np.testing.assert_allclose(saved, expected, atol=1e-4)


def test_audio_that_can_never_be_written_is_a_single_error(tmp_path):
    (tmp_path / "a.wav").symlink_to("/dev/full")
    writer = AudioWriter(tmp_path / "a.wav")
    with pytest.raises(Error, match=r"a\.wav: No space left"):
        writer.write(AudioBlock(np.zeros(100, np.float32), RATE, 0.0))
    writer.close()
