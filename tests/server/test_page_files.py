"""The page's files: no foreign resources, no missing elements, enough contrast."""

import re

import numpy as np
import pytest

from asr_gru.streaming.endpoint import MODES
from tests.server.page_files import FILES, PAGE, SCRIPTS

HTML = (PAGE / "index.html").read_text(encoding="utf-8")
CSS = (PAGE / "page.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_page_loads_nothing_from_other_hosts(path):
    text = path.read_text(encoding="utf-8")
    addresses = re.findall(r"(?:https?|wss?|ftp)://\S*", text)
    assert all(re.match(r"https?://(\$\{host\}|localhost)", found) for found in addresses)
    loaded = re.findall(
        r"""(?:src|href)="([^"]*)"|url\(([^)]*)\)|^import .* from '([^']*)'""", text, re.MULTILINE
    )
    for address in ("".join(found) for found in loaded):
        assert address == "data:," or re.match(r"(/(page/|docs$)|\./)[\w./]*$", address), address


def test_the_page_works_under_a_strict_content_security_policy():
    assert not re.search(r"\s(style|on\w+)=", HTML)
    assert "<style" not in HTML
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", HTML))
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\beval\(|new Function|innerHTML|setAttribute\('style'", text)


def test_every_element_used_by_scripts_exists():
    ids = re.findall(r'\bid="([^"]+)"', HTML)
    assert len(ids) == len(set(ids))
    wanted = {
        name
        for path in SCRIPTS
        for name in re.findall(r"byId\('([^']+)'\)", path.read_text(encoding="utf-8"))
    }
    assert wanted
    assert wanted <= set(ids)
    for name in re.findall(r'(?:for|aria-labelledby|aria-describedby)="([^"]+)"', HTML):
        assert name in ids


def test_the_page_offers_the_recognisers_endpoint_modes():
    options = re.findall(r'<option value="(\w+)"[^>]*>\w+ \(([\d.]+) s\)', HTML)
    shown = {name: float(seconds) for name, seconds in options}
    assert shown == {name: MODES[name].trailing_s for name in ("short", "normal", "long")}


@pytest.mark.parametrize("dark", [False, True])
def test_colours_have_enough_contrast(dark):
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[int(dark)]))
    texts = [("ink", "ground"), ("ink", "sheet"), ("dim", "ground"), ("dim", "sheet")]
    texts += [("on-accent", "accent"), ("on-stop", "stop"), ("on-problem", "problem")]
    texts += [("accent", "ground")]
    marks = [("edge", "sheet"), ("edge", "ground"), ("level", "ground"), ("loud", "ground")]
    marks += [("away", "sheet"), ("accent", "sheet")]
    for least, pairs in ((4.5, texts), (3.0, marks)):
        for front, back in pairs:
            assert _contrast(colours[front], colours[back]) >= least, (front, back)


def _contrast(one, other):
    lights = sorted((_light(one), _light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour):
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
