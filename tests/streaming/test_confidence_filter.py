"""Words below a minimum confidence, in streams and recordings."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru import ConfigError, Recognizer
from asr_gru.results import Segment, Word
from asr_gru.streaming.confidence_filter import ConfidenceFilter, MinimumConfidence
from asr_gru.streaming.partials import OpenSegment
from tests.fake_model import QUICK, RATE, TOKENS, FakeModel, random_sound

LEAST = 0.5


def words_of(confidences):
    return tuple(
        Word(text="abcdefgh"[i], start_s=i, end_s=i + 0.5, confidence=one)
        for i, one in enumerate(confidences)
    )


def opened(confidences, stable):
    words = words_of(confidences)
    texts = [word.text for word in words]
    return OpenSegment(0, " ".join(texts), " ".join(texts[:stable]), words)


def texts(words):
    return [(word.text, word.uncertain) for word in words]


def test_uncertain_words_are_left_out_or_marked():
    segment = Segment.from_words(7, words_of([0.9, 0.4, 0.5]))
    left = ConfidenceFilter(MinimumConfidence(LEAST)).final(segment)
    assert (left.id, left.text, texts(left.words)) == (0, "a c", [("a", False), ("c", False)])
    marked = ConfidenceFilter(MinimumConfidence(LEAST, mark=True)).final(segment)
    assert (marked.text, marked.words[1].text) == ("a [b?] c", "b")
    assert [word.to_dict().get("uncertain") for word in marked.words] == [None, True, None]


def test_segments_without_words_are_dropped_and_get_no_id():
    one = ConfidenceFilter(MinimumConfidence(LEAST))
    assert one.final(Segment.from_words(0, words_of([0.1, 0.2]))) is None
    assert one.final(Segment.from_words(1, words_of([0.9]))).id == 0
    assert one.final(Segment.from_words(2, words_of([0.9]))).id == 1


def test_a_word_is_decided_when_the_next_one_is_stable():
    one = ConfidenceFilter(MinimumConfidence(LEAST))
    assert one.partial(opened([0.9, 0.9], 1)) is None
    shown = one.partial(opened([0.9, 0.1, 0.9], 2))
    assert (shown.text, shown.stable) == ("a c", "a")
    assert one.partial(opened([0.9, 0.1, 0.9], 2)) is None
    shown = one.partial(opened([0.1, 0.9, 0.9], 3))
    assert (shown.text, shown.stable) == ("a b c", "a b")
    assert one.final(Segment.from_words(0, words_of([0.1, 0.1, 0.1]))).text == "a b"


readings = st.lists(
    st.tuples(st.lists(st.floats(0, 1), min_size=8, max_size=8), st.integers(0, 2)), max_size=8
)


@given(readings, st.lists(st.floats(0, 1), min_size=8, max_size=8), st.booleans())
def test_stable_text_is_only_extended_and_shown_segments_get_a_final(partials, last, mark):
    one = ConfidenceFilter(MinimumConfidence(LEAST, mark))
    stable, known, is_shown = 0, "", False
    for confidences, more in partials:
        stable = min(8, stable + more)
        shown = one.partial(opened(confidences, stable))
        if shown is not None:
            is_shown = True
            assert shown.text.startswith(shown.stable)
            assert shown.text == " ".join(word.marked for word in shown.words)
            assert shown.stable.startswith(known)
            known = shown.stable
    final = one.final(Segment.from_words(0, words_of(last)))
    assert final is not None or not is_shown
    assert (final.text if final else "").startswith(known)


@pytest.mark.parametrize("mark", [False, True])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 4800), max_size=6))
def test_events_fulfil_their_contract(mark, seed, cuts):
    recognizer = Recognizer(FakeModel(), TOKENS, temperature=1.0, endpoint=QUICK)
    sound = random_sound(seed)
    whole = recognizer.transcribe(sound, RATE)
    least = float(np.median([word.confidence for word in whole.words]))
    arguments = {"minimum_confidence": least, "mark_uncertain": mark}
    stream = recognizer.stream(RATE, **arguments)
    events = [event for block in np.split(sound, sorted(cuts)) for event in stream.feed(block)]
    events += stream.finish()
    number, stable = 0, ""
    for event in events:
        assert event.segment == number
        assert event.text == " ".join(word.marked for word in event.words)
        assert event.text.startswith(event.stable)
        assert event.stable.startswith(stable)
        assert event.words
        stable = event.stable
        if event.kind == "final":
            number, stable = number + 1, ""
    assert not stable
    told = recognizer.transcribe(sound, RATE, **arguments)
    kept = [w.text for w in whole.words if mark or w.confidence >= least]
    assert [word.text for word in told.words] == kept
    low = [word.confidence < least for word in whole.words]
    assert not mark or [word.uncertain for word in told.words] == low
    assert tuple(recognizer.segments(sound, RATE, **arguments)) == told.segments
    ((_, batched),) = recognizer.transcribe_batch([sound], RATE, **arguments)
    assert batched == told


def test_the_minimum_survives_pickling_and_reset():
    recognizer = Recognizer(FakeModel(), TOKENS, endpoint=QUICK)
    sound = random_sound(3)
    stream = recognizer.stream(RATE, minimum_confidence=1.0)
    stream.feed(sound[:2400])
    resumed = recognizer.resume(pickle.loads(pickle.dumps(stream.state())))  # noqa: S301
    twin = stream.copy()
    assert resumed.engine.minimum_confidence == MinimumConfidence(1.0)
    ends = [one.feed(sound[2400:]) + one.finish() for one in (stream, resumed, twin)]
    assert ends[0] == ends[1] == ends[2]
    resumed.reset()
    assert resumed.engine.minimum_confidence == MinimumConfidence(1.0)


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan"), "0.5", True])
def test_invalid_minimum_confidences_are_refused(least):
    recognizer = Recognizer(FakeModel(), TOKENS)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        recognizer.stream(RATE, minimum_confidence=least)
    with pytest.raises(ConfigError, match="minimum confidence"):
        recognizer.transcribe(np.zeros(100), RATE, mark_uncertain=True)


def test_phrases_with_a_minimum_confidence_are_refused(bundled):
    with pytest.raises(ConfigError, match="rejection"):
        bundled.stream(RATE, phrases=["turn on the light"], minimum_confidence=0.5)
