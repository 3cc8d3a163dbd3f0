"""What turns samples into log-probabilities: the protocol."""

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
    """What a caller has to know of an acoustic model.

    Attributes:
        sample_rate: samples a second that the model hears, in Hz.
        frame_samples: samples behind one row of log-probabilities; ``step`` takes multiples of it.
        step_samples: samples that a live stream gives at a time (a multiple of ``frame_samples``).
        lookahead_frames: rows by which the log-probabilities trail the audio.
        tokens: columns of the log-probabilities; token 0 is the blank.
        streaming: False when only whole recordings can be recognised (bidirectional models).
    """

    sample_rate: int
    frame_samples: int
    step_samples: int
    lookahead_frames: int
    tokens: int
    streaming: bool = True

    @property
    def frame_s(self) -> float:
        """Seconds of audio behind one row of log-probabilities."""
        return self.frame_samples / self.sample_rate

    @property
    def lookahead_s(self) -> float:
        """Seconds by which the log-probabilities trail the audio."""
        return self.lookahead_frames * self.frame_s


class AcousticModel(Protocol):
    """Samples and state in, log-probabilities and state out.

    A state is a tuple of arrays with the batch on axis 0, never altered in place: it can be kept,
    copied, and stacked with the states of other streams.
    """

    @property
    def info(self) -> AcousticInfo:
        """Rate, step, frame, look-ahead, tokens."""
        ...

    def start(self, batch: int = 1) -> State:
        """Return the state before the first sample of ``batch`` streams."""
        ...

    def step(self, samples: Array, state: State) -> tuple[Array, State]:
        """Take ``samples (batch, n)``, n a multiple of ``info.frame_samples``.

        Models with a fixed chunk want multiples of ``info.step_samples``.

        Returns:
            ``log_probs (batch, n / frame_samples, tokens)`` and the next state. With a look-ahead,
            row ``t`` speaks of frame ``t - lookahead_frames``.
        """
        ...

    def finish(self, samples: Array, state: State) -> Array:
        """Take the last ``samples (batch, n)`` of the streams, n of any size, also 0.

        Returns:
            all rows that are left, ``(batch, ceil(n / frame_samples) + lookahead_frames, tokens)``.
            A model that does not stream takes the whole recording here, with its first state.
        """
        ...
