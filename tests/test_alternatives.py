"""N-best lists through streams and recordings."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru import ConfigError, EndpointRules, Recognizer
from asr_gru.decoding import AnyDecoder, BeamDecoder, TreeSearch, TreeSearchParameters, word_search
from asr_gru.language import Lexicon
from tests.fake_model import RATE, TOKENS, FakeModel, blocks_of, random_sound
from tests.test_phrases import PHRASES, spoken

WORDS = ("abba", "cab", "dad", "bad", "a", "ab", "cad")
RULES = EndpointRules(trailing_s=0.6, longest_s=3.0, leading_s=1.0, pause_s=0.12)


def recognizer_of(kind):
    decoder: AnyDecoder | None = None
    if kind == "beam":
        decoder = BeamDecoder(12)
    elif kind == "words":
        lexicon = Lexicon.of_letters(WORDS, TOKENS.symbols[1:])
        parameters = TreeSearchParameters(phone_floor=1e-6, blank_bias=0.0, beam=30.0, histories=3)
        decoder = word_search(TOKENS.symbols, lexicon, parameters=parameters, spaced=True)
    return Recognizer(FakeModel(), TOKENS, decoder=decoder, endpoint=RULES)


RECOGNIZERS = {kind: recognizer_of(kind) for kind in ("greedy", "beam", "words")}


def plain(segment):
    words = tuple(replace(word, alternatives=()) for word in segment.words)
    return replace(segment, words=words, alternatives=())


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("kind", RECOGNIZERS)
@given(
    st.integers(0, 1000),
    st.lists(st.integers(1, 700), min_size=1, max_size=6),
    st.integers(1, 6),
)
def test_alternatives_are_the_same_in_streams_recordings_and_batches(kind, seed, sizes, n):
    """Bit-identical however audio is chunked, pickled in between or in a batch."""
    recognizer, sound = RECOGNIZERS[kind], random_sound(seed, 160)
    whole = recognizer.transcribe(sound, RATE, alternatives=n).segments
    stream = recognizer.stream(RATE, alternatives=n)
    events = []
    for number, block in enumerate(blocks_of(sound, sizes)):
        events += stream.feed(block)
        if number % 3 == 0:
            stream = recognizer.resume(pickle.loads(pickle.dumps(stream.state())))  # noqa: S301
    events += stream.finish()
    finals = [event for event in events if event.kind == "final"]
    assert tuple(event.to_segment() for event in finals) == whole
    assert all(not event.alternatives for event in events if event.kind == "partial")
    assert tuple(recognizer.segments(sound, RATE, alternatives=n)) == whole
    sources = [sound, random_sound(seed + 1)]
    batch = recognizer.transcribe_batch(sources, RATE, alternatives=n)
    assert next(batch)[1].segments == whole
    assert tuple(map(plain, whole)) == recognizer.transcribe(sound, RATE).segments
    for segment in whole:
        assert 1 <= len(segment.alternatives) <= (1 if kind == "greedy" else n)
        assert segment.alternatives[0].text == segment.text
        assert segment.alternatives[0].words == plain(segment).words
        assert sum(one.probability for one in segment.alternatives) == pytest.approx(1.0)
        assert len({one.text for one in segment.alternatives}) == len(segment.alternatives)
        scores = [one.log_prob for one in segment.alternatives]
        assert scores == sorted(scores, reverse=True)
        for one in segment.alternatives:
            assert one.text == " ".join(word.text for word in one.words)
            assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(one.words))
        for word in segment.words:
            assert word.text in [one.text for one in word.alternatives]
            assert sum(one.probability for one in word.alternatives) == pytest.approx(1.0)


def test_segments_cut_at_the_maximum_length_have_alternatives_up_to_the_cut():
    sound = spoken(*["cab", "a bad dad"] * 12, pause=1)
    for kind in ("beam", "words"):
        segments = RECOGNIZERS[kind].transcribe(sound, RATE, alternatives=5).segments
        assert len(segments) > 2
        assert max(len(segment.alternatives) for segment in segments) > 1
        for before, after in itertools.pairwise(segments):
            for one in before.alternatives:
                assert not one.words or one.words[-1].end_s <= after.start_s + 0.2


def test_copied_and_reset_streams_keep_their_alternatives():
    recognizer, sound = RECOGNIZERS["words"], spoken("cab", "dad")
    stream = recognizer.stream(RATE, alternatives=3)
    stream.feed(sound)
    stream.reset()
    for one in (stream, stream.copy()):
        events = one.feed(sound) + one.finish()
        assert [len(e.alternatives) for e in events if e.kind == "final"] == [3]


def test_phrases_compete_with_each_other_and_with_rejection():
    sound = spoken("cab")
    (segment,) = (
        RECOGNIZERS["greedy"].transcribe(sound, RATE, phrases=PHRASES, alternatives=20).segments
    )
    assert segment.alternatives[0].match == segment.match
    texts = [one.text for one in segment.alternatives]
    assert texts[0] == "cab"
    assert "" in texts


@pytest.mark.parametrize("mark", [False, True])
def test_a_minimum_confidence_does_not_filter_alternatives(mark):
    recognizer, sound = RECOGNIZERS["beam"], spoken("cab", "a bad dad", seed=4)
    (segment,) = recognizer.transcribe(sound, RATE, alternatives=3).segments
    least = sorted(word.confidence for word in segment.words)[1]
    (left,) = recognizer.transcribe(
        sound, RATE, alternatives=3, minimum_confidence=least, mark_uncertain=mark
    ).segments
    assert left.alternatives == segment.alternatives
    assert left.text != segment.text
    kept = [replace(word, uncertain=False) for word in left.words]
    assert set(kept) <= set(segment.words)
    assert len(kept) == len(segment.words) - (not mark)


class _CountingDecoder:
    """Records how many hypotheses are requested."""

    def __init__(self, monkeypatch, cls):
        self.counts, best = [], cls.best

        def noted(decoder, state, n=1):
            self.counts.append(n)
            return best(decoder, state, n)

        monkeypatch.setattr(cls, "best", noted)


def test_alternatives_are_not_computed_unless_requested(monkeypatch):
    asked = _CountingDecoder(monkeypatch, TreeSearch)
    recognizer = RECOGNIZERS["words"]
    transcript = recognizer.transcribe(spoken("cab", "dad"), RATE)
    assert set(asked.counts) == {1}
    assert "alternatives" not in str(transcript.to_dict())
    recognizer.transcribe(spoken("cab", "dad"), RATE, alternatives=4)
    assert max(asked.counts) >= 4


def test_alternatives_convert_to_json():
    recognizer = RECOGNIZERS["words"]
    (segment,) = recognizer.transcribe(spoken("cab"), RATE, alternatives=2).segments
    found = segment.to_dict()
    assert found["alternatives"][0]["text"] == "cab"
    assert set(found["alternatives"][1]) == {"text", "log_prob", "probability", "words"}
    assert "alternatives" not in found["alternatives"][0]["words"][0]
    assert found["words"][0]["alternatives"][0]["text"] == "cab"
    stream = recognizer.stream(RATE, alternatives=2)
    final = (stream.feed(spoken("cab")) + stream.finish())[-1]
    assert final.to_dict(words=False)["alternatives"] == found["alternatives"]


@pytest.mark.parametrize("count", [0, 21, 1.5, "three"])
def test_invalid_counts_are_refused(count):
    recognizer, sound = RECOGNIZERS["greedy"], np.zeros(100, np.float32)
    for call in (
        lambda: recognizer.transcribe(sound, RATE, alternatives=count),
        lambda: recognizer.segments(sound, RATE, alternatives=count),
        lambda: recognizer.transcribe_batch([sound], RATE, alternatives=count),
        lambda: recognizer.stream(RATE, alternatives=count),
    ):
        with pytest.raises(ConfigError, match=r"; give 1 to 20$"):
            call()
