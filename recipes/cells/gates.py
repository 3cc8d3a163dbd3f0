"""What the gates of a GRU do: their activations, and correlations with what is said.

``update`` is torch's z: the state becomes ``(1 - z) * candidate + z * state``, so 1 keeps the
state and 0 replaces it. ``reset`` is r, by which the candidate sees the state: 0 hides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.recurrent import RecurrentLayer
from asr_gru.results import Word

__all__ = [
    "EVENTS",
    "LAGS",
    "Gates",
    "correlate",
    "event_frames",
    "gru_gates",
    "net_gates",
    "shifted",
    "strongest",
]

Array = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

EVENTS = ("silence", "word ends", "long vowels")
VOWELS = frozenset(phone for phone in ENGLISH_PHONES if phone[0] in "AEIOU")
LONG_VOWEL_S = 0.12
LAGS = (-2, -1, 0, 1, 2, 3, 4, 5, 6)
"""Frames by which the gates may trail an event."""
WORD_END_S = 0.06
"""A frame belongs to the end of a word if its middle is at most this far from it."""


@dataclass(frozen=True, slots=True)
class Gates:
    """Activations of the gates of one layer, each ``(frames, batch, width)``, from 0 to 1."""

    reset: Tensor
    update: Tensor


@torch.no_grad()
def gru_gates(layer: RecurrentLayer, x: Tensor) -> Gates:
    """Return the gates of a GRU layer over ``x (frames, batch, width)``, from zero states."""
    y, _ = layer(x, layer.start(x.shape[1]))
    before = torch.cat([torch.zeros_like(y[:1]), y[:-1]])
    rnn, width = layer.rnn, layer.width
    from_input = x @ rnn.weight_ih_l0.T + rnn.bias_ih_l0
    from_state = before @ rnn.weight_hh_l0.T + rnn.bias_hh_l0
    both = torch.sigmoid((from_input + from_state)[..., : 2 * width])
    return Gates(both[..., :width], both[..., width:])


@torch.no_grad()
def net_gates(net: AcousticNet, samples: npt.NDArray[np.float32]) -> list[Gates]:
    """Return the gates of each layer for one recording, with a batch of 1."""
    frame = net.config.frame_samples
    whole = torch.from_numpy(samples[: len(samples) // frame * frame])[None]
    features, _ = net.features(whole)
    gates = []
    for index, layer in enumerate(net.encoder.forwards):
        hidden = net.encoder.encode(features, net.encoder.start(1), tap=index).hidden
        assert hidden is not None
        assert isinstance(layer, RecurrentLayer)
        gates.append(gru_gates(layer, hidden.transpose(0, 1)))
    return gates


def event_frames(words: Sequence[Word], frames: int, frame_s: float) -> dict[str, Flags]:
    """Return which frames are silent, at the end of a word, and within a long vowel.

    Args:
        words: aligned words with their phones.
        frames: number of frames.
        frame_s: seconds per frame.
    """
    middles = (np.arange(frames) + 0.5) * frame_s
    silence, ends, vowels = np.ones(frames, np.bool_), *np.zeros((2, frames), np.bool_)
    for word in words:
        silence &= (middles < word.start_s) | (middles >= word.end_s)
        ends |= np.abs(middles - word.end_s) <= WORD_END_S
        for phone in word.phones:
            if phone.text in VOWELS and phone.end_s - phone.start_s >= LONG_VOWEL_S:
                vowels |= (middles >= phone.start_s) & (middles < phone.end_s)
    return dict(zip(EVENTS, (silence, ends, vowels), strict=True))


def shifted(flags: Flags) -> Flags:
    """Return ``(frames, lags)``: the flags, later by each of ``LAGS``; their ends are repeated."""
    frames = np.arange(len(flags))
    return flags[np.clip(frames[:, None] - np.array(LAGS)[None], 0, len(flags) - 1)]


def correlate(gate: Array, events: Mapping[str, Flags], halves: Flags) -> dict[str, dict[str, Any]]:
    """Correlate activations with events, over the frames of many recordings.

    Args:
        gate: ``(frames, width)``.
        events: flags of each frame, as ``shifted`` returns them.
        halves: which frames are for choosing the unit; its correlation is that of the others.

    Returns:
        for each event that some frames have and others lack: ``mean``, the correlation of the mean
        over all units for each of ``LAGS``; ``inside`` and ``outside``, that mean in frames with
        and without the event; ``unit``, the correlation of the one unit that follows the event most
        closely, and ``index``, which one it is; all but the first without a lag.
    """
    average = gate.mean(axis=1)
    result: dict[str, dict[str, Any]] = {}
    for name, lagged in events.items():
        flags = lagged[:, LAGS.index(0)]
        if flags.all() or not flags.any():
            continue
        chosen = int(np.argmax(np.abs(_correlations(gate[halves], flags[halves]))))
        result[name] = {
            "mean": _correlations(lagged.astype(np.float32), average).tolist(),
            "inside": float(average[flags].mean()),
            "outside": float(average[~flags].mean()),
            "unit": float(_correlations(gate[~halves, chosen, None], flags[~halves])[0]),
            "index": chosen,
        }
    return result


def strongest(correlations: Sequence[float]) -> tuple[float, int]:
    """Return the strongest of the correlations at ``LAGS``, and its lag in frames."""
    at = int(np.argmax(np.abs(correlations)))
    return correlations[at], LAGS[at]


def _correlations(columns: Array, other: Array | Flags) -> npt.NDArray[np.float64]:
    """Return Pearson's correlation of each column with ``other``; 0 where one is constant."""
    x = columns.astype(np.float64) - columns.mean(axis=0, dtype=np.float64)
    y = other - other.mean(dtype=np.float64)
    scale = np.sqrt((x * x).sum(axis=0) * (y * y).sum())
    return np.asarray(np.where(scale > 0.0, y @ x / np.where(scale > 0.0, scale, 1.0), 0.0))
