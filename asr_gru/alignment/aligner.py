"""Align a text with a recording of any length.

The recording is recognised once. Where the recogniser's words agree with the text, both are cut
(the anchors of Moreno et al. 1998), and the pieces are aligned by Viterbi, within a band where no
anchor was found for long. Between words a path may follow the likeliest phones at a cost, and it
may leave out words at another, so that speech that is not in the text, and text that was not
spoken, spoil neither the pieces nor their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from asr_gru.alignment.assembly import AlignedWord, assemble
from asr_gru.alignment.matching import match_words
from asr_gru.alignment.recording import hear
from asr_gru.alignment.text import TextWord, read_text
from asr_gru.decoding.pronunciation_choice import align_words
from asr_gru.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_gru.language import WordPronunciations
    from asr_gru.results import Alignment, Transcript, Word
    from asr_gru.streaming.engine import Pipeline
    from asr_gru.streaming.recordings import AudioInput

__all__ = ["Aligner", "AlignmentPenalties"]

Rows = npt.NDArray[np.float32]
Ways = list[tuple[int, ...]]
PIECE_S = 20.0
"""Pieces are at least so long, and end at the longest pause within as much again."""
MAX_CELLS, LEAST_BAND = 32_000_000, 2_000
"""A piece of more cells (frames times states) is aligned within a band."""


@dataclass(frozen=True, slots=True)
class AlignmentPenalties:
    """Costs of places where text and recording differ, in nats.

    Attributes:
        extra_speech: cost per frame of speech between words, relative to its likeliest phone.
        missing_word: cost of leaving out a word.
        missing_phone: additional cost per phone of a word that is left out.
    """

    extra_speech: float = 0.8
    missing_word: float = 6.5
    missing_phone: float = 1.6


class Aligner:
    """Aligns texts with recordings.

    Args:
        pipeline: acoustic model, tokens, times, and a decoder that finds words.
        pronunciations: finds pronunciations.
        normaliser: normaliser of the model's words.
        penalties: costs of differences between text and recording.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        pronunciations: WordPronunciations,
        normaliser: Literal["none", "basic", "english"] = "english",
        *,
        penalties: AlignmentPenalties | None = None,
    ) -> None:
        self._pipeline, self._pronunciations, self._normaliser = (
            pipeline,
            pronunciations,
            normaliser,
        )
        self._penalties = penalties or AlignmentPenalties()

    def align(
        self,
        text: str,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        on_progress: Callable[[float], None] | None = None,
    ) -> Alignment:
        """Find when each word of a text is spoken.

        Raises:
            DataError: a text without words that can be pronounced.
            AudioError: the recording cannot be read.
        """
        read_text(text, self._normaliser)  # refuse it before an hour is recognised
        rows, heard = hear(self._pipeline, source, sample_rate, on_progress)
        return self.align_rows(text, rows, heard)

    def align_rows(self, text: str, rows: Rows, heard: Transcript) -> Alignment:
        """Align a text with the log-probabilities of a recording.

        Args:
            text: the text of the recording.
            rows: log-probabilities ``(frames, tokens)``.
            heard: the transcript of the recording.

        Raises:
            DataError: a text without words that can be pronounced.
        """
        written = read_text(text, self._normaliser)
        ways, unpronounceable = self._pronounce(written)
        if not ways:
            raise DataError("no word of the text can be pronounced; give the recording's text")
        spoken: list[tuple[int, str]] = []
        for place, word in enumerate(written):
            spoken += [(place, part) for part in word.spoken if part in ways]
        said = [part for _, part in spoken]
        found: list[AlignedWord] = []
        for (first, behind), (begin, end) in self._pieces(said, heard.words, len(rows)):
            found += self._align_piece(rows[begin:end], begin, said[first:behind], ways)
        return assemble(
            written,
            [place for place, _ in spoken],
            found,
            rows=rows,
            symbols=self._pipeline.tokenizer.symbols,
            times=self._pipeline.times,
            heard=heard,
            unpronounceable=unpronounceable,
        )

    def _pronounce(self, written: Sequence[TextWord]) -> tuple[dict[str, Ways], frozenset[str]]:
        """Return the pronunciations of each spoken word, and the words that have none."""
        words = list(dict.fromkeys(part for word in written for part in word.spoken))
        try:
            spoken = self._pronunciations.look_up(words)
        except ConfigError:
            words, refused = self._pronounceable(words)
            if not words:
                return {}, frozenset(refused)
            spoken = self._pronunciations.look_up(words)
        else:
            refused = []
        first, starts, tokens = (array.tolist() for array in spoken)
        ways = {
            word: [
                tuple(tokens[starts[way] : starts[way + 1]])
                for way in range(first[place], first[place + 1])
            ]
            for place, word in enumerate(words)
        }
        return ways, frozenset(refused)

    def _pronounceable(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        kept, refused = [], []
        for word in words:
            try:
                self._pronunciations.look_up([word])
            except ConfigError:
                refused.append(word)
            else:
                kept.append(word)
        return kept, refused

    def _pieces(
        self, said: Sequence[str], heard: Sequence[Word], frames: int
    ) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Return words and frames of pieces, cut between words that the recogniser has right."""
        times = self._pipeline.times
        pairs = match_words(said, [word.text for word in heard])
        matched = dict(pairs)
        cuts: list[tuple[float, float, int]] = []
        for place, match in pairs:
            # The words on either side of a cut, and the next ones, agree.
            if all(matched.get(place + step) == match + step for step in (-1, 1, 2)):
                pause = heard[match + 1].start_s - heard[match].end_s
                cuts.append((heard[match + 1].start_s, pause, place + 1))
        pieces = []
        word = frame = 0
        last_s, at = 0.0, 0
        while at < len(cuts):
            if cuts[at][0] < last_s + PIECE_S:
                at += 1
                continue
            behind = at + 1
            while behind < len(cuts) and cuts[behind][0] < last_s + 2 * PIECE_S:
                behind += 1
            best = max(range(at, behind), key=lambda place: cuts[place][1])
            last_s, _, next_word = cuts[best]
            cut = round((last_s - times.shift_s) / times.frame_s)
            if frame < cut < frames:
                pieces.append(((word, next_word), (frame, cut)))
                word, frame = next_word, cut
            at = best + 1
        return [*pieces, ((word, len(said)), (frame, frames))]

    def _align_piece(
        self, rows: Rows, first_frame: int, said: Sequence[str], ways: dict[str, Ways]
    ) -> list[AlignedWord]:
        spellings = [ways[word] for word in said]
        states = 1 + sum(1 + sum(2 * len(way) - 1 for way in own) for own in spellings)
        band = None
        if states * len(rows) > MAX_CELLS:
            band = max(LEAST_BAND, MAX_CELLS // len(rows))
        probability = np.exp(rows[:, 0])
        between = np.maximum(
            rows[:, 0], rows.max(axis=1) - self._penalties.extra_speech * (1.0 - probability)
        )
        costs = [
            self._penalties.missing_word + self._penalties.missing_phone * min(map(len, own))
            for own in spellings
        ]
        path = align_words(rows, spellings, between=between, skip_costs=costs, band=band)
        found = []
        at = 0
        for own, choice in zip(spellings, path.chosen, strict=True):
            behind = at + (len(own[choice]) if choice >= 0 else 0)
            found.append(
                AlignedWord(
                    tuple(path.tokens[at:behind]),
                    tuple([first_frame + frame for frame in path.frames[at:behind]]),
                    tuple([first_frame + frame for frame in path.ends[at:behind]]),
                )
            )
            at = behind
        return found
