"""Speech detection, alone and in the segmenter."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import GreedyDecoder, WordTimes
from asr_gru.errors import ConfigError, ModelError
from asr_gru.model.directory import ModelDirectory
from asr_gru.recognizer import Recognizer
from asr_gru.results import Word
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.segmenter import Segmenter
from asr_gru.streaming.speech import (
    CONTEXT_S,
    MAX_STEP,
    SpeechEvidence,
    SpeechThresholds,
    accumulate,
    is_speech,
    speech_thresholds,
)
from asr_gru.text import PhoneTokenizer
from tests.decoding.words import Bigrams, tree_search

PHONES = PhoneTokenizer(["AA", "B", "K"])
QUICK = EndpointRules(trailing_s=0.4, longest_s=2.0, leading_s=1.0, pause_s=0.12)
STRICT = SpeechThresholds(shown=7.0, kept=3.0)


def rows_of(path, sure):
    """Return rows in which the token of the path has the probability ``sure``."""
    rows = np.full((len(path), 4), 0.0, np.float32)
    for row, token, p in zip(rows, path, np.broadcast_to(sure, len(path)), strict=True):
        row[:] = (1 - p) / 3
        row[token] = p
    return np.log(rows)


def random_rows(seed, frames, tokens, sharpness):
    """Return rows whose entropy varies from frame to frame."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(frames, tokens)) * random.uniform(0.1, sharpness, (frames, 1))
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def segmenter(rules, decoder=None):
    decoder = decoder or tree_search(Bigrams(), blank_skip=0.9)
    return Segmenter(decoder, PHONES, WordTimes(0.04), QUICK, rules)


def segments_of(rows, rules, cuts=(), decoder=None):
    one = segmenter(rules, decoder)
    found = [s for piece in np.split(rows, sorted(cuts)) for s in one.advance(piece)]
    return found + one.finish(len(rows) * 0.04)


def evidence_of(path, sure):
    return accumulate(SpeechEvidence(), rows_of(path, sure)).highest


def test_evidence_accumulates_over_certain_phones_only():
    word = [0, 1, 0, 2, 0, 3, 0]
    assert evidence_of(word, 0.99) == pytest.approx(3 * MAX_STEP)
    assert evidence_of(word, 0.6) == 0.0
    assert evidence_of(word, 0.6) < evidence_of(word, 0.9) < evidence_of(word, 0.95)
    assert evidence_of([0] * 50, 0.99) == 0.0


def test_a_run_of_frames_counts_once_with_its_maximum():
    long, short = [0, 1, 1, 1, 1, 0], [0, 1, 0]
    assert evidence_of(long, 0.95) == evidence_of(short, 0.95)
    assert evidence_of(long, [0.9, 0.6, 0.95, 0.7, 0.6, 0.9]) == evidence_of(short, 0.95)


def test_uncertain_phones_reduce_the_evidence():
    sure, doubtful = rows_of([1, 0], 0.95), rows_of([2, 0], 0.4)
    apart = np.concatenate([sure, doubtful, doubtful, sure])
    assert (
        accumulate(SpeechEvidence(), apart).highest
        < accumulate(SpeechEvidence(), np.tile(sure, (2, 1))).highest
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 80), max_size=8))
def test_evidence_does_not_depend_on_chunking_and_never_decreases(seed, cuts):
    rows = random_rows(seed, 80, 5, 6.0)
    state, highest = SpeechEvidence(), 0.0
    for piece in np.split(rows, sorted(cuts)):
        state = accumulate(state, piece)
        assert state.highest >= highest
        highest = state.highest
    assert state == accumulate(SpeechEvidence(), rows)
    enough = accumulate(SpeechEvidence(), rows, state.highest / 2)
    assert state.highest / 2 <= enough.highest <= state.highest


def word(confidence, seconds=0.5):
    return Word("x", 1.0, 1.0 + seconds, confidence)


def test_unshown_segments_are_kept_if_words_are_certain_and_quick():
    rules, state = SpeechThresholds(shown=8.0, kept=2.0), SpeechEvidence(highest=3.0)
    assert is_speech(state, [word(0.9)], rules)
    assert not is_speech(state, [word(0.01)], rules)
    assert not is_speech(state, [word(0.9, 8.0)], rules)
    assert not is_speech(SpeechEvidence(highest=1.0), [word(0.9)], rules)
    assert is_speech(SpeechEvidence(highest=8.0), [word(0.01, 8.0)], rules)


