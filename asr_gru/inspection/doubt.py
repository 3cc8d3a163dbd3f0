"""How doubtful it is that a text is what a recording says, by forced alignment."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from asr_gru.decoding.alignment import force_align
from asr_gru.decoding.pronunciation_choice import align_words
from asr_gru.errors import ConfigError, DataError

if TYPE_CHECKING:
    from asr_gru.audio import Samples
    from asr_gru.recognizer import Recognizer

__all__ = ["TextDoubt"]

LONGEST_S = 600


class TextDoubt:
    """Scores texts with the acoustic model of a recogniser.

    The score is the log-probability of the model's best path less that of the best path that
    spells the text, in nats per token of the text: 0 where the model hears exactly the text, and
    high for another text, and where words are missing on either side.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._acoustic = recognizer.acoustic
        self._tokenizer = recognizer.tokenizer
        is_phones = self._tokenizer.kind == "phones"
        self._pronunciations = recognizer.word_pronunciations() if is_phones else None

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz that ``score`` takes."""
        return self._acoustic.info.sample_rate

    def score(self, text: str, samples: Samples) -> float | None:
        """Return the score of a normalised text, infinite if it does not fit into the recording.

        None for a text without words, or with one that cannot be pronounced, and for recordings of
        more than ``LONGEST_S``, as memory grows with the square of their length.
        """
        words = text.split()
        if not words or len(samples) > LONGEST_S * self.sample_rate:
            return None
        rows = self._acoustic.finish(samples[None], self._acoustic.start(1))[0]
        free = float(rows.max(axis=1).sum())
        try:
            if self._pronunciations is None:
                tokens = len(encoded := self._tokenizer.encode(text))
                log_prob = force_align(rows, encoded)[1]
            else:
                spoken = self._pronunciations.look_up(words)
                first, starts, units = (array.tolist() for array in spoken)
                ways = [
                    [tuple(units[starts[way] : starts[way + 1]]) for way in range(*span)]
                    for span in itertools.pairwise(first)
                ]
                path = align_words(rows, ways)
                tokens, log_prob = len(path.tokens), path.log_prob
        except ConfigError:
            return None
        except DataError:
            return math.inf
        return (free - log_prob) / max(1, tokens)
