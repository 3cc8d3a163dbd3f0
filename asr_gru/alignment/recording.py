"""Log-probabilities of a recording, and the words recognised in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.errors import Error
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.recordings import transcribe_recordings

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_gru.model.acoustic import AcousticInfo, AcousticModel, State
    from asr_gru.results import Transcript
    from asr_gru.streaming.engine import Pipeline
    from asr_gru.streaming.recordings import AudioInput

__all__ = ["hear"]

Rows = npt.NDArray[np.float32]


def hear(
    pipeline: Pipeline,
    source: AudioInput,
    sample_rate: int | None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Rows, Transcript]:
    """Return the log-probabilities ``(frames, tokens)`` of a recording, and its transcript.

    Raises:
        AudioError: the recording cannot be read.
    """
    kept = _KeptRows(pipeline.acoustic)
    ((_, result),) = transcribe_recordings(
        replace(pipeline, acoustic=kept),
        [source],
        sample_rate,
        EndpointRules.parse("normal"),
        batch_size=1,
        on_progress=on_progress,
    )
    if isinstance(result, Error):
        raise result
    nothing = np.zeros((0, pipeline.acoustic.info.vocab_size), np.float32)
    return np.concatenate([nothing, *kept.rows]), result


class _KeptRows:
    """An acoustic model that keeps what it returns, for one recording."""

    def __init__(self, acoustic: AcousticModel) -> None:
        self._acoustic = acoustic
        self.rows: list[Rows] = []

    @property
    def info(self) -> AcousticInfo:
        return self._acoustic.info

    def start(self, batch: int = 1) -> State:
        return self._acoustic.start(batch)

    def step(self, samples: Rows, state: State) -> tuple[Rows, State]:
        log_probs, state = self._acoustic.step(samples, state)
        self.rows.append(log_probs[0])
        return log_probs, state

    def finish(self, samples: Rows, state: State) -> Rows:
        log_probs = self._acoustic.finish(samples, state)
        self.rows.append(log_probs[0])
        return log_probs
