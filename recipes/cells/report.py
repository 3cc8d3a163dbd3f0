"""The report: tables, pictures and verdicts in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recipes.cells.gates import LAGS, strongest
from recipes.cells.gradients import horizon
from recipes.cells.verdicts import baseline, judge, seed_spread

__all__ = ["render"]

Figures = Mapping[str, Any]
BACK = (10, 50, 100, 200)
SPEED_FORMS = {
    "training torch": "training, `nn.GRU` / `LSTM` / `RNN`",
    "training float32": "training, own kernel",
    "torch": "stream, torch",
    "float32": "stream, ONNX float32",
    "int8": "stream, ONNX int8",
}

SPEED_TEXT = """\
Seconds of audio per second, on one thread. Training steps include log-mel features; a stream
advances by {step_ms:.0f} ms at a time."""
REACH_TEXT = """\
Median norm of the gradient of one output with respect to the log-mel features `k` frames earlier,
relative to `k` = 0; the horizon is the largest `k` at which 1 % of the largest norm is left (at
most {frames}). A frame is {frame_ms:.0f} ms."""
GATES_TEXT = """\
Correlations over the frames of the second list, aligned by the bundled model. `mean` is that of the
average over all units, `with a lag` the strongest if the gates may trail the event (or precede it,
-), `unit` that of the one unit that follows the event most closely, chosen on one half of the
recordings and measured on the other. An update gate of 1 keeps the state, one of 0 replaces it; a
reset gate of 0 hides the state from the candidate."""
SENTENCE_TEXT = """\
The sentence: *{sentence}*. Units are sorted by their mean; the line is the mean over all units.
Words begin at dotted lines and end at solid ones."""
INTRO_TEXT = """\
{train_utterances} utterances ({train_hours:.2f} h) to train on, {dev_utterances}
({dev_hours:.2f} h) to compare on; {epochs} epochs. {rate} is the {unit} error rate of greedy
decoding, without a language model. Words are found with the lexicon and the language model of the
bundled model, at the default parameters of the search.

Differences are to the row named beside them, with the {level:.0f} % interval of a paired bootstrap
over utterances. Seeds alone differ by up to {spread:.1f} points, and a smaller difference is not
counted as one."""


def render(figures: Figures) -> str:
    """Return the report of ``figures``."""
    rate = figures["rate"]
    intro = INTRO_TEXT.format(
        **figures["data"],
        epochs=figures["epochs"],
        rate=rate,
        unit="phone" if rate == "PER" else "word",
        spread=seed_spread(figures),
        level=100 * figures["level"],
    )
    parts = [
        "# Recurrent cells, measured",
        f"Written by `{figures['command']}`; [README.md](README.md) explains it.",
        intro,
        "## Verdicts",
        _table(
            ("claim", "verdict", "figures"),
            ((one.claim, f"**{one.verdict}**", one.evidence) for one in judge(figures)),
        ),
        "## Error rates",
        _rows(figures),
        *(f"`{name}` diverged: its gradient was not finite." for name in figures["diverged"]),
        "![error rates and parameters](pictures/errors.png)",
        "![loss and gradient norm of each step](pictures/training.png)",
    ]
    if figures["speed"]:
        parts += ["## Speed", SPEED_TEXT.format_map(figures), _speed(figures["speed"])]
    if any(figures["reach"].values()):
        parts += [
            "## How far the gradient reaches back",
            REACH_TEXT.format_map(figures),
            _reach(figures["reach"]),
            "![gradient norms over the frames](pictures/gradients.png)",
        ]
    if figures.get("gates"):
        parts += [
            "## What the gates do",
            GATES_TEXT,
            _gates(figures["gates"], figures["frame_ms"]),
            "![gates over the spectrogram of a sentence](pictures/gates.png)",
            SENTENCE_TEXT.format(sentence=figures["sentence"]),
        ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rows(figures: Figures) -> str:
    def cells(name: str, row: Mapping[str, Any]) -> list[str]:
        versus, against = row.get("versus"), baseline(name)
        low, high = versus["interval"] if versus else (0.0, 0.0)
        difference = (
            f"{versus['difference']:+.1f} ({low:+.1f} to {high:+.1f}) to `{against}`"
            if versus
            else ""
        )
        parameters, gradient = row["parameters"], row["gradient"]
        return [
            f"`{name}`",
            row["differs"],
            f"{parameters['all']:,}",
            f"{parameters['recurrent']:,}",
            f"{row['rate']:.1f}",
            difference,
            f"{row['WER']:.1f}" if "WER" in row else "",
            f"{gradient['median']:.2g}",
            f"{gradient['largest']:.3g}",
        ]

    head = (
        "row",
        "what differs",
        "parameters",
        "recurrent",
        f"{figures['rate']} (%)",
        "difference (points)",
        "WER with a language model (%)",
        "median gradient norm",
        "largest",
    )
    return _table(head, (cells(name, row) for name, row in figures["rows"].items()))


def _speed(speed: Mapping[str, Mapping[str, float]]) -> str:
    return _table(
        ("row", *SPEED_FORMS.values()),
        (
            (
                f"`{name}`",
                *(f"{forms[form]:.0f}" if form in forms else "" for form in SPEED_FORMS),
            )
            for name, forms in speed.items()
        ),
    )


def _reach(reach: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    def line(kind: str, name: str, norms: Sequence[float]) -> list[str]:
        values = [f"{norms[k] / norms[0]:.1e}" if k < len(norms) else "" for k in BACK]
        return [f"`{name}`", kind, *values, str(horizon_of(norms))]

    return _table(
        ("row", "", *(f"{k} frames" for k in BACK), "horizon (frames)"),
        (line(kind, name, norms) for kind, rows in reach.items() for name, norms in rows.items()),
    )


def horizon_of(norms: Sequence[float]) -> int:
    """Return the horizon of norms as they are stored."""
    return horizon(np.array(norms))


def _gates(layers: Sequence[Mapping[str, Mapping[str, Mapping[str, Any]]]], frame_ms: float) -> str:
    def strong(correlations: Sequence[float]) -> str:
        value, lag = strongest(correlations)
        return f"{value:+.2f} at {lag * frame_ms:+.0f} ms"

    head = ("layer", "gate", "event", "mean in it", "elsewhere", "mean", "with a lag", "unit")
    return _table(
        head,
        (
            (
                str(number),
                gate,
                event,
                f"{values['inside']:.3f}",
                f"{values['outside']:.3f}",
                f"{values['mean'][LAGS.index(0)]:+.2f}",
                strong(values["mean"]),
                f"{values['unit']:+.2f} (unit {values['index']})",
            )
            for number, layer in enumerate(layers, 1)
            for gate, events in layer.items()
            for event, values in events.items()
        ),
    )
