"""The files of a run that its report is made from: each step once, however often it was stopped."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.training.checkpoint import load_checkpoint, save_checkpoint
from asr_gru.training.hypotheses import (
    HYPOTHESES_FILE,
    Hypothesis,
    read_hypotheses,
    recording_name,
    write_hypotheses,
)
from asr_gru.training.metrics import METRICS_FILE, MetricsWriter, StepMetrics, read_metrics


def step(number: int, **values) -> StepMetrics:
    return StepMetrics(step=number, steps=1, epoch=number / 100, **values)


def write(path: Path, numbers, **values) -> None:
    writer = MetricsWriter(path, lambda _line: None)
    for number in numbers:
        writer.add(step(number, **values))


def test_ten_steps_are_a_line(tmp_path):
    path = tmp_path / METRICS_FILE
    writer = MetricsWriter(path, lambda _line: None)
    for number in range(1, 24):
        writer.add(step(number, loss=float(number), audio_s=2.0, seconds=0.5))
    rows = read_metrics(path)
    assert [(row.step, row.steps, row.loss) for row in rows] == [(10, 10, 5.5), (20, 10, 15.5)]
    assert (rows[0].audio_s, rows[0].seconds, rows[0].phone_loss) == (20.0, 5.0, None)
    writer.flush()
    writer.flush()
    assert [(row.step, row.steps) for row in read_metrics(path)][2:] == [(23, 3)]


def test_values_that_are_not_finite_are_left_out_of_the_means(tmp_path):
    writer = MetricsWriter(tmp_path / METRICS_FILE, lambda _line: None)
    for number, loss in ((1, 2.0), (2, math.nan), (3, math.inf), (4, 4.0)):
        bad = not math.isfinite(loss)
        writer.add(step(number, loss=loss, gradient_norm=loss, skipped=int(bad)))
    writer.flush()
    (row,) = read_metrics(tmp_path / METRICS_FILE)
    assert (row.loss, row.gradient_norm, row.max_gradient_norm, row.skipped) == (3.0, 3.0, 4.0, 2)
    for line in (tmp_path / METRICS_FILE).read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # no NaN, which other readers refuse


def test_steps_that_were_taken_again_replace_those_before(tmp_path):
    path = tmp_path / METRICS_FILE
    write(path, range(1, 41), loss=1.0)  # killed after step 40; its checkpoint was at 23
    write(path, range(24, 31), loss=2.0)
    rows = read_metrics(path)
    assert [(row.step, row.loss) for row in rows] == [(10, 1.0), (20, 1.0), (30, 2.0)]


def test_half_a_line_of_a_killed_run_does_no_harm(tmp_path):
    path = tmp_path / METRICS_FILE
    write(path, range(1, 11))
    with path.open("ab") as file:
        file.write(b'{"step":20,"steps":10,"ep')
    write(path, range(11, 21))
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n[1]\n{}\n")
    assert [row.step for row in read_metrics(path)] == [10, 20]
    assert read_metrics(tmp_path / "none") == []


def test_a_file_that_cannot_be_written_is_reported_once(tmp_path):
    messages: list[str] = []
    writer = MetricsWriter(tmp_path / "missing" / METRICS_FILE, messages.append)
    for number in range(1, 41):
        writer.add(step(number))
    assert len(messages) == 1
    assert "lines are missing" in messages[0]


def test_hypotheses_are_read_as_written(tmp_path):
    texts = ["a", "<script>", "tab\there", "ünï\u2028x", ""]
    given = [
        Hypothesis(list_name="dev", recording=f"{i}.wav", reference=text, hypothesis=text[::-1])
        for i, text in enumerate(texts)
    ]
    write_hypotheses(tmp_path, given)
    with (tmp_path / HYPOTHESES_FILE).open("ab") as file:
        file.write(b"damaged\n")
    assert read_hypotheses(tmp_path) == given
    assert read_hypotheses(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("/data/a/b.wav", "/data", "a/b.wav"),
        ("/other/b.wav", "/data", "/other/b.wav"),
        ("a/b.wav", ".", "a/b.wav"),
        ("bad\udcff.wav", ".", "bad\ufffd.wav"),
    ],
)
def test_names_are_relative_to_the_root_and_plain_text(path, root, name):
    assert recording_name(Utterance(path=Path(path), text=""), Path(root)) == name


def test_a_stopped_run_leaves_the_curves_of_one_that_was_not(tone_corpus, tmp_path):
    config = tone_corpus.config(
        epochs=4, data={"train": ["train.tsv"], "batch_s": 3.0, "validation": ["validation.tsv"]}
    )
    whole, losses = tone_corpus.train(tmp_path / "whole", config)
    tone_corpus.train(tmp_path / "parts", config, stop_after=7)
    early = load_checkpoint(tmp_path / "parts")
    tone_corpus.train(tmp_path / "parts", config, stop_after=12)
    save_checkpoint(early, tmp_path / "parts" / "checkpoint.pt")  # as if it had been killed
    tone_corpus.train(tmp_path / "parts", config)
    one, other = (read_metrics(tmp_path / name / METRICS_FILE) for name in ("whole", "parts"))
    for rows in (one, other):
        assert sum(row.steps for row in rows) == rows[-1].step == whole.global_step
        assert rows[-1].epoch == 4.0
        mean = sum(row.steps * (row.loss or 0.0) for row in rows) / whole.global_step
        assert mean == pytest.approx(sum(losses) / whole.global_step, 1e-3)
        assert all(row.seconds > 0 and row.audio_s > 0 and row.gradient_norm for row in rows)
    assert sum(row.audio_s for row in one) == pytest.approx(sum(row.audio_s for row in other))
    assert (tmp_path / "whole" / HYPOTHESES_FILE).read_bytes() == (
        tmp_path / "parts" / HYPOTHESES_FILE
    ).read_bytes()
    found = read_hypotheses(tmp_path / "whole")
    assert [one.recording for one in found] == [f"validation/{i}.wav" for i in range(3)]
    assert {one.list_name for one in found} == {"validation"}


def test_the_validation_loss_is_that_of_training(tone_corpus, tmp_path):
    """Without dropout and augmentation, on the training set itself, after a vanishing step."""
    config = tone_corpus.config(
        epochs=1,
        data={"train": ["train.tsv"], "validation": ["train.tsv"], "batch_s": 100.0},
        encoder={"dropout": 0.0},
        optimiser={"learning_rate": 1e-12, "ema": 0.0},
    )
    state, (loss,) = tone_corpus.train(tmp_path, config)
    assert state.history[-1]["train loss"] == pytest.approx(loss, rel=1e-4)


def test_texts_that_are_no_tokens_are_left_out_of_the_loss_alone(tone_corpus, tmp_path):
    listed = read_manifest(tone_corpus.root / "train.tsv")
    unknown = [replace(one, text="xyz") for one in listed[:2]]
    write_manifest(tmp_path / "some.tsv", listed[2:])
    write_manifest(tmp_path / "all.tsv", [*unknown, *listed[2:]])
    data = {
        "train": ["train.tsv"],
        "validation": [str(tmp_path / n) for n in ("some.tsv", "all.tsv")],
    }
    state, _ = tone_corpus.train(tmp_path / "run", tone_corpus.config(epochs=1, data=data))
    metrics = state.history[-1]
    assert metrics["all loss"] == pytest.approx(metrics["some loss"], rel=1e-4)
    assert metrics["all CER"] > 0.0
    assert len(read_hypotheses(tmp_path / "run")) == 2 * len(listed) - 2
