"""Hot words through streams and recordings."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru import ConfigError, EndpointRules, Recognizer
from asr_gru.decoding import TreeSearch, TreeSearchParameters, own_pronunciations, word_search
from asr_gru.language import EstimateConfig, LanguageModel, Lexicon, estimate
from tests.fake_model import RATE, TOKENS, FakeModel, blocks_of, random_sound, sound_of
from tests.test_phrases import path_of

WORDS = ("abba", "cab", "dad", "bad", "a", "ab", "cad")
RULES = EndpointRules(trailing_s=0.4, longest_s=6.0, leading_s=2.0)


@pytest.fixture(scope="module")
def recognizer():
    lexicon = Lexicon.of_letters(WORDS, TOKENS.symbols[1:])
    parameters = TreeSearchParameters(phone_floor=1e-6, blank_bias=0.0, beam=30.0, shown_share=0.0)
    decoder = word_search(TOKENS.symbols, lexicon, parameters=parameters, spaced=True)
    return Recognizer(FakeModel(), TOKENS, decoder=decoder, endpoint=RULES)


def spoken(*texts, seed=0, **more):
    return sound_of(path_of(*texts, **more), seed)


def transcribe(recognizer, sound, hot_words=None):
    return recognizer.transcribe(sound, RATE, hot_words=hot_words).text


def test_words_outside_the_lexicon_are_recognised(recognizer):
    sound = spoken("dadda", "abba", "ba dab")
    assert transcribe(recognizer, sound) != "dadda abba ba dab"
    assert transcribe(recognizer, sound, ["Dadda!", "Ba Dab"]) == "dadda abba ba dab"
    assert transcribe(recognizer, sound, ["dadda = 0", "ba = 0", "dab = 0"]) == "dadda abba ba dab"


def test_words_outside_a_small_language_model_are_recognised():
    """Its marks of sentences are impossible words, of which a few percent are rare words."""
    lexicon = Lexicon.of_letters(["abba", "cab"], TOKENS.symbols[1:])
    text = "abba cab\ncab\n"
    model = LanguageModel.build(estimate([("a text", [text])], EstimateConfig(order=2)).ngrams)
    decoder = word_search(TOKENS.symbols, lexicon, model, spaced=True)
    recognizer = Recognizer(FakeModel(), TOKENS, decoder=decoder, endpoint=RULES)
    sound = spoken("dadda")
    assert transcribe(recognizer, sound) != "dadda"
    assert transcribe(recognizer, sound, ["dadda"]) == "dadda"


def test_a_weight_decides_between_words_that_sound_alike(recognizer):
    sound = spoken("cac")  # between "cab" and "cad"
    assert transcribe(recognizer, sound, {"cab": 5}) == "cab"
    assert transcribe(recognizer, sound, {"cad": 5}) == "cad"
    assert transcribe(recognizer, sound, {"cad": 5, "cab": 9}) == "cab"
    assert transcribe(recognizer, spoken("dad"), {"cad": 2}) == "dad"


def test_the_largest_weight_of_a_phrase_counts(recognizer):
    once = recognizer.hot_word_decoder(["cad = 5", "a cab"])
    twice = recognizer.hot_word_decoder(["cad: c a d = 5", "a cab", "Cad = 3", "cad = 0", "A cab"])
    assert once.hot.phrases == twice.hot.phrases
    assert recognizer.hot_word_decoder(["a cab = 9", "a cab"]).hot.phrases[0][1] == 9


@settings(max_examples=25)
@given(
    st.integers(0, 1000),
    st.lists(st.integers(1, 700), min_size=1, max_size=8),
    st.sampled_from([["dadda", "bad cab"], {"acd": 5.0}, ["a a", "a a a = 9"]]),
)
def test_chunking_batching_and_pickling_change_nothing(recognizer, seed, sizes, hot_words):
    sound = random_sound(seed)
    whole = recognizer.transcribe(sound, RATE, hot_words=hot_words)
    stream = recognizer.stream(RATE, hot_words=hot_words)
    events = []
    for block in blocks_of(sound, sizes):
        events += stream.feed(block)
        state = pickle.loads(pickle.dumps(stream.state()))  # noqa: S301
        stream = recognizer.resume(state)
        assert list(stream.hot_words) == list(
            hot_words
            if isinstance(hot_words, dict)
            else [line.partition(" =")[0] for line in hot_words]
        )
    events += stream.finish()
    assert tuple(e.to_segment() for e in events if e.kind == "final") == whole.segments
    sources = [sound, spoken("dad"), spoken("cab", "bad", seed=3)]
    results = recognizer.transcribe_batch(sources, RATE, hot_words=hot_words)
    assert next(results)[1].segments == whole.segments
    assert tuple(recognizer.segments(sound, RATE, hot_words=hot_words)) == whole.segments


def test_hot_words_can_change_within_a_stream(recognizer):
    stream = recognizer.stream(RATE)
    assert stream.hot_words == {}
    texts = []
    for hot_words in (None, {"cab": 5.0}, ["cad = 5"], ["dadda"], {}):
        stream.hot_words = hot_words
        events = stream.feed(spoken("cac", "dadda", pause=20))
        texts.append([event.text for event in events if event.kind == "final"])
    assert texts[1][0] == "cab"
    assert texts[2][0] == "cad"
    assert texts[3][1] == "dadda"
    assert texts[0] == texts[4]
    stream.hot_words = {"cab": 4, "dadda": 3.0}
    assert stream.hot_words == {"cab": 4.0, "dadda": 3.0}
    stream.reset()
    assert stream.hot_words == {"cab": 4.0, "dadda": 3.0}
    events = stream.feed(spoken("dadda", pause=20))
    assert [event.text for event in events if event.kind == "final"] == ["dadda"]
    assert stream.copy().hot_words == stream.hot_words
    stream.hot_words = ["cab: d a d = 4", "dadda"]
    decoder = stream.engine.pipeline.decoder
    stream.hot_words = stream.hot_words
    assert stream.hot_words == {"cab: d a d": 4.0, "dadda": None}
    assert stream.engine.pipeline.decoder is decoder


@settings(max_examples=40)
@given(
    st.integers(0, 1000),
    st.lists(
        st.sampled_from([(), ("dadda",), ("abc", "dadda = 9"), ("a b", "acd")]),
        min_size=2,
        max_size=6,
    ),
    st.integers(20, 300),
)
def test_changes_within_a_word_keep_the_contract_of_events(recognizer, seed, lists, size):
    sound, stream, events = random_sound(seed), recognizer.stream(RATE), []
    for number, first in enumerate(range(0, len(sound), size)):
        stream.hot_words = lists[number % len(lists)]
        events += stream.feed(sound[first : first + size])
    events += stream.finish()
    segment, stable, is_open = -1, "", False
    for event in events:
        if event.segment != segment:
            assert (event.segment, is_open) == (segment + 1, False)
            segment, stable = event.segment, ""
        assert event.text
        assert event.text.startswith(event.stable)
        assert event.stable.startswith(stable)
        assert event.text == " ".join(word.text for word in event.words)
        stable, is_open = event.stable, event.kind == "partial"
    assert not is_open


def test_a_state_without_the_hot_words_of_its_decoder_can_be_resumed(recognizer):
    decoder = recognizer.hot_word_decoder(["dadda", "a bad cab"])
    sound = spoken("dadda", "cab", "dadda")
    stream = recognizer.stream(RATE, decoder=decoder)
    stream.feed(sound[:200])
    stream.hot_words = None
    resumed = recognizer.resume(pickle.loads(pickle.dumps(stream.state())), decoder=decoder)  # noqa: S301
    rest = stream.feed(sound[200:]) + stream.finish()
    assert resumed.feed(sound[200:]) + resumed.finish() == rest
    assert resumed.engine.pipeline.decoder.hot is None


def test_the_hot_words_of_a_decoder_can_be_read_and_extended(recognizer):
    decoder = recognizer.hot_word_decoder({"dadda": None, "cab": 5.0})
    stream = recognizer.stream(RATE, decoder=decoder)
    assert stream.hot_words == {"dadda": None, "cab": 5.0}
    stream.hot_words = [*stream.hot_words, "acd"]
    events = stream.feed(spoken("dadda", pause=20))
    assert [event.text for event in events if event.kind == "final"] == ["dadda"]
    stream.hot_words = None
    assert stream.hot_words == {}


def test_a_list_is_compiled_once_and_shared(recognizer):
    first = recognizer.hot_word_decoder(["dadda"])
    assert recognizer.hot_word_decoder(("dadda",)) is first
    assert recognizer.hot_word_decoder({"dadda": 1.5}) is not first
    stream = recognizer.stream(RATE, hot_words=["acd"])
    stream.hot_words = ["dadda"]
    assert stream.engine.pipeline.decoder is first
    stream.hot_words = None
    assert stream.engine.pipeline.decoder is recognizer.decoder
    assert isinstance(first, TreeSearch)
    spelled = own_pronunciations(first, TOKENS.symbols)
    assert spelled == {"dadda": ["d a d d a", "d a d d a  "]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hot_words": "abba"}, "hot_words is 'abba'; give a list"),
        ({"hot_words": ["..."]}, "hot word '...' has no words"),
        ({"hot_words": ["zebra"]}, "'zebra' cannot be spelled with the model's characters"),
        ({"hot_words": ["a cab: a b"]}, "has 2 words; give phones for single words"),
        ({"hot_words": ["cab: k a b"]}, "'cab' needs the phone k"),
        ({"hot_words": ["a"], "phrases": ["a"]}, "hot words cannot be combined"),
        ({"hot_words": ["a"], "decoder": "greedy"}, "need a word search"),
        ({"hot_words": {"a": 99}}, "give 0 to 20"),
    ],
)
def test_invalid_hot_words_are_refused(recognizer, options, message):
    with pytest.raises(ConfigError, match=message):
        recognizer.stream(RATE, **options)
    with pytest.raises(ConfigError, match=message):
        recognizer.transcribe(np.zeros(100, np.float32), RATE, **options)


def test_a_stream_without_words_refuses_them():
    stream = Recognizer(FakeModel(), TOKENS).stream(RATE)
    with pytest.raises(ConfigError, match="need a word search"):
        stream.hot_words = ["a"]
    assert stream.hot_words == {}
