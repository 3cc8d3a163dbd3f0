from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr_gru.decoding import BeamDecoder
from asr_gru.errors import AudioError, ConfigError, Error, ModelError
from asr_gru.recognizer import Recognizer
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.engine import FINAL_SILENCE_S
from asr_gru.text import CharacterTokenizer
from tests.fake_model import FRAME, QUICK, RATE, TOKENS, FakeModel, random_sound, sound_of


def finals(events):
    return [event for event in events if event.kind == "final"]


def run(recognizer, sound, cuts=(), endpoint=QUICK):
    stream = recognizer.stream(RATE, endpoint)
    events = []
    for block in np.split(sound, sorted(cuts)):
        events += stream.feed(block)
    return events + stream.finish()


@pytest.fixture(params=["greedy", "beam"])
def recognizer(request):
    decoder = BeamDecoder(4) if request.param == "beam" else None
    return Recognizer(FakeModel(), TOKENS, decoder=decoder, endpoint=QUICK)


fixed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fixed
@given(st.integers(0, 10_000), st.lists(st.integers(0, 4800), max_size=12), st.integers(0, 99))
def test_chunking_does_not_matter_and_a_file_equals_a_stream(recognizer, seed, cuts, cut_off):
    """Texts, times and confidences of finals are bit-identical."""
    sound = random_sound(seed)[: 4800 - cut_off]
    whole = finals(run(recognizer, sound))
    assert finals(run(recognizer, sound, cuts)) == whole
    transcript = recognizer.transcribe(sound, RATE)
    assert [(s.id, s.text, s.words, s.start_s, s.end_s) for s in transcript.segments] == [
        (e.segment, e.text, e.words, e.start_s, e.end_s) for e in whole
    ]
    assert transcript.duration_s == len(sound) / RATE


def test_single_samples_can_be_fed(recognizer):
    sound = random_sound(5, 40)
    one_by_one = finals(run(recognizer, sound, range(1, len(sound))))
    assert one_by_one == finals(run(recognizer, sound)) != []


