"""The likeliest token of every frame, repeats merged, blanks removed (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_gru.decoding.protocol import Decoder, Hypothesis, LogProbs

__all__ = ["GreedyDecoder", "GreedyPath"]

BLANK = 0


@dataclass(frozen=True, slots=True)
class GreedyPath:
    """What was read so far; see ``Hypothesis`` for the columns."""

    frames_seen: int = 0
    last: int = BLANK
    tokens: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()
    token_log_probs: tuple[float, ...] = ()
    log_prob: float = 0.0


class GreedyDecoder(Decoder[GreedyPath]):
    """One reading, at next to no cost; its text only ever grows."""

    def start(self) -> GreedyPath:
        """Return the state before the first frame."""
        return GreedyPath()

    def advance(
        self, states: Sequence[GreedyPath], log_probs: Sequence[LogProbs]
    ) -> list[GreedyPath]:
        """Take ``(frames, tokens)`` of each stream and return the states after them."""
        return [_advance(path, rows) for path, rows in zip(states, log_probs, strict=True)]

    def best(self, state: GreedyPath, n: int = 1) -> list[Hypothesis]:
        """Return the one reading."""
        return [Hypothesis(state.tokens, state.frames, state.log_prob, state.token_log_probs)][:n]

    def settled(self, state: GreedyPath) -> int:
        """Return the number of all tokens: none is ever taken back."""
        return len(state.tokens)

    def finish(self, state: GreedyPath) -> GreedyPath:
        """Return the state as it is: the end of the sentence changes nothing."""
        return state


def _advance(path: GreedyPath, log_probs: LogProbs) -> GreedyPath:
    if not len(log_probs):
        return path
    best: list[int] = log_probs.argmax(axis=1).tolist()
    values: list[float] = log_probs.max(axis=1).tolist()
    tokens, frames, peaks = list(path.tokens), list(path.frames), list(path.token_log_probs)
    last, total = path.last, path.log_prob
    for frame, (token, value) in enumerate(zip(best, values, strict=True), path.frames_seen):
        total += value  # one by one: the sum must not depend on the cuts
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
