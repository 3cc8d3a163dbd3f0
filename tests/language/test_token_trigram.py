"""The trigram over tokens: what it estimates, what it keeps on disk, and what it is refused for."""

from __future__ import annotations

import numpy as np
import pytest

from asr_gru.errors import ModelError
from asr_gru.language.arrays import write_arrays
from asr_gru.language.token_trigram import TokenTrigram

SYMBOLS = ["<blank>", "AA", "B", "K"]
SEQUENCES = [[1, 2, 3], [2, 3], [2, 1], [], [3, 3]]


@pytest.fixture
def trigram():
    return TokenTrigram.estimate(SEQUENCES, SYMBOLS)


def test_probabilities_sum_to_one_and_follow_the_counts(trigram):
    assert np.exp(trigram.log_probs).sum(axis=2) == pytest.approx(1.0, abs=1e-6)
    start = trigram.start()
    scores = {token: trigram.score(start, token)[0] for token in (1, 2, 3)}
    assert max(scores, key=scores.get) == 2
    log_prob, state = trigram.score(trigram.score(start, 2)[1], 3)
    assert log_prob == trigram.log_probs[0, 2, 3]
    assert trigram.end(state) == trigram.log_probs[2, 3, 0] > trigram.score(state, 1)[0]


def test_a_file_keeps_the_probabilities_to_half_a_level(trigram, tmp_path):
    path = tmp_path / "trigram.bin"
    trigram.save(path)
    assert path.stat().st_size < len(SYMBOLS) ** 3 + 400
    loaded = TokenTrigram.load(path, SYMBOLS)
    level = -trigram.log_probs.min() / 255
    assert np.abs(loaded.log_probs - trigram.log_probs).max() <= 0.51 * level


def test_other_tokens_and_damaged_files_are_refused(trigram, tmp_path):
    path = tmp_path / "trigram.bin"
    trigram.save(path)
    with pytest.raises(ModelError, match="has other tokens than the model"):
        TokenTrigram.load(path, [*SYMBOLS[:3], "T"])
    codes = np.zeros(64, np.uint8)
    damaged: list[tuple[dict[str, object], np.ndarray]]
    damaged = [({"lowest": -2.0}, codes[:-1]), ({"lowest": 2.0}, codes), ({"lowest": "x"}, codes)]
    damaged += [({}, codes), ({"lowest": -2.0}, codes.astype(np.uint16))]
    for meta, array in damaged:
        write_arrays(path, "trigram", {"symbols": SYMBOLS, **meta}, {"log_probs": array})
        with pytest.raises(ModelError, match=r"trigram\.bin: damaged; export the model again"):
            TokenTrigram.load(path, SYMBOLS)
