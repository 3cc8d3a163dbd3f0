"""Compiles a word graph with pronunciations to a phone graph in flat arrays.

Words that leave a state share the common prefixes of their pronunciations. All arcs into a node
have the same phone, so tokens need not store their last phone; between words, there is one node for
each phone that the previous word can end with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr_gru.decoding.tree_network import ranges
from asr_gru.decoding.tree_state import Floats, Ints
from asr_gru.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from asr_gru.language import PronunciationTable, WordGraph

__all__ = ["PhoneGraph", "build_phone_graph"]

MAX_ARCS = 5_000_000
MAX_CELLS = 50_000_000


@dataclass(frozen=True, slots=True)
class PhoneGraph:
    """A graph of phones; node 0 is the start.

    Attributes:
        words: the spelling of each word number.
        phone: ``(nodes,)`` the phone of all arcs into a node; 0 for the start.
        first_arc: ``(nodes + 1,)`` arcs ``first_arc[i]`` up to ``first_arc[i + 1]`` leave node i.
        target: ``(arcs,)`` the node that each enters.
        word: ``(arcs,)`` the word that it completes, or -1.
        weight: ``(arcs,)`` its log-weight, in nats.
        final: ``(nodes,)`` log-weight of ending at a node; minus infinity if it is not final.
        between_words: ``(nodes,)`` whether the node is the start or the end of a word.
    """

    words: tuple[str, ...]
    phone: Ints
    first_arc: Ints
    target: Ints
    word: Ints
    weight: Floats
    final: Floats
    between_words: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.phone)


class _Rows(NamedTuple):
    """Arcs of the word graph, once for each pronunciation, ordered by source and phones."""

    source: Ints
    target: Ints
    word: Ints
    weight: Floats
    table: np.ndarray[tuple[int, int], np.dtype[np.uint16]]
    """``(rows, longest)``: all phones but the last, then zeros."""
    inner: Ints
    last: Ints


def build_phone_graph(graph: WordGraph, pronunciations: PronunciationTable) -> PhoneGraph:
    """Expand the words of a word graph to their pronunciations.

    Raises:
        ConfigError: the graph becomes too large.
        ModelError: a word has no pronunciation.
    """
    if (
        len(pronunciations.first) <= len(graph.words)
        or np.diff(pronunciations.first).min(initial=1) < 1
    ):
        raise ModelError("a word without a pronunciation; give it one")
    rows = _rows(graph, pronunciations)
    count = len(rows.source)

    # A row adds a node for each phone after the prefix that it shares with the previous row.
    same = np.zeros(rows.table.shape, bool)
    if count:
        same[1:] = rows.table[1:] == rows.table[:-1]
        same[1:] &= (rows.source[1:] == rows.source[:-1])[:, None]
        same = np.logical_and.accumulate(same, axis=1)
    added = (rows.table > 0) & ~same
    number = np.zeros(rows.table.shape, np.int64)
    inside = int(np.count_nonzero(added))
    number[added] = np.arange(1, inside + 1)
    number = np.maximum.accumulate(number, axis=0)
    at_row, depth = np.nonzero(added)
    above = np.where(depth > 0, number[at_row, np.maximum(depth, 1) - 1], 0)
    leaf = np.zeros(count, np.int64)
    long = np.flatnonzero(rows.inner)
    leaf[long] = number[long, rows.inner[long] - 1]

    # Ends of words: one for each state of the word graph and phone.
    width = int(rows.last.max(initial=0)) + 1
    ends, end_of_row = np.unique(rows.target * width + rows.last, return_inverse=True)
    end_state, end_phone = np.divmod(ends, width)
    end_of_row = end_of_row.ravel() + 1 + inside
    phone = np.concatenate((np.zeros(1, np.int64), rows.table[added].astype(np.int64), end_phone))

    # Push weights towards the start.
    best = np.full(inside + 1, -np.inf)
    np.maximum.at(best, leaf[long], rows.weight[long])
    for level in range(int(depth.max(initial=0)), 0, -1):
        nodes = np.flatnonzero(depth == level)
        np.maximum.at(best, above[nodes], best[nodes + 1])
    best[0] = 0.0

    # Arcs within words, then arcs from all nodes at which words can begin at a state.
    node = np.arange(1, inside + 1)
    deep = np.flatnonzero(depth > 0)
    short = np.flatnonzero(rows.inner == 0)
    first = np.flatnonzero(depth == 0)
    root = np.concatenate((rows.source[at_row[first]], rows.source[short]))
    root_target = np.concatenate((node[first], end_of_row[short]))
    root_word = np.concatenate((np.full(len(first), -1), rows.word[short]))
    root_weight = np.concatenate((best[node[first]], rows.weight[short]))
    low, high = np.searchsorted(end_state, root), np.searchsorted(end_state, root, "right")
    if int((high - low).sum()) > MAX_ARCS:
        raise ConfigError(f"more than {MAX_ARCS} arcs between words; make the grammar smaller")
    again = np.repeat(np.arange(len(root)), high - low)
    begin = np.flatnonzero(root == 0)
    source = np.concatenate(
        (above[deep], leaf[long], ranges(low, high - low) + 1 + inside, np.zeros_like(begin))
    )
    target = np.concatenate((node[deep], end_of_row[long], root_target[again], root_target[begin]))
    word = np.concatenate(
        (np.full(len(deep), -1), rows.word[long], root_word[again], root_word[begin])
    )
    weight = np.concatenate(
        (
            best[node[deep]] - best[above[deep]],
            rows.weight[long] - best[leaf[long]],
            root_weight[again],
            root_weight[begin],
        )
    )
    order = np.lexsort((target, source))
    first_arc = np.zeros(len(phone) + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=len(phone)), out=first_arc[1:])
    final = np.full(len(phone), -np.inf)
    final[1 + inside :] = graph.final[end_state]
    between = np.ones(len(phone), bool)
    between[1 : 1 + inside] = False
    return PhoneGraph(
        words=tuple(graph.words),
        phone=phone,
        first_arc=first_arc,
        target=target[order],
        word=word[order],
        weight=weight[order],
        final=final,
        between_words=between,
    )


def _rows(graph: WordGraph, pronunciations: PronunciationTable) -> _Rows:
    variants = np.diff(pronunciations.first)[graph.word]
    arc = np.repeat(np.arange(len(graph.word)), variants)
    way = ranges(pronunciations.first[graph.word], variants)
    begin, inner = pronunciations.starts[way], np.diff(pronunciations.starts)[way] - 1
    longest = int(inner.max(initial=0))
    if len(arc) * longest > MAX_CELLS:
        raise ConfigError("too many words and pronunciations; listen for fewer phrases")
    table = np.zeros((len(arc), longest), np.uint16)
    at = np.repeat(np.arange(len(arc)), inner)
    table[at, ranges(np.zeros_like(inner), inner)] = pronunciations.tokens[ranges(begin, inner)]
    source = graph.source[arc]
    keys = np.empty((len(arc), longest + 2), np.uint16)
    keys[:, 0], keys[:, 1] = source >> 16, source & 0xFFFF
    keys[:, 2:] = table
    order = np.argsort(keys.byteswap().view(f"S{2 * keys.shape[1]}").ravel(), kind="stable")
    arc, way, inner = arc[order], way[order], inner[order]
    return _Rows(
        source[order],
        graph.target[arc],
        graph.word[arc],
        graph.weight[arc],
        table[order],
        inner,
        pronunciations.tokens[pronunciations.starts[way + 1] - 1],
    )
