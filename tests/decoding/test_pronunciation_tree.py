from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.decoding import build_tree, look_ahead
from asr_gru.decoding.pronunciation_tree import likeliest_first, shares_below
from asr_gru.errors import ModelError

PRONUNCIATION = st.tuples(
    st.integers(0, 20), st.lists(st.integers(1, 300), min_size=1, max_size=6).map(tuple)
)


def built(entries, log_probs=None):
    first = np.cumsum([0, *(len(phones) for _, phones in entries)])
    return build_tree(
        [word for word, _ in entries],
        [p for _, phones in entries for p in phones],
        first,
        log_probs=log_probs,
    )


def path(tree, node):
    phones: tuple[int, ...] = ()
    while node:
        phones, node = (int(tree.phone[node]), *phones), int(tree.parent[node])
    return phones


def words_at(tree, node):
    own = slice(*tree.first_word[node : node + 2])
    return list(zip(tree.words[own].tolist(), tree.log_probs[own].tolist(), strict=True))


def children_of(tree, node):
    return tree.children[slice(*tree.first_child[node : node + 2])].tolist()


@given(st.lists(PRONUNCIATION, min_size=1, max_size=40, unique=True))
def test_the_tree_contains_exactly_the_pronunciations(entries):
    tree = built(entries)
    held = [
        (int(word), path(tree, node))
        for node in range(len(tree))
        for word in tree.words[tree.first_word[node] : tree.first_word[node + 1]]
    ]
    assert sorted(held) == sorted(entries)
    prefixes = {phones[:n] for _, phones in entries for n in range(len(phones) + 1)}
    assert sorted(path(tree, node) for node in range(len(tree))) == sorted(prefixes)
    for node in range(len(tree)):
        children = tree.children[tree.first_child[node] : tree.first_child[node + 1]]
        assert all(tree.parent[child] == node < child for child in children)
        assert len(path(tree, node)) == tree.depth[node]


@given(st.lists(PRONUNCIATION, min_size=1, max_size=40, unique=True), st.integers(0, 99))
def test_the_look_ahead_is_the_score_of_the_best_word_below(entries, seed):
    tree = built(entries)
    scores = np.random.default_rng(seed).normal(size=21)
    best = max(scores[word] for word, _ in entries)
    for node, value in enumerate(look_ahead(tree, scores)):
        prefix = path(tree, node)
        below = [scores[w] for w, phones in entries if phones[: len(prefix)] == prefix]
        assert value == pytest.approx(max(below) - best)


@given(st.lists(PRONUNCIATION, min_size=1, max_size=40, unique=True), st.integers(0, 99))
def test_shares_are_of_the_words_below(entries, seed):
    log_probs = -0.5 * np.arange(len(entries))
    tree = built(entries, log_probs)
    scores = np.random.default_rng(seed).normal(size=21) * 5
    of_each = [np.exp(1.5 * (scores[w] + p)) for (w, _), p in zip(entries, log_probs, strict=True)]
    for node, share in enumerate(np.exp(shares_below(tree, scores, 1.5))):
        prefix = path(tree, node)
        is_below = [e[1][: len(prefix)] == prefix and e[1] != prefix for e in entries]
        below = sum(value for value, one in zip(of_each, is_below, strict=True) if one)
        assert share == pytest.approx(below / sum(of_each))
        assert share > 0


@given(st.lists(PRONUNCIATION, min_size=1, max_size=40, unique=True), st.integers(0, 99))
def test_nodes_are_ordered_by_probability(entries, seed):
    scores = np.random.default_rng(seed).normal(size=21) * 5
    before = built(entries, -0.5 * np.arange(len(entries)))
    tree = likeliest_first(before, scores)
    look = look_ahead(tree, scores)
    assert (np.diff(look) <= 1 / 16).all()
    numbers = {path(before, node): node for node in range(len(before))}
    assert sorted(path(tree, node) for node in range(len(tree))) == sorted(numbers)
    for node in range(len(tree)):
        old = numbers[path(tree, node)]
        assert tree.depth[node] == before.depth[old]
        assert words_at(tree, node) == words_at(before, old)
        children, of_old = children_of(tree, node), children_of(before, old)
        assert all(tree.parent[child] == node < child for child in children)
        assert [path(tree, child) for child in children] == [path(before, c) for c in of_old]
    assert tree.parent[0] == -1


@pytest.mark.parametrize(
    ("words", "phones", "first"),
    [([], [], [0]), ([1], [], [0, 0]), ([1], [0], [0, 1]), ([1, 2], [3], [0, 1])],
)
def test_invalid_lexicons_are_refused(words, phones, first):
    with pytest.raises(ModelError, match="build it again"):
        build_tree(words, phones, first)
