"""Parts of the report of a run: charts, the list of the worst utterances and posteriorgrams."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from asr_gru.nn.net import AcousticNet
from asr_gru.training.hypotheses import Hypothesis
from asr_gru.training.metrics import StepMetrics
from asr_gru.training.run_report.charts import draw_charts
from asr_gru.training.run_report.posteriorgram import posteriorgram
from asr_gru.training.run_report.worst import list_results


def test_long_runs_are_drawn_with_few_points():
    rows = [
        StepMetrics(
            step=10 * n, steps=10, epoch=n / 1000, loss=5.0 / n, learning_rate=1e-3,
            gradient_norm=1.0, max_gradient_norm=1000.0 if n == 7_777 else 2.0,
            audio_s=600.0, seconds=1.0,
        )
        for n in range(1, 20_001)
    ]  # fmt: skip
    charts = draw_charts(rows, [], clip=1.0)
    assert all(len(chart.svg) < 60_000 for chart in charts)
    norms = next(chart.svg for chart in charts if chart.title == "Gradient norm")
    assert ">1000<" in norms  # the one large step is not averaged away
    assert "mathdefault" not in "".join(chart.svg for chart in charts)
    assert ">200k<" in norms


def test_means_of_one_list_are_not_drawn_twice():
    history = [
        {"step": 10.0 * n, "dev WER": 50.0 / n, "mean WER": 50.0 / n, "dev loss": 1.0 / n}
        for n in range(1, 4)
    ]
    charts = {chart.title: chart.svg for chart in draw_charts([], history, clip=1.0)}
    assert list(charts) == ["Loss (nats per token)", "Word error rate (%)"]
    assert "mean" not in charts["Word error rate (%)"]
    history = [row | {"other WER": 80.0} for row in history]
    svg = draw_charts([], history, clip=1.0)[1].svg
    assert all(f">{label}<" in svg for label in ("dev", "other", "mean"))


def test_the_worst_come_first():
    def one(recording, reference, hypothesis):
        return Hypothesis(
            list_name="dev", recording=recording, reference=reference, hypothesis=hypothesis
        )

    given = [
        one("half", "a b c d", "a b"),
        one("right", "a", "a"),
        one("short", "a", "b"),
        one("long", "a b c", "x y z"),
        one("inserted", "a", "x y z"),
    ]
    (result,) = list_results(given, most=4)
    assert [w.utterance.recording for w in result.worst] == ["inserted", "long", "short", "half"]
    assert (result.utterances, result.right) == (5, 1)
    assert (result.total.errors, result.total.words) == (9, 10)


def test_a_posteriorgram_shows_the_tokens_in_their_order(tone_corpus):
    config = tone_corpus.config(encoder={"lookahead": 2, "subsampling": 4}).net
    net = AcousticNet(config, 4).eval()
    frames = 6 + config.encoder.delay
    spoken = torch.full((1, frames, 4), 0.001)
    for frame, token in enumerate([3, 3, 0, 1, 0, 0, 0, 0]):
        spoken[0, frame, token] = 0.99
    net.forward = lambda *_: (spoken.log(), ())  # type: ignore[method-assign]
    samples = np.zeros(6 * config.frame_samples, np.float32)
    shown = posteriorgram(net, samples, ["<blank>", " ", "b", "c"])
    assert shown.tokens == ("c", "space", "blank")
    assert shown.probabilities.shape == (frames, 3)
    assert shown.log_mel.shape == (6 * 4, config.frontend.mels)
    assert shown.seconds == pytest.approx(0.24)
    assert shown.delay_s == pytest.approx(2 * shown.frame_s)
