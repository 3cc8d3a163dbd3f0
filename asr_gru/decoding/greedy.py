"""Greedy (best path) CTC decoding (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_gru.decoding.protocol import Decoder, Hypothesis, LogProbs

__all__ = ["GreedyDecoder", "GreedyPath"]

BLANK = 0


@dataclass(frozen=True, slots=True)
class GreedyPath:
    """Decoder state; the fields are those of ``Hypothesis``."""

    frames_seen: int = 0
    last: int = BLANK
    tokens: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()
    token_log_probs: tuple[float, ...] = ()
    log_prob: float = 0.0


class GreedyDecoder(Decoder[GreedyPath]):
    """Takes the most probable token of each frame, merges repeats and removes blanks."""

    def start(self) -> GreedyPath:
        """Return the initial state."""
        return GreedyPath()

    def advance(
        self, states: Sequence[GreedyPath], log_probs: Sequence[LogProbs]
    ) -> list[GreedyPath]:
        """Advance each stream by its ``(frames, vocab_size)`` rows; return the new states."""
        return [_advance(path, rows) for path, rows in zip(states, log_probs, strict=True)]

    def best(self, state: GreedyPath, n: int = 1) -> list[Hypothesis]:
        """Return the only hypothesis."""
        best = Hypothesis(
            state.tokens,
            state.frames,
            state.log_prob,
            token_log_probs=state.token_log_probs,
        )
        return [best][:n]

    def settled(self, state: GreedyPath) -> int:
        """Return the number of tokens, as none is ever revised."""
        return len(state.tokens)

    def finish(self, state: GreedyPath) -> GreedyPath:
        """Return the state unchanged."""
        return state


def _advance(path: GreedyPath, log_probs: LogProbs) -> GreedyPath:
    if not len(log_probs):
        return path
    best: list[int] = log_probs.argmax(axis=1).tolist()
    values: list[float] = log_probs.max(axis=1).tolist()
    tokens, frames, peaks = list(path.tokens), list(path.frames), list(path.token_log_probs)
    last, total = path.last, path.log_prob
    for frame, (token, value) in enumerate(zip(best, values, strict=True), path.frames_seen):
        total += value  # summed in order, so that the result does not depend on chunking
        if token != BLANK and token == last:
            peaks[-1] = max(peaks[-1], value)
        elif token != BLANK:
            tokens.append(token)
            frames.append(frame)
            peaks.append(value)
        last = token
    return GreedyPath(
        path.frames_seen + len(best), last, tuple(tokens), tuple(frames), tuple(peaks), total
    )
