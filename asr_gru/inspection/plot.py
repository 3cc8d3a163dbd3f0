"""Plots of the distributions of manifests."""

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
"""Percentage on either side that may lie outside the axes."""


def plot(path: Path, lists: Mapping[str, Inspection]) -> None:
    """Draw a histogram of each distribution, with a line for each list.

    Args:
        path: file to write; must end in ``.png``, ``.svg`` or ``.pdf``.
        lists: statistics of each manifest, by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigError: ``path`` has another suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "train") from None
    if path.suffix not in PLOT_SUFFIXES:
        raise ConfigError(f"{path}: unknown suffix; use one of {', '.join(PLOT_SUFFIXES)}")
    distributions = {label: inspection.distributions for label, inspection in lists.items()}
    names = list(dict.fromkeys(name for found in distributions.values() for name in found))
    figure = Figure(figsize=(7, 2.2 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        finite = {
            label: np.array(found[name])[np.isfinite(found[name])]
            for label, found in distributions.items()
            if name in found
        }
        pooled = np.concatenate([*finite.values(), np.zeros(0)])
        if not len(pooled):
            continue
        low, high = np.percentile(pooled, (OUTLIERS, 100 - OUTLIERS))
        bins = np.linspace(low, high if high > low else low + 1.0, BINS)
        for label, values in finite.items():
            percent = np.full(len(values), 100.0 / max(1, len(values)))
            clipped = np.clip(values, low, high)
            axes.hist(clipped, bins, weights=percent, histtype="step", label=label)
        axes.set_xlabel(name)
        axes.set_ylabel("% of utterances")
    figure.axes[0].legend()
    with replace_file(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=120)
