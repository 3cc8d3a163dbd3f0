"""The interface of a stream; test_recognizer checks that chunking does not matter."""

import copy
import mmap
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import asr_gru
from asr_gru import (
    AudioError,
    ConfigError,
    EndpointRules,
    Error,
    ModelError,
    Recognizer,
    Transcript,
)
from asr_gru.audio import Resampler, read_recording
from asr_gru.decoding import BeamDecoder
from asr_gru.formats import writer

RATE = 16_000
SAMPLES = Path(__file__).parents[2] / "audio_samples"


@pytest.fixture(scope="module")
def speech():
    return read_recording(SAMPLES / "read.flac", RATE)


def test_text_joins_the_events_so_far(bundled, speech):
    stream = bundled.stream(RATE, "short")
    assert stream.text == ""
    finals, shown = [], ""
    for start in range(0, len(speech), 4000):
        for event in stream.feed(speech[start : start + 4000]):
            if event.kind == "final":
                finals.append(event.text)
                shown = ""
            else:
                shown = event.text
            last = " ".join(filter(None, [*finals, shown]))
        if finals or shown:
            assert stream.text == last
    finals += [event.text for event in stream.finish()]
    assert stream.text == " ".join(finals) != ""


def test_reset_restarts_a_stream(bundled, speech):
    stream = bundled.stream(RATE)
    stream.endpoint = 1.5
    stream.feed(speech)
    stream.finish()
    first = stream.text
    stream.reset()
    assert stream.text == ""
    assert stream.audio_s == 0
    assert stream.endpoint == EndpointRules(trailing_s=1.5)
    stream.feed(speech)
    stream.finish()
    assert stream.text == first


@pytest.mark.parametrize("duplicate", [lambda s: s.copy(), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("beam", [1, 4])
def test_a_copy_is_independent(speech, beam, duplicate):
    recognizer = Recognizer.load(beam=beam)
    half = len(speech) // 2 + 123
    stream = recognizer.stream(RATE)
    events = stream.feed(speech[:half])
    twin = duplicate(stream)
    silent = duplicate(stream)
    silent.feed(np.zeros(RATE, np.float32))
    rest = stream.feed(speech[half:]) + stream.finish()
    assert twin.feed(speech[half:]) + twin.finish() == rest
    whole = recognizer.stream(RATE)
    assert whole.feed(speech[:half]) + whole.feed(speech[half:]) + whole.finish() == events + rest
    assert twin.text == stream.text != silent.text


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_copy_of_a_resampling_stream_has_the_same_text(bundled, speech, rate):
    resampler = Resampler(RATE, rate)
    sound = np.concatenate([resampler.feed(speech), resampler.finish()])
    stream = bundled.stream(rate)
    stream.feed(sound[: rate * 3 + 7])
    twin = stream.copy()
    for each in (stream, twin):
        each.feed(sound[rate * 3 + 7 :])
        each.finish()
    assert twin.text == stream.text != ""


KEPT = [lambda state: state, copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))]  # noqa: S301


@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("decoder", ["greedy", "beam", "words"])
def test_a_resumed_state_has_the_same_result(bundled, speech, decoder, keep):
    half = len(speech) // 2 + 123
    stream = bundled.stream(RATE, "short", decoder=decoder)
    stream.feed(speech[:half])
    state = keep(stream.state())
    shown = stream.text
    rest = stream.feed(speech[half:]) + stream.finish()
    other = Recognizer.load()
    for _ in range(2):
        resumed = other.resume(state, decoder=decoder)
        assert resumed.text == shown
        assert resumed.endpoint == EndpointRules.short()
        assert resumed.feed(speech[half:]) + resumed.finish() == rest
        assert resumed.text == stream.text != ""
        resumed.reset()
        assert (resumed.text, resumed.audio_s) == ("", 0.0)


