"""Phrases, grammars and hot words in the package's own streaming protocol."""

import asyncio
import json

import pytest

from asr_gru.recognizer import Recognizer
from asr_gru.streaming.endpoint import EndpointRules
from tests.server.clients import (
    RATE,
    answer_to_start,
    exchange,
    finals,
    run_session,
    speech_like,
    start_session,
)


@pytest.fixture(scope="module")
def phrase_server(serving, word_model):
    with serving(recognizer=Recognizer.load(word_model)) as running:
        yield running


def closed_session(serving, word_model, **closed):
    """Return the messages of a session with phrases or a grammar, and its finals and segments.

    Each final comes with the segment of a transcript with the same phrases or grammar.
    """
    recognizer, samples = Recognizer.load(word_model), speech_like(12.0, seed=4)
    rules = EndpointRules(0.1)
    transcript = recognizer.transcribe(samples, RATE, rejection=20, endpoint=rules, **closed)
    with serving(recognizer=recognizer) as running:
        session = run_session(running, samples, rejection=20, endpoint=0.1, **closed)
        messages, _ = asyncio.run(session)
    pairs = list(zip(finals(messages), transcript.segments, strict=True))
    assert pairs
    for message, segment in pairs:
        assert (message["text"], message["unit"]) == (segment.text, "phrase")
    return messages, pairs


def test_only_phrases_of_the_start_message_are_recognised(serving, word_model):
    phrases = ["a  cat", "bob", "tack", "back", "a"]
    messages, pairs = closed_session(serving, word_model, phrases=phrases)
    assert {message["type"] for message in messages} <= {"final", "status", "end"}
    for message, segment in pairs:
        assert message["phrase"] == phrases[message["phrase_index"]] == segment.match.phrase


ANY = "#JSGF V1.0;\npublic <any> = (a | cat {animal} | back | tack | bob {name})+;"


def test_finals_contain_the_parse_of_a_grammar(serving, word_model):
    _, pairs = closed_session(serving, word_model, grammar=ANY)
    for message, segment in pairs:
        assert message["parse"] == {"intent": "any", "slots": segment.match.slots}


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"phrases": []}, "length >= 1"),
        ({"phrases": ["a"] * 2001}, "length <= 2000"),
        ({"phrases": ["a" * 201]}, "length <= 200"),
        ({"phrases": "a cat"}, "Expected `array"),
        ({"phrases": [" "]}, "has no words"),
        ({"phrases": ["a zebra"]}, "'zebra' needs the phone Z"),
        (
            {"phrases": [chr(97 + i // 26) + chr(97 + i % 26) for i in range(676)]},
            "200 are allowed",
        ),
        ({"grammar": "/etc/passwd"}, "line 1, column 1: a grammar begins with"),
        ({"grammar": "#JSGF V1.0;\npublic <a> = <b>;"}, "line 2, column 14: <b> is not defined"),
        ({"grammar": "#JSGF V1.0;\npublic <a> = zebra;"}, "'zebra' needs the phone Z"),
        ({"grammar": "#" * 50_001}, "length <= 50000"),
        (
            {"grammar": ANY, "phrases": ["a"]},
            "both phrases and a grammar are given; send one of them",
        ),
        ({"grammar": ANY, "decoder": "greedy"}, "leave decoder out"),
        (
            {"grammar": "#JSGF V1.0;\npublic <a> = " + "<number.1-9999> " * 9 + ";"},
            "too large: more than 40000 states",
        ),
        ({"phrases": ["a"], "decoder": "greedy"}, "leave decoder out"),
        ({"phrases": ["a"], "rejection": 21}, "<= 20"),
        ({"rejection": 1}, "rejection applies to phrases"),
    ],
)
def test_invalid_phrases_are_refused(phrase_server, start, message):
    refused = answer_to_start(phrase_server, **start)
    assert refused["code"] == "bad_message"
    assert message in refused["message"]


def test_hot_words_can_be_given_in_the_start_message(serving, word_model):
    recognizer, samples = Recognizer.load(word_model), speech_like(12.0, seed=4)
    hot_words = {"bob": 9.0, "kabob: K AA B AA B": 3}
    expected = [s.text for s in recognizer.transcribe(samples, RATE, hot_words=hot_words).segments]
    assert expected != [s.text for s in recognizer.transcribe(samples, RATE).segments]
    with serving(recognizer=recognizer) as running:
        messages, _ = asyncio.run(run_session(running, samples, hot_words=hot_words))
        assert [message["text"] for message in finals(messages)] == expected
        lines = [f"{phrase} = {weight}" for phrase, weight in hot_words.items()]
        messages, _ = asyncio.run(run_session(running, samples, hot_words=lines))
        assert [message["text"] for message in finals(messages)] == expected


def test_hot_words_can_change_during_a_session(phrase_server):
    samples, hot_words = speech_like(12.0, seed=4), ["bob = 20"]

    async def session(changes):
        async with phrase_server.socket() as socket:
            await start_session(socket, endpoint="off")
            for change in changes:
                await socket.send(json.dumps({"type": "hot_words", "hot_words": change}))
            return [message["text"] for message in finals(await exchange(socket, samples))]

    recognizer, rules = phrase_server.context.recognizer, EndpointRules.off()
    with_bob = recognizer.transcribe(samples, RATE, hot_words=hot_words, endpoint=rules)
    without = recognizer.transcribe(samples, RATE, endpoint=rules)
    assert with_bob.text != without.text
    assert " ".join(asyncio.run(session([hot_words]))) == with_bob.text
    assert " ".join(asyncio.run(session([hot_words, {}]))) == without.text


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"hot_words": ["a"] * 1001}, "length <= 1000"),
        ({"hot_words": ["a" * 401]}, "length <= 400"),
        ({"hot_words": ["a" * 101]}, "101 characters"),
        ({"hot_words": "a"}, "hot_words"),
        ({"hot_words": {"a": "b"}}, "Expected `float`"),
        ({"hot_words": {"a": 21}}, "give 0 to 20"),
        ({"hot_words": ["zebra"]}, "'zebra' needs the phone Z"),
        ({"hot_words": [chr(97 + i // 26) + chr(97 + i % 26) for i in range(676)]}, "200 are"),
        ({"hot_words": ["a"], "decoder": "greedy"}, "need a word search"),
        ({"hot_words": ["a"], "phrases": ["a"]}, "leave hot_words out"),
    ],
)
def test_invalid_hot_words_are_refused(phrase_server, start, message):
    refused = answer_to_start(phrase_server, **start)
    assert refused["code"] == "bad_message"
    assert message in refused["message"]
