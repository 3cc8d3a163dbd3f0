"""Uploads that fail at any moment get an error in OpenAI's form and free their slot."""

import http.client
import io
import json
import os
import socket
import threading
import time

import pytest
import soundfile

from asr_gru.errors import AudioError
from tests.server.clients import RATE, answer_to_start, speech_like
from tests.server.faults import FaultyRecognizer, WaitingRecognizer

CAUSES = {
    "a recording that cannot be read": (AudioError, 400, "bad_audio"),
    "a full disk": (OSError, 500, "internal"),
    "a bug": (ValueError, 500, "internal"),
}
PATH = "/v1/audio/transcriptions"


def flac(samples):
    data = io.BytesIO()
    soundfile.write(data, samples, RATE, format="FLAC")
    return data.getvalue()


def body(recording, **fields):
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in {"model": "tiny", **fields}.items()
    ]
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.flac"\r\n\r\n'
    return b"".join([*parts, head, recording, b"\r\n--x--\r\n"])


def begin(server, recording, **fields):
    """Send a request without reading its response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", PATH, body(recording, **fields), headers)
    return connection


def upload(server, recording, **fields):
    """Return the status and the decoded response, or the last event of a streamed one."""
    connection = begin(server, recording, **fields)
    try:
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if fields.get("stream"):
        text = text.strip().rpartition("data: ")[2]
    return response.status, json.loads(text)


def until_served(server, recording):
    while True:
        status, answer = upload(server, recording)
        if status == 200:
            return answer["text"]
        assert answer["error"]["code"] == "too_many_uploads"
        time.sleep(0.05)


@pytest.mark.parametrize("stream", ["", "true"])
@pytest.mark.parametrize("cause", CAUSES)
def test_an_upload_that_fails_frees_its_slot(serving, recognizer, cause, stream):
    kind, status, code = CAUSES[cause]
    faulty = FaultyRecognizer(recognizer, "transcribe", kind)
    recording = flac(speech_like(2.0))
    with serving(recognizer=faulty, uploads=1, queued_uploads=0) as server:
        got, answer = upload(server, recording, **({"stream": stream} if stream else {}))
        assert got == (200 if stream else status)
        assert answer["error"]["code"] == code
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        assert "/tmp" not in answer["error"]["message"]  # noqa: S108
        text = until_served(server, recording)
    assert text == recognizer.transcribe(speech_like(2.0), RATE).text


def test_a_queued_upload_is_served_when_the_one_before_fails(serving, recognizer):
    faulty = FaultyRecognizer(recognizer, "transcribe", ValueError)
    recording = flac(speech_like(2.0))
    with serving(recognizer=faulty, uploads=1, queued_uploads=5) as server:
        requests = [begin(server, recording) for _ in range(4)]
        statuses = []
        for connection in requests:
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            connection.close()
    assert sorted(statuses) == [200, 200, 200, 500]


def test_a_queued_upload_whose_client_leaves_frees_its_place(serving):
    long, short = flac(speech_like(600.0)), flac(speech_like(2.0))
    with serving(uploads=1, queued_uploads=1) as server:
        first = begin(server, long)
        for _ in range(3):  # each leaves while the first is being transcribed
            begin(server, short).close()
            time.sleep(0.2)
        first.close()
        until_served(server, short)


def test_many_uploads_at_once_leave_live_sessions_their_threads(serving, recognizer):
    slow, count = WaitingRecognizer(recognizer), min(32, (os.cpu_count() or 1) + 4)
    with serving(recognizer=slow, uploads=count) as server:
        requests = [begin(server, flac(speech_like(1.0))) for _ in range(count)]
        try:
            deadline = time.monotonic() + 20
            while slow.waiting < count and time.monotonic() < deadline:
                time.sleep(0.02)
            answers = []
            session = threading.Thread(target=lambda: answers.append(answer_to_start(server)))
            session.start()
            session.join(20)
            assert [answer["type"] for answer in answers] == ["ready"]
        finally:
            slow.may_go.set()
        for connection in requests:
            assert connection.getresponse().status == 200
            connection.close()
        session.join(20)


@pytest.mark.parametrize("stream", ["", "true"])
def test_a_shutdown_ends_running_and_queued_uploads(serving, stream):
    """A running upload gets its grace period, then an error; queued ones get one at once."""
    long = flac(speech_like(900.0))
    fields = {"stream": stream} if stream else {}
    with serving(uploads=1, queued_uploads=5, slow_reader_s=0.5) as server:
        answers = []

        def send():
            answers.append(upload(server, long, **fields))

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        uploads = server.context.uploads
        while (uploads.working, uploads.waiting) != (1, 1):
            assert all(thread.is_alive() for thread in threads)
            time.sleep(0.02)
        server.stop()
        for thread in threads:
            thread.join(30)
    assert [answer["error"]["code"] for _, answer in answers] == ["shutting_down"] * 2
    assert [status for status, _ in answers] == [200 if stream else 503] * 2


def test_a_stalled_upload_is_refused(serving):
    """A request whose body does not arrive is ended."""
    with serving(idle_s=0.5) as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(30)
        raw.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode()
        )
        answer = b""
        while data := raw.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "idle"


def test_a_full_queue_refuses_an_upload_before_its_body_is_sent(serving, recognizer):
    slow = WaitingRecognizer(recognizer)
    short = flac(speech_like(1.0))
    with serving(recognizer=slow, uploads=1, queued_uploads=0, idle_s=5.0) as server:
        first = begin(server, short)
        try:
            while not slow.waiting:
                time.sleep(0.01)
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
                raw.sendall(
                    f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000000\r\n"
                    "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
                )
                answer = b""
                while not answer.endswith(b"}}"):
                    data = raw.recv(65536)
                    assert data, answer
                    answer += data
        finally:
            slow.may_go.set()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_many_uploads"
        assert first.getresponse().status == 200
        first.close()
