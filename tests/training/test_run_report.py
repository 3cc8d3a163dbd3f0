"""The report of a run: one file, every text escaped, nothing loaded from elsewhere."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
import torch

from asr_gru.errors import MissingExtraError
from asr_gru.nn.net import AcousticNet
from asr_gru.scoring import align
from asr_gru.training import stages
from asr_gru.training.checkpoint import NAME, Checkpoint, save_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.hypotheses import Hypothesis, write_hypotheses
from asr_gru.training.loop import Run
from asr_gru.training.metrics import METRICS_FILE, MetricsWriter, StepMetrics
from asr_gru.training.recipe import Stage
from asr_gru.training.run_report import REPORT_FILE, write_report
from asr_gru.training.run_report.page import alignment

from .conftest import ALONE

EVIL = "</style></svg><script>alert(1)</script><img src=x onerror=alert(2)>&\"'`$x_{$"
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Elements of a page; fails if they are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def count(self, tag: str, kind: str = "") -> int:
        return sum(
            name == tag and (not kind or kind in (attrs.get("class") or "").split())
            for name, attrs in self.elements
        )


def read(path) -> Page:
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert page.count("script") == page.count("link") == page.count("img") == 0
    for name, attrs in page.elements:
        for key, value in attrs.items():
            assert not key.startswith("on"), (name, key)
            if key in ("src", "href", "xlink:href", "action", "data"):
                assert (value or "").startswith(("#", "data:image/png;base64,")), (name, value)
    style = "".join(re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL))
    for reference in re.findall(r"url\(([^)]*)\)", text):
        assert reference.startswith("#")
    assert "@import" not in style
    assert ("meta", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in [
        (name, attrs.get("content")) for name, attrs in page.elements
    ]
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(svg)  # noqa: S314  well-formed on its own
        assert "#010203" not in svg
    return page


def validated(tone_corpus, **tables) -> TrainConfig:
    data = {"train": ["train.tsv"], "validation": ["validation.tsv"], "batch_s": 5.0}
    return tone_corpus.config(epochs=2, data=data, **tables)


def test_a_run_has_curves_worst_utterances_and_its_configuration(tone_corpus, tmp_path):
    state, _ = tone_corpus.train(tmp_path, validated(tone_corpus, optimiser={"clip": 0.75}))
    path = write_report(tmp_path, root=tone_corpus.root)
    assert path == tmp_path / REPORT_FILE
    page = read(path)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", path.read_text())
    assert captions == [
        "Loss (nats per token)",
        "Word error rate (%)",
        "Learning rate",
        "Gradient norm",
        "Speed (hours of audio per hour)",
    ]
    assert page.count("article") == 3
    assert page.count("div", "posteriorgram") == 2
    assert "3 utterances, 0 without errors" in page.words
    assert "validation/0.wav" in page.words
    assert str(tone_corpus.root) not in page.words
    assert f"{state.history[-1]['mean WER']:.2f} %" in page.words
    changed = {
        re.sub("<.*?>", "", row)
        for row in re.findall(r'<tr class="changed">(.*?)</tr>', path.read_text())
    }
    assert {"clip0.75", "epochs2", "batch_s5.0", "layers1"} <= changed
    assert not any(row.startswith(("seed", "weights")) for row in changed)
    parameters = sum(
        p.numel() for p in AcousticNet(state.config.net, state.vocab_size).parameters()
    )
    assert f"Parameters {parameters:,}" in page.words
    assert f"Steps {state.global_step}" in page.words
    assert "seed" in page.words


def write_run(tone_corpus, folder, **changes) -> Checkpoint:
    """Write the files of a run whose texts and names are hostile."""
    config = tone_corpus.config(data={"train": [EVIL], "validation": [f"{EVIL}.tsv"]})
    net = AcousticNet(config.net, 5)
    state = Checkpoint(
        config=config,
        vocab_size=5,
        weights=net.state_dict(),
        global_step=40,
        history=[
            {"epoch": float(n), "step": 20.0 * n, f"{EVIL} loss": 1.0, f"{EVIL} WER": 50.0 / n}
            for n in (1, 2)
        ],
        **changes,
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(state, folder / NAME)
    (folder / "tokens.txt").write_text("<blank>\n<script>\n$\n&\n_a\n", encoding="utf-8")
    writer = MetricsWriter(folder / METRICS_FILE, lambda _line: None)
    for step in range(1, 41):
        writer.add(StepMetrics(step=step, steps=1, epoch=step / 20, loss=1 / step, seconds=1.0))
    texts = [(EVIL, f"{EVIL} {EVIL}"), ("right", "right"), ("gone gone", ""), ("", "new")]
    write_hypotheses(
        folder,
        [
            Hypothesis(list_name=EVIL, recording=f"{n}{EVIL}", reference=ref, hypothesis=hyp)
            for n, (ref, hyp) in enumerate(texts)
        ],
    )
    return state


@pytest.mark.parametrize("name", ["run", "<b>$run&"])
def test_texts_and_names_are_escaped(tone_corpus, tmp_path, name):
    write_run(tone_corpus, tmp_path / name)
    path = write_report(tmp_path / name, root=tone_corpus.root)
    page = read(path)
    assert "<script>alert(1)</script>" in page.words  # as text
    assert "alert(2)" in page.words
    assert f"Training run {name}" in page.words
    assert "Without posteriorgrams" in page.words  # there is no such manifest
    assert page.count("article") == 3
    assert "4 utterances, 1 without errors" in page.words


def test_without_a_root_no_recording_is_read(tone_corpus, tmp_path, monkeypatch):
    tone_corpus.train(tmp_path, validated(tone_corpus))
    monkeypatch.setattr(
        "asr_gru.training.run_report.builder.load_audio", lambda *_: pytest.fail("read")
    )
    page = read(write_report(tmp_path, output=tmp_path / "other.html"))
    assert page.count("div", "posteriorgram") == 0
    assert "asr-gru report RUN --root FOLDER" in page.words
    assert not (tmp_path / REPORT_FILE).exists()


def test_recordings_that_are_gone_are_named(tone_corpus, tmp_path):
    tone_corpus.train(tmp_path, validated(tone_corpus))
    (tmp_path / "validation.tsv").write_text("path\ttext\nvalidation/0.wav\ta\n")
    page = read(write_report(tmp_path, root=tmp_path))
    assert page.count("div", "posteriorgram") == 0
    assert "Missing: " in page.words


def test_a_run_that_has_only_begun_has_a_report(tone_corpus, tmp_path):
    tone_corpus.train(tmp_path, validated(tone_corpus), stop_after=1)
    page = read(write_report(tmp_path, root=tone_corpus.root))
    assert "has not validated yet" in page.words
    (tmp_path / METRICS_FILE).unlink()  # as of an earlier version
    page = read(write_report(tmp_path))
    assert "No curves" in page.words
    assert page.count("svg") == 0


def test_skipped_steps_and_time_are_summed(tone_corpus, tmp_path):
    write_run(tone_corpus, tmp_path)
    writer = MetricsWriter(tmp_path / METRICS_FILE, lambda _line: None)
    for step in range(41, 44):
        writer.add(
            StepMetrics(step=step, steps=1, epoch=2.15, skipped=1, audio_s=7200.0, seconds=40.0)
        )
    writer.flush()
    words = read(write_report(tmp_path)).words
    assert "Audio trained on 6 h" in words
    assert "Time in steps 2 min 40 s" in words
    assert "Speed 135 h of audio per hour" in words
    assert "Skipped steps 3" in words
    assert "Epochs 2.15" in words


def test_an_alignment_shows_what_was_inserted_deleted_and_substituted():
    page = Page(alignment(align(["a", "b", "c", "d"], ["a", "x", "c", "d", "e"])))
    assert page.words == "a a b x c c d d *** e"
    assert [page.count("span", kind) for kind in ("ok", "sub", "ins", "del")] == [3, 1, 1, 0]
    page = Page(alignment(align(["a", "b"], ["b"])))
    assert page.words == "a *** b b"
    assert [attrs.get("title") for _, attrs in page.elements if "title" in attrs] == ["deletion"]
    page = Page(alignment([("w", "w")] * 1000))
    assert page.words.endswith("… 700 more")


def test_symbols_without_glyphs_and_with_dollars_are_drawn(tone_corpus, tmp_path):
    config = validated(tone_corpus)
    net = AcousticNet(config.net, 5)
    with torch.no_grad():
        net.encoder.head.bias.copy_(torch.tensor([0.0, 3.0, 3.0, 3.0, 3.0]))
    state = Checkpoint(config=config, vocab_size=5, weights=net.state_dict(), global_step=1)
    save_checkpoint(state, tmp_path / NAME)
    (tmp_path / "tokens.txt").write_text("<blank>\n$x_{\n水\n&\n_a\n", encoding="utf-8")
    write_hypotheses(
        tmp_path,
        [
            Hypothesis(
                list_name="validation", recording="validation/0.wav", reference="a", hypothesis=""
            )
        ],
    )
    page = read(write_report(tmp_path, root=tone_corpus.root))
    assert page.count("div", "posteriorgram") == 1
    assert all(symbol in page.words for symbol in ("$x_{", "水", "&", "_a"))


def run_stage(tone_corpus, folder):
    messages: list[str] = []
    stage = Stage(name="", config=validated(tone_corpus))
    run = Run(folder, tone_corpus.root, tone_corpus.root / "cache")
    stages.train_stages([stages.PlannedStage(stage, run)], ALONE, messages.append)
    return messages


def test_a_finished_run_has_a_report(tone_corpus, tmp_path):
    messages = run_stage(tone_corpus, tmp_path)
    assert messages[-1] == f"report: {tmp_path / REPORT_FILE}"
    assert read(tmp_path / REPORT_FILE).count("figure") == 5


def test_without_matplotlib_a_run_ends_as_usual_and_says_what_is_missing(
    tone_corpus, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    messages = run_stage(tone_corpus, tmp_path)
    assert messages[-1].startswith("no report: matplotlib is not installed; run: pip install")
    assert not (tmp_path / REPORT_FILE).exists()
    assert (tmp_path / NAME).exists()
    with pytest.raises(MissingExtraError, match=r"\[train\]"):
        write_report(tmp_path)


def test_a_report_that_cannot_be_written_does_not_fail_the_run(tone_corpus, tmp_path):
    (tmp_path / REPORT_FILE / "in the way").mkdir(parents=True)
    messages = run_stage(tone_corpus, tmp_path)
    assert messages[-1].startswith(f"no report: {tmp_path / REPORT_FILE}: ")
