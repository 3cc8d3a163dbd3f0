"""From log-probabilities to segments of words: a decoder with endpoint rules.

Decisions are made frame by frame, so the segments do not depend on how many frames arrive at a
time. Streams with the same decoder are decoded in one call.
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
from asr_gru.streaming.partials import OpenSegment, Partial, count_to_show, partials_of
from asr_gru.streaming.seam import find_seam, is_between_words, latest
from asr_gru.streaming.speech import SpeechGate, SpeechThresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.text import Tokenizer

__all__ = ["Segmenter", "advance_segmenters", "update_partials"]

LogProbs = npt.NDArray[np.float32]
SHARED = ("decoder", "_tokens", "_times")
SILENT = np.float32(math.log(0.5))
KEPT_S = 4.0
"""Seconds of log-probabilities kept, so that a word at a cut for length can be decoded again."""


class Segmenter:
    """Splits the log-probabilities of one stream into segments.

    The decoder is reset at each endpoint. A segment that reaches the length limit is cut at a
    word boundary: the frames after it, of a word that may still grow, are decoded again as the
    beginning of the next segment, so no word is lost or repeated. Only a word that lasts longer
    than ``KEPT_S``, or fills its segment, is cut in the middle.

    Args:
        decoder: turns log-probabilities into hypotheses.
        tokens: gives the words of decoders that emit tokens only.
        times: converts frames to seconds.
        rules: when a segment ends; may be changed at any time.
        speech: evidence of speech that the words of a tree search need; None accepts all words.
        alternatives: how many hypotheses segments come with; None for no n-best list.
    """

    def __init__(
        self,
        decoder: AnyDecoder,
        tokens: Tokenizer,
        times: WordTimes,
        rules: EndpointRules,
        speech: SpeechThresholds | None = None,
        alternatives: int | None = None,
    ) -> None:
        self.rules = rules
        self.decoder = decoder
        self._tokens = tokens
        self._times = times
        self.alternatives = alternatives
        self._speech = SpeechGate(speech if isinstance(decoder, TreeSearch) else None)
        self._max_kept = max(1, round(KEPT_S / times.frame_s))
        self._endpoint = EndpointState()
        self._id = 0
        self._frames = 0
        self._partial: Partial | None = None
        self._certain = False
        self._shown: list[str] = []
        self._text = "", ""
        self._key: object | None = None
        self._alike: Any = None
        self._known: tuple[Hypothesis, tuple[Word, ...]] | None = None
        self._beam: Any = None
        self._restart()

    def advance(self, log_probs: LogProbs) -> list[Segment]:
        """Take ``log_probs (frames, tokens)``; return the segments that ended with them."""
        return advance_segmenters([self], [log_probs])[0]

    def finish(self, duration_s: float) -> list[Segment]:
        """Close the open segment; no word ends after ``duration_s``."""
        closed: list[Segment] = []
        self._close(self._ended(), closed, duration_s)
        return closed

    def copy(self) -> Segmenter:
        """Return an independent segmenter in the same state; decoder states are shared."""
        twin = object.__new__(Segmenter)
        vars(twin).update(vars(self))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the parts that streams share; ``attach`` restores them."""
        own = {key: value for key, value in vars(self).items() if key not in SHARED}
        return own | dict.fromkeys(("_partial", "_key", "_alike", "_known"))

    def attach(self, decoder: AnyDecoder, tokens: Tokenizer, times: WordTimes) -> None:
        """Restore the shared parts of an unpickled segmenter."""
        self.decoder, self._tokens, self._times = decoder, tokens, times

    def use(self, decoder: AnyDecoder) -> None:
        """Switch to a decoder that differs in hot words only."""
        if decoder is not self.decoder:
            self._beam = decoder.adopt(self._beam, self.decoder)
            self.decoder, self._partial, self._key = decoder, None, None

    def fits(self, decoder: AnyDecoder) -> bool:
        """Return whether ``decoder`` can continue from this segmenter's state."""
        return type(decoder.start()) is type(self._beam)

    def open(self, known: tuple[str, str] = ("", "")) -> OpenSegment | None:
        """Return the open segment, once it is certain that it contains a word.

        Args:
            known: its last text and stable part; the result is None if neither has changed.
        """
        if self.decoder.whole_utterances or not self._speech.is_shown or self.reads_alike(known):
            return None
        update_partials([self])
        assert self._partial is not None
        _, best, spans, settled, shown, key = self._partial
        if not spans:
            return None
        whole = sum(span.stop < settled + (best.words is not None) for span in spans)
        self._certain = self._certain or spans[0].start < settled or self._is_certain()
        if not self._certain:
            return None
        count = max(whole, count_to_show(spans, shown, self._shown))
        if not count:
            return None
        self._shown = [span.text for span in spans[:count]]
        text, stable = " ".join(self._shown), " ".join(self._shown[:whole])
        self._text, self._key = (text, stable), key if count == len(spans) else None
        if self._text == known:
            return None
        words = self._words(best, known=self._known)
        self._known = best, words
        return OpenSegment(self._id, text, stable, words[:count])

    def reads_alike(self, known: tuple[str, str]) -> bool:
        """Return whether the open segment certainly still has the text and stable part ``known``.

        This is so when all words of the best hypothesis were shown and the decoder has the same.
        """
        if self._key is None or self._text != known:
            return False
        if self._alike is not self._beam:
            if self._key != self.decoder.words_key(self._beam):
                return False
            self._alike = self._beam
        return True

    def _is_certain(self) -> bool:
        hypotheses = self.decoder.best(self.decoder.finish(self._beam), sys.maxsize)
        return all(word_spans(one, self._tokens) for one in hypotheses)

    def _restart(self) -> None:
        self._beam = self.decoder.start()
        self._endpoint = EndpointState()
        self._speech = self._speech.restart(self._times.seconds(self._frames))
        self._first_frame = self._frames
        self._kept: list[LogProbs] = []
        self._certain = False
        self._shown, self._text = [], ("", "")
        self._key = self._known = None

    def _until_endpoint(self, log_probs: LogProbs) -> tuple[int, Endpoint | None]:
        """Return how many of the rows come before a rule applies, and which."""
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
        is_cut = self.rules.longest_s is not None
        self._kept = latest([*self._kept, log_probs], self._max_kept) if is_cut else []

    def _ended(self) -> Hypothesis:
        """Return the best hypothesis, given that the sentence ends here."""
        return self.decoder.best(self.decoder.finish(self._beam))[0]

    def _words(
        self,
        best: Hypothesis,
        latest_s: float | None = None,
        *,
        known: tuple[Hypothesis, tuple[Word, ...]] | None = None,
    ) -> tuple[Word, ...]:
        """Return the words; none ends after ``latest_s``, by default the end of the frames."""
        if latest_s is None:
            latest_s = max(0.0, self._times.seconds(self._frames))
        return words_of(
            best,
            self._tokens,
            self._times,
            first_frame=self._first_frame,
            latest_s=latest_s,
            known=known,
        )

    def _end(self, end: Endpoint, closed: list[Segment]) -> LogProbs | None:
        """Close the segment if ``end`` holds; return the rows to decode again."""
        whole = self.decoder.whole_utterances
        if whole or end.reason in {"silence", "nothing"}:
            best = self._ended()
            if end.reason == "silence" and not whole:
                if not word_spans(best, self._tokens):
                    self._endpoint = replace(self._endpoint, length=0)  # there was no word
                    return None
                if self._waits():
                    return None
            self._close(best, closed)
            self._restart()
            return None
        best = self.decoder.best(self._beam)[0]
        spans = word_spans(best, self._tokens)
        kept, again = find_seam(
            best,
            spans,
            frames=self._frames - self._first_frame,
            max_again=min(self._max_kept, sum(map(len, self._kept))),
        )
        if end.reason == "pause" and not is_between_words(best, spans, again):
            return None
        rows = np.concatenate(self._kept)[-again:] if again else None
        self._frames -= again
        self._close(best.first(kept), closed, is_cut=True)
        self._restart()
        return rows

    def _waits(self) -> bool:
        """Return whether more silence is needed, because the sentence is probably incomplete."""
        if self.rules.incomplete_s is None or self._endpoint.needed:
            return False
        probability = self.decoder.end_probability(self._beam)
        self._endpoint = self._endpoint.waits(probability, self.rules, self._times.frame_s)
        return self._endpoint.needed > self._endpoint.silent

    def _close(
        self,
        best: Hypothesis,
        closed: list[Segment],
        latest_s: float | None = None,
        *,
        is_cut: bool = False,
    ) -> None:
        words = self._words(best, latest_s)
        if words and (best.words is None or self._speech.is_kept(words)):
            self._speech = self._speech.keep(words)
            segment = Segment.from_words(self._id, words, best.match)
            if self.alternatives is not None:
                found = self._n_best(best, self.alternatives, is_cut=is_cut)
                segment = with_alternatives(
                    segment, [(one, self._words(one, latest_s)) for one in found]
                )
            closed.append(segment)
            self._id += 1

    def _n_best(self, best: Hypothesis, n: int, *, is_cut: bool) -> list[Hypothesis]:
        state = self._beam if is_cut else self.decoder.finish(self._beam)
        seam = self._frames - self._first_frame if is_cut else None
        return n_best(self.decoder, state, best, n, self._tokens, before=seam)


