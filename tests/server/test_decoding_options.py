"""Uploads, ``/v1/stream`` and ``/v1/realtime`` offer the options of ``Recognizer.stream`` alike."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import openai
import pytest

from asr_gru import Recognizer
from asr_gru.results import Event, Word
from asr_gru.server.decoding_form import decoding_form
from asr_gru.server.decoding_request import DecodingRequest
from asr_gru.server.realtime_messages import Transcription
from asr_gru.streaming.endpoint import EndpointRules
from tests.server.clients import RATE, finals, run_session, speech_like
from tests.server.test_realtime_socket import DONE, append, session, until, update
from tests.server.test_upload_endings import flac, upload

SAMPLES = speech_like(6.0, seed=5)
GRAMMAR = "#JSGF V1.0;\npublic <any> = (a | cat {animal} | back | tack | bob {name})+;"
OPTIONS: dict[str, dict[str, Any]] = {
    "decoder": {"decoder": "greedy"},
    "written": {"written": True},
    "alternatives": {"alternatives": 3},
    "hot words": {"hot_words": ["bob = 9", "kabob: K AA B AA B = 3"]},
    "phrases": {"phrases": ["a cat", "tack", "bob"], "rejection": 20.0},
    "grammar": {"grammar": GRAMMAR, "rejection": 20.0},
    "confidence": {"minimum_confidence": 0.9},
    "marks": {"minimum_confidence": 1.0, "mark_uncertain": True},
}
NAMES = sorted({name for options in OPTIONS.values() for name in options})


@pytest.fixture(scope="module")
def word_server(word_model):
    return Recognizer.load(word_model)


@pytest.fixture(scope="module")
def served(serving, word_server):
    with serving(recognizer=word_server) as running:
        yield running


def own_options(function):
    return set(inspect.signature(function).parameters)


def test_every_option_of_the_recogniser_is_offered():
    given = own_options(Recognizer.stream)
    assert set(NAMES) == given - {"self", "sample_rate", "endpoint", "partials"}
    assert set(NAMES) == set(DecodingRequest.__struct_fields__)
    assert set(NAMES) <= own_options(decoding_form)
    assert set(NAMES) <= set(Transcription.__struct_fields__)


def fields_of(options):
    """Return form fields; lists become lines."""
    lines = {
        name: "\n".join(value) if isinstance(value, list) else value
        for name, value in options.items()
    }
    return {name: str(value) for name, value in lines.items()}


@pytest.mark.parametrize(
    ("name", "items"), [("hot_words", ["bob", "cat"] * 500), ("phrases", ["a cat", "tack"] * 1000)]
)
def test_the_longest_lists_can_be_fields_of_their_own(served, name, items):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        answers = [
            client.audio.transcriptions.create(
                model="tiny", file=("a.flac", flac(SAMPLES)), extra_body={name: value}
            ).text
            for value in (items, "\n".join(items), items[:2])
        ]
    assert answers[0] == answers[1] == answers[2]


def test_the_longest_lists_can_be_one_field_in_any_script(served):
    lines = "\n".join(f"{'語' * 196}{number:04}" for number in range(2000))
    status, answer = upload(served, flac(SAMPLES), phrases=lines)
    assert (status, answer["error"]["param"]) == (400, "phrases"), answer


@pytest.mark.parametrize("what", OPTIONS)
def test_uploads_take_decoding_options(served, word_server, what):
    options = OPTIONS[what]
    transcript = word_server.transcribe(SAMPLES, RATE, **options)
    shown = {"response_format": "verbose_json", "timestamp_granularities": "segment"}
    status, answer = upload(served, flac(SAMPLES), **shown, **fields_of(options))
    assert status == 200, answer
    assert answer["text"] == (transcript.written or transcript.text)
    for found, segment in zip(answer["segments"], transcript.segments, strict=True):
        assert found["text"] == (segment.written or segment.text)
        if segment.match:
            assert found.items() >= segment.match.to_dict().items()
        assert len(found.get("alternatives", ())) == len(segment.alternatives)
    words = {"response_format": "verbose_json", "timestamp_granularities": "word"}
    _, answer = upload(served, flac(SAMPLES), **words, **fields_of(options))
    assert [one.get("uncertain", False) for one in answer["words"]] == [
        word.uncertain for word in transcript.words
    ]


def test_the_official_clients_lists_are_accepted(served, word_server):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        for what in ("hot words", "phrases"):
            answer = client.audio.transcriptions.create(
                model="tiny", file=("talk.flac", flac(SAMPLES)), extra_body=OPTIONS[what]
            )
            assert answer.text == word_server.transcribe(SAMPLES, RATE, **OPTIONS[what]).text


@pytest.mark.parametrize("what", OPTIONS)
def test_streams_take_decoding_options(served, word_server, what):
    segments = word_server.transcribe(SAMPLES, RATE, **OPTIONS[what]).segments
    messages, _ = asyncio.run(run_session(served, SAMPLES, **OPTIONS[what]))
    found = finals(messages)
    assert len(found) == len(segments)
    for message, segment in zip(found, segments, strict=True):
        expected = segment.to_dict()
        assert message["segment"] == expected.pop("id")
        assert {name: message.get(name) for name in expected} == expected


@pytest.mark.parametrize("what", OPTIONS)
def test_realtime_turns_take_decoding_options(served, word_server, what):
    options = OPTIONS[what]
    transcript = word_server.transcribe(SAMPLES, 24_000, endpoint=EndpointRules.off(), **options)

    async def conversation(connection):
        await update(connection, turn_detection=None, transcription=options)
        told = await until(connection, "session.updated")
        await append(connection, SAMPLES)
        await connection.input_audio_buffer.commit()
        return told[-1], await until(connection, DONE)

    told, events = session(served, conversation)
    assert told.ignored == []
    chosen = told.session.audio.input.transcription.to_dict()
    assert {name: chosen[name] for name in options} == options
    done = events[-1].to_dict()
    assert done["transcript"] == (transcript.written or transcript.text)
    assert done.get("spoken", done["transcript"]) == transcript.text
    assert done["segments"] == [segment.to_dict() for segment in transcript.segments]
    deltas = [event.delta for event in events if event.type.endswith("transcription.delta")]
    assert "".join(deltas) == transcript.text


def test_realtime_segment_ids_increase_throughout_the_session(served, word_server):
    async def conversation(connection):
        found = []
        for options in ({"written": True}, {"alternatives": 2}, {}):
            await update(connection, transcription=options)
            found += await until(connection, "session.updated")
            if options:
                await append(connection, SAMPLES)
                await connection.input_audio_buffer.commit()
        return found

    events = session(served, conversation)
    segments = [
        one for event in events if event.type == DONE for one in event.to_dict()["segments"]
    ]
    assert [one["id"] for one in segments] == list(range(len(segments)))
    starts = [one["start_s"] for one in segments]
    assert starts == sorted(starts)
    assert starts[-1] >= 4.0
    assert "written" in segments[0]
    assert "alternatives" in segments[-1]


def test_realtime_hot_words_change_while_the_client_speaks(served, word_server):
    rules = EndpointRules.off()
    with_bob = word_server.transcribe(SAMPLES, 24_000, hot_words=["bob = 20"], endpoint=rules).text
    without = word_server.transcribe(SAMPLES, 24_000, endpoint=rules).text
    assert with_bob != without

    def transcript(changes):
        async def conversation(connection):
            await update(connection, turn_detection=None)
            await append(connection, SAMPLES[:100])
            for change in changes:
                await update(connection, transcription=change)
            await append(connection, SAMPLES[100:])
            await connection.input_audio_buffer.commit()
            events = await until(connection, DONE)
            return events[-1].transcript

        return session(served, conversation)

    assert transcript([{"hot_words": ["bob = 20"]}]) == with_bob
    assert transcript([{"hot_words": ["bob = 20"]}, {}]) == without


def test_realtime_transcripts_have_logprobs(served):
    async def conversation(connection):
        include = ["item.input_audio_transcription.logprobs", "something.else"]
        audio = {"input": {"turn_detection": None}}
        wanted = {"type": "transcription", "include": include, "audio": audio}
        await connection.session.update(session=wanted)
        told = await until(connection, "session.updated")
        await append(connection, SAMPLES)
        await connection.input_audio_buffer.commit()
        return told[-1], (await until(connection, DONE))[-1]

    told, done = session(served, conversation)
    assert told.ignored == ["session.include"]
    assert told.session.include == ["item.input_audio_transcription.logprobs"]
    assert "".join(token.token for token in done.logprobs) == done.transcript
    assert all(token.logprob < 0 for token in done.logprobs)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "hot words and phrases": ({"hot_words": ["a"], "phrases": ["a"]}, "hot_words"),
    "hot words without a search": ({"hot_words": ["a"], "decoder": "greedy"}, "hot_words"),
    "an unspeakable hot word": ({"hot_words": ["zebra"]}, "hot_words"),
    "an unspeakable phrase": ({"phrases": ["zebra"]}, "phrases"),
    "a phrase that is long": ({"phrases": ["a" * 201]}, "phrases"),
    "many phrases": ({"phrases": ["a"] * 2001}, "phrases"),
    "a grammar and phrases": ({"phrases": ["a"], "grammar": GRAMMAR}, "grammar"),
    "a path for a grammar": ({"grammar": "/etc/passwd"}, "grammar"),
    "a rejection of open speech": ({"rejection": 3.0}, "rejection"),
    "a mark without a minimum": ({"mark_uncertain": True}, "mark_uncertain"),
    "a minimum of phrases": ({"phrases": ["a"], "minimum_confidence": 0.5}, "minimum_confidence"),
    "a decoder of phrases": ({"phrases": ["a"], "decoder": "greedy"}, "decoder"),
    "no number": ({"minimum_confidence": float("nan")}, "minimum_confidence"),
    "many alternatives": ({"alternatives": 21}, "alternatives"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_invalid_options_are_refused(served, what):
    options, field = REFUSED[what]
    shown = {"response_format": "verbose_json"}
    status, answer = upload(served, flac(SAMPLES), **shown, **fields_of(options))
    assert (status, answer["error"]["param"]) == (400, field)
    assert "\n" not in answer["error"]["message"]
    if what == "no number":  # JSON has none
        return

    async def conversation(connection):
        await update(connection, transcription=options)
        error = (await connection.recv()).error
        await update(connection, turn_detection=None)
        assert (await connection.recv()).type == "session.updated"
        return error

    error = session(served, conversation)
    assert error.code == "invalid_session"
    assert field in error.param


@pytest.mark.parametrize("content", ["", " \n\n", "# a comment"])
@pytest.mark.parametrize("name", NAMES)
def test_empty_fields_of_uploads_are_refused(served, name, content):
    status, answer = upload(served, flac(SAMPLES), **{name: content})
    assert (status, answer["error"]["param"]) == (400, name)
    assert "\n" not in answer["error"]["message"]
    if not content or name in ("phrases", "hot_words"):
        expected = f"{name}: is empty; leave this field out, or fill it"
        assert answer["error"]["message"] == expected


def test_a_grammar_may_be_one_line(served):
    status, answer = upload(served, flac(SAMPLES), grammar="#JSGF V1.0; public <a> = back;")
    assert status == 200, answer


def test_shifting_an_event_shifts_all_its_times():
    word = Word("a", 1.0, 2.0, 0.5)
    event = Event("final", 3, "a", "a", (word,), 1.0, 2.0, written_words=(word,))
    moved = event.shifted(10.0, 2)
    assert (moved.segment, moved.start_s, moved.end_s) == (5, 11.0, 12.0)
    assert moved.words[0].start_s == moved.written_words[0].start_s == 11.0
    assert json.loads(json.dumps(moved.to_dict()))["words"][0]["end_s"] == 12.0
