"""Sessions with fake sources, compared with ``transcribe`` on the same audio."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.audio.blocks import Block
from asr_gru.audio.paced import PacedRecording
from asr_gru.errors import AudioError, ConfigError, DeviceError, Error
from asr_gru.files import write_bytes
from asr_gru.live import AudioBlock, AudioDropped, LiveSession, SourceLost, SourceRestored, Status
from asr_gru.live.wav import WavFile
from asr_gru.live.writers import AudioWriter, SessionWriter
from asr_gru.results import Event, Word
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.text import inverse_normalise

SAMPLES = Path(__file__).parents[2] / "audio_samples"
RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(SAMPLES / "read.flac", dtype="float32")[0]


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


class ScriptedSource:
    """A source that plays a list: arrays are sound, numbers seconds that pass, errors are raised.

    An int is a number of samples that were dropped.
    """

    sample_rate = RATE
    description = "a script"

    def __init__(self, clock, *items, then=None):
        self.clock, self.items, self.then = clock, list(items), then
        self.dropped = 0
        self.refusals = 0
        self.closed = False

    def read(self, timeout_s, min_samples=1):
        if not self.items:
            raise EOFError
        item = self.items[0]
        if isinstance(item, Exception):
            raise item
        if isinstance(item, float):
            self.clock.now += item
            self.items.pop(0)
            return None
        if isinstance(item, int):
            self.dropped = item
            self.clock.now += item / RATE
            self.items.pop(0)
            return self.read(timeout_s)
        samples, rest = item[:640], item[640:]
        self.items[0:1] = [rest] if len(rest) else []
        self.clock.now += len(samples) / RATE
        block = Block(samples, self.clock.now, self.dropped)
        self.dropped = 0
        return block

    def close(self):
        self.closed = True
        self.items = []

    def reopen(self):
        if self.refusals:
            self.refusals -= 1
            self.clock.now += 1.0
            raise DeviceError("not yet")
        return self.then


def finals(records):
    return [r for r in records if isinstance(r, Event) and r.kind == "final"]


def words(segments, shift_s=0.0):
    return [
        (word.text, round(word.start_s + shift_s, 6), round(word.end_s + shift_s, 6))
        for segment in segments
        for word in segment.words
    ]


def test_a_session_has_the_text_of_transcribe(bundled, speech):
    clock = Clock()
    source = ScriptedSource(clock, speech)
    records = list(LiveSession(bundled, source, clock=clock))
    assert words(finals(records)) == words(bundled.transcribe(speech, RATE).segments)
    assert any(isinstance(r, Event) and r.kind == "partial" for r in records)
    assert source.closed


def test_finals_are_written_on_request(bundled, speech):
    clock = Clock()
    session = LiveSession(
        bundled, ScriptedSource(clock, 3 * RATE, speech), written=True, clock=clock
    )
    (final,) = finals(list(session))
    assert final.written == inverse_normalise(final.text) != final.text
    first, last = final.written_words[0], final.written_words[-1]
    assert (first.start_s, last.end_s) == (final.start_s, final.end_s)
    assert first.start_s > 3.0


def test_alternatives_have_session_times(bundled, speech):
    clock = Clock()
    again = ScriptedSource(clock, 0.25, speech)
    source = ScriptedSource(clock, speech[: 2 * RATE], DeviceError("gone"), then=again)
    session = LiveSession(bundled, source, alternatives=3, retry_s=0.0, clock=clock)
    found = finals(list(session))
    assert found[-1].start_s > 2.0
    for final in found:
        assert len(final.alternatives) > 1
        assert final.alternatives[0].words == tuple(
            [replace(word, alternatives=()) for word in final.words]
        )


def test_the_clock_continues_while_the_microphone_is_lost(bundled, speech):
    """Words after a gap of 7.25 s have exact times, ids continue, and a cut word is finished."""
    clock = Clock()
    again = ScriptedSource(clock, 0.25, speech)
    first = ScriptedSource(clock, speech[: 2 * RATE], DeviceError("gone"), then=again)
    first.refusals = 6
    clock_at_loss = []
    session = LiveSession(bundled, first, clock=clock, retry_s=0.0)
    records = []
    for record in session:
        if isinstance(record, SourceLost):
            clock_at_loss.append(record.at_s)
            clock.now += 1.0
        records.append(record)
    kinds = [type(r) for r in records if isinstance(r, SourceLost | SourceRestored)]
    assert kinds == [SourceLost, SourceRestored]
    assert clock_at_loss == [2.0]
    lost = next(i for i, r in enumerate(records) if isinstance(r, SourceLost))
    before, after = finals(records[:lost]), finals(records[lost:])
    assert words(before) == words(bundled.transcribe(speech[: 2 * RATE], RATE).segments)
    expected = bundled.transcribe(speech, RATE).segments
    assert words(after) == words(expected, 2.0 + 7.25)
    assert [r.segment for r in before + after] == list(range(len(before + after)))
    assert session.now_s == pytest.approx(2.0 + 7.25 + len(speech) / RATE)


def test_dropped_audio_becomes_silence_and_keeps_times_right(bundled, speech):
    clock = Clock()
    gap = 5 * RATE + 123
    records = list(LiveSession(bundled, ScriptedSource(clock, speech, gap, speech), clock=clock))
    (dropped,) = [r for r in records if isinstance(r, AudioDropped)]
    assert dropped == AudioDropped(gap / RATE, len(speech) / RATE)
    whole = np.concatenate([speech, np.zeros(gap, np.float32), speech])
    assert words(finals(records)) == words(bundled.transcribe(whole, RATE).segments)


def test_stop_finishes_the_open_segment(bundled, speech):
    clock = Clock()
    source = ScriptedSource(clock, speech, DeviceError("must not be waited for"))
    session = LiveSession(bundled, source, EndpointRules.off(), clock=clock)
    records = []
    for record in session:
        records.append(record)
        if isinstance(record, Event):
            session.stop()
    assert source.closed
    assert len(finals(records)) == 1
    assert isinstance(records[-1], Event)


def test_stop_ends_a_session_whose_microphone_is_lost(bundled, speech):
    clock = Clock()
    source = ScriptedSource(clock, speech[:RATE], DeviceError("gone"))
    source.refusals = 10**9
    session = LiveSession(bundled, source, clock=clock, retry_s=3600.0)
    for record in session:
        if isinstance(record, SourceLost):
            session.stop()
    assert isinstance(record, SourceLost)


def test_an_unreadable_source_yields_its_words_before_the_error(bundled, speech):
    clock, records = Clock(), []
    source = ScriptedSource(clock, speech, AudioError("scratched"))
    with pytest.raises(AudioError, match="scratched"):
        records.extend(LiveSession(bundled, source, clock=clock))
    # list.extend keeps what came before the error
    assert words(finals(records)) == words(bundled.transcribe(speech, RATE).segments)


def test_endpoint_rules_can_be_changed_while_the_session_runs(bundled, speech):
    clock = Clock()
    silence = np.zeros(RATE, np.float32)
    counts = {}
    for change in (False, True):
        source = ScriptedSource(clock, *[speech, silence] * 3)
        session = LiveSession(bundled, source, EndpointRules.off(), clock=clock)
        found = []
        for record in session:
            if change and not found:
                session.endpoint = EndpointRules.short()
            found.append(record)
        counts[change] = len(finals(found))
    assert session.endpoint == EndpointRules.short()
    assert counts[False] == 1
    assert counts[True] >= 3


def test_status_has_level_and_lag_at_most_ten_times_per_second(bundled):
    clock = Clock()
    loud = np.full(2 * RATE, 0.1, np.float32)
    source = ScriptedSource(clock, loud, np.zeros(RATE, np.float32))
    seen = [r for r in LiveSession(bundled, source, clock=clock) if isinstance(r, Status)]
    assert len(seen) <= 30
    assert seen[0].level_db == pytest.approx(-20, abs=0.01)
    assert seen[-1].level_db == -120
    assert seen[-1].audio_s == pytest.approx(3, abs=0.2)
    assert all(status.lag_s == 0 for status in seen)


def test_a_paced_recording_is_played_in_real_time(recording):
    clock = Clock()

    def sleep(seconds):
        clock.now += seconds

    source = PacedRecording(recording, clock=clock, sleep=sleep)
    blocks, reads = [], 0
    while len(blocks) < 20:
        block = source.read(0.05, min_samples=1600)
        blocks += [block] if block else []
        reads += 1
    assert reads > 20
    with pytest.raises(EOFError):
        source.read(0.05)
    assert sum(len(b.samples) for b in blocks) == 32_000
    assert [round(b.arrived_s - 50, 3) for b in blocks] == [n / 10 for n in range(1, 21)]
    assert clock.now == pytest.approx(52)
    quick = PacedRecording(recording, speed=math.inf, sleep=pytest.fail)
    assert len(quick.read(0.0).samples)
    quick.close()
    with pytest.raises(EOFError):
        quick.read(0.0)


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
    with pytest.raises(ConfigError, match=r"did you mean '\.srt'"):
        SessionWriter(tmp_path / "a.sr")
    with pytest.raises(ConfigError, match=r"\.wav"):
        AudioWriter(tmp_path / "a.mp3")


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
