"""Sessions with fake sources, compared with ``transcribe`` on the same audio."""

from __future__ import annotations

import errno
import io
import math
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr_gru.audio import RawAudio
from asr_gru.audio.paced import PacedRecording
from asr_gru.audio.samples import to_int16
from asr_gru.errors import AudioError, ConfigError, DeviceError, Error
from asr_gru.live import AudioDropped, LiveSession, SourceLost, SourceRestored, Status
from asr_gru.results import Event
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.text import inverse_normalise
from tests.live.sources import RATE, Clock, ScriptedSource


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


def test_a_source_that_fails_yields_its_words_before_the_error(
    bundled, tmp_path, speech, monkeypatch
):
    """The open segment is finished, as the text would be lost otherwise."""
    path, records = tmp_path / "sound.raw", []
    to_int16(np.append(speech, speech)).tofile(path)

    class Reset(io.FileIO):
        def read(self, size=-1):
            left = 2 * len(speech) - self.tell()
            if not left:
                raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            return super().read(min(size, left))

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Reset(path))
    source = PacedRecording(RawAudio(path, RATE), speed=math.inf)
    with pytest.raises(AudioError, match=r"sound\.raw: .*\(Connection reset by peer\); check"):
        records.extend(LiveSession(bundled, source))
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


def test_a_session_runs_once(bundled):
    session = LiveSession(bundled, ScriptedSource(Clock(), np.zeros(RATE, np.float32)))
    list(session)
    with pytest.raises(Error, match="this session has ended; create another"):
        list(session)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, "2"])
def test_a_speed_that_plays_nothing_is_refused(recording, speed):
    with pytest.raises(ConfigError, match=r"a speed of .*; give a number above 0"):
        PacedRecording(recording, speed=speed)


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


def streamed_wav_header(channels):
    """The header of WAV of 16 bits whose length is not known when it begins."""
    form = struct.pack("<HHIIHH", 1, channels, RATE, 2 * channels * RATE, 2 * channels, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + form + b"data\xff\xff\xff\xff"


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, opened for reading and writing so that neither side waits for the other."""
    path = tmp_path / "sound.wav"
    os.mkfifo(path)
    with os.fdopen(os.open(path, os.O_RDWR), "r+b", buffering=0) as file:
        yield path, file


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("channels", [1, 2])
def test_what_a_pipe_has_is_read_at_once_and_a_stalled_one_keeps_to_the_timeout(pipe, channels):
    path, file = pipe
    samples = np.repeat(np.arange(1600, dtype=np.int16)[:, None], channels, 1)
    file.write(streamed_wav_header(channels) + samples.tobytes())
    source = PacedRecording(path, speed=math.inf)
    heard = np.zeros(0)
    while len(heard) < 1600:
        block = source.read(10.0)
        heard = np.concatenate([heard, block.samples if block else []])
    assert np.array_equal(heard * 32768, np.arange(1600))
    assert source.read(0.01) is None
    file.write(samples.tobytes())
    assert source.read(10.0, min_samples=1600) is not None
    source.close()
    with pytest.raises(EOFError):
        source.read(0.01)
