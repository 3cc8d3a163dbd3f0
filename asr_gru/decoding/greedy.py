"""The likeliest token of every frame, repeats merged, blanks removed (Graves et al. 2006)."""

from __future__ import annotations

from dataclasses import dataclass

from asr_gru.decoding.protocol import Beam, Hypothesis, LogProbs

__all__ = ["GreedyDecoder"]

BLANK = 0


@dataclass(frozen=True, slots=True)
class _Path:
    frames_seen: int = 0
    last: int = BLANK
    tokens: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()
    token_log_probs: tuple[float, ...] = ()
    log_prob: float = 0.0


class GreedyDecoder:
    """One reading, at next to no cost; its text only ever grows."""

    def start(self) -> Beam:
        """Return the state before the first frame."""
        return _Path()

    def advance(self, beam: Beam, log_probs: LogProbs) -> Beam:
        """Take ``log_probs (frames, tokens)`` and return the state after them."""
        path: _Path = beam
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
        return _Path(
            path.frames_seen + len(best), last, tuple(tokens), tuple(frames), tuple(peaks), total
        )

    def best(self, beam: Beam, n: int = 1) -> list[Hypothesis]:
        """Return the one reading."""
        path: _Path = beam
        reading = Hypothesis(path.tokens, path.frames, path.log_prob, path.token_log_probs)
        return [reading][:n]

    def settled(self, beam: Beam) -> int:
        """Return the number of all tokens: none is ever taken back."""
        path: _Path = beam
        return len(path.tokens)
