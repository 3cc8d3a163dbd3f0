"""The package's own streaming protocol."""

import asyncio

import numpy as np
import pytest

from asr_gru.recognizer import Recognizer
from asr_gru.streaming.endpoint import EndpointRules
from tests.server.clients import (
    RATE,
    answer_to_start,
    expected,
    finals,
    receive_all,
    run_session,
    speech_like,
    start_session,
)


@pytest.mark.parametrize("block", [37, 1600, 40_000])
def test_finals_equal_those_of_a_recording(server, recognizer, block):
    """At any message size."""
    samples = speech_like(6.0)
    messages, socket = asyncio.run(run_session(server, samples, block))
    assert [m["text"] for m in finals(messages)] == expected(recognizer, samples)
    assert messages[-1] == {"type": "end", "audio_s": 6.0}
    assert socket.close_code == 1000


def test_partials_fulfil_the_contract_of_events(server):
    messages, _ = asyncio.run(run_session(server, speech_like(8.0, seed=1)))
    stable, segment = "", -1
    for message in messages[:-1]:
        if message["type"] not in ("partial", "final"):
            continue
        if message["segment"] != segment:
            assert message["segment"] == segment + 1
            segment, stable = message["segment"], ""
        assert message["stable"].startswith(stable)
        assert message["text"].startswith(message["stable"])
        assert message["text"] == " ".join(word["text"] for word in message["words"])
        stable = message["stable"]


def test_float_samples_and_several_channels_are_accepted(server, recognizer):
    samples = speech_like(4.0)
    as_float = (samples / 32768).astype("<f4")
    messages, _ = asyncio.run(run_session(server, as_float, encoding="float32"))
    assert [m["text"] for m in finals(messages)] == expected(recognizer, as_float)
    both = np.stack([samples, samples], axis=1)
    messages, _ = asyncio.run(run_session(server, both, channels=2))
    assert [m["text"] for m in finals(messages)] == expected(recognizer, samples)


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
def test_another_rate_gives_the_text_of_a_recording(server, recognizer, rate):
    """Recordings and clients share one resampler."""
    samples = speech_like(6.0, seed=3)
    messages, _ = asyncio.run(run_session(server, samples, sample_rate=rate))
    transcript = recognizer.transcribe(samples, rate)
    assert [m["text"] for m in finals(messages)] == [s.text for s in transcript.segments]
    assert transcript.text


def test_clients_choose_their_endpoint_rules(server, recognizer):
    samples = np.concatenate([speech_like(3.0), np.zeros(RATE, "<i2"), speech_like(3.0, seed=2)])
    for mode in ("off", "short", 0.3):
        messages, _ = asyncio.run(run_session(server, samples, endpoint=mode))
        rules = EndpointRules.named(mode) if isinstance(mode, str) else EndpointRules(mode)
        assert [m["text"] for m in finals(messages)] == expected(recognizer, samples, rules=rules)
    assert len(expected(recognizer, samples, rules=EndpointRules.off())) == 1


def test_finals_are_written_on_request(server, recognizer):
    samples = speech_like(6.0)
    transcript = recognizer.transcribe(samples, RATE, written=True)
    plain, asked = (asyncio.run(run_session(server, samples, written=w))[0] for w in (False, True))
    assert [m["text"] for m in finals(asked)] == [m["text"] for m in finals(plain)]
    assert [m["written"] for m in finals(asked)] == [s.written for s in transcript.segments]
    assert [m["written_words"] for m in finals(asked)] == [
        [word.to_dict() for word in segment.written_words] for segment in transcript.segments
    ]
    partials = [m for m in asked if m["type"] == "partial"]
    assert not any("written" in m for m in [*finals(plain), *partials])


def test_clients_choose_their_decoder(serving, word_model):
    recognizer, samples = Recognizer.load(word_model), speech_like(3.0)
    with serving(recognizer=recognizer) as running:
        for decoder in (None, "greedy", "words"):
            messages, _ = asyncio.run(run_session(running, samples, decoder=decoder))
            transcript = recognizer.transcribe(samples, RATE, decoder=decoder)
            assert [m["text"] for m in finals(messages)] == [s.text for s in transcript.segments]
            assert transcript.text


def test_an_unavailable_decoder_is_refused(server):
    refusal = answer_to_start(server, decoder="words")
    assert refusal["type"] == "error"
    assert "--lexicon" in refusal["message"]


def test_endpoint_rules_can_change_during_a_session(server):
    async def main():
        async with server.socket() as socket:
            await start_session(socket, endpoint="off")
            await socket.send(speech_like(3.0).tobytes())
            await socket.send('{"type": "endpoint", "mode": "short"}')
            await socket.send(speech_like(9.0, seed=4).tobytes())
            return await asyncio.wait_for(receive_all(socket, until=("final",)), 20)

    assert asyncio.run(main())[-1]["type"] == "final"