def advance_segmenters(
    segmenters: Sequence[Segmenter], log_probs: Sequence[LogProbs]
) -> list[list[Segment]]:
    """Take the rows ``(frames, tokens)`` of many streams; return the segments that each ended.

    One call per decoder takes all its streams up to their next endpoints; this is repeated
    until no rows are left.
    """
    closed: list[list[Segment]] = [[] for _ in segmenters]
    left = {place: rows for place, rows in enumerate(log_probs) if len(rows)}
    while left:
        ends = {place: segmenters[place]._until_endpoint(rows) for place, rows in left.items()}
        by_decoder = defaultdict(list)
        for place in left:
            by_decoder[id(segmenters[place].decoder)].append(place)
        for places in by_decoder.values():
            own = [segmenters[place] for place in places]
            parts = [left[place][: ends[place][0]] for place in places]
            beams = own[0].decoder.advance([one._beam for one in own], parts)
            for segmenter, beam, part in zip(own, beams, parts, strict=True):
                segmenter._take(beam, part)
        for place, (count, end) in ends.items():
            rows = left.pop(place)[count:]
            again = segmenters[place]._end(end, closed[place]) if end else None
            if again is not None:
                rows = np.concatenate((again, rows))
            if len(rows):
                left[place] = rows
    return closed


def update_partials(segmenters: Sequence[Segmenter]) -> None:
    """Update the partial results of many streams, with one call per decoder.

    Streams whose words have not changed since the last call cost almost nothing.
    """
    changed = defaultdict(list)
    for one in segmenters:
        before, decoder = one._partial, one.decoder
        if decoder.whole_utterances or not one._speech.is_shown:
            continue
        if before is None or not decoder.reads_alike(before.beam, one._beam):
            changed[id(decoder)].append(one)
    for group in changed.values():
        beams, tokens = [one._beam for one in group], [one._tokens for one in group]
        found = partials_of(group[0].decoder, beams, tokens)
        for one, partial in zip(group, found, strict=True):
            one._partial = partial
