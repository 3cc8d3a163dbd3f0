"""What the network hears in a recording: its log-mel energies above the probabilities of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from asr_gru.audio import Samples
from asr_gru.nn.frontend import log_mel_db
from asr_gru.nn.net import AcousticNet, pad_to_frames
from asr_gru.training.run_report.figures import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MAX_S", "Posteriorgram", "draw_posteriorgram", "posteriorgram"]

SIZE = (8.0, 4.0)
MAX_S = 20.0
"""Seconds of a recording that are drawn."""
MIN_PROBABILITY = 0.1
MAX_TOKENS = 40
RANGE_DB = 70.0


@dataclass(frozen=True, slots=True)
class Posteriorgram:
    """Log-mel energies and probabilities of a recording.

    Attributes:
        log_mel: in dB, ``(mel frames, mels)``.
        probabilities: ``(frames, shown tokens)``, in the order in which tokens become likely.
        tokens: names of the shown tokens.
        seconds: duration.
        frame_s: seconds per row of probabilities.
        delay_s: how far these trail the audio.
    """

    log_mel: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    tokens: tuple[str, ...]
    seconds: float
    frame_s: float
    delay_s: float


def posteriorgram(net: AcousticNet, samples: Samples, symbols: Sequence[str]) -> Posteriorgram:
    """Run the network on the first ``MAX_S`` seconds of a recording.

    Args:
        net: the network, in evaluation mode.
        samples: the recording at the network's sample rate, ``(n,)``.
        symbols: names of all tokens; the first is the blank.
    """
    config = net.config
    rate = config.frontend.sample_rate
    samples = samples[: int(MAX_S * rate)]
    with torch.no_grad():
        padded = pad_to_frames(torch.from_numpy(samples)[None], config)
        probabilities = net(padded)[0][0].exp().numpy()
    spoken = probabilities[:, 1:]
    likely = np.flatnonzero(spoken.max(axis=0) >= MIN_PROBABILITY)
    strongest = likely[np.argsort(-spoken[:, likely].max(axis=0), kind="stable")][:MAX_TOKENS]
    shown = strongest[np.argsort(spoken[:, strongest].argmax(axis=0), kind="stable")]
    names = [symbols[token + 1].replace(" ", "space") for token in shown]
    return Posteriorgram(
        log_mel=log_mel_db(samples, config.frontend),
        probabilities=np.concatenate([spoken[:, shown], probabilities[:, :1]], axis=1),
        tokens=(*names, "blank"),
        seconds=len(samples) / rate,
        frame_s=config.frame_samples / rate,
        delay_s=config.encoder.delay * config.frame_samples / rate,
    )


def draw_posteriorgram(shown: Posteriorgram, prefix: str) -> str:
    """Return an ``<svg>`` element; ``prefix`` as for ``draw``.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """

    def paint(figure: Figure) -> None:
        axes: Any = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        mel, tokens = axes
        high = float(shown.log_mel.max(initial=-100.0))
        bins = shown.log_mel.shape[1]
        mel.imshow(
            shown.log_mel.T, origin="lower", aspect="auto", cmap="magma",
            extent=(0.0, shown.seconds, 0, bins), vmin=high - RANGE_DB, vmax=high,
        )  # fmt: skip
        mel.set_ylabel("mel bin")
        rows = len(shown.tokens)
        begin = -shown.delay_s
        end = begin + len(shown.probabilities) * shown.frame_s
        tokens.imshow(
            shown.probabilities.T, aspect="auto", cmap="magma", interpolation="nearest",
            extent=(begin, end, rows - 0.5, -0.5), vmin=0.0, vmax=1.0,
        )  # fmt: skip
        tokens.set_yticks(range(rows), shown.tokens, fontsize=min(10.0, 150.0 / rows))
        tokens.set_ylabel("token")
        tokens.set_xlabel("seconds")
        tokens.set_xlim(0.0, max(shown.seconds, shown.frame_s))
        for one in axes:
            one.grid(visible=False)

    return draw(paint, SIZE, prefix)
