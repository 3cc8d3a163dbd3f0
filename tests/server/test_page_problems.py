"""What the page does in Chromium when the microphone or the server is not there."""

import json

from tests.server.page_files import ROOT
from tests.server.pages import SAID, opened, saved, served, until, wait_for

KEY = "a-key-of-more-than-sixteen-letters"


def test_a_refused_microphone_is_explained(playwright, expect, microphone, address):
    with opened(playwright, microphone, grants=False) as page:
        page.goto(address)
        page.click("#toggle")
        expect(page.locator("#notice")).to_contain_text("was not allowed")
        until(page, "idle")
        assert page.problems == []


def test_no_microphone_is_explained(page, expect, address):
    page.goto(address)
    page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException('', 'NotFoundError')); }"""
    )
    page.click("#toggle")
    expect(page.locator("#notice")).to_contain_text("No microphone was found")


def test_a_lost_microphone_is_reopened(page, expect, address):
    page.goto(address)
    page.evaluate(
        """() => {
          const devices = navigator.mediaDevices; const real = devices.getUserMedia.bind(devices);
          devices.getUserMedia = async (wanted) => (window.media = await real(wanted));
        }"""
    )
    page.click("#toggle")
    wait_for(page, SAID)
    before = page.inner_text("#log")
    page.evaluate(
        """() => {
          window.list = navigator.mediaDevices.enumerateDevices;
          navigator.mediaDevices.enumerateDevices = async () => [];
          for (const track of window.media.getTracks()) {
            track.stop(); track.dispatchEvent(new Event('ended'));
          }
        }"""
    )
    until(page, "waiting")
    expect(page.locator("#notice")).to_contain_text("went away")
    page.evaluate(
        """() => {
          navigator.mediaDevices.enumerateDevices = window.list;
          navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
        }"""
    )
    until(page, "listening")
    assert page.inner_text("#log").startswith(before)
    page.click("#toggle")
    until(page, "idle")
    assert page.problems == []


def test_the_page_reconnects_when_the_server_is_back(page, expect, tmp_path):
    with served(tmp_path) as port:
        page.goto(f"http://127.0.0.1:{port}/")
        page.click("#toggle")
        wait_for(page, SAID)
    until(page, "reconnecting")
    before = page.inner_text("#log")
    expect(page.locator("#notice")).to_contain_text("again")
    with served(tmp_path, port=port):
        until(page, "listening")
        count = len(before.split("\n"))
        wait_for(page, f"document.querySelector('#log').innerText.split('\\n').length > {count}")
        assert page.inner_text("#log").startswith(before)
        expect(page.locator("#notice")).not_to_contain_text("again")  # but how much is lost, if so
        page.click("#toggle")
        until(page, "idle")
        segments = json.loads(saved(page, "json"))["segments"]
        starts = [segment["start_s"] for segment in segments]
        assert starts == sorted(starts)
    assert [one for one in page.problems if "WebSocket" not in one] == []


def test_keys_are_asked_for_and_plain_http_is_explained(playwright, expect, microphone, tmp_path):
    names = "MAP talk.test 127.0.0.1"
    with opened(playwright, microphone, hosts=names) as page, served(tmp_path, key=KEY) as port:
        page.goto(f"http://127.0.0.1:{port}/")
        page.click("#toggle")
        for key in ("not the key at all", KEY):
            expect(page.locator("#key-form")).to_be_visible()
            expect(page.locator("#notice")).to_contain_text("key")
            expect(page.locator("#key")).to_be_focused()
            page.keyboard.insert_text(key)
            page.keyboard.press("Enter")
        wait_for(page, SAID)
        assert page.evaluate("JSON.stringify(localStorage)") == "{}"
        page.click("#toggle")
        until(page, "idle")

        page.goto(f"http://talk.test:{port}/")
        expect(page.locator("#notice")).to_contain_text("asr-gru serve --self-signed")
        expect(page.locator("#notice")).to_contain_text(f"ssh -L {port}:localhost:{port} talk.test")
        expect(page.locator("#toggle")).to_be_disabled()
        page.set_input_files("#file", ROOT / "audio_samples" / "read.flac")
        expect(page.locator("#key-form")).to_be_visible()
        page.fill("#key", KEY)
        page.click("#key-form button")
        wait_for(page, SAID)
        assert [one for one in page.problems if "401" not in one] == []


def test_all_that_waits_for_a_key_goes_on_with_it(playwright, expect, microphone, tmp_path):
    with opened(playwright, microphone) as page, served(tmp_path, key=KEY) as port:
        page.goto(f"http://127.0.0.1:{port}/")
        for name in ("read.flac", "synthetic.wav"):
            page.set_input_files("#file", ROOT / "audio_samples" / name)
            expect(page.locator("#key-form")).to_be_visible()
            expect(page.locator("#work")).to_be_hidden()
        page.fill("#key", KEY)
        page.click("#key-form button")
        expect(page.locator("#log h3")).to_have_text(["read.flac", "synthetic.wav"])
