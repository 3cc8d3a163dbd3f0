"""Splits log-probabilities into segments of words, with a decoder and endpoint rules.

Decisions are made frame by frame, so the segments do not depend on how audio is chunked. Streams
with the same decoder share its calls.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import AnyDecoder, Hypothesis, TreeSearch, WordTimes, word_spans, words_of
from asr_gru.decoding.alternatives import n_best, with_alternatives
from asr_gru.results import Segment, Word
from asr_gru.streaming.endpoint import Endpoint, EndpointRules, EndpointState, find_endpoint
from asr_gru.streaming.partials import OpenSegment, Partial, ShownPartial, TimedWords, partials_of
from asr_gru.streaming.segment_split import find_split, is_between_words, last_blocks
from asr_gru.streaming.speech import SpeechGate, SpeechThresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.text import Tokenizer

__all__ = ["Segmenter", "advance_segmenters", "update_partials"]

LogProbs = npt.NDArray[np.float32]
SHARED = ("decoder", "_tokenizer", "_times")
SILENT = np.float32(math.log(0.5))
KEPT_S = 4.0
"""Seconds of log-probabilities kept to decode a word again that a split for length would cut."""


class Segmenter:
    """Splits the log-probabilities of one stream into segments.

    The decoder is reset at each endpoint. A segment that reaches the length limit is split at a
    word boundary: the frames of a word that may be incomplete are decoded again as the beginning
    of the next segment, so no word is lost or repeated. Only a word that is longer than ``KEPT_S``,
    or the only one of its segment, is split itself.

    Args:
        decoder: the decoder.
        tokenizer: provides the words of decoders that emit only tokens.
        times: converts frames to seconds.
        rules: endpoint rules; may be changed at any time.
        speech: thresholds of the speech detector for a tree search; None accepts all words.
        alternatives: maximum length of the n-best list of each segment; None for no list.
    """

    def __init__(
        self,
        decoder: AnyDecoder,
        tokenizer: Tokenizer,
        times: WordTimes,
        rules: EndpointRules,
        speech: SpeechThresholds | None = None,
        alternatives: int | None = None,
    ) -> None:
        self.rules = rules
        self.decoder = decoder
        self._tokenizer = tokenizer
        self._times = times
        self.alternatives = alternatives
        self._speech = SpeechGate(speech if isinstance(decoder, TreeSearch) else None)
        self._max_kept = max(1, round(KEPT_S / times.frame_s))
        self._endpoint = EndpointState()
        self._id = 0
        self._frames = 0
        self._partial: Partial | None = None
        self._shown = ShownPartial()
        self._beam: Any = None
        self._restart()

    def advance(self, log_probs: LogProbs) -> list[Segment]:
        """Decode the rows ``(frames, tokens)``; return the segments that ended in them."""
        return advance_segmenters([self], [log_probs])[0]

    def finish(self, duration_s: float) -> list[Segment]:
        """Close the open segment; word ends are limited to ``duration_s``."""
        return self._close(self._ended(), latest_s=duration_s)

    def copy(self) -> Segmenter:
        """Return an independent segmenter in the same state; decoder states are shared."""
        copied = object.__new__(Segmenter)
        vars(copied).update(vars(self))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the objects that streams share; ``attach`` restores them."""
        own = {key: value for key, value in vars(self).items() if key not in SHARED}
        return own | {"_partial": None, "_shown": self._shown.without_cache()}

    def attach(self, decoder: AnyDecoder, tokenizer: Tokenizer, times: WordTimes) -> None:
        """Restore the shared objects of an unpickled segmenter."""
        self.decoder, self._tokenizer, self._times = decoder, tokenizer, times

    def use(self, decoder: AnyDecoder) -> None:
        """Switch to a decoder that differs only in hot words."""
        if decoder is not self.decoder:
            self._beam = decoder.adopt(self._beam, self.decoder)
            self.decoder, self._partial, self._shown = decoder, None, self._shown.without_cache()

    def fits(self, decoder: AnyDecoder) -> bool:
        """Return whether ``decoder`` can continue from this segmenter's state."""
        return type(decoder.start()) is type(self._beam)

    def open_segment(self, known: tuple[str, str] = ("", "")) -> OpenSegment | None:
        """Return the open segment, or None before it is certain to contain a word.

        Args:
            known: text and stable part from the last call; if neither has changed, returns None.
        """
        if self.decoder.whole_utterances or not self._speech.is_shown or self.reads_alike(known):
            return None
        update_partials([self])
        assert self._partial is not None
        partial = self._partial
        if not partial.spans:
            return None
        is_settled = partial.spans[0].start < partial.settled
        if not (self._shown.is_certain or is_settled or self._is_certain()):
            return None
        self._shown, count = self._shown.after(partial)
        if not count or self._shown.text == known:
            return None
        words = self._words(partial.best, known=self._shown.timed)
        self._shown = replace(self._shown, timed=(partial.best, words))
        return OpenSegment(self._id, *self._shown.text, words[:count])

    def reads_alike(self, known: tuple[str, str]) -> bool:
        """Return whether the text and stable part of the open segment are known to be unchanged."""
        shown = self._shown
        if shown.key is None or shown.text != known:
            return False
        if shown.beam is not self._beam:
            partial = self._partial
            fresh = partial if partial is not None and partial.beam is self._beam else None
            if shown.key != (fresh.key if fresh else self.decoder.words_key(self._beam)):
                return False
            self._shown = replace(shown, beam=self._beam)
        return True

    def _is_certain(self) -> bool:
        hypotheses = self.decoder.best(self.decoder.finish(self._beam), sys.maxsize)
        return all(word_spans(one, self._tokenizer) for one in hypotheses)

    def _restart(self) -> None:
        self._beam = self.decoder.start()
        self._endpoint = EndpointState()
        self._speech = self._speech.restart(self._times.seconds(self._frames))
        self._first_frame = self._frames
        self._kept: list[LogProbs] = []
        self._shown = ShownPartial()

    def _until_endpoint(self, log_probs: LogProbs) -> tuple[int, Endpoint | None]:
        """Return the number of rows before the next endpoint, and the endpoint."""
        silence = (log_probs[:, 0] >= SILENT).tolist()
        self._endpoint, end = find_endpoint(
            self._endpoint, silence, self.rules, self._times.frame_s
        )
        return (end.frames if end else len(log_probs)), end

    def _take(self, beam: Any, log_probs: LogProbs) -> None:
        """Store the decoder's state after ``log_probs``."""
        self._beam = beam
        self._speech = self._speech.advance(log_probs)
        self._frames += len(log_probs)
        can_split = self.rules.longest_s is not None
        self._kept = last_blocks([*self._kept, log_probs], self._max_kept) if can_split else []

    def _ended(self) -> Hypothesis:
        """Return the best hypothesis, including the probability of the sentence end."""
        return self.decoder.best(self.decoder.finish(self._beam))[0]

    def _words(
        self, best: Hypothesis, latest_s: float | None = None, known: TimedWords | None = None
    ) -> tuple[Word, ...]:
        """Return the words; their ends are limited to ``latest_s``, by default the last frame."""
        if latest_s is None:
            latest_s = max(0.0, self._times.seconds(self._frames))
        return words_of(
            best,
            self._tokenizer,
            self._times,
            first_frame=self._first_frame,
            latest_s=latest_s,
            known=known,
        )

    def _end(self, end: Endpoint, closed: list[Segment]) -> LogProbs | None:
        """Close the segment if ``end`` is confirmed; return the rows to decode again."""
        whole = self.decoder.whole_utterances
        if whole or end.reason in {"silence", "nothing"}:
            best = self._ended()
            if end.reason == "silence" and not whole:
                if not word_spans(best, self._tokenizer):
                    self._endpoint = replace(self._endpoint, length=0)  # the decoder found no word
                    return None
                if self._needs_more_silence():
                    return None
            closed += self._close(best)
            self._restart()
            return None
        best = self.decoder.best(self._beam)[0]
        spans = word_spans(best, self._tokenizer)
        frames = self._frames - self._first_frame
        limit = min(self._max_kept, sum(map(len, self._kept)))
        kept, repeated = find_split(best, spans, frames=frames, max_repeated=limit)
        if end.reason == "pause" and not is_between_words(best, spans, repeated):
            return None
        rows = np.concatenate(self._kept)[-repeated:] if repeated else None
        self._frames -= repeated
        closed += self._close(best.first(kept), is_split=True)
        self._restart()
        return rows

    def _needs_more_silence(self) -> bool:
        """Return whether the sentence is probably incomplete, so that more silence is needed."""
        if self.rules.incomplete_s is None or self._endpoint.needed:
            return False
        probability = self.decoder.end_probability(self._beam)
        self._endpoint = self._endpoint.with_needed(probability, self.rules, self._times.frame_s)
        return self._endpoint.needed > self._endpoint.silent

    def _close(
        self, best: Hypothesis, *, latest_s: float | None = None, is_split: bool = False
    ) -> list[Segment]:
        """Return the segment of a hypothesis; none if it has no words or is not speech."""
        words = self._words(best, latest_s)
        if not words or not (best.words is None or self._speech.is_kept(words)):
            return []
        self._speech = self._speech.keep(words)
        segment = Segment.from_words(self._id, words, best.match)
        self._id += 1
        if self.alternatives is None:
            return [segment]
        state = self._beam if is_split else self.decoder.finish(self._beam)
        before = self._frames - self._first_frame if is_split else None
        found = n_best(self.decoder, state, best, self.alternatives, self._tokenizer, before=before)
        return [with_alternatives(segment, [(one, self._words(one, latest_s)) for one in found])]


