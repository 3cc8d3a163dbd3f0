"""A picture of the distributions of lists of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from asr_gru.errors import ConfigError, MissingExtraError
from asr_gru.files import replace_file
from asr_gru.inspection.corpus import Inspection

__all__ = ["PLOT_SUFFIXES", "plot"]

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
BINS = 50
OUTLIERS = 0.5
"""Percent on either side that may lie beyond the axes."""


def plot(path: Path, lists: Mapping[str, Inspection]) -> None:
    """Draw a histogram of each distribution, with a line for each list.

    Args:
        path: ends in ``.png``, ``.svg`` or ``.pdf``.
        lists: by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: another suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "train") from None
    if path.suffix not in PLOT_SUFFIXES:
        raise ConfigError(f"{path}: draw a {', '.join(PLOT_SUFFIXES)}")
    distributions = {name: one.distributions for name, one in lists.items()}
    names = list(dict.fromkeys(name for one in distributions.values() for name in one))
    figure = Figure(figsize=(7, 2.2 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        figures = {
            label: np.array(one[name])[np.isfinite(one[name])]
            for label, one in distributions.items()
            if name in one
        }
        together = np.concatenate([*figures.values(), np.zeros(0)])
        if not len(together):
            continue
        low, high = np.percentile(together, (OUTLIERS, 100 - OUTLIERS))
        bins = np.linspace(low, high if high > low else low + 1.0, BINS)
        for label, values in figures.items():
            share = np.full(len(values), 100.0 / max(1, len(values)))
            axes.hist(np.clip(values, low, high), bins, weights=share, histtype="step", label=label)
        axes.set_xlabel(name)
        axes.set_ylabel("% of utterances")
    figure.axes[0].legend()
    with replace_file(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=120)
