"""Which words of a partial are shown, and the share of the probability that they have."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.decoding.words import (
    PRONUNCIATION_LOG_PROBS,
    PRONUNCIATIONS,
    WORDS,
    Bigrams,
    exact_search,
    texts,
    tree_search,
)


def test_words_are_shown_from_a_share_of_the_probability(random_rows):
    """A larger share shows fewer words of the same hypothesis, but always the stable ones."""
    counts = np.zeros(4, int)
    for seed in range(20):
        rows = random_rows(seed, 25, 4, 4.0)
        decoders = [tree_search(Bigrams(), shown_share=share) for share in (0.0, 0.4, 0.8, 1.0)]
        (state,) = decoders[0].advance([decoders[0].start()], [rows])
        partials = [decoder.partials([state])[0] for decoder in decoders]
        best = partials[0].hypothesis
        assert {partial.hypothesis for partial in partials} == {best}
        stops = [0, *(word.stop for word in best.words)]
        shown = [partial.shown for partial in partials]
        assert shown[0] == len(best.tokens)
        assert shown == sorted(shown, reverse=True)
        assert shown[-1] >= max(stop for stop in stops if stop <= decoders[0].settled(state))
        counts += [sum(stop <= each for stop in stops) for each in shown]
    assert len(set(counts.tolist())) == 4


def test_shares_are_sums_over_hypotheses_with_the_same_words():
    """'b' and 'bee' are homophones; the language model decides their shares."""
    model = Bigrams()
    model.unigram_log_probs = np.where(np.arange(7) == WORDS.index("bc"), -50.0, -1.0)
    rows = np.log(np.array([[0.0001, 0.0001, 0.9997, 0.0001]], np.float32))
    decoder = tree_search(model, language_weight=1.0)
    (state,) = decoder.advance([decoder.start()], [rows])
    chances = np.exp(model.table[model.words, [WORDS.index("b"), WORDS.index("bee")]])
    share = float(chances.max() / chances.sum())
    assert len(decoder.best(state)[0].words) == 1
    for needed, shown in ((share - 0.05, 1), (min(1.0, share + 0.05), 0)):
        needing = decoder.tuned(replace(decoder.parameters, shown_share=needed))
        assert needing.partials([state])[0].shown == shown


def parses(phones, words=(), log_prob=0.0):
    """Yield words, the beginning of the next one, and the log-probability of pronunciations."""
    if any(p[: len(phones)] == phones != p for _, p in PRONUNCIATIONS):
        yield words, phones, log_prob
    for (word, own), own_log_prob in zip(PRONUNCIATIONS, PRONUNCIATION_LOG_PROBS, strict=True):
        if phones[: len(own)] == own:
            yield from parses(phones[len(own) :], (*words, word), log_prob + own_log_prob)


def share_of_words_below(prefix, model, weight):
    """Return the share of all words that go on after a prefix."""
    each = [
        (p, math.exp(weight * (float(model.unigram_log_probs[w]) + log_prob)))
        for (w, p), log_prob in zip(PRONUNCIATIONS, PRONUNCIATION_LOG_PROBS, strict=True)
    ]
    below = sum(value for p, value in each if p[: len(prefix)] == prefix != p)
    return below / sum(value for _, value in each)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.2, 0.95), st.floats(0.3, 1.5))
def test_shown_words_equal_an_exhaustive_search(random_rows, seed, frames, needed, weight):
    """Shares over the best paths to all words, unfinished words and last tokens."""
    rows, model = random_rows(seed, frames, 4, 3.0), Bigrams()
    parameters = {"language_weight": weight, "word_bonus": 0.4, "blank_bias": 0.3}
    decoder = exact_search(model, shown_share=needed, **parameters)
    best: dict[tuple, float] = {}
    for tokens in itertools.product(range(4), repeat=frames):
        acoustic = float(rows[np.arange(frames), tokens].sum()) - 0.3 * tokens.count(0)
        phones = tuple(token for token, _ in itertools.groupby(tokens) if token)
        for words, begun, log_prob in parses(phones):
            context = (model.start(), *words)
            log_prob += sum(float(model.table[a, b]) for a, b in itertools.pairwise(context))
            score = acoustic + weight * log_prob + 0.4 * len(words)
            if begun:
                score += math.log(share_of_words_below(begun, model, weight))
            key = words, begun, tokens[-1]
            best[key] = max(best.get(key, -math.inf), score)
    words, begun, _ = max(best, key=lambda key: best[key])
    mass = {key: math.exp(score) for key, score in best.items()}
    shares = [
        sum(value for key, value in mass.items() if key[0][:n] == words[:n]) / sum(mass.values())
        for n in range(1, len(words) + 1)
    ]
    assume(all(abs(share - needed) > 0.02 for share in shares))  # tiny ones are neglected
    (state,) = decoder.advance([decoder.start()], [rows])
    (partial,) = decoder.partials([state])
    found = partial.hypothesis
    assert found.log_prob == pytest.approx(max(best.values()), abs=1e-5)
    assert [word.text for word in found.words] == [WORDS[word] for word in words]
    assert found.tokens[found.words[-1].stop if words else 0 :] == begun
    count = sum(word.stop <= partial.shown for word in found.words)
    assert count == sum(share >= needed for share in shares)


def test_a_word_is_shown_before_the_next_one_begins():
    """The look-ahead compares "bc" with the likeliest word, "a"; "b" has been charged in full."""
    model = Bigrams()
    probabilities = {"a": 0.2, "b": 0.1, "bc": 0.03}
    unigrams = np.log([probabilities.get(word, 0.01) for word in WORDS]).astype(np.float32)
    model.table[:, : len(WORDS)] = model.unigram_log_probs = unigrams
    rows = np.log(np.array([[0.01, 0.01, 0.97, 0.01], [0.97, 0.01, 0.01, 0.01]], np.float32))
    decoder = tree_search(model, language_weight=1.0, blank_bias=0.0)
    (state,) = decoder.advance([decoder.start()], [rows])
    (partial,) = decoder.partials([state])
    assert texts(decoder.best(state)) == [()]
    assert texts([partial.hypothesis]) == [("b",)]
    assert partial.shown == 1
