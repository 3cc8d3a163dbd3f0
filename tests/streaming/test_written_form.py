"""Finals in written form as well as in spoken form."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from asr_gru import ConfigError, Event, Segment, Transcript, Word
from asr_gru.audio import read_recording
from asr_gru.formats import writer
from asr_gru.streaming.written_form import with_written
from asr_gru.text import inverse_normalise

RATE = 16_000
SAMPLES = Path(__file__).parents[2] / "audio_samples"


@pytest.fixture(scope="module")
def speech():
    return read_recording(SAMPLES / "lights.opus", RATE)


def spoken(text):
    words = [
        Word(text=word, start_s=0.5 * n, end_s=0.5 * n + 0.4, confidence=0.9 - 0.01 * n)
        for n, word in enumerate(text.split())
    ]
    return Segment.from_words(3, tuple(words))


def finals(events):
    return [event for event in events if event.kind == "final"]


def test_a_written_word_spans_its_spoken_words():
    segment = with_written(spoken("i paid twenty five dollars today"))
    assert segment.text == "i paid twenty five dollars today"
    assert segment.written == "I paid $25 today"
    amount = segment.written_words[2]
    assert (amount.start_s, amount.end_s) == (1.0, 2.4)
    assert amount.confidence == segment.words[4].confidence
    assert Event.final(segment).to_segment() == segment


def test_a_written_word_is_as_uncertain_as_its_spoken_words():
    segment = spoken("twenty five dollars today")
    words = (replace(segment.words[0], uncertain=True), *segment.words[1:])
    assert with_written(Segment.from_words(0, words)).written == "[$25?] today"


def test_json_has_both_forms_only_if_requested():
    plain = spoken("twenty five dollars")
    for result in (plain, Event.final(plain), Transcript((plain,), 2.0)):
        assert result.written is None
        assert "written" not in json.dumps(result.to_dict())
    segment = with_written(plain)
    for result in (segment, Event.final(segment)):
        told = result.to_dict()
        assert (told["text"], told["written"]) == ("twenty five dollars", "$25")
        assert [word["text"] for word in told["written_words"]] == ["$25"]
        assert len(told["words"]) == 3
    told = Transcript((segment, segment), 2.0).to_dict()
    assert (told["text"], told["written"]) == ("twenty five dollars twenty five dollars", "$25 $25")


@pytest.mark.parametrize("form", ["txt", "tsv", "srt", "vtt"])
def test_text_and_subtitles_have_the_written_form(form):
    segment = with_written(spoken("i paid twenty five dollars"))
    text = writer(form)(Transcript((segment,), 3.0), "a")
    assert "I paid $25" in text
    assert "twenty" not in text


@pytest.mark.parametrize("form", ["ctm", "TextGrid"])
def test_word_formats_keep_the_spoken_form(form):
    segment = spoken("i paid twenty five dollars")
    written = Transcript((with_written(segment),), 3.0)
    assert writer(form)(written, "a") == writer(form)(Transcript((segment,), 3.0), "a")


def test_recordings_and_streams_have_the_same_written_form(bundled, speech):
    transcript = bundled.transcribe(speech, RATE, written=True)
    plain = bundled.transcribe(speech, RATE)
    assert plain.written is None
    assert transcript.text == plain.text
    assert [s.written for s in transcript.segments] == [
        inverse_normalise(s.text) for s in plain.segments
    ]
    assert list(bundled.segments(speech, RATE, written=True)) == list(transcript.segments)
    ((_, batched),) = bundled.transcribe_batch([speech], RATE, written=True)
    assert batched == transcript
    stream = bundled.stream(RATE, written=True)
    events = stream.feed(speech) + stream.finish()
    assert tuple(event.to_segment() for event in finals(events)) == transcript.segments
    partials = [event for event in events if event.kind == "partial"]
    assert partials
    assert all(event.written is None for event in partials)
    assert stream.text == transcript.text


def test_resumed_and_reset_streams_keep_the_written_form(bundled, speech):
    half = len(speech) // 2
    stream = bundled.stream(RATE, written=True)
    stream.feed(speech[:half])
    resumed = bundled.resume(pickle.loads(pickle.dumps(stream.state())))  # noqa: S301
    assert all(event.written for event in finals(resumed.feed(speech[half:]) + resumed.finish()))
    resumed.reset()
    assert all(event.written for event in finals(resumed.feed(speech) + resumed.finish()))


def test_only_english_has_a_written_form(bundled, monkeypatch):
    monkeypatch.setattr(bundled, "_language", "de")
    with pytest.raises(ConfigError, match="available in English only, not in 'de'"):
        bundled.stream(RATE, written=True)
    bundled.stream(RATE)