def advance_segmenters(
    segmenters: Sequence[Segmenter], log_probs: Sequence[LogProbs]
) -> list[list[Segment]]:
    """Decode the rows ``(frames, tokens)`` of many streams; return the segments that ended.

    Each call of a decoder advances all its streams to their next endpoints; this is repeated
    until no rows are left.
    """
    closed: list[list[Segment]] = [[] for _ in segmenters]
    remaining = {index: rows for index, rows in enumerate(log_probs) if len(rows)}
    while remaining:
        ends = {i: segmenters[i]._until_endpoint(rows) for i, rows in remaining.items()}
        by_decoder = defaultdict(list)
        for index in remaining:
            by_decoder[id(segmenters[index].decoder)].append(index)
        for indices in by_decoder.values():
            group = [segmenters[i] for i in indices]
            parts = [remaining[i][: ends[i][0]] for i in indices]
            beams = group[0].decoder.advance([one._beam for one in group], parts)
            for segmenter, beam, part in zip(group, beams, parts, strict=True):
                segmenter._take(beam, part)
        for index, (count, end) in ends.items():
            rows = remaining.pop(index)[count:]
            repeated = segmenters[index]._end(end, closed[index]) if end else None
            if repeated is not None:
                rows = np.concatenate((repeated, rows))
            if len(rows):
                remaining[index] = rows
    return closed


def update_partials(segmenters: Sequence[Segmenter]) -> None:
    """Update the partial results of many streams, with one call per decoder.

    Streams whose words have not changed since the last call are skipped.
    """
    changed = defaultdict(list)
    for one in segmenters:
        before, decoder = one._partial, one.decoder
        if decoder.whole_utterances or not one._speech.is_shown:
            continue
        if before is None or not decoder.reads_alike(before.beam, one._beam):
            changed[id(decoder)].append(one)
    for group in changed.values():
        beams, tokenizers = [one._beam for one in group], [one._tokenizer for one in group]
        partials = partials_of(group[0].decoder, beams, tokenizers)
        for one, partial in zip(group, partials, strict=True):
            one._partial = partial
