"""Operations on all paths of a tree of entries, by pointer doubling.

A path leads from an entry to its parent, its grandparent and so on. Arrays of parents have an extra
last entry that stands for no parent, which the index -1 refers to.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Ints

__all__ = ["jumps", "on_paths"]


def jumps(parent: Ints) -> Iterator[Ints]:
    """Yield the 1st, 2nd, 4th, ... ancestor of each entry, until no entry has one.

    A sum or minimum over paths takes as many steps as the longest has binary digits::

        for jump in jumps(parent):
            value = value + value[jump]     # value[-1] is 0
    """
    while parent.item(parent.argmax()) >= 0:
        yield parent
        parent = parent[parent]


def on_paths(parent: Ints, heads: Ints) -> npt.NDArray[np.bool_]:
    """Return which entries are on the paths of ``heads`` (-1: no path), ``(entries,)``."""
    on = np.zeros(len(parent), bool)
    on[heads] = True
    for jump in jumps(parent):
        on[jump[on]] = True
    return on[:-1]
