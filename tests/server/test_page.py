"""The whole page in a headless Chromium, with a file as its microphone."""

import json

from tests.server.page_files import ROOT
from tests.server.pages import SAID, saved, until, wait_for


def test_the_page_transcribes_the_microphone_and_saves(page, expect, address):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(address)
    expect(page.locator("#toggle")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#partial")).to_be_visible()
    assert page.locator("#partial").get_attribute("aria-hidden") == "true"
    wait_for(page, "Number(document.querySelector('#level').ariaValueNow) > -60")
    wait_for(page, SAID)
    expect(page.locator("#notice")).to_be_hidden()
    page.select_option("#endpoint", "short")
    wait_for(page, "document.querySelectorAll('#log li').length >= 2")
    wait_for(page, "document.querySelector('#lag').textContent.endsWith(' s')")
    page.click("#toggle")
    until(page, "idle")
    assert page.inner_text("#partial") == ""
    _check_files(page)
    for role, name in (
        ("log", "Finished segments"),
        ("meter", "Level"),
        ("button", "Start"),
        ("combobox", "Microphone"),
        ("combobox", "Ending pause"),
        ("button", "Save as SRT subtitles"),
    ):
        expect(page.get_by_role(role, name=name)).to_be_visible()
    expect(page.locator("#notice")).to_be_hidden()
    assert page.problems == []


def _check_files(page):
    lines = page.locator("#log .said").all_text_contents()
    assert len(lines) >= 2
    files = {name: saved(page, name) for name in ("txt", "srt", "vtt", "json")}
    assert files["txt"].splitlines() == lines
    assert files["srt"].startswith("1\n00:00:0")
    assert files["vtt"].startswith("WEBVTT\n\n00:00:0")
    document = json.loads(files["json"])
    assert [segment["text"] for segment in document["segments"]] == lines
    times = [word["start_s"] for segment in document["segments"] for word in segment["words"]]
    assert times == sorted(times)


def test_the_page_transcribes_files_on_a_phone(page, expect, address, tmp_path):
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto(address)
    bad = [tmp_path / "nonsense.wav", tmp_path / "nothing.flac"]
    bad[0].write_bytes(b"no sound at all")
    bad[1].write_bytes(b"")
    samples = ROOT / "audio_samples"
    page.set_input_files("#file", [samples / "synthetic.wav", *bad, samples / "read.flac"])
    expect(page.locator("#log .part")).to_have_count(2)
    expect(page.locator("#work")).to_be_hidden()
    failures = page.locator("#failures li").all_text_contents()
    assert [text.partition(":")[0] for text in failures] == ["nonsense.wav", "nothing.flac"]
    assert all(text.endswith(".") and not text.endswith("..") for text in failures)
    names = page.locator("#part option").all_text_contents()
    assert names == ["synthetic.wav", "read.flac"]
    document = json.loads(saved(page, "json"))
    assert document["name"] == "read.flac"
    assert document["segments"][0]["words"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 320, "height": 568})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.click("#clear")
    expect(page.locator("#empty")).to_be_visible()
    assert not page.evaluate(SAID)
    page.set_input_files("#file", samples / "read.flac")
    expect(page.locator("#failures li")).to_have_count(0)
    expect(page.locator("#log .part")).to_have_count(1)
    assert [one for one in page.problems if "400" not in one] == []


def test_nobody_loses_unsaved_text_without_being_asked(page, address):
    asked = []

    def leave(dialog):
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.goto(address)
    page.click("#transcript-title")  # browsers ask only who has used the page
    page.reload()
    assert asked == []
    page.set_input_files("#file", ROOT / "audio_samples" / "read.flac")
    wait_for(page, SAID)
    page.click("footer a")
    page.wait_for_url("**/docs")
    assert asked == ["beforeunload"]
    page.go_back()
    page.set_input_files("#file", ROOT / "audio_samples" / "read.flac")
    wait_for(page, SAID)
    saved(page, "txt")
    page.reload()
    assert asked == ["beforeunload"]


def test_the_transcript_that_is_chosen_stays_so_when_others_come(page, expect, address):
    samples = ROOT / "audio_samples"
    page.goto(address)
    page.set_input_files("#file", [samples / "synthetic.wav", samples / "read.flac"])
    expect(page.locator("#log .part")).to_have_count(2)
    assert json.loads(saved(page, "json"))["name"] == "read.flac"
    page.select_option("#part", label="synthetic.wav")
    page.set_input_files("#file", samples / "accent.opus")
    expect(page.locator("#log .part")).to_have_count(3)
    assert json.loads(saved(page, "json"))["name"] == "synthetic.wav"


def test_the_documentation_page_shows_every_route(page, expect, address):
    page.goto(f"{address}docs")
    for path in ("/v1/audio/transcriptions", "/v1/models", "/healthz", "/metrics"):
        expect(page.get_by_text(path, exact=True).first).to_be_visible()
    assert page.problems == []
