"""All paths of a tree of entries at once, by pointer doubling.

A path goes from an entry over its parent, its parent's parent and so on. Arrays of parents end
with one that stands for none: -1, which as an index is that last place.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Ints

__all__ = ["jumps", "on_paths"]


def jumps(parent: Ints) -> Iterator[Ints]:
    """Yield for each entry what is 1, 2, 4, ... places up its path, as long as anything is.

    A sum or minimum over paths takes as many steps as the longest has binary digits::

        for jump in jumps(parent):
            value = value + value[jump]     # value[-1] is 0
    """
    while parent.max() >= 0:
        yield parent
        parent = parent[parent]


def on_paths(parent: Ints, heads: Ints) -> npt.NDArray[np.bool_]:
    """Tell which entries are on the paths of ``heads``, -1 for a path of none; ``(entries,)``."""
    on = np.zeros(len(parent), bool)
    on[heads] = True
    for jump in jumps(parent):
        on[jump[on]] = True
    return on[:-1]
