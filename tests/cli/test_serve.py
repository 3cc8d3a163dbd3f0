"""``asr-gru serve``: refusals, https and shutdown."""

import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest


@contextmanager
def serve(model, *options, **environment):
    command = [sys.executable, "-m", "asr_gru", "serve", "--port", "0", "--model", str(model)]
    process = subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True, env=environment or None
    )
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if "listening on" in line:
                break
        assert lines, "the server printed nothing"
        yield lines[-1].split()[2], lines, process
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


REFUSED = {
    "beyond loopback without a key": (["--host", "0.0.0.0"], "--api-key-file"),  # noqa: S104
    "a name that is none": (["--host", "256.1.1.1.nowhere"], "key"),
    "a certificate alone": (["--certfile", "a.pem"], "--keyfile"),
    "a limit of nothing": (["--clients", "0"], "a limit clients of 0; give a number above 0"),
    "a negative limit": (["--session-s", "-1"], "a limit session_s of -1.0"),
    "a negative limit that may be 0": (["--queued-uploads", "-1"], "give 0 or a number above"),
    "an unknown mode": (["--endpoint", "norml"], "normal"),
    "an unknown option": (["--client", "5"], "--clients"),
    "an origin that is none": (["--origin", "foo"], "https://example.org"),
    "an origin with a path": (["--origin", "https://a.example/page"], "https://example.org"),
    "an impossible port of an origin": (["--origin", "https://a.example:99999"], "not an origin"),
    "more threads than anybody has": (["--threads", "100000"], "1 to 256"),
    "no key file": (["--api-key-file", "nowhere.txt"], "nowhere.txt"),
    "no model": (["--model", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_are_one_line(run, what, monkeypatch):
    monkeypatch.delenv("ASR_GRU_API_KEY", raising=False)
    options, remedy = REFUSED[what]
    result = run("serve", "--port", "0", *options)
    assert result.status in (1, 2)
    assert remedy in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_a_port_in_use_is_refused(run, model):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run("serve", "--port", port, "--model", model)
    assert result.status == 2
    assert f"127.0.0.1:{port}" in result.err


def test_an_invalid_key_is_refused_in_one_line(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_GRU_API_KEY", "schlüssel-mit-zwanzig-zeichen")
    (file := tmp_path / "key.bin").write_bytes(bytes(range(128, 152)))
    for options, name in (([], "ASR_GRU_API_KEY"), (["--api-key-file", str(file)], str(file))):
        result = run("serve", "--port", "0", "--model", "nowhere", *options)
        assert result.status == 2
        assert f"{name}: not a valid key" in result.err
        assert len(result.err.strip().splitlines()) == 1


@pytest.mark.parametrize("host", ["192..168.1.1", "a" * 64])
def test_a_host_that_cannot_be_is_refused_in_one_line(run, host, monkeypatch):
    monkeypatch.setenv("ASR_GRU_API_KEY", "a-key-of-twenty-characters")
    result = run("serve", "--port", "0", "--host", host)
    assert result.status == 2
    assert f"cannot listen on {host}:0 (not a host name); give another --host" in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_serve_answers_requests_and_shuts_down_cleanly(model):
    with serve(model) as (url, _, process):
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:  # noqa: S310
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_a_self_signed_certificate_is_created(model, tmp_path, monkeypatch):
    import os

    home = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    prints = []
    for _ in range(2):
        with serve(model, "--self-signed", **home) as (url, lines, _):
            prints.append(next(line for line in lines if "SHA-256" in line))
            certificate = prints[-1].split()[1].rstrip(",")
            context = ssl.create_default_context(cafile=certificate)
            port = url.rpartition(":")[2]
            address = f"https://localhost:{port}/healthz"
            with urllib.request.urlopen(address, context=context, timeout=30) as answer:
                assert answer.status == 200
    assert prints[0] == prints[1]
    key = next(tmp_path.rglob("key.pem"))
    assert key.stat().st_mode & 0o077 == 0
