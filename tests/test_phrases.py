"""Closed phrases through streams and recordings."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru import ConfigError, EndpointRules, Match, Recognizer
from tests.fake_model import RATE, TOKENS, FakeModel, blocks_of, sound_of

PHRASES = ["Abba!", "cab", "a bad cab", "dad"]
SHORT = EndpointRules(trailing_s=0.4, longest_s=6.0, leading_s=2.0)


def path_of(*texts, pause=14):
    """Return the token of each frame: one frame per letter, blanks between equal ones, a pause."""
    path = [0, 0]
    for text in texts:
        for before, letter in itertools.pairwise(" " + text):
            path += [0] * (letter == before) + [TOKENS.symbols.index(letter)]
        path += [0] * pause
    return path


def spoken(*texts, seed=0, **more):
    return sound_of(path_of(*texts, **more), seed)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(FakeModel(), TOKENS, endpoint=SHORT)


def transcribe(recognizer, sound, **options):
    return recognizer.transcribe(sound, RATE, phrases=PHRASES, **options)


def test_phrases_are_recognised_and_other_speech_is_rejected(recognizer):
    sound = spoken("abba", "dada", "cab", "acdcacdc", "a bad cab", "ab", "abbadad", "dad")
    segments = transcribe(recognizer, sound, rejection=1.0).segments
    assert [segment.text for segment in segments] == ["abba", "cab", "a bad cab", "dad"]
    assert [segment.id for segment in segments] == [0, 1, 2, 3]
    assert [segment.match for segment in segments] == [
        Match("Abba!", 0),
        Match("cab", 1),
        Match("a bad cab", 2),
        Match("dad", 3),
    ]
    assert {segment.unit for segment in segments} == {"phrase"}
    assert [word.text for word in segments[2].words] == ["a", "bad", "cab"]
    assert segments[0].start_s == pytest.approx(2 * 0.04)
    assert segments[0].to_dict() | {"words": []} == {
        "id": 0,
        "start_s": round(segments[0].start_s, 3),
        "end_s": round(segments[0].end_s, 3),
        "text": "abba",
        "unit": "phrase",
        "phrase": "Abba!",
        "phrase_index": 0,
        "words": [],
    }


def test_without_phrases_segments_have_no_match(recognizer):
    (segment, *_) = recognizer.transcribe(spoken("abba"), RATE).segments
    assert segment.unit == "words"
    assert segment.match is None
    assert "unit" not in segment.to_dict()


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(["abba", "cab", "dadc", "dad", "a bad cab"]), max_size=4),
    st.integers(0, 1000),
    st.lists(st.integers(1, 700), min_size=1, max_size=8),
)
def test_chunking_and_batching_do_not_change_results(recognizer, texts, seed, sizes):
    sound = spoken(*texts, seed=seed)
    whole = transcribe(recognizer, sound)
    stream = recognizer.stream(RATE, phrases=PHRASES)
    events = []
    for block in blocks_of(sound, sizes):
        events += stream.feed(block)
    events += stream.finish()
    assert {event.kind for event in events} <= {"final"}
    assert tuple(event.to_segment() for event in events) == whole.segments
    sources = [sound, spoken("dad"), spoken("cab", "bad", seed=3)]
    results = recognizer.transcribe_batch(sources, RATE, phrases=PHRASES)
    assert next(results)[1].segments == whole.segments
    assert list(recognizer.segments(sound, RATE, phrases=PHRASES)) == list(whole.segments)


def test_endless_other_speech_ends_at_the_maximum_length(recognizer):
    sound = spoken(*["acdcacdc"] * 30, "cab", pause=4)
    rules = EndpointRules(trailing_s=0.8, longest_s=3.0, leading_s=None)
    assert [s.text for s in transcribe(recognizer, sound, endpoint=rules).segments] in ([], ["cab"])
    apart = np.concatenate([sound, spoken("", "abba", pause=30)])
    texts = [s.text for s in transcribe(recognizer, apart, endpoint=rules).segments]
    assert texts[-1:] == ["abba"]


def test_a_phrase_is_not_cut_at_the_maximum_length(recognizer):
    rules = EndpointRules(trailing_s=0.8, longest_s=0.4, leading_s=None, pause_s=0.04)
    assert [s.text for s in transcribe(recognizer, spoken("cab"), endpoint=rules).segments] == [
        "cab"
    ]
    found = transcribe(recognizer, spoken("a bad cab"), endpoint=rules).segments
    assert {segment.match is not None for segment in found} <= {True}


def test_rejection_is_tunable(recognizer):
    sound = spoken("cac")  # a phone away from "cab"
    assert [s.text for s in transcribe(recognizer, sound, rejection=8).segments] == ["cab"]
    assert transcribe(recognizer, sound, rejection=0.5).segments == ()


def test_a_decoder_is_compiled_once(recognizer):
    first = recognizer.phrase_decoder(PHRASES)
    assert recognizer.phrase_decoder(tuple(PHRASES)) is first
    assert recognizer.phrase_decoder(PHRASES, rejection=1.0) is not first
    texts = [s.text for s in recognizer.transcribe(spoken("dad"), RATE, decoder=first).segments]
    assert texts == ["dad"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phrases": []}, "no phrases to listen for"),
        ({"phrases": "abba"}, "phrases is 'abba'; give a list"),
        ({"phrases": 3}, "phrases is '3'; give a list"),
        ({"phrases": ["abba", 3]}, "phrase 2 is '3'; give text"),
        ({"phrases": ["abba", "..."]}, r"phrase 2 \('...'\) has no words"),
        ({"phrases": ["zebra"]}, "'zebra' cannot be spelled with the model's characters"),
        ({"phrases": itertools.repeat("a")}, "more than 100000 phrases"),
        ({"phrases": ["abba"], "decoder": "greedy"}, "have their own decoder"),
        ({"phrases": ["abba"], "rejection": 99}, "rejection 99: give 0 to 20"),
        ({"phrases": ["abba"], "rejection": "strict"}, "rejection is 'strict'; give a number"),
        ({"phrases": ["abba"], "rejection": True}, "rejection is 'True'; give a number"),
        ({"rejection": 1.0}, "rejection applies to phrases"),
    ],
)
def test_invalid_phrases_are_refused(recognizer, options, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        recognizer.stream(RATE, **options)
    assert "\n" not in str(refusal.value)


GRAMMAR = """#JSGF V1.0;
public <call> = (abba | dad) {who} [a {again=true} bad cab];
public <cabs> = /3/ cab (cab)* | /1/ dada {intent=other};
"""


def test_grammars_are_recognised_with_their_meaning(recognizer, tmp_path):
    sound = spoken("abba", "dada", "cab cab cab", "acdcacdc", "dad a bad cab", "abba cab")
    segments = recognizer.transcribe(sound, RATE, grammar=GRAMMAR, rejection=1.0).segments
    assert [(segment.text, segment.match.intent, segment.match.slots) for segment in segments] == [
        ("abba", "call", {"who": "abba"}),
        ("dada", "other", {}),
        ("cab cab cab", "cabs", {}),
        ("dad a bad cab", "call", {"who": "dad", "again": True}),
    ]
    assert segments[0].to_dict()["parse"] == {"intent": "call", "slots": {"who": "abba"}}
    assert segments[0].unit == "phrase"

    path = tmp_path / "calls.jsgf"
    path.write_text(GRAMMAR)
    stream = recognizer.stream(RATE, grammar=path, rejection=1.0)
    events = [*stream.feed(sound), *stream.finish()]
    assert [event.to_segment() for event in events] == [*segments]
    assert {event.kind for event in events} == {"final"}
    assert [*recognizer.segments(sound, RATE, grammar=str(path), rejection=1.0)] == [*segments]
    ((_, batched),) = recognizer.transcribe_batch([sound], RATE, grammar=GRAMMAR, rejection=1.0)
    assert batched.segments == segments


def test_a_stream_with_a_grammar_can_be_resumed(recognizer):
    sound = spoken("abba", "cab cab", "dad")
    decoder = recognizer.grammar_decoder(GRAMMAR)
    stream = recognizer.stream(RATE, decoder=decoder)
    events = [*stream.feed(sound[: len(sound) // 2])]
    state = pickle.loads(pickle.dumps(stream.state()))  # noqa: S301
    resumed = recognizer.resume(state, decoder=decoder)
    events += [*resumed.feed(sound[len(sound) // 2 :]), *resumed.finish()]
    assert [event.match.intent for event in events] == ["call", "cabs", "call"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grammar": "#JSGF V1.0;\npublic <a> = <b>;"}, "line 2, column 14: <b> is not defined"),
        ({"grammar": "none.jsgf"}, "none.jsgf: No such file or directory; give JSGF or its file"),
        ({"grammar": 3}, "grammar is '3'; give the text"),
        ({"grammar": ""}, "the grammar is empty"),
        ({"grammar": GRAMMAR, "phrases": ["a"]}, "both phrases and a grammar are given; give one"),
        ({"grammar": GRAMMAR, "decoder": "greedy"}, "have their own decoder"),
        ({"grammar": GRAMMAR, "rejection": 99}, "rejection 99: give 0 to 20"),
        ({"grammar": "#JSGF V1.0;\npublic <a> = zebra;"}, "'zebra' cannot be spelled"),
    ],
)
def test_invalid_grammars_are_refused(recognizer, options, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        recognizer.stream(RATE, **options)
    assert "\n" not in str(refusal.value)


def test_the_size_of_a_grammar_can_be_limited(recognizer):
    with pytest.raises(ConfigError, match="too large: more than 10 states"):
        recognizer.grammar_decoder(GRAMMAR, max_states=10)


def test_hot_words_do_not_come_into_a_stream_of_phrases(recognizer):
    stream = recognizer.stream(RATE, phrases=PHRASES)
    with pytest.raises(ConfigError, match="put the words into these, or open a stream without"):
        stream.hot_words = ["cab"]
