"""What the tree search looks up in every frame, laid out for whole arrays of hypotheses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asr_gru.decoding.tree_state import Floats, Ints

if TYPE_CHECKING:
    from asr_gru.decoding.pronunciation_tree import PronunciationTree
    from asr_gru.decoding.tree_knobs import TreeSearchKnobs, WordModel

__all__ = ["Network", "ranges"]


class Network:
    """The tree, the language model and what follows from the knobs.

    Attributes:
        tree: the pronunciations.
        model: the language model, or None.
        knobs: as tuned.
        tokens: columns of the log-probabilities.
        places: a place is a node and a newest token, 0 where a blank came last; how many there
            are.
        look: ``(nodes,)`` weighted look-ahead of each node, words that end at it included.
        below: ``(nodes,)`` the same without these: what a hypothesis at the node may become;
            minus infinity for a leaf.
        child_count: ``(nodes,)`` children of each node, none for the root, whose own are
            ``root_children`` with ``root_phones``.
        word_count: ``(nodes,)`` words that end at each node.
        floor: log-probability below which no phone begins.
    """

    def __init__(
        self,
        tree: PronunciationTree,
        model: WordModel | None,
        knobs: TreeSearchKnobs,
        tokens: int,
        look: Floats,
    ) -> None:
        self.tree, self.model, self.knobs, self.tokens, self.look = tree, model, knobs, tokens, look
        self.places = len(tree) * tokens
        self.below = np.full(len(tree), -np.inf)
        np.maximum.at(self.below, tree.parent[1:], look[1:])
        self.child_count = np.diff(tree.first_child)
        self.word_count = np.diff(tree.first_word)
        self.root_children = tree.children[: self.child_count[0]]
        self.root_phones = tree.phone[self.root_children]
        self.child_count[0] = 0
        with np.errstate(divide="ignore"):
            self.floor = float(np.log(knobs.phone_floor))


def ranges(first: Ints, count: Ints) -> Ints:
    """Return ``first[i], first[i] + 1, ...``, ``count[i]`` of them, one range after the other."""
    behind = count.cumsum()
    total = int(behind[-1]) if len(behind) else 0
    behind -= count
    places: Ints = (first - behind).repeat(count)
    places += np.arange(total)
    return places
