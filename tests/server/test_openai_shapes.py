"""Behaviour that clients of OpenAI's servers rely on."""

import http.client
import json

import openai
import pytest

from tests.server.clients import speech_like
from tests.server.test_realtime_socket import session, update
from tests.server.test_upload_endings import PATH, body, flac, upload

ORIGINALS = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"]


@pytest.fixture(scope="module")
def recording():
    return flac(speech_like(3.0, seed=5))


@pytest.fixture(scope="module")
def strict(serving):
    with serving(strict_model=True) as server:
        yield server


def ask(server, method, path, content=b"", **headers):
    """Return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", ORIGINALS)
def test_openais_model_names_are_accepted(server, strict, recording, name):
    plain = upload(server, recording)
    assert plain[0] == 200
    assert upload(server, recording, model=name) == plain
    status, answer = upload(strict, recording, model=name)
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert answer["error"]["param"] == "model"
    assert json.loads(ask(server, "GET", f"/v1/models/{name}")[2])["id"] == "tiny"
    assert ask(strict, "GET", f"/v1/models/{name}")[0] == 404


@pytest.mark.parametrize("name", ["gpt-4o-transcribe-diarize", "whisper-1x", "tts-1", ""])
def test_unknown_model_names_are_refused(server, recording, name):
    assert upload(server, recording, model=name)[0] in (400, 404)


@pytest.mark.parametrize("language", ["en", "EN", "en-US", "en_gb", "En"])
def test_language_codes_are_case_insensitive(server, recording, language):
    assert upload(server, recording, language=language)[0] == 200


def test_another_language_is_refused(server, recording):
    status, answer = upload(server, recording, language="FR")
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (
        400,
        "language",
        "language",
    )


@pytest.mark.parametrize("name", ["timestamp_granularities", "timestamp_granularities[]"])
def test_timestamp_granularities_may_have_brackets(server, recording, name):
    _, answer = upload(server, recording, **{"response_format": "verbose_json", name: "word"})
    assert answer["words"]
    assert "segments" not in answer


WRONG = {
    "no such path": ("GET", "/v1/nothing", 404, "not_found"),
    "another method": ("DELETE", "/v1/models", 405, "method_not_allowed"),
    "a get of what is posted": ("GET", PATH, 405, "method_not_allowed"),
    "no form": ("POST", PATH, 400, "invalid_request"),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_have_one_shape(server, what):
    method, path, status, code = WRONG[what]
    got, headers, text = ask(server, method, path)
    assert got == status
    assert headers["content-type"] == "application/json"
    error = json.loads(text)["error"]
    assert error["code"] == code
    assert set(error) == {"message", "type", "param", "code"}
    if status == 405:
        assert headers["allow"]


FIELDS: dict[str, tuple[dict[str, str | None], str, str]] = {
    "no file": ({"model": "tiny"}, "file: is missing; add this field", "file"),
    "no model": ({"file": None}, "model: is missing; add this field", "model"),
    "a text for the file": (
        {"model": "tiny", "file": "a.wav"},
        "file: is text; send a file, as curl does with file=@RECORDING",
        "file",
    ),
    "a file for a text": (
        {"model": "tiny", "file": None, "grammar": None},
        "grammar: is a file; send its text, as curl does with 'grammar=<FILE'",
        "grammar",
    ),
    "a file for a list": (
        {"model": "tiny", "file": None, "hot_words": None},
        "hot_words: is a file; send its text, as curl does with 'hot_words=<FILE'",
        "hot_words",
    ),
    "no number": (
        {"model": "tiny", "file": None, "temperature": "hot"},
        "temperature: Input should be a valid number, unable to parse string as a number",
        "temperature",
    ),
    "an unknown element of a list": (
        {"model": "tiny", "file": None, "timestamp_granularities": "phone"},
        "timestamp_granularities[0]: Input should be 'word' or 'segment'",
        "timestamp_granularities[0]",
    ),
}


@pytest.mark.parametrize("what", FIELDS)
def test_errors_name_fields_as_clients_do(server, recording, what):
    """A value of None sends the recording as a file."""
    fields, message, param = FIELDS[what]
    parts = []
    for name, value in fields.items():
        file = '; filename="a.flac"' if value is None else ""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + (recording if value is None else value.encode()) + b"\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    content = b"".join([*parts, b"--x--\r\n"])
    status, _, text = ask(server, "POST", PATH, content, **headers)
    error = json.loads(text)["error"]
    assert (status, error["message"], error["param"]) == (400, message, param)


def test_a_truncated_form_is_an_error_in_that_shape(server, recording):
    whole = body(recording)
    headers = {"Content-Type": "multipart/form-data; boundary=y"}
    for content in (whole, whole[:50], b"\0" * 100):
        status, _, text = ask(server, "POST", PATH, content, **headers)
        assert status == 400
        assert json.loads(text)["error"]["message"]


def test_an_internal_error_has_that_shape(serving):
    with serving() as server:
        object.__setattr__(server.context, "metrics", None)
        status, _, text = ask(server, "GET", "/metrics")
    assert status == 500
    assert json.loads(text)["error"] == {
        "message": "internal error; see the server's log",
        "type": "server_error",
        "param": None,
        "code": "internal",
    }


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/v1/models/tiny", "/metrics"])
def test_head_requests_are_answered_like_get_without_a_body(server, path):
    got, headers, text = ask(server, "HEAD", path)
    wanted, full, content = ask(server, "GET", path)
    assert got == wanted == 200
    assert text == b""
    assert content
    assert headers["content-type"] == full["content-type"]


def test_head_of_a_missing_path_is_not_found(server):
    assert ask(server, "HEAD", "/v1/nothing")[0] == 404


def test_a_session_update_lists_ignored_settings(server):
    """Known settings still apply."""

    async def conversation(connection):
        await update(
            connection,
            noise_reduction={"type": "near_field"},
            transcription={"model": "gpt-4o-transcribe", "language": "EN", "prompt": "names"},
            turn_detection={"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 700},
        )
        return await connection.recv()

    event = session(server, conversation)
    assert event.type == "session.updated"
    assert event.session.audio.input.turn_detection.silence_duration_ms == 700
    assert event.session.audio.input.transcription.model == "tiny"
    inside = "session.audio.input"
    assert event.ignored == [
        f"{inside}.noise_reduction",
        f"{inside}.transcription.prompt",
        f"{inside}.turn_detection.threshold",
    ]


def test_semantic_turn_detection_falls_back_to_server_vad(server):
    async def conversation(connection):
        await update(connection, turn_detection={"type": "semantic_vad", "eagerness": "low"})
        return await connection.recv()

    event = session(server, conversation)
    assert event.session.audio.input.turn_detection.type == "server_vad"
    assert event.ignored == [
        "session.audio.input.turn_detection.eagerness",
        "session.audio.input.turn_detection.type",
    ]


def test_the_beta_protocol_is_accepted(server):
    async def conversation(connection):
        await connection.send(
            {
                "type": "transcription_session.update",
                "session": {
                    "input_audio_format": "g711_ulaw",
                    "input_audio_transcription": {"model": "whisper-1"},
                    "input_audio_noise_reduction": {"type": "far_field"},
                    "turn_detection": None,
                },
            }
        )
        return await connection.recv()

    event = session(server, conversation)
    assert event.type == "transcription_session.updated"
    assert event.session["audio"]["input"]["format"] == {"type": "audio/pcmu", "rate": 8000}
    assert event.session["audio"]["input"]["turn_detection"] is None
    assert event.ignored == ["session.input_audio_noise_reduction"]


def test_a_session_in_another_language_is_refused(server):
    async def conversation(connection):
        await update(connection, transcription={"language": "fr"})
        return await connection.recv()

    error = session(server, conversation).error
    assert (error.code, error.param) == ("language", "session.transcription.language")


def test_the_official_client_raises_the_error(strict, recording):
    with (
        openai.OpenAI(base_url=f"{strict.url}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.NotFoundError) as caught,
    ):
        client.audio.transcriptions.create(model="whisper-1", file=("a.flac", recording))
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
