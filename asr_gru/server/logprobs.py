"""Log-probabilities of words, in the form of OpenAI's ``logprobs``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from asr_gru.results import Segment, Word

__all__ = ["log_probability", "token_log_probabilities"]


def token_log_probabilities(segments: Iterable[Segment], space: str = "") -> list[dict[str, Any]]:
    """Return the tokens of a text, which are its words, with the logarithms of their confidences.

    Args:
        segments: segments of the text; where they are written, their written words are the tokens.
        space: text before the first token.
    """
    words = [word for segment in segments for word in segment.written_words or segment.words]
    tokens = [" " * bool(place) + word.marked for place, word in enumerate(words)]
    tokens[:1] = [space + token for token in tokens[:1]]
    return [
        {"token": token, "logprob": log_probability(word), "bytes": list(token.encode())}
        for token, word in zip(tokens, words, strict=True)
    ]


def log_probability(word: Word) -> float:
    """Return the logarithm of a word's confidence."""
    return round(math.log(max(word.confidence, 1e-12)), 4)