def test_partials_can_omit_words(server):
    messages, _ = asyncio.run(run_session(server, speech_like(3.0), words=False))
    assert all("words" not in m for m in messages if m["type"] == "partial")
    assert all("words" in m for m in finals(messages))


def test_concurrent_clients_get_the_results_they_would_get_alone(server, recognizer):

    async def main():
        clips = [speech_like(3.0 + n / 10, seed=n) for n in range(20)]
        results = await asyncio.gather(
            *(run_session(server, clip, 480 + 40 * n) for n, clip in enumerate(clips))
        )
        return clips, [messages for messages, _ in results]

    clips, results = asyncio.run(main())
    for clip, messages in zip(clips, results, strict=True):
        assert [m["text"] for m in finals(messages)] == expected(recognizer, clip)


def test_very_short_audio_has_no_finals(server):
    messages, _ = asyncio.run(run_session(server, speech_like(0.01)))
    assert messages[-1]["type"] == "end"
    messages, _ = asyncio.run(run_session(server, np.zeros(0, "<i2")))
    messages = [m for m in messages if m["type"] != "status"]  # sent once a second
    assert messages == [{"type": "end", "audio_s": 0.0}]


BAD = {
    "not JSON": ("hello", "bad_message"),
    "not an object": ("[1, 2]", "bad_message"),
    "no type": ("{}", "bad_message"),
    "another type": ('{"type": "stop"}', "bad_message"),
    "an unknown key": ('{"type": "start", "sample_rate": 16000, "rate": 1}', "bad_message"),
    "no rate": ('{"type": "start"}', "bad_message"),
    "an impossible rate": ('{"type": "start", "sample_rate": 5}', "bad_message"),
    "an unknown encoding": (
        '{"type": "start", "sample_rate": 16000, "encoding": "mp3"}',
        "bad_message",
    ),
    "an unknown mode": (
        '{"type": "start", "sample_rate": 16000, "endpoint": "later"}',
        "bad_message",
    ),
    "deep nesting": ("[" * 100_000, "bad_message"),
    "bytes first": (b"\0\0\0\0", "bad_message"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_invalid_first_message_is_refused(server, what):
    message, code = BAD[what]

    async def main():
        async with server.socket() as socket:
            await socket.send(message)
            return await receive_all(socket), socket

    messages, socket = asyncio.run(main())
    assert messages[-1]["type"] == "error"
    assert messages[-1]["code"] == code
    assert "\n" not in messages[-1]["message"]
    assert socket.close_code == 1008


LATER = {
    "half a sample": (b"\0\0\0", {}, "bad_audio"),
    "half a frame": (b"\0\0", {"channels": 2}, "bad_audio"),
    "not a number": (np.full(8, np.nan, "<f4").tobytes(), {"encoding": "float32"}, "bad_audio"),
    "an unknown order": ('{"type": "pause"}', {}, "bad_message"),
}


@pytest.mark.parametrize("what", LATER)
def test_an_invalid_message_ends_only_its_own_session(server, recognizer, what):
    message, start, code = LATER[what]
    samples = speech_like(3.0)

    async def bad():
        async with server.socket() as socket:
            await start_session(socket, **start)
            await socket.send(message)
            return await receive_all(socket)

    async def main():
        return await asyncio.gather(bad(), run_session(server, samples))

    messages, (good, _) = asyncio.run(main())
    assert messages[-1]["code"] == code
    assert [m["text"] for m in finals(good)] == expected(recognizer, samples)


def test_words_of_low_confidence_are_left_out_or_marked(server, recognizer):
    samples = speech_like(3.0)
    whole = recognizer.transcribe(samples, RATE)
    assert all(word.confidence < 1.0 for word in whole.words)
    messages, _ = asyncio.run(run_session(server, samples, minimum_confidence=1.0))
    assert [m for m in messages if m["type"] in {"partial", "final"}] == []
    marked, _ = asyncio.run(
        run_session(server, samples, minimum_confidence=1.0, mark_uncertain=True)
    )
    words = [word for m in finals(marked) for word in m["words"]]
    assert [word["text"] for word in words] == [word.text for word in whole.words]
    assert all(word["uncertain"] for word in words)
    assert "?]" in finals(marked)[0]["text"]


def test_a_minimum_confidence_out_of_range_is_refused(server):
    refusal = answer_to_start(server, minimum_confidence=1.5)
    assert (refusal["type"], refusal["code"]) == ("error", "bad_message")
