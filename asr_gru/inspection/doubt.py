"""Detection of wrong texts by forced alignment."""

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

MAX_DURATION_S = 600


class TextDoubt:
    """Scores how unlikely texts are, with the acoustic model of a recogniser.

    The score is the log-probability of the model's best path minus that of the best path through
    the text, in nats per token of the text. It is 0 if the model recognises exactly the text, and
    high for wrong texts and for missing or additional words.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._acoustic = recognizer.acoustic
        self._tokenizer = recognizer.tokenizer
        is_phones = self._tokenizer.kind == "phones"
        self._pronunciations = recognizer.word_pronunciations() if is_phones else None

    @property
    def sample_rate(self) -> int:
        """Sample rate of ``score`` in Hz."""
        return self._acoustic.info.sample_rate

    def score(self, text: str, samples: Samples) -> float | None:
        """Return the score of a normalised text; infinite if it is too long for the recording.

        None for a text without words or with one that cannot be pronounced, and for recordings
        longer than ``MAX_DURATION_S``, as memory grows with the square of their duration.
        """
        words = text.split()
        if not words or len(samples) > MAX_DURATION_S * self.sample_rate:
            return None
        rows = self._acoustic.finish(samples[None], self._acoustic.start(1))[0]
        best_log_prob = float(rows.max(axis=1).sum())
        try:
            if self._pronunciations is None:
                tokens = len(encoded := self._tokenizer.encode(text))
                log_prob = force_align(rows, encoded)[1]
            else:
                found = self._pronunciations.look_up(words)
                first, starts, phones = (array.tolist() for array in found)
                pronunciations = [
                    [tuple(phones[starts[i] : starts[i + 1]]) for i in range(*span)]
                    for span in itertools.pairwise(first)
                ]
                path = align_words(rows, pronunciations)
                tokens, log_prob = len(path.tokens), path.log_prob
        except ConfigError:
            return None
        except DataError:
            return math.inf
        return (best_log_prob - log_prob) / max(1, tokens)
