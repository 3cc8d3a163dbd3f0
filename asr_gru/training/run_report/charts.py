"""The curves of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asr_gru.training.metrics import StepMetrics
from asr_gru.training.run_report.figures import COLOURS, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Chart", "draw_charts"]

Values = npt.NDArray[np.float64]
SIZE = (5.0, 2.9)
MAX_POINTS = 400
LOG_RANGE = 15.0
"""A logarithmic axis is used if the largest value is more than this multiple of the smallest."""
MAX_LABEL = 28
MAX_LINES = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart.

    Attributes:
        title: what is drawn.
        svg: an ``<svg>`` element.
    """

    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    steps: Values
    values: Values
    colour: str
    style: str = "-"
    marker: str = ""


def draw_charts(
    metrics: Sequence[StepMetrics], history: Sequence[Mapping[str, float]], clip: float
) -> list[Chart]:
    """Draw losses, error rates, learning rate, gradient norm and speed over training steps.

    Args:
        metrics: means over steps, as of ``read_metrics``.
        history: metrics of each validation, with their ``step``.
        clip: norm above which gradients are clipped.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    norms = [
        _Line("mean", *_binned(metrics, lambda row: row.gradient_norm), COLOURS[0]),
        _Line("largest", *_binned(metrics, lambda row: row.max_gradient_norm, np.max), COLOURS[1]),
    ]
    if metrics:
        ends = np.array([metrics[0].step, metrics[-1].step], float)
        norms.append(_Line("clipped above", ends, np.full(2, clip), COLOURS[5], "--"))

    def one(value: Callable[[StepMetrics], float | None]) -> list[_Line]:
        return [_Line("training", *_binned(metrics, value), COLOURS[0])]

    wanted = {
        "Loss (nats per token)": [
            *one(lambda row: row.loss),
            *_validation(history, " loss", first=1),
        ],
        "Word error rate (%)": _validation(history, " WER"),
        "Phone error rate (%)": _validation(history, " PER"),
        "Phone loss (nats per frame)": one(lambda row: row.phone_loss),
        "Distillation loss (nats per token)": one(lambda row: row.distillation_loss),
        "Learning rate": one(lambda row: row.learning_rate or None),
        "Gradient norm": norms,
        "Speed (hours of audio per hour)": one(
            lambda row: row.audio_s / row.seconds if row.seconds else None
        ),
    }
    charts = []
    for number, (title, lines) in enumerate(wanted.items()):
        drawn = [line for line in lines if len(line.steps)]
        if drawn and not (title == "Gradient norm" and len(drawn) == 1):
            linear = title.startswith(("Learning", "Speed"))
            svg = draw(lambda figure: _paint(figure, drawn, linear), SIZE, f"chart{number}")  # noqa: B023
            charts.append(Chart(title, svg))
    return charts


def _binned(
    metrics: Sequence[StepMetrics],
    value: Callable[[StepMetrics], float | None],
    reduce: Callable[[Values], Any] = np.mean,
) -> tuple[Values, Values]:
    """Return steps and values, reduced to ``MAX_POINTS``."""
    pairs = [(row.step, one) for row in metrics if (one := value(row)) is not None]
    points = np.array(pairs, float).reshape(-1, 2)
    pieces = np.array_split(points, min(MAX_POINTS, max(1, len(points))))
    kept = [piece for piece in pieces if len(piece)]
    return (
        np.array([piece[-1, 0] for piece in kept]),
        np.array([float(reduce(piece[:, 1])) for piece in kept]),
    )


def _validation(history: Sequence[Mapping[str, float]], suffix: str, first: int = 0) -> list[_Line]:
    """Return a line for each metric whose name ends with ``suffix``; their mean is the last."""
    names = dict.fromkeys(
        key for row in history for key in row if key.endswith(suffix) and "step" in row
    )
    ordered = sorted(names, key=lambda key: key.startswith("mean "))
    if len(ordered) == 2 and ordered[1] == f"mean{suffix}":  # of one set
        ordered = ordered[:1]
    lines = []
    for number, name in enumerate(ordered[:MAX_LINES]):
        rows = [row for row in history if np.isfinite(row.get(name, np.nan))]
        lines.append(
            _Line(
                name.removesuffix(suffix),
                np.array([row["step"] for row in rows]),
                np.array([row[name] for row in rows]),
                COLOURS[(number + first) % len(COLOURS)],
                "--" if name.startswith("mean ") else "-",
                "." if len(rows) <= MAX_POINTS // 4 else "",
            )
        )
    return lines


def _paint(figure: Figure, lines: Sequence[_Line], linear: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes: Any = figure.subplots()
    for line in lines:
        axes.plot(
            line.steps,
            line.values,
            line.style,
            color=line.colour,
            marker=line.marker,
            linewidth=1.6,
        )
    values = np.concatenate([line.values for line in lines])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > LOG_RANGE * low and not linear:
        axes.set_yscale("log")
        few = high < 1000 * low
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=min(0.0, 1.05 * low))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.set_xlabel("step")
    if len(lines) > 1:
        labels = [_short(line.label) for line in lines]
        figure.legend(
            axes.lines, labels, loc="outside upper left", ncols=3, fontsize=9, handlelength=1.2
        )


def _short(label: str) -> str:
    label = label.lstrip("_") or "list"  # matplotlib hides labels that begin with it
    return label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…"


def _thousands(value: float, _position: int) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
