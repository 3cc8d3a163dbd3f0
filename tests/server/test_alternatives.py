"""N-best lists and log-probabilities over REST and WebSocket."""

from __future__ import annotations

import asyncio
import json
import math

import openai
import pytest

from asr_gru import Recognizer
from asr_gru.results import Segment, Transcript, Word
from asr_gru.streaming.written_form import with_written
from tests.server.clients import RATE, speech_like
from tests.server.test_upload_endings import flac, upload

SAMPLES = speech_like(6.0, seed=5)
VERBOSE = {"response_format": "verbose_json"}


@pytest.fixture(scope="module")
def word_server(word_model, serving):
    """Return a server whose model recognises words, and its recogniser."""
    recognizer = Recognizer.load(word_model)
    with serving(recognizer=recognizer) as server:
        yield server, recognizer


@pytest.fixture(scope="module")
def recording():
    return flac(SAMPLES)


def test_verbose_json_has_alternatives(word_server, recording):
    server, recognizer = word_server
    transcript = recognizer.transcribe(recording, alternatives=3)
    granularities = {"timestamp_granularities": "word"}
    status, answer = upload(server, recording, alternatives="3", **VERBOSE)
    assert status == 200
    assert [[one["text"] for one in s["alternatives"]] for s in answer["segments"]] == [
        [one.text for one in s.alternatives] for s in transcript.segments
    ]
    assert max(len(segment["alternatives"]) for segment in answer["segments"]) > 1
    first = answer["segments"][0]["alternatives"][0]
    assert set(first) == {"text", "log_prob", "probability", "words"}
    assert set(first["words"][0]) == {"word", "start", "end"}
    _, answer = upload(server, recording, alternatives="3", **VERBOSE, **granularities)
    for shown, word in zip(answer["words"], transcript.words, strict=True):
        assert [one["word"] for one in shown["alternatives"]] == [
            one.text for one in word.alternatives
        ]


def test_responses_have_no_alternatives_unless_requested(word_server, recording):
    server, _ = word_server
    for options in ({}, VERBOSE, VERBOSE | {"timestamp_granularities": "word"}):
        text = json.dumps(upload(server, recording, **options)[1])
        assert '"alternatives"' not in text
        assert '"logprobs"' not in text


@pytest.mark.parametrize("name", ["include", "include[]"])
@pytest.mark.parametrize("form", ["json", "verbose_json"])
def test_logprobs_are_logarithms_of_confidences(server, recording, recognizer, name, form):
    words = recognizer.transcribe(recording).words
    _, answer = upload(server, recording, **{"response_format": form, name: "logprobs"})
    tokens = answer["logprobs"]
    assert "".join(one["token"] for one in tokens) == answer["text"]
    for one, word in zip(tokens, words, strict=True):
        assert one["logprob"] == pytest.approx(math.log(word.confidence), abs=1e-3)
        assert bytes(one["bytes"]).decode() == one["token"]


def test_segments_have_the_mean_of_their_words(server, recording, recognizer):
    segments = recognizer.transcribe(recording).segments
    _, answer = upload(server, recording, **VERBOSE)
    for shown, segment in zip(answer["segments"], segments, strict=True):
        logs = [math.log(word.confidence) for word in segment.words]
        assert shown["avg_logprob"] == pytest.approx(sum(logs) / len(logs), abs=1e-3)
        assert shown["avg_logprob"] < 0


def test_the_official_client_parses_logprobs(server):
    recording = flac(speech_like(30.0, seed=5))
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        file = ("talk.flac", recording)
        create = client.audio.transcriptions.create
        answer = create(model="tiny", file=file, include=["logprobs"])
        assert "".join(one.token or "" for one in answer.logprobs) == answer.text
        events = list(create(model="tiny", file=file, include=["logprobs"], stream=True))
    *deltas, done = events
    assert len(deltas) > 1
    for event in deltas:
        assert "".join(one.token or "" for one in event.logprobs) == event.delta
    assert "".join(one.token or "" for one in done.logprobs) == done.text == answer.text


