"""Hot words: phrases that get a bonus.

On-the-fly contextual biasing (Zhao, Sainath, Rybach, Rondon, Bhatia, Li, Pang 2019): the search
traverses a trie of words in parallel to the language model. Each word of a phrase gets a part of
the bonus in advance, so that the phrase survives pruning; the advance is taken back if the phrase
is not completed. The trie has failure links (Aho and Corasick 1975), so phrases are found wherever
they begin. The score of a finished sentence includes the bonus of each occurrence of a phrase.

With ``caution`` above 0 the bonus is smaller the worse a phrase fits the audio, which reduces false
alarms. The acoustic score of its words is compared with that of the likeliest tokens of the same
frames, like that of a keyword with a loop of all phones (Rose and Paul 1990), and a part of the
shortfall is subtracted from the bonus, which never becomes negative.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.decoding.tree_state import Floats, Ints

if TYPE_CHECKING:
    from asr_gru.language import HotWord

__all__ = ["HotWords", "Phrase"]

Phrase = tuple[tuple[int, ...], float]
"""Word numbers, at least one, and the bonus in nats."""


@dataclass(frozen=True, slots=True)
class HotWords:
    """A list of phrases, compiled to an automaton.

    State 0 is outside all phrases; each other state is a prefix of a phrase.

    Attributes:
        phrases: phrases with their bonuses.
        pronunciations: additional pronunciations, as token ids, by word number.
        first: number of the first word that the lexicon lacks.
        extra: spellings of these words.
        caution: fraction of a phrase's acoustic shortfall that is subtracted from its bonus.
        listed: the list that was compiled, for those who want to read it.
        states: number of states; 1 if all phrases are single words.
        pending: ``(states,)`` bonus that each state has got in advance.
    """

    phrases: tuple[Phrase, ...]
    first: int
    pronunciations: Mapping[int, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    caution: float = 0.0
    listed: tuple[HotWord, ...] = ()
    states: int = field(init=False)
    pending: Floats = field(init=False)
    _failure: Ints = field(init=False)
    _keys: Ints = field(init=False)
    _next: Ints = field(init=False)
    _earned: Floats = field(init=False)
    _ahead: Floats = field(init=False)
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
            ("_earned", np.array(trie.earned)[ends]),
            ("_ahead", np.array(trie.pending)[ends]),
            ("_stride", stride),
        ):
            object.__setattr__(self, name, value)

    def follow(
        self,
        states: Ints,
        words: Ints,
        *,
        shortfall: Floats | None = None,
        charged: Floats | None = None,
    ) -> tuple[Floats, Ints, Floats]:
        """Return the bonus of each word after its state, net of the advances of both states.

        Args:
            states: ``(n,)`` states before the words.
            words: ``(n,)`` word numbers.
            shortfall: ``(n,)`` log-probability of the likeliest tokens in the frames of each word,
                less that of its own, in nats.
            charged: ``(n,)`` what was subtracted from the advance of the state before.

        Returns:
            bonuses, the next states, and what was subtracted from their advances, ``(n,)`` each.
        """
        gains, after = -self.pending.take(states), np.zeros(len(states), np.int64)
        before, charge = np.zeros(len(states)), np.zeros(len(states))
        if charged is not None:
            gains += charged
            before += charged
        if not len(self._keys):
            return gains, after, charge
        left, state = np.flatnonzero(words < self._stride), states
        while len(left):
            key = state.take(left) * self._stride + words.take(left)
            place = np.minimum(self._keys.searchsorted(key), len(self._keys) - 1)
            found = self._keys.take(place) == key
            matched, place = left[found], place[found]
            earned, ahead = self._earned.take(place), self._ahead.take(place)
            gains[matched] += earned + ahead
            after[matched] = self._next.take(place)
            if shortfall is not None:
                due = before.take(matched) + self.caution * shortfall.take(matched)
                ends = earned > 0
                due = np.minimum(due, np.where(ends, earned, ahead))
                gains[matched] -= due
                charge[matched] = np.where(ends, 0.0, due)
            left = left[~found & (state.take(left) > 0)]
            before[left] = 0.0
            state = state.copy()
            state[left] = self._failure.take(state.take(left))
        return gains, after, charge

    def edges(self) -> tuple[Ints, Ints, Floats]:
        """Return state, word and bonus of each transition within a phrase."""
        state, word = np.divmod(self._keys, self._stride)
        return state, word, self._earned + self._ahead - self.pending.take(state)


class _Trie:
    """The trie of phrases; inner nodes come first, in order of depth.

    Attributes:
        states: number of inner nodes.
        edges: child of an inner node, by node and word.
        failure: longest proper suffix of each node that is a prefix of a phrase.
        kept: each node itself if it is an inner node, otherwise its first inner failure node.
        pending: bonus that each node has got in advance.
        earned: sum of the bonuses of all phrases that end at each node.
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
