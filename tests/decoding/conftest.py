from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def log_softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.fixture(scope="session")
def random_rows() -> Callable[..., np.ndarray]:
    """Return a function for log-probabilities whose entropy varies from frame to frame."""

    def make(seed: int, frames: int, tokens: int, sharpness: float = 2.0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(frames, tokens)) * rng.uniform(0.1, sharpness, (frames, 1))
        return log_softmax(scores).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def exhaustive() -> Callable[..., dict[tuple[int, ...], float]]:
    """Return the log-probability of every text, summed over all paths by brute force."""

    def sum_up(rows: np.ndarray, gain: Callable[[tuple[int, ...]], float] | None = None) -> Any:
        total: defaultdict[tuple[int, ...], float] = defaultdict(lambda: -math.inf)
        for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
            text = tuple(token for token, _ in itertools.groupby(path) if token)
            log_prob = sum(float(row[token]) for row, token in zip(rows, path, strict=True))
            total[text] = float(np.logaddexp(total[text], log_prob))
        if gain:
            return {text: log_prob + gain(text) for text, log_prob in total.items()}
        return dict(total)

    return sum_up