def test_a_state_can_be_resumed_in_another_process(bundled, speech, tmp_path):
    """Also at another rate, where the resampler's filter is refilled."""
    resampler = Resampler(RATE, 48_000)
    sound = np.concatenate([resampler.feed(speech), resampler.finish()])
    stream = bundled.stream(48_000, partials=False)
    stream.feed(sound[:150_001])
    (tmp_path / "state").write_bytes(pickle.dumps(stream.state()))
    np.save(tmp_path / "sound.npy", sound[150_001:])
    script = (
        "import asr_gru, numpy, pickle, sys; from pathlib import Path; folder = Path(sys.argv[1]);"
        "state = pickle.loads((folder / 'state').read_bytes());"
        "stream = asr_gru.Recognizer.load().resume(state);"
        "events = stream.feed(numpy.load(folder / 'sound.npy')) + stream.finish();"
        "assert {event.kind for event in events} == {'final'}; print(stream.text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    stream.feed(sound[150_001:])
    stream.finish()
    assert done.stdout.strip() == stream.text != ""


def test_a_state_of_another_model_or_decoder_is_refused(bundled, model):
    state = bundled.stream(RATE, decoder="greedy").state()
    with pytest.raises(ModelError, match="decoder="):
        bundled.resume(state)
    with pytest.raises(ModelError, match="another model"):
        Recognizer.load(model).resume(state)


def test_a_state_of_a_decoder_with_other_words_is_refused(bundled):
    phrases, others = ["turn the light on", "why do i know you"], ["yes", "no"]
    hot = bundled.hot_word_decoder(["Zorblaxian", "why do"])
    for own, other in (
        (bundled.phrase_decoder(phrases), bundled.phrase_decoder(others)),
        (BeamDecoder(4), bundled.decoder_for("phones")),
        (hot, None),
        (None, hot),
    ):
        for keep in KEPT:
            state = keep(bundled.stream(RATE, decoder=own).state())
            assert bundled.resume(state, decoder=own).text == ""
            with pytest.raises(ModelError, match="decoder with other words"):
                bundled.resume(state, decoder=other)


def test_pickling_a_stream_is_refused_with_the_remedy(bundled):
    with pytest.raises(pickle.PicklingError, match=r"Stream\.state\(\)"):
        pickle.dumps(bundled.stream(RATE))


def test_bytes_are_read_as_16_bit_samples(bundled, speech):
    pcm = (np.clip(speech, -1, 1) * 32767).astype("<i2")
    first, second = bundled.stream(RATE), bundled.stream(RATE)
    assert first.feed(pcm) == second.feed(pcm.tobytes())
    assert first.finish() == second.finish()
    with pytest.raises(AudioError, match="odd number of bytes"):
        bundled.stream(RATE).feed(b"\0\0\0")


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_memory_views_are_read_as_the_type_that_they_declare(bundled, speech, dtype):
    block = speech[:40_001] if dtype == "float32" else (speech[:40_001] * 32767).astype(dtype)
    expected = bundled.stream(RATE)
    events = expected.feed(block) + expected.finish()
    for view in (memoryview(block), memoryview(np.repeat(block, 2))[::2]):
        stream = bundled.stream(RATE)
        assert stream.feed(view) + stream.finish() == events
        assert stream.audio_s == expected.audio_s


def test_any_buffer_of_bytes_is_read_as_16_bit_samples(bundled, speech):
    """Such as those that sounddevice gives to callbacks that do without numpy."""
    pcm = (speech * 32767).astype("<i2")
    with mmap.mmap(-1, pcm.nbytes) as buffer:
        buffer.write(pcm.tobytes())
        first, second = bundled.stream(RATE), bundled.stream(RATE)
        assert first.feed(buffer) == second.feed(pcm)
    assert first.finish() == second.finish()


@pytest.mark.parametrize(
    ("endpoint", "rules"),
    [
        ("short", EndpointRules.short()),
        (1.2, EndpointRules(trailing_s=1.2)),
        ("1.2", EndpointRules(trailing_s=1.2)),
        (EndpointRules.long(), EndpointRules.long()),
    ],
)
def test_endpoints_can_be_given_as_on_the_command_line(bundled, endpoint, rules):
    assert bundled.stream(RATE, endpoint).endpoint == rules
    stream = bundled.stream(RATE)
    stream.endpoint = endpoint
    assert stream.endpoint == rules


@pytest.mark.parametrize("endpoint", ["shrot", 0, 61, float("nan"), "", [1], True])
def test_invalid_endpoints_are_refused(bundled, endpoint):
    with pytest.raises(ConfigError, match="endpoint"):
        bundled.stream(RATE, endpoint)


def test_recordings_can_be_file_objects_or_bytes(bundled):
    path = SAMPLES / "read.flac"
    expected = bundled.transcribe(path)
    assert bundled.transcribe(path.read_bytes()) == expected
    with path.open("rb") as file:
        assert bundled.transcribe(file) == expected
        assert not file.closed
        with pytest.raises(AudioError, match=r"rewind it with seek\(0\)"):
            bundled.transcribe(file)
    with path.open(encoding="latin-1") as file, pytest.raises(AudioError, match="mode 'rb'"):
        bundled.transcribe(file)
    with pytest.raises(AudioError, match=r"^the recording: ") as caught:
        bundled.transcribe(b"no audio at all" * 10)
    assert "asr-gru-" not in str(caught.value)


def test_arrays_with_channels_first_are_refused_with_the_remedy(bundled, speech):
    with pytest.raises(AudioError, match=r"transpose it to \(n, channels\)"):
        bundled.transcribe(np.stack([speech, speech]), RATE)
    stereo = bundled.transcribe(np.stack([speech, speech], axis=1), RATE)
    assert stereo == bundled.transcribe(speech, RATE)


def test_segments_are_yielded_one_by_one(bundled):
    path = SAMPLES / "long.ogg"
    progress_s = []
    expected = bundled.transcribe(path, endpoint="short", on_progress=progress_s.append)
    segments = bundled.segments(path, endpoint="short")
    assert next(segments) == expected.segments[0]
    assert [expected.segments[0], *segments] == list(expected.segments)
    assert len(expected.segments) > 2
    with pytest.raises(AudioError):
        next(bundled.segments(SAMPLES / "no.wav"))


def test_segments_are_recognised_lazily(bundled, monkeypatch):
    steps, acoustic = [], type(bundled.acoustic)
    step = acoustic.step

    def counted(self, samples, state):
        steps.append(samples.shape[1])
        return step(self, samples, state)

    monkeypatch.setattr(acoustic, "step", counted)
    segments = bundled.segments(SAMPLES / "long.ogg", endpoint="short")
    assert steps == []
    next(segments)
    assert sum(steps) < 60 * RATE
    list(segments)
    assert sum(steps) > 190 * RATE


def test_info_describes_the_model(bundled):
    info = bundled.info
    assert (info.name, info.language, info.sample_rate) == ("en-small", "en", RATE)
    assert info.step_s == pytest.approx(0.2)
    assert info.vocab_size == len(bundled.tokenizer)


@pytest.mark.parametrize("suffix", ["txt", "srt", "vtt", "json", "tsv", "ctm", "TextGrid"])
def test_a_transcript_can_be_saved(bundled, speech, tmp_path, suffix):
    transcript = bundled.transcribe(speech, RATE)
    path = tmp_path / f"talk.{suffix}"
    transcript.save(path)
    assert path.read_text(encoding="utf-8") == writer(suffix)(transcript, "talk")
    with pytest.raises(ConfigError, match=r"did you mean '\.srt'"):
        transcript.save(tmp_path / "talk.strt")
    with pytest.raises(Error, match="No such file"):
        transcript.save(tmp_path / "no" / f"talk.{suffix}")


def test_a_transcript_can_be_saved_under_any_name_of_a_recording(tmp_path):
    """Names in a folder need not be UTF-8."""
    transcript = Transcript((), 0.0)
    transcript.save(tmp_path / "a.json", name="caf\udce9")
    assert '"name": "caf\N{REPLACEMENT CHARACTER}"' in (tmp_path / "a.json").read_text("utf-8")
    with pytest.raises(Error, match="name another file"):
        transcript.save(tmp_path / "a\0.json")


def test_results_convert_to_dictionaries(bundled, speech):
    stream = bundled.stream(RATE)
    events = stream.feed(speech) + stream.finish()
    final = next(event for event in events if event.kind == "final")
    assert asr_gru.Event.final(final.to_segment()) == final
    shown = final.to_dict()
    assert shown["type"] == "final"
    assert shown["words"][0] == final.to_segment().to_dict()["words"][0]
    assert replace(final, text="x").to_dict()["text"] == "x"
