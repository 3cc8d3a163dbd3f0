"""Options of the page, in Chromium, and how results show them."""

import json

import pytest

from tests.server.page_files import ROOT
from tests.server.pages import saved, until, wait_for

GRAMMAR = """#JSGF V1.0;
public <leave> = the <vehicle> to the coast leaves at <number.1-12> {hour} in the morning;
<vehicle> = (train | bus) {vehicle};"""


@pytest.mark.parametrize("width", [1280, 833, 832, 480, 360, 320])
def test_no_choice_is_cut_off(page, address, width):
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(address)
    lacking = page.evaluate(
        """() => [...document.querySelectorAll('select')].filter((select) => {
          const whole = select.cloneNode(true);
          whole.style.width = 'max-content';
          select.after(whole);
          const cut = select.offsetWidth < whole.offsetWidth;
          whole.remove();
          return cut && !select.hidden;
        }).map((select) => select.id)"""
    )
    assert set(lacking) <= {"device"}  # its names are the system's, as long as they may be
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_uncertain_words_are_marked(page, address):
    page.goto(address)
    page.evaluate(
        """async () => {
          const { Transcript } = await import('/page/transcript.js');
          const ids = ['paper', 'log', 'empty', 'partial', 'stable', 'unstable', 'legend'];
          const nodes = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
          const word = (text, confidence) => ({ text, confidence, start_s: 61, end_s: 62 });
          const shown = new Transcript(nodes);
          shown.partial({ text: 'a b c', stable: 'a b', words: [] });
          window.line = [nodes.stable.textContent, nodes.unstable.textContent];
          shown.final({ text: '<i> so so', start_s: 61, end_s: 62,
            words: [word('<i>', 0.9), word('so', 0.51), word('so', 0.49)] });
        }"""
    )
    assert page.evaluate("line") == ["a b", " c"]
    assert page.inner_html(".said") == (
        '&lt;i&gt; so <span class="unsure" title="uncertain: confidence 0.49">so</span>'
    )
    assert page.inner_text("#log time") == "1:01"
    assert "Dotted" in page.inner_text("#legend")


@pytest.mark.parametrize("width", [1280, 320])
def test_times_after_hours_stay_in_one_line(page, address, width):
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(address)
    lines = page.evaluate(
        """async () => {
          const { Transcript } = await import('/page/transcript.js');
          const ids = ['paper', 'log', 'empty', 'partial', 'stable', 'unstable', 'legend'];
          const nodes = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
          const shown = new Transcript(nodes);
          for (const start of [0, 3600, 36000]) {
            shown.final({ text: 'so', start_s: start, end_s: start + 1, words: [] });
          }
          return [...document.querySelectorAll('.segment time')].map((time) => {
            const range = document.createRange();
            range.selectNodeContents(time);
            return range.getClientRects().length;
          });
        }"""
    )
    assert lines == [1, 1, 1]


def test_alternatives_that_are_as_good_as_impossible_are_left_out(page, address):
    page.goto(address)
    page.evaluate(
        """async () => {
          const { Transcript } = await import('/page/transcript.js');
          const ids = ['paper', 'log', 'empty', 'partial', 'stable', 'unstable', 'legend'];
          const nodes = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
          const shown = new Transcript(nodes);
          for (const chances of [[0.9, 0.09, 0.006, 0.004], [1, 0.0001]]) {
            const alternatives = chances.map((probability) => ({ text: 'so', probability }));
            shown.final({ text: 'so', start_s: 0, end_s: 1, words: [], alternatives });
          }
        }"""
    )
    assert page.locator(".others li").all_text_contents() == ["0.09 so", "0.01 so"]
    assert page.locator(".others").count() == 1


def test_options_apply_to_files_and_to_the_microphone(page, expect, address):
    page.goto(address)
    page.click("summary")
    page.check("#written")
    page.check("#alternatives")
    page.set_input_files("#file", ROOT / "audio_samples" / "accent.opus")
    expect(page.locator("#log .others li")).not_to_have_count(0)
    assert page.inner_text("#log .said").startswith("Mandy ")
    (segment,) = json.loads(saved(page, "json"))["segments"]
    assert segment["written"] == page.inner_text("#log .said")
    assert segment["alternatives"][0]["text"] == segment["text"]
    assert all(word["alternatives"] for word in segment["words"])

    page.click("#clear")
    page.uncheck("#alternatives")
    page.fill("#only", GRAMMAR)
    assert page.is_disabled("#hot-words")
    assert page.is_disabled("#omit-uncertain")
    page.click("#toggle")
    expect(page.locator("#log .parse").first).to_have_text('[leave vehicle="train" hour=9]')
    assert page.locator("#log .others").count() == 0
    page.fill("#only", "")
    page.press("#only", "Tab")  # other options while listening
    wait_for(
        page, "[...document.querySelectorAll('#log li')].some((li) => !li.querySelector('.parse'))"
    )
    page.fill("#only", "#JSGF V1.0; public <a> = <b>;")
    page.press("#only", "Tab")
    expect(page.locator("#notice")).to_contain_text("<b> is not defined")
    until(page, "idle")
    assert page.problems == []
