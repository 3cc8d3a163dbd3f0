"""Figures of matplotlib as SVG elements that take the colours of the page around them."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asr_gru.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "draw"]

INK = "#010203"
"""Stands for the text colour of the page while matplotlib draws."""
COLOURS = ("#3b82f6", "#e07b00", "#1a9f6b", "#a855f7", "#e5484d", "#8b8d98", "#c2410c", "#0891b2")
"""Colours of lines, readable on white and on black."""
SETTINGS: Any = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 11.0,
    "grid.alpha": 0.35,
    "grid.color": "#808080",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "asr-gru",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}
SIZE = re.compile(r' (?:width|height)="[0-9.]+pt"')
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
REFERENCE = re.compile(r'((?<=\s)id="|url\(#|href="#)')


def draw(paint: Callable[[Figure], None], size: tuple[float, float], prefix: str) -> str:
    """Return what ``paint`` draws as an ``<svg>`` element without references to other files.

    Args:
        paint: draws into an empty figure.
        size: width and height in inches.
        prefix: is put before each id, so that the ids of figures in a page differ.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with _settings():
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        text = io.StringIO()
        with warnings.catch_warnings():  # of characters that its fonts lack; the browser has others
            warnings.simplefilter("ignore", UserWarning)
            figure.savefig(text, format="svg", metadata=NO_METADATA, dpi=110)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = REFERENCE.sub(rf"\g<1>{prefix}-", svg)
    return SIZE.sub("", svg, count=2)


@contextmanager
def _settings() -> Iterator[None]:
    try:
        from matplotlib import rc_context
    except ImportError:
        raise MissingExtraError("matplotlib", "train") from None
    with rc_context(SETTINGS):
        yield
