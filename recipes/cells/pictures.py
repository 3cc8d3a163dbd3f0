"""The pictures of the report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from asr_gru.files import write_bytes
from asr_gru.results import Word
from recipes.cells.gates import Gates

__all__ = ["draw_errors", "draw_gates", "draw_gradients", "draw_training", "save"]

Array = npt.NDArray[np.float32]
COLOURS, GATE_COLOURS = 128, 48
"""Sizes of the palette; a picture of gates is noise, which is large in PNG."""
STYLES = {"": "-", "0.5": ":", "1.5": "--", "2": "-"}
"""Line by the factor of recurrent matrices."""
REACH_TITLES = {
    "initial": "before training",
    "trained": "after training",
    "scaled": "before training, recurrent matrices scaled",
}


def save(figure: Figure, path: Path, colours: int = COLOURS) -> None:
    """Write a figure as a PNG file with a palette."""
    raw = io.BytesIO()
    figure.savefig(raw, dpi=100)
    small = io.BytesIO()
    with Image.open(raw) as image:
        image.convert("RGB").quantize(colours).save(small, "PNG", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, small.getvalue())


def draw_errors(rows: Mapping[str, Mapping[str, Any]], rate: str, path: Path) -> None:
    """Draw the error rate of every row, lowest first, beside its parameters."""
    names = sorted(rows, key=lambda name: -rows[name]["rate"])
    figure = Figure(figsize=(9, 1.2 + 0.24 * len(names)), layout="constrained")
    errors, sizes = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    errors.barh(names, [rows[name]["rate"] for name in names], color="tab:blue")
    errors.set_xlabel(f"{rate} (%)")
    sizes.barh(names, [rows[name]["parameters"]["all"] / 1000 for name in names], color="tab:gray")
    sizes.set_xlabel("parameters (thousands)")
    save(figure, path)


def draw_training(rows: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the loss and the gradient norm of every row over the steps."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    groups = (
        [name for name in ("gru", "lstm", "rnn", "gru-conv", "gru-attention") if name in rows],
        [n for n in ("gru", "gru-rmsprop", "gru-sgd", "gru-muon", "rnn-sgd") if n in rows],
    )
    for column, names in enumerate(groups):
        for name in names:
            curves = rows[name]["curves"]
            for row, key in enumerate(("loss", "gradient norm")):
                axes[row, column].plot(curves["step"], curves[key], label=name, linewidth=1)
        for row, key in enumerate(("loss (nats per phone)", "gradient norm, not clipped")):
            axes[row, column].set_yscale("log")
            axes[row, column].set_ylabel(key)
            axes[row, column].set_xlabel("step")
        if names:
            axes[0, column].legend(fontsize=8)
    save(figure, path)


def draw_gradients(reach: Mapping[str, Mapping[str, Sequence[float]]], path: Path) -> None:
    """Draw the gradient norm over the frames it is followed back, relative to frame 0."""
    shown = [kind for kind in REACH_TITLES if reach.get(kind)]
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axis, kind in zip(axes, shown, strict=True):
        cells = list(dict.fromkeys(name.partition(" x ")[0] for name in reach[kind]))
        for name, norms in reach[kind].items():
            cell, _, scale = name.partition(" x ")
            axis.plot(
                np.maximum(np.array(norms) / norms[0], 1e-30),
                label=name,
                linewidth=1,
                color=f"C{cells.index(cell)}",
                linestyle=STYLES[scale],
            )
        axis.set_yscale("log")
        axis.set_ylim(1e-16, 1e10)
        axis.set_xlabel("frames back")
        axis.set_title(REACH_TITLES[kind], fontsize=10)
        axis.legend(fontsize=7, loc="upper center", ncols=3)
    axes[0].set_ylabel("gradient norm relative to frame 0")
    save(figure, path)


def draw_gates(
    mel: Array, gates: Sequence[Gates], words: Sequence[Word], seconds: float, path: Path
) -> None:
    """Draw the gates of each layer over the spectrogram of a sentence.

    Args:
        mel: normalised log-mel features, ``(frames, mels)``.
        gates: of each layer, with a batch of 1.
        words: the words of the sentence and their times.
        seconds: duration of the recording.
        path: PNG file.
    """
    figure = Figure(figsize=(8.5, 2.0 + 2.4 * len(gates)), layout="constrained")
    axes = figure.subplots(1 + 2 * len(gates), 1, sharex=True)
    axes[0].imshow(
        mel.T, origin="lower", aspect="auto", extent=(0, seconds, 0, mel.shape[1]), vmin=-2, vmax=2
    )
    axes[0].set_ylabel("mel bin")
    for word in words:
        axes[0].text(
            (word.start_s + word.end_s) / 2, mel.shape[1], word.text, ha="center", va="bottom",
            fontsize=7,
        )  # fmt: skip
    for index, layer in enumerate(gates):
        for axis, name in zip(axes[1 + 2 * index :], ("update", "reset"), strict=False):
            values = getattr(layer, name)[:, 0].numpy()
            order = np.argsort(values.mean(axis=0))
            shape = (0.0, seconds, 0.0, float(values.shape[1]))
            axis.imshow(
                values[:, order].T, aspect="auto", origin="lower", extent=shape, vmin=0, vmax=1,
                cmap="magma",
            )  # fmt: skip
            mean = values.mean(axis=1) * values.shape[1]
            axis.plot((np.arange(len(mean)) + 0.5) * seconds / len(mean), mean, "c", linewidth=1.2)
            axis.set_ylabel(f"layer {index + 1}\n{name}")
    for axis in axes:
        for word in words:
            axis.axvline(word.start_s, color="w", linewidth=0.5, linestyle=":")
            axis.axvline(word.end_s, color="w", linewidth=0.7)
    axes[-1].set_xlabel("seconds")
    save(figure, path, GATE_COLOURS)
