"""The protocol of acoustic models, which map samples to log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["AcousticInfo", "AcousticModel", "State"]

Array = npt.NDArray[np.float32]
State = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class AcousticInfo:
    """Properties of an acoustic model.

    Attributes:
        sample_rate: sample rate of the input, in Hz.
        frame_samples: samples per row of log-probabilities; ``step`` takes multiples of it.
        step_samples: samples per step of a live stream, a multiple of ``frame_samples``.
        lookahead_frames: rows by which the log-probabilities trail the audio.
        vocab_size: columns of the log-probabilities; token 0 is the blank.
        streaming: False if only whole recordings can be recognised (bidirectional models).
    """

    sample_rate: int
    frame_samples: int
    step_samples: int
    lookahead_frames: int
    vocab_size: int
    streaming: bool = True

    @property
    def frame_s(self) -> float:
        """Seconds of audio per row of log-probabilities."""
        return self.frame_samples / self.sample_rate

    @property
    def lookahead_s(self) -> float:
        """Seconds by which the log-probabilities trail the audio."""
        return self.lookahead_frames * self.frame_s


class AcousticModel(Protocol):
    """A function of samples and state that returns log-probabilities and the next state.

    A state is a tuple of arrays with the batch on axis 0. It is never modified in place, so it can
    be stored, copied, and stacked with the states of other streams.
    """

    @property
    def info(self) -> AcousticInfo:
        """Properties of the model."""
        ...

    def start(self, batch: int = 1) -> State:
        """Return the initial state of ``batch`` streams."""
        ...

    def step(self, samples: Array, state: State) -> tuple[Array, State]:
        """Process ``samples (batch, n)``, n a multiple of ``info.frame_samples``.

        Models with a fixed chunk need multiples of ``info.step_samples``.

        Returns:
            ``log_probs (batch, n / frame_samples, vocab_size)`` and the next state. With a
            look-ahead, row ``t`` belongs to frame ``t - lookahead_frames``.
        """
        ...

    def finish(self, samples: Array, state: State) -> Array:
        """Process the last ``samples (batch, n)`` of the streams; n may be any size, 0 included.

        A model that does not stream gets the whole recording here, with the initial state.

        Returns:
            the remaining rows, ``(batch, ceil(n / frame_samples) + lookahead_frames, vocab_size)``.
        """
        ...