def test_thresholds_are_lower_after_kept_words():
    rules = SpeechThresholds(shown=5.0, kept=1.0)
    eased = rules.after(1.0)
    assert eased.shown < rules.shown
    assert eased.kept < rules.kept
    assert rules.after(CONTEXT_S) is rules
    assert SpeechThresholds(shown=0.5, kept=-100).after(0.0) == SpeechThresholds(0.0, -100.0)


def test_words_of_noise_are_neither_shown_nor_kept():
    noise = rows_of([0, 1, 0, 2, 0, 0, 3, 1, 0, *[0] * 20], 0.55)
    assert segments_of(noise, None)
    assert segments_of(noise, STRICT) == []
    one = segmenter(STRICT)
    for row in noise[:9]:
        one.advance(row[None])
        assert one.open_segment() is None
    spoken = rows_of([0, 1, 0, 2, 0, 0, 3, 1, 0, *[0] * 20], 0.97)
    assert segments_of(spoken, STRICT) == segments_of(spoken, None)


def test_words_soon_after_kept_ones_need_less_evidence():
    sure, weak = rows_of([1, 0, 2, 0, 3, *[0] * 15], 0.97), rows_of([1, 0, 2, *[0] * 15], 0.85)
    assert segments_of(weak, STRICT) == []
    assert len(segments_of(np.concatenate([sure, weak]), STRICT)) == 2


def test_other_decoders_are_not_affected():
    noise = rows_of([0, 1, 0, 2, 0, *[0] * 20], 0.55)
    assert segments_of(noise, STRICT, decoder=GreedyDecoder())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(0, 150), max_size=8),
    st.floats(0.0, 12.0),
    st.floats(-3.0, 8.0),
)
def test_shown_segments_are_kept_however_audio_is_chunked(seed, cuts, shown, kept):
    """Bit-identical in chunks and batches, with valid events, at any thresholds."""
    rows = random_rows(seed, 150, 4, 8.0)
    rules = SpeechThresholds(shown, kept)
    whole = segments_of(rows, rules)
    assert segments_of(rows, rules, cuts) == whole
    one, finals, opened = segmenter(rules), [], {}
    for row in rows:
        finals += one.advance(row[None])
        if spoken := one.open_segment():
            assert spoken.text
            assert spoken.stable.startswith(opened.get(spoken.id, ""))
            opened[spoken.id] = spoken.stable
    assert finals + one.finish(6.0) == whole
    texts = {segment.id: segment.text for segment in whole}
    assert list(texts) == list(range(len(whole)))
    assert all(texts[number].startswith(stable) for number, stable in opened.items())


@pytest.mark.parametrize(
    ("speech", "named"),
    [
        ({"shown": -1}, "speech.shown -1: give 0 to 100"),
        ({"shown": 101}, "speech.shown 101"),
        ({"kept": -200}, "speech.kept -200: give -100 to 100"),
        ({"keep": 1}, "'kept'"),
    ],
)
def test_thresholds_of_a_model_directory_are_checked(word_model, tmp_path, speech, named):
    path = tmp_path / "model"
    shutil.copytree(word_model, path)
    document = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**document, "speech": speech}))
    with pytest.raises(ModelError, match=named) as refusal:
        Recognizer.load(path)
    assert "\n" not in str(refusal.value)


def test_thresholds_of_a_model_directory_are_used(word_model, tmp_path):
    """An untrained network finds words in noise; with the detector it finds none."""
    path = tmp_path / "model"
    shutil.copytree(word_model, path)
    document = json.loads((path / "config.json").read_text())
    document["speech"] = {"shown": 100.0, "kept": 100.0}
    (path / "config.json").write_text(json.dumps(document))
    noise = np.random.default_rng(1).standard_normal(32_000).astype(np.float32) * 0.1
    assert Recognizer.load(word_model).transcribe(noise, 16_000).text
    strict = Recognizer.load(path)
    assert strict.transcribe(noise, 16_000).text == ""
    assert strict.transcribe(noise, 16_000, decoder="greedy").text
    stream = strict.stream(16_000)
    assert stream.feed(noise) + stream.finish() == []
    assert speech_thresholds(ModelDirectory.open(word_model)) is None
    assert speech_thresholds(ModelDirectory.open("en-small")) is not None


def test_rules_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"speech\.kept nan"):
        SpeechThresholds(kept=float("nan"))
