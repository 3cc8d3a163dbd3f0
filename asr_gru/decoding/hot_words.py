"""Hot words: phrases that earn a bonus when they are said.

Contextual biasing on the fly (Zhao, Sainath, Rybach, Rondon, Bhatia, Li, Pang 2019): a trie of
words is walked beside the language model. A part of a phrase's bonus is given at each of its words,
so that its beginning survives the beam, and taken back when the phrase breaks off. The trie has
failure links (Aho and Corasick 1975), so a phrase is found wherever it begins. A finished sentence
has earned the bonus of each phrase in it, as often as it occurs, and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["HotWords", "Phrase"]

Phrase = tuple[tuple[int, ...], float]
"""Word numbers, at least one, and the bonus in nats."""


@dataclass(frozen=True, slots=True)
class HotWords:
    """A list of phrases as the search walks it.

    A state is a number: 0 outside all phrases, otherwise which beginning of a phrase was said last.

    Attributes:
        phrases: what earns a bonus.
        spoken: pronunciations beside those of the lexicon, as token ids, by word number.
        first: number of the first word that the lexicon lacks.
        extra: spellings of these words.
        states: how many states there are; 1 where each phrase is a single word.
        pending: ``(states,)`` the part of a bonus that each state has been given in advance.
    """

    phrases: tuple[Phrase, ...]
    first: int
    spoken: Mapping[int, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    states: int = field(init=False)
    pending: Floats = field(init=False)
    _failure: Ints = field(init=False)
    _keys: Ints = field(init=False)
    _next: Ints = field(init=False)
    _earned: Floats = field(init=False)
    _stride: int = field(init=False)

    def __post_init__(self) -> None:
        trie = _Trie(self.phrases)
        words = [word for _, word in trie.edges]
        stride = max(words, default=0) + 1
        keys = np.array([state * stride + word for state, word in trie.edges], np.int64)
        order = keys.argsort()
        ends = np.array([*trie.edges.values()], np.int64)[order]
        for name, value in (
            ("states", trie.states),
            ("pending", np.array(trie.pending[: trie.states])),
            ("_failure", np.array(trie.failure[: trie.states], np.int64)),
            ("_keys", keys[order]),
            ("_next", np.array(trie.kept, np.int64)[ends]),
            ("_earned", (np.array(trie.earned) + np.array(trie.pending))[ends]),
            ("_stride", stride),
        ):
            object.__setattr__(self, name, value)

    def follow(self, states: Ints, words: Ints) -> tuple[Floats, Ints]:
        """Return what each word earns after its state, and the state after it, ``(n,)`` each.

        What was given in advance is taken back, and what the new state is given is added.
        """
        gains, after = -self.pending.take(states), np.zeros(len(states), np.int64)
        if not len(self._keys):
            return gains, after
        left, state = np.flatnonzero(words < self._stride), states
        while len(left):
            key = state.take(left) * self._stride + words.take(left)
            place = np.minimum(self._keys.searchsorted(key), len(self._keys) - 1)
            found = self._keys.take(place) == key
            there, place = left[found], place[found]
            gains[there] += self._earned.take(place)
            after[there] = self._next.take(place)
            left = left[~found & (state.take(left) > 0)]
            state = state.copy()
            state[left] = self._failure.take(state.take(left))
        return gains, after

    def edges(self) -> tuple[Ints, Ints, Floats]:
        """Return state, word, and what the word earns there, of each step within a phrase."""
        state, word = np.divmod(self._keys, self._stride)
        return state, word, self._earned - self.pending.take(state)


class _Trie:
    """The trie of phrases; nodes where a phrase can go on come first, in order of depth.

    Attributes:
        states: how many nodes can go on.
        edges: the node that a word leads to from a node that can go on.
        failure: of each node, the longest other beginning of a phrase that ends alike.
        kept: of each node, itself if it can go on, and otherwise what can among its failures.
        pending: of each node, what is given in advance there.
        earned: of each node, the bonuses of all phrases that end there.
    """

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        children: list[dict[int, int]] = [{}]
        bonus, ahead = [0.0], [0.0]
        for words, weight in phrases:
            node = 0
            for depth, word in enumerate(words):
                ahead[node] = max(ahead[node], weight * depth / len(words))
                if word not in children[node]:
                    children[node][word] = len(children)
                    children.append({})
                    bonus.append(0.0)
                    ahead.append(0.0)
                node = children[node][word]
            bonus[node] += weight
        failure, queue, order = [0] * len(children), deque([0]), []
        earned, pending = bonus, ahead
        while queue:
            node = queue.popleft()
            order.append(node)
            for word, child in children[node].items():
                back = failure[node]
                while back and word not in children[back]:
                    back = failure[back]
                failure[child] = children[back].get(word, 0) if node else 0
                earned[child] += earned[failure[child]]
                pending[child] = max(pending[child], pending[failure[child]])
                queue.append(child)
        kept = [0] * len(children)
        for node in order:
            kept[node] = node if children[node] else kept[failure[node]]
        order.sort(key=lambda node: not children[node])
        number = [0] * len(children)
        for place, node in enumerate(order):
            number[node] = place
        self.states = max(1, sum(map(bool, children)))
        self.edges = {
            (number[node], word): number[child]
            for node in order
            for word, child in children[node].items()
        }
        self.failure = [number[kept[failure[node]]] for node in order]
        self.kept = [number[kept[node]] for node in order]
        self.pending = [pending[node] for node in order]
        self.earned = [earned[node] for node in order]
