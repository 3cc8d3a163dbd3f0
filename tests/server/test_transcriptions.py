"""The REST interface, with OpenAI's official client and plain requests."""

import contextlib
import http.client
import io
import json
import urllib.error
import urllib.request
from typing import Any

import openai
import pytest
import soundfile

from asr_gru.formats import writer
from tests.server.clients import RATE, speech_like


@pytest.fixture(scope="module")
def samples():
    return speech_like(12.0, seed=5)


@pytest.fixture(scope="module")
def upload(samples):
    data = io.BytesIO()
    soundfile.write(data, samples, RATE, format="FLAC")
    return ("speech.flac", data.getvalue())


@pytest.fixture(scope="module")
def transcript(recognizer, samples):
    return recognizer.transcribe(samples, RATE)


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_json_has_the_text(client, upload, transcript):
    answer = client.audio.transcriptions.create(model="tiny", file=upload)
    assert answer.text == transcript.text
    assert answer.usage.seconds == 12.0


def test_the_decoder_can_be_chosen(client, upload, recognizer, samples):
    answer = client.audio.transcriptions.create(
        model="tiny", file=upload, extra_body={"decoder": "beam"}
    )
    assert answer.text == recognizer.transcribe(samples, RATE, decoder="beam").text
    with pytest.raises(openai.BadRequestError, match="--lexicon"):
        client.audio.transcriptions.create(
            model="tiny", file=upload, extra_body={"decoder": "words"}
        )


@pytest.mark.parametrize(("form", "name"), [("text", "txt"), ("srt", "srt"), ("vtt", "vtt")])
def test_text_and_subtitles_are_returned(client, upload, transcript, form, name):
    answer = client.audio.transcriptions.create(model="tiny", file=upload, response_format=form)
    assert answer == writer(name)(transcript, "upload")


def test_verbose_json_has_words_and_segments(client, upload, transcript):
    answer = client.audio.transcriptions.create(
        model="tiny",
        file=upload,
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert answer.duration == 12.0
    assert answer.language == "en"
    assert [word.word for word in answer.words] == [word.text for word in transcript.words]
    assert [word.start for word in answer.words] == [round(w.start_s, 3) for w in transcript.words]
    assert [segment.text for segment in answer.segments] == [s.text for s in transcript.segments]
    plain = client.audio.transcriptions.create(
        model="tiny", file=upload, response_format="verbose_json"
    )
    assert plain.words is None
    assert len(plain.segments) == len(transcript.segments)


def test_segments_are_streamed(client, upload, transcript):
    events = list(client.audio.transcriptions.create(model="tiny", file=upload, stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) == len(transcript.segments)
    assert "".join(deltas) == transcript.text
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == transcript.text


def test_texts_are_returned_in_written_form(client, upload, recognizer, samples):
    transcript = recognizer.transcribe(samples, RATE, written=True)
    asked = {"model": "tiny", "file": upload, "extra_body": {"written": "true"}}
    answer = client.audio.transcriptions.create(**asked)
    assert (answer.text, answer.spoken) == (transcript.written, transcript.text)
    answer = client.audio.transcriptions.create(response_format="verbose_json", **asked)
    assert [segment.text for segment in answer.segments] == [
        segment.written for segment in transcript.segments
    ]
    assert [segment.spoken for segment in answer.segments] == [
        segment.text for segment in transcript.segments
    ]
    events = list(client.audio.transcriptions.create(stream=True, **asked))
    assert events[-1].text == transcript.written != transcript.text


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "asr_gru"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("large")


REFUSED: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str]] = {
    "another model": ({"model": "large-v3"}, openai.NotFoundError, "model_not_found"),
    "another language": ({"language": "fr"}, openai.BadRequestError, "language"),
    "an unknown format": (
        {"response_format": "diarized_json"},
        openai.BadRequestError,
        "invalid_request",
    ),
    "not audio": ({"file": ("a.wav", b"this is text")}, openai.BadRequestError, "bad_audio"),
    "an empty file": ({"file": ("a.wav", b"")}, openai.BadRequestError, "bad_audio"),
    "a path for a name": (
        {"file": ("../../etc/passwd", b"text")},
        openai.BadRequestError,
        "bad_audio",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_invalid_requests_are_refused(client, upload, what):
    changes, kind, code = REFUSED[what]
    with pytest.raises(kind) as caught:
        client.audio.transcriptions.create(**{"model": "tiny", "file": upload, **changes})
    assert caught.value.code == code
    assert "/tmp" not in caught.value.message  # noqa: S108


def test_a_streamed_response_reports_an_unreadable_recording(server):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\ntext\r\n'
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n'
        b'--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n--x--\r\n'
    )
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/v1/audio/transcriptions",
        body,
        {"Content-Type": "multipart/form-data; boundary=x"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        event = json.loads(answer.read().removeprefix(b"data: "))
    assert event["error"]["code"] == "bad_audio"


def test_uploads_beyond_the_limits_are_refused(serving, upload):
    for limits, code in (
        ({"upload_bytes": 1000}, "upload_too_large"),
        ({"upload_s": 5.0}, "audio_too_long"),
    ):
        with (
            serving(**limits) as server,
            openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
        ):
            with pytest.raises(openai.APIStatusError) as caught:
                client.audio.transcriptions.create(model="tiny", file=upload)
            assert caught.value.code == code
            assert client.models.list().data


def test_a_chunked_body_is_limited_too(serving):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    with serving(upload_bytes=1000) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest("POST", "/v1/audio/transcriptions")
            connection.putheader("Content-Type", "multipart/form-data; boundary=x")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            for data in (head, bytes(500), bytes(500)):  # the response must not wait for the end
                connection.send(b"%x\r\n%b\r\n" % (len(data), data))
            assert connection.getresponse().status == 413
