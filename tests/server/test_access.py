"""Access control: by default, only this machine can connect."""

import asyncio
import json
import logging
import urllib.error
import urllib.request

import pytest
import websockets

from asr_gru.errors import ConfigError
from asr_gru.server.access import Access, is_loopback
from tests.server.clients import RATE, receive_all

KEY = "a-key-of-twenty-characters"


def get(server, path, **headers):
    request = urllib.request.Request(server.url + path, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def server_with_key(serving):
    with serving(Access("127.0.0.1", KEY, frozenset(["https://friend.example"]))) as server:
        yield server


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])  # noqa: S104
def test_a_key_is_required_beyond_loopback(host):
    with pytest.raises(ConfigError, match="--api-key-file"):
        Access(host)
    assert Access(host, KEY).knows(KEY)


def test_a_short_key_is_refused():
    with pytest.raises(ConfigError, match="16 characters"):
        Access("127.0.0.1", "short")


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Friend.Example/", "https://friend.example"),
        ("https://friend.example:443", "https://friend.example"),
        ("http://friend.example:8080", "http://friend.example:8080"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_origins_are_normalised_as_browsers_do(given, origin):
    assert Access("127.0.0.1", origins=frozenset([given])).origins == {origin}


@pytest.mark.parametrize(
    "given", ["foo", "", "*", "null", "friend.example", "ftp://a.example", "https://a.example/b"]
)
def test_invalid_origins_are_refused(given):
    with pytest.raises(ConfigError, match="not an origin"):
        Access("127.0.0.1", origins=frozenset([given]))


def test_loopback_hosts_are_recognised():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]))
    assert not any(map(is_loopback, ["", "0.0.0.0", "10.0.0.1", "localhost.example"]))  # noqa: S104


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/nowhere"])
def test_requests_with_the_key_are_accepted(server_with_key, path):
    right = {"Authorization": f"Bearer {KEY}"}
    assert get(server_with_key, path)[0] == 401
    assert get(server_with_key, path, Authorization="Bearer wrong")[0] == 401
    assert get(server_with_key, path, Authorization=f"Bearer {KEY}x")[0] == 401
    assert get(server_with_key, path, Authorization=f"Basic {KEY}")[0] == 401
    assert get(server_with_key, path, **right)[0] == (404 if path == "/nowhere" else 200)


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/openapi.json"])
def test_the_page_and_health_need_no_key(server_with_key, path):
    assert get(server_with_key, path)[0] == 200


def test_other_paths_need_the_key(server_with_key):
    for path in ("/healthz/../metrics", "/docsx", "/page/../v1/models", "//v1/models"):
        assert get(server_with_key, path)[0] in (401, 404)


def test_foreign_origins_and_host_names_are_refused(server, server_with_key):
    """Cross-site requests, and DNS rebinding to loopback."""
    assert get(server, "/v1/models", Origin="https://evil.example")[0] == 403
    assert get(server, "/v1/models", Host="evil.example")[0] == 403
    assert get(server, "/v1/models", Origin=server.url)[0] == 200
    assert get(server, "/v1/models", Host=f"localhost:{server.port}")[0] == 200
    key = {"Authorization": f"Bearer {KEY}"}
    assert get(server_with_key, "/v1/models", Origin="https://friend.example", **key)[0] == 200
    assert get(server_with_key, "/v1/models", Origin="https://evil.example", **key)[0] == 403


def test_an_allowed_origin_can_send_requests_and_read_responses(server_with_key):
    address = server_with_key.url + "/v1/models"
    asked = {
        "Origin": "https://friend.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    request = urllib.request.Request(address, headers=asked, method="OPTIONS")  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    headers = {"Origin": "https://friend.example", "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.headers["access-control-allow-origin"] == "https://friend.example"


def test_a_page_of_an_allowed_origin_can_read_that_its_key_is_wrong(server_with_key):
    headers = {"Origin": "https://friend.example", "Authorization": "Bearer wrong"}
    request = urllib.request.Request(server_with_key.url + "/v1/models", headers=headers)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request):  # noqa: S310
        pass
    with refused.value as error:
        assert error.code == 401
        assert error.headers["access-control-allow-origin"] == "https://friend.example"


def test_openai_clients_in_a_page_of_an_allowed_origin_may_send_their_headers(server_with_key):
    asked = {
        "Origin": "https://friend.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-lang,x-stainless-retry-count",
    }
    address = server_with_key.url + "/v1/audio/transcriptions"
    request = urllib.request.Request(address, headers=asked, method="OPTIONS")  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert "x-stainless-lang" in answer.headers["access-control-allow-headers"]


def test_preflight_requests_of_other_origins_are_refused(server_with_key):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    address = server_with_key.url + "/v1/models"
    request = urllib.request.Request(address, headers=asked, method="OPTIONS")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request):  # noqa: S310
        pass
    with refused.value as error:
        assert "access-control-allow-origin" not in error.headers


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Origin": "http://["}])
def test_malformed_headers_are_refused(server, headers):
    assert get(server, "/v1/models", **headers)[0] == 403


def test_websockets_of_foreign_origins_are_refused(server):
    async def main():
        async with server.socket(origin="https://evil.example"):
            pass

    with pytest.raises(websockets.InvalidStatus, match="403"):
        asyncio.run(main())


@pytest.mark.parametrize("way", ["header", "first message", "wrong", "none"])
def test_a_stream_needs_the_key(server_with_key, way, caplog):
    caplog.set_level(logging.DEBUG)

    async def main():
        headers = {"Authorization": f"Bearer {KEY}"} if way == "header" else {}
        start = {"type": "start", "sample_rate": RATE}
        if way == "first message":
            start["key"] = KEY
        if way == "wrong":
            start["key"] = KEY[:-1]
        async with server_with_key.socket(additional_headers=headers) as socket:
            await socket.send(json.dumps(start))
            await socket.send('{"type": "end"}')
            return await receive_all(socket), socket

    messages, socket = asyncio.run(main())
    welcome = way in ("header", "first message")
    assert messages[0]["type"] == ("ready" if welcome else "error")
    assert messages[0].get("code") == (None if welcome else "unauthorized")
    assert socket.close_code == (1000 if welcome else 1008)
    records = [r.getMessage() for r in caplog.records if r.name.startswith(("asr_gru", "uvicorn"))]
    assert not any(KEY in record for record in records)


@pytest.mark.parametrize("key", [KEY, "wrong"])
def test_browsers_can_send_the_key_as_a_subprotocol(server_with_key, key):
    async def main():
        protocols = ["realtime", f"openai-insecure-api-key.{key}"]
        path = "/v1/realtime?intent=transcription"
        async with server_with_key.socket(path, subprotocols=protocols) as socket:
            assert socket.subprotocol == "realtime"
            return json.loads(await socket.recv())

    assert asyncio.run(main())["type"] == ("session.created" if key == KEY else "error")


def test_health_and_metrics_are_served(server):
    health = json.loads(get(server, "/healthz")[1])
    assert (health["status"], health["model"]) == ("ok", "tiny")
    text = get(server, "/metrics")[1].decode()
    assert "asr_gru_clients " in text
    assert "asr_gru_lag_seconds_bucket" in text


def test_the_content_security_policy_forbids_foreign_resources(server):
    with urllib.request.urlopen(server.url + "/healthz") as answer:  # noqa: S310
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(get(server, "/openapi.json")[1])["openapi"].startswith("3.1.")
    page = get(server, "/docs")[1].decode()
    assert "https://" not in page
    assert get(server, "/docs/files/swagger-ui-bundle.js")[0] == 200