@fixed
@given(st.integers(0, 10_000), st.lists(st.integers(0, 4800), max_size=12))
def test_events_fulfil_their_contract(recognizer, seed, cuts):
    sound = random_sound(seed)
    opened, stable = 0, ""
    for event in run(recognizer, sound, cuts):
        assert event.segment == opened
        assert event.text
        assert event.text.startswith(event.stable)
        assert event.stable.startswith(stable)
        assert event.text == " ".join(word.text for word in event.words)
        assert (event.start_s, event.end_s) == (event.words[0].start_s, event.words[-1].end_s)
        times = [time for word in event.words for time in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert 0.0 <= times[0] <= times[-1] <= 4.8
        assert all(0.0 <= word.confidence <= 1.0 for word in event.words)
        stable = event.stable
        if event.kind == "final":
            assert event.stable == event.text
            opened, stable = opened + 1, ""
        last = event.kind
    assert opened > 0
    assert last == "final"


@pytest.mark.parametrize("lookahead", [0, 1, 3, 7])
def test_finish_flushes_the_last_word(lookahead):
    recognizer = Recognizer(FakeModel(lookahead), TOKENS)
    stream = recognizer.stream(RATE)
    events = stream.feed(sound_of([0, 2, 0, 3, 1, 4, 0, 5])[:-39])
    assert [event.text for event in finals(events + stream.finish())] == ["ab cd"]


def test_finish_flushes_the_resampler():
    """At another rate, the samples held back by its filter reach the model too."""
    model = FakeModel(0)
    stream = Recognizer(model, TOKENS).stream(8 * RATE)
    stream.feed(np.zeros(8 * 880, np.float32))
    stream.finish()
    assert model.heard == 880 + round(FINAL_SILENCE_S * RATE)


@pytest.mark.parametrize("lookahead", [0, 3])
def test_times_agree_with_the_audio(lookahead):
    path = [0] * 10 + [2, 3, 1] + [0] * 10 + [4]
    recognizer = Recognizer(FakeModel(lookahead), TOKENS, endpoint=EndpointRules.off())
    words = recognizer.transcribe(sound_of(path), RATE).words
    assert [word.start_s for word in words] == pytest.approx([0.4, 0.92])
    assert [word.end_s for word in words] == pytest.approx([0.44 + 0.16, 0.96])
    early = Recognizer(FakeModel(lookahead), TOKENS, time_shift_s=-0.1)
    assert early.transcribe(sound_of(path), RATE).words[0].start_s == pytest.approx(0.3)


def test_times_do_not_drift_and_memory_is_constant():
    """An hour with a word every ten seconds; the buffer never exceeds one call."""
    model = FakeModel()
    recognizer = Recognizer(model, TOKENS)
    period = sound_of([0] * 100 + [2] + [0] * 149)
    transcript = recognizer.transcribe(np.tile(period, 360), RATE)
    assert [word.start_s for word in transcript.words] == pytest.approx(
        [4.0 + 10.0 * i for i in range(360)], abs=1e-9
    )
    assert len(transcript.segments) == 360
    assert model.largest == (1, 32 * 4 * FRAME)


def test_temperature_changes_the_confidences():
    words = [
        Recognizer(FakeModel(), TOKENS, temperature=heat).transcribe(random_sound(1), RATE).words[0]
        for heat in (1.0, 4.0)
    ]
    assert words[0].confidence > words[1].confidence > 0.5


def test_the_endpoint_can_change_while_a_stream_runs():
    stream = Recognizer(FakeModel(), TOKENS).stream(RATE, EndpointRules.off())
    assert not finals(stream.feed(sound_of([2] + [0] * 200)))
    stream.endpoint = QUICK
    assert stream.endpoint == QUICK
    assert [event.text for event in finals(stream.feed(sound_of([0] * 4)))] == ["a"]
    assert stream.audio_s == pytest.approx(205 * 0.04)


def test_many_streams_can_be_stepped_together(recognizer):
    """Each stream has the finals that it has alone."""
    sounds = [random_sound(seed) for seed in range(5)]
    streams = [recognizer.stream(RATE, QUICK).engine for _ in sounds]
    events = [[] for _ in sounds]
    acoustic = recognizer.acoustic
    for start in range(0, 4800, 300):
        for stream, sound in zip(streams, sounds, strict=True):
            stream.accept(sound[start : start + 300])
        count = min(s.buffered for s in streams) // (4 * FRAME) * 4 * FRAME
        state = tuple(map(np.concatenate, zip(*(s.state for s in streams), strict=True)))
        rows, state = acoustic.step(np.stack([s.take(count) for s in streams]), state)
        for i, stream in enumerate(streams):
            events[i] += stream.advance(rows[i], tuple(a[i : i + 1] for a in state))
    for stream, said, sound in zip(streams, events, sounds, strict=True):
        assert finals(said + stream.finish()) == finals(run(recognizer, sound))


def test_batches_equal_single_recordings_and_keep_their_order(recognizer, tmp_path):
    lengths = [120, 30, 0, 700, 77, 120]
    sounds = [random_sound(seed, frames) for seed, frames in enumerate(lengths)]
    nan = np.full(5000, np.nan, np.float32)
    sources = [*sounds[:2], nan, tmp_path / "missing.wav", *sounds[2:]]
    for batch_size in (1, 3, 16):
        results = list(recognizer.transcribe_batch(iter(sources), RATE, batch_size=batch_size))
        assert [source is given for (source, _), given in zip(results, sources, strict=True)]
        for source, result in results:
            if source is nan or not isinstance(source, np.ndarray):
                assert isinstance(result, AudioError)
            else:
                assert result == recognizer.transcribe(source, RATE)


def test_few_results_wait_for_an_earlier_recording(tmp_path):
    """Those of short or missing recordings after a long one hold their sources in memory."""
    recognizer, drawn = Recognizer(FakeModel(), TOKENS, endpoint=QUICK), []

    def sources(first):
        yield first
        for number in range(1000):
            drawn.append(number)
            yield tmp_path / f"{number}.wav"

    for first in (random_sound(1, 20_000), tmp_path / "first.wav"):
        drawn.clear()
        results = recognizer.transcribe_batch(sources(first), RATE, batch_size=2)
        assert next(results)[0] is first
        assert len(drawn) < 100
        assert len(list(results)) == 1000


def test_updates_contain_every_segment(recognizer):
    updates = []
    sounds = [random_sound(seed, frames) for seed, frames in enumerate((30, 700, 120))]
    results = recognizer.transcribe_batch(sounds, RATE, batch_size=2, on_update=updates.append)
    for index, (_, transcript) in enumerate(results):
        own = [update for update in updates if update.index == index]
        found = [segment for update in own for segment in update.segments]
        assert tuple(found) == transcript.segments != ()
        assert own[-1].audio_s == transcript.duration_s


def test_files_at_other_rates_and_with_warnings(tmp_path):
    recognizer = Recognizer(FakeModel(), TOKENS)
    path = tmp_path / "talk.wav"
    soundfile.write(path, random_sound(3), RATE, subtype="FLOAT")
    assert recognizer.transcribe(path) == recognizer.transcribe(random_sound(3), RATE)
    assert recognizer.transcribe(path).warnings == ()
    cut = tmp_path / "cut.flac"
    soundfile.write(cut, np.tile(random_sound(3), 5), RATE)
    data = cut.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    (result,) = [result for _, result in recognizer.transcribe_batch([cut])]
    assert ["ends early" in warning for warning in result.warnings] == [True]
    assert result.segments
    assert 0 < result.duration_s < 24
    soundfile.write(path, np.zeros((48_000, 2)), 48_000)
    assert recognizer.transcribe(str(path)).duration_s == 1.0


def test_progress_increases_to_the_full_duration():
    seen = []
    Recognizer(FakeModel(), TOKENS).transcribe(random_sound(1, 1000), RATE, on_progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert seen[-1] == pytest.approx(40.0)


def test_no_samples_give_an_empty_transcript(recognizer):
    transcript = recognizer.transcribe(np.zeros(0, np.float32), RATE)
    assert (transcript.segments, transcript.duration_s, transcript.text) == ((), 0.0, "")
    assert recognizer.stream(RATE).finish() == []


def test_a_model_that_cannot_stream_processes_windows():
    """Windows are at most 40 s long and end in a pause."""
    model = FakeModel(lookahead=0, streaming=False)
    recognizer = Recognizer(model, TOKENS)
    sound = sound_of([2, 3, 2, 1] * 700) * 1.0
    sound.reshape(-1, FRAME)[:, 2:] *= 0.5
    sound.reshape(-1, FRAME)[920:935] = 0.0
    expected = Recognizer(FakeModel(0), TOKENS).transcribe(sound, RATE)
    assert recognizer.transcribe(sound, RATE) == expected
    assert expected.words
    assert model.largest[1] <= 40 * RATE
    with pytest.raises(ModelError, match="bidirectional"):
        recognizer.stream(RATE)


def test_invalid_input_is_refused(recognizer):
    stream = recognizer.stream(RATE)
    stream.feed(sound_of([0, 2, 0, 0]))
    with pytest.raises(AudioError, match="NaN or infinity"):
        stream.feed(np.array([0.0, np.nan], np.float32))
    assert [event.text for event in stream.finish()] == ["a"]
    for call in (lambda: stream.feed(np.zeros(1, np.float32)), stream.finish):
        with pytest.raises(Error, match="stream is finished"):
            call()
    with pytest.raises(AudioError, match="give sample_rate="):
        recognizer.transcribe(np.zeros(10, np.float32))
    with pytest.raises(AudioError, match="give \\(n,\\)"):
        recognizer.transcribe(np.float32(1.0), RATE)
    with pytest.raises(AudioError, match="sample_rate"):
        recognizer.stream(0)
    for sources in ("talk.wav", Path("talk.wav"), None):
        with pytest.raises(ConfigError, match=r"^sources is .*; give a list of recordings"):
            recognizer.transcribe_batch(sources)
    for size in (0, "8", 2.5, True):
        with pytest.raises(ConfigError, match="batch size"):
            recognizer.transcribe_batch([], batch_size=size)
    for beam in (0, "8", 2.5, True):
        with pytest.raises(ConfigError, match="beam"):
            Recognizer.load(beam=beam)
    for threads in (0, "2", 1.5):
        with pytest.raises(ConfigError, match="threads; give 1 to"):
            Recognizer.load(threads=threads)
    for rate in (str(RATE), None, [RATE], "a" * 1000):
        with pytest.raises(AudioError, match=r"sample_rate is .{1,40}; give an integer in Hz"):
            recognizer.stream(rate)
    for seconds in ("1", True, [1]):
        with pytest.raises(ConfigError, match="give seconds above 0"):
            EndpointRules(trailing_s=seconds)
    with pytest.raises(ConfigError, match="decoder 3; choose greedy, beam, words or phones"):
        recognizer.stream(RATE, decoder=3)
    with pytest.raises(ModelError, match="tokens"):
        Recognizer(FakeModel(), CharacterTokenizer(" ab"))
