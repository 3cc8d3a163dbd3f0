"""Prefix beam search: the most probable texts, each summed over all its alignments.

Hannun, Maas, Jurafsky, Ng: First-pass large vocabulary continuous speech recognition using
bi-directional recurrent DNNs (2014), algorithm 1, over the forward variables of Graves et al.
(2006): a prefix keeps the probability of the paths that end in blank apart from that of the paths
that end in its last token, since a repeated token is a new one only after a blank.

Each prefix also keeps its best path of either kind, which gives the frames in which its tokens
begin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.fusion import Fusion
from asr_gru.decoding.prefix_beam import NEVER, PathTrace, Prefix, PrefixBeam, Scores
from asr_gru.decoding.protocol import Decoder, Hypothesis, LogProbs
from asr_gru.errors import ConfigError, Error

__all__ = ["BeamDecoder", "PrefixBeam"]


class BeamDecoder(Decoder[PrefixBeam]):
    """Prefix beam search with n-best lists, token frames and optional shallow fusion.

    Args:
        width: maximum number of texts kept per frame.
        tokens_a_frame: maximum number of tokens per frame, the most probable ones, that can extend
            a text.
        margin: texts worse than the best by more than this are pruned, in nats.
        blank_threshold: frames with a higher blank probability are treated as blank without a
            search; 1 searches every frame.
        fusion: a language model over tokens and its weight.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        width: int = 8,
        *,
        tokens_a_frame: int = 8,
        margin: float = 12.0,
        blank_threshold: float = 0.99,
        fusion: Fusion[Any] | None = None,
    ) -> None:
        if width < 1 or tokens_a_frame < 1 or not margin > 0 or not 0 < blank_threshold <= 1:
            raise ConfigError(
                f"width {width}, tokens_a_frame {tokens_a_frame}, margin {margin}, blank_threshold "
                f"{blank_threshold}: give 1 or more, 1 or more, above 0, above 0 up to 1"
            )
        self.width = width
        self.tokens_a_frame = tokens_a_frame
        self.margin = margin
        self.blank_threshold = blank_threshold
        self.fusion = fusion

    def start(self) -> PrefixBeam:
        """Return the beam before the first frame: the empty text."""
        root = Prefix(None, 0, lm_state=self.fusion.model.start() if self.fusion else None)
        zero, never = np.zeros(1), np.full(1, NEVER)
        return PrefixBeam(0, (root,), zero, never, zero, never, (None,), (None,))

    def advance(
        self, states: Sequence[PrefixBeam], log_probs: Sequence[LogProbs]
    ) -> list[PrefixBeam]:
        """Advance each stream by its ``(frames, tokens)`` rows; return the new states.

        Raises:
            Error: a sentence is finished.
        """
        return [self._advance(beam, rows) for beam, rows in zip(states, log_probs, strict=True)]

    def _advance(self, beam: PrefixBeam, log_probs: LogProbs) -> PrefixBeam:
        if beam.finished:
            raise Error("this sentence is finished; start another with start()")
        rows = log_probs.astype(np.float64)
        count = min(self.tokens_a_frame, rows.shape[1] - 1)
        likely = np.argpartition(-rows[:, 1:], count - 1, axis=1)[:, :count] + 1
        certain_blank = (rows[:, 0] > math.log(self.blank_threshold)).tolist()
        for row, tokens, skip in zip(rows, likely, certain_blank, strict=True):
            beam = beam.after_blank() if skip else self._step(beam, row, tokens)
        return beam

    def best(self, state: PrefixBeam, n: int = 1) -> list[Hypothesis]:
        """Return the ``n`` most probable texts, best first."""
        scores = np.logaddexp(state.blank, state.token).tolist()
        columns = zip(state.prefixes, state.best_traces(), scores, strict=True)
        found = []
        for node, trace, score in list(columns)[:n]:
            written: list[tuple[int, int, float]] = []
            while trace and node.parent:
                written.append((node.token, trace.frame, trace.log_prob))
                node, trace = node.parent, trace.before
            written.reverse()
            tokens, frames, log_probs = zip(*written, strict=True) if written else ((), (), ())
            found.append(Hypothesis(tokens, frames, score, token_log_probs=log_probs))
        return found

    def settled(self, state: PrefixBeam) -> int:
        """Return the length of the common prefix of all kept texts."""
        depth = min(prefix.depth for prefix in state.prefixes)
        nodes = {_ancestor(prefix, depth) for prefix in state.prefixes}
        while len({node.key for node in nodes}) > 1:
            nodes = {node.parent for node in nodes if node.parent}
            depth -= 1
        return depth

    @property
    def signature(self) -> str | None:
        """The type of the language model, whose states the texts keep."""
        return type(self.fusion.model).__name__ if self.fusion else None

    def finish(self, state: PrefixBeam) -> PrefixBeam:
        """Return the state after the sentence end, scored by the language model."""
        if state.finished:
            return state
        if not self.fusion:
            return state._replace(finished=True)
        ends = np.array([self.fusion.end(prefix.lm_state) for prefix in state.prefixes])
        order = np.argsort(-(np.logaddexp(state.blank, state.token) + ends), kind="stable")
        return PrefixBeam(
            state.frame,
            tuple(state.prefixes[i] for i in order),
            (state.blank + ends)[order],
            (state.token + ends)[order],
            state.path_blank[order],
            state.path_token[order],
            tuple(state.trace_blank[i] for i in order),
            tuple(state.trace_token[i] for i in order),
            finished=True,
        )

    def _step(self, beam: PrefixBeam, row: Scores, likely: npt.NDArray[np.intp]) -> PrefixBeam:
        prefixes, size = beam.prefixes, len(beam.prefixes)
        last = np.array([prefix.token for prefix in prefixes])
        total = np.logaddexp(beam.blank, beam.token)
        path, traces = np.maximum(beam.path_blank, beam.path_token), beam.best_traces()

        # Keep the text: a blank, or the last token again.
        blank, token = total + row[0], beam.token + row[last]
        path_blank, path_token = path + row[0], beam.path_token + row[last]
        columns = zip(beam.trace_token, row[last].tolist(), strict=True)
        trace_token = [
            trace._replace(log_prob=again) if trace and again > trace.log_prob else trace
            for trace, again in columns
        ]

        # Extend the text by a probable token; a repeated token needs a blank before it.
        repeat = last[:, None] == likely
        grown = np.where(repeat, beam.blank[:, None], total[:, None]) + row[likely]
        path_grown = np.where(repeat, beam.path_blank[:, None], path[:, None]) + row[likely]
        if self.fusion:
            ids = likely.tolist()
            grown += np.array([[self._gain(p, i)[0] for i in ids] for p in prefixes])

        # Merge an extended text with an equal one that is kept.
        places = {prefix.key: place for place, prefix in enumerate(prefixes)}
        for child, prefix in enumerate(prefixes):
            parent = places.get(prefix.parent.key) if prefix.parent else None
            if parent is None:
                continue
            again = last[parent] == prefix.token
            log_prob = row[prefix.token]
            given = (beam.blank if again else total)[parent] + log_prob + prefix.gain
            token[child] = np.logaddexp(token[child], given)
            path_given = (beam.path_blank if again else path)[parent] + log_prob
            if path_given > path_token[child]:
                path_token[child] = path_given
                before = beam.trace_blank[parent] if again else traces[parent]
                trace_token[child] = PathTrace(before, beam.frame, float(log_prob))
            grown[parent, likely == prefix.token] = NEVER

        scores = np.concatenate((np.logaddexp(blank, token), grown.ravel()))
        order = np.argsort(-scores, kind="stable")[: self.width]
        order = order[scores[order] > max(scores[order[0]] - self.margin, -1e300)]

        kept: list[Prefix] = []
        kept_blank: list[PathTrace | None] = []
        kept_token: list[PathTrace | None] = []
        for place in order.tolist():
            if place < size:
                kept.append(prefixes[place])
                kept_blank.append(traces[place])
                kept_token.append(trace_token[place])
            else:
                parent, column = divmod(place - size, len(likely))
                added = int(likely[column])
                before = beam.trace_blank[parent] if repeat[parent, column] else traces[parent]
                kept.append(self._grow(prefixes[parent], added))
                kept_blank.append(None)
                kept_token.append(PathTrace(before, beam.frame, float(row[added])))
        for dropped in set(prefixes).difference(kept):
            dropped.gains.clear()
        never = np.full(grown.size, NEVER)
        return PrefixBeam(
            beam.frame + 1,
            tuple(kept),
            np.concatenate((blank, never))[order],
            np.concatenate((token, grown.ravel()))[order],
            np.concatenate((path_blank, never))[order],
            np.concatenate((path_token, path_grown.ravel()))[order],
            tuple(kept_blank),
            tuple(kept_token),
        )

    def _gain(self, prefix: Prefix, token: int) -> tuple[float, Any]:
        """Return the fusion score of ``token`` after ``prefix``, and the next LM state."""
        if not self.fusion:
            return 0.0, None
        if token not in prefix.gains:
            prefix.gains[token] = self.fusion.score(prefix.lm_state, token)
        return prefix.gains[token]

    def _grow(self, prefix: Prefix, token: int) -> Prefix:
        return Prefix(prefix, token, *self._gain(prefix, token))


def _ancestor(prefix: Prefix, depth: int) -> Prefix:
    while prefix.depth > depth and prefix.parent:
        prefix = prefix.parent
    return prefix