class Numbers:
    """A recogniser that returns the same two segments for every recording."""

    def __init__(self, recognizer):
        self._recognizer = recognizer

    def __getattr__(self, name):
        return getattr(self._recognizer, name)

    def transcribe(self, *_, on_segment, **__):
        sure = (0.9, 0.8, 0.7, 0.25, 0.5, 0.6)
        texts = ("i paid twenty five dollars today", "on june fifth")
        segments = []
        for place, text in enumerate(texts):
            heard = enumerate(zip(text.split(), sure, strict=False))
            words = tuple(Word(word, at, at + 0.5, confidence) for at, (word, confidence) in heard)
            segments.append(with_written(Segment.from_words(place, words)))
            on_segment(segments[-1])
        return Transcript(tuple(segments), 9.0)


def test_tokens_of_written_text_are_its_words(serving, recognizer, recording):
    first = [("I", 0.9), (" paid", 0.8), (" $25", 0.25), (" today", 0.6)]
    second = [(" On", 0.9), (" June", 0.8), (" 5th", 0.7)]
    asked = {"include": "logprobs", "written": "true"}
    with serving(recognizer=Numbers(recognizer)) as server:
        answers = [
            upload(server, recording, response_format=form, **asked)[1]
            for form in ("json", "verbose_json")
        ]
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            *deltas, done = client.audio.transcriptions.create(
                model="tiny",
                file=("talk.flac", recording),
                include=["logprobs"],
                stream=True,
                extra_body={"written": "true"},
            )
    streamed = [event.to_dict() for event in (*deltas, done)]
    assert [one["delta"] for one in streamed[:-1]] == ["I paid $25 today", " On June 5th"]
    for found, expected in zip(
        [*answers, *streamed],
        [first + second, first + second, first, second, first + second],
        strict=True,
    ):
        tokens = found["logprobs"]
        assert "".join(one["token"] for one in tokens) == found.get("text", found.get("delta"))
        assert [one["token"] for one in tokens] == [token for token, _ in expected]
        assert [one["logprob"] for one in tokens] == pytest.approx(
            [math.log(confidence) for _, confidence in expected], abs=1e-3
        )


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"alternatives": "3"}, "alternatives"),
        ({"alternatives": "3", "response_format": "srt"}, "alternatives"),
        ({"alternatives": "3", "stream": "true", **VERBOSE}, "alternatives"),
        ({"alternatives": "0", **VERBOSE}, "alternatives"),
        ({"alternatives": "21", **VERBOSE}, "alternatives"),
        ({"alternatives": "few", **VERBOSE}, "alternatives"),
        ({"include": "logprobs", "response_format": "srt"}, "include"),
        ({"include": "everything"}, "include[0]"),
    ],
)
def test_invalid_uploads_are_refused(server, recording, options, param):
    status, answer = upload(server, recording, **options)
    assert (status, answer["error"]["param"]) == (400, param)
    assert "\n" not in answer["error"]["message"]


def run_stream(server, **start):
    """Return the messages that a client of ``/v1/stream`` receives."""

    async def messages():
        async with server.socket() as socket:
            given = {"type": "start", "sample_rate": RATE, "encoding": "pcm16", **start}
            await socket.send(json.dumps(given))
            for first in range(0, len(SAMPLES), 2000):
                await socket.send(SAMPLES[first : first + 2000].tobytes())
            await socket.send(json.dumps({"type": "end"}))
            return [json.loads(message) async for message in socket]

    return asyncio.run(messages())


def test_finals_of_a_stream_have_alternatives(word_server):
    server, recognizer = word_server
    segments = recognizer.transcribe(SAMPLES, RATE, alternatives=3).segments
    found = run_stream(server, alternatives=3)
    finals = [message for message in found if message["type"] == "final"]
    assert [one["alternatives"] for one in finals] == [
        segment.to_dict()["alternatives"] for segment in segments
    ]
    assert [one["words"] for one in finals] == [s.to_dict()["words"] for s in segments]
    assert all("alternatives" not in one for one in found if one["type"] == "partial")
    assert "alternatives" not in json.dumps(run_stream(server))


@pytest.mark.parametrize("count", [0, 21, "3", 1.5])
def test_invalid_start_messages_are_refused(server, count):
    async def first():
        async with server.socket() as socket:
            start = {"type": "start", "sample_rate": RATE, "alternatives": count}
            await socket.send(json.dumps(start))
            return json.loads(await socket.recv())

    error = asyncio.run(first())
    assert (error["type"], error["code"]) == ("error", "bad_message")
    assert "alternatives" in error["message"]
