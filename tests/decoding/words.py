"""A toy lexicon and language model, and a brute-force search with them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from asr_gru.decoding import HotWords, Hypothesis, TreeSearch, TreeSearchParameters, build_tree

WORDS = ("aa", "ab", "b", "bc", "bee", "a", "cab")
PRONUNCIATIONS = (
    (0, (1, 1)),
    (1, (1, 2)),
    (2, (2,)),
    (3, (2, 3)),
    (4, (2,)),  # sounds like "b"
    (5, (1,)),
    (5, (3, 1)),  # the second pronunciation of "a"
    (6, (3, 1, 2)),
)
PRONUNCIATION_LOG_PROBS = (0.0,) * 5 + (-0.25, 0.0, 0.0)
TOKENS = 4


class Bigrams:
    """A bigram model; its state is the previous word."""

    def __init__(self, words: int = len(WORDS), seed: int = 7) -> None:
        table = np.random.default_rng(seed).normal(size=(words + 1, words + 1)) * 2
        self.table = (table - np.log(np.exp(table).sum(1, keepdims=True))).astype(np.float32)
        self.unigram_log_probs = self.table[:, :-1].max(0)
        self.words = words
        self.unk = 0

    def start(self) -> int:
        return self.words

    def score(self, states: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.table[states, words], words

    def end(self, states: np.ndarray) -> np.ndarray:
        return self.table[states, self.words]


def tree_search(model: Bigrams | None, **parameters: float) -> TreeSearch:
    words, phones = zip(*PRONUNCIATIONS, strict=True)
    first = np.cumsum([0, *map(len, phones)])
    log_probs = PRONUNCIATION_LOG_PROBS
    tree = build_tree(
        words, [phone for each in phones for phone in each], first, log_probs=log_probs
    )
    return TreeSearch(
        tree, WORDS, TOKENS, model=model, parameters=TreeSearchParameters(**parameters)
    )  # type: ignore[arg-type]


def exact_search(model: Bigrams | None, **parameters: float) -> TreeSearch:
    """Return a search without pruning."""
    everything = {"beam": 1e4, "width": 1_000_000, "blank_skip": 1, "phone_floor": 0}
    return tree_search(model, **{**everything, "histories": 1000, **parameters})


Pronunciations = tuple[tuple[int, tuple[int, ...], float], ...]


def sentences(
    phones: tuple[int, ...], lexicon: Pronunciations
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield all word sequences with these phones, and the log-probability of the pronunciations."""
    if not phones:
        yield (), 0.0
    for word, spelled, log_prob in lexicon:
        if phones[: len(spelled)] == spelled:
            for rest, others in sentences(phones[len(spelled) :], lexicon):
                yield (word, *rest), log_prob + others


def occurrences(words: tuple[int, ...], phrase: tuple[int, ...]) -> int:
    """Return the number of occurrences of a phrase in a sentence, including overlapping ones."""
    size = len(phrase)
    return sum(words[i : i + size] == phrase for i in range(len(words) - size + 1))


def rare_discount(model: Bigrams) -> float:
    """Return the log-probability of a word outside the vocabulary relative to the unknown word."""
    rare = float(np.percentile(model.unigram_log_probs, 5))
    return min(0.0, rare - float(model.unigram_log_probs[model.unk]))


def best_path_scores(rows: np.ndarray, blank_bias: float) -> dict[tuple[int, ...], float]:
    """Return the score of the best path of every phone sequence."""
    best: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        phones = tuple(token for token, _ in itertools.groupby(path) if token)
        score = sum(float(row[token]) for row, token in zip(rows, path, strict=True))
        score -= blank_bias * path.count(0)
        best[phones] = max(best.get(phones, -math.inf), score)
    return best


def brute_force(
    rows: np.ndarray,
    model: Bigrams | None,
    parameters: TreeSearchParameters,
    hot: HotWords | None = None,
) -> dict[tuple[str, ...], float]:
    """Return the best score of every sentence over all pronunciations and alignments."""
    names: tuple[str, ...] = WORDS
    lexicon: Pronunciations = tuple(
        (*entry, log_prob)
        for entry, log_prob in zip(PRONUNCIATIONS, PRONUNCIATION_LOG_PROBS, strict=True)
    )
    if hot is not None:
        names += hot.extra
        lexicon += tuple(
            (word, way, 0.0) for word, ways in hot.pronunciations.items() for way in ways
        )
    acoustic = best_path_scores(rows, parameters.blank_bias)
    found: dict[tuple[str, ...], float] = {}
    for phones, score in acoustic.items():
        for words, pronunciation in sentences(phones, lexicon):
            language = 0.0
            if model:
                beside = sum(word >= len(WORDS) for word in words)
                context = (
                    model.start(),
                    *(word if word < len(WORDS) else model.unk for word in words),
                )
                language = rare_discount(model) * beside if beside else 0.0
                language += sum(float(model.table[a, b]) for a, b in itertools.pairwise(context))
                language += float(model.table[context[-1], model.words])
            total = score + parameters.language_weight * (language + pronunciation)
            total += parameters.word_bonus * len(words)
            if hot is not None:
                total += sum(w * occurrences(words, phrase) for phrase, w in hot.phrases)
            text = tuple(names[word] for word in words)
            found[text] = max(found.get(text, -math.inf), total)
    return found


def assert_n_best(found: Sequence[Hypothesis], expected: dict[tuple[str, ...], float]) -> None:
    """Check that hypotheses are all expected sentences with their scores, the best first."""
    assert len(set(texts(found))) == len(found)
    assert set(texts(found)) == set(expected)
    scores = [hypothesis.log_prob for hypothesis in found]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx([expected[text] for text in texts(found)], abs=1e-5)


def decode(decoder: TreeSearch, rows: np.ndarray, n: int = 1) -> list[Hypothesis]:
    """Decode one utterance in a single call and return up to ``n`` hypotheses."""
    (state,) = decoder.advance([decoder.start()], [rows])
    return decoder.best(decoder.finish(state), n)


def texts(hypotheses: Sequence[Hypothesis]) -> list[tuple[str, ...]]:
    """Return the words of each hypothesis."""
    return [tuple(word.text for word in one.words or ()) for one in hypotheses]
