"""Small word graphs, and a brute-force search of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from asr_gru.decoding import GraphSearch, GraphSearchParameters, PhoneGraph, build_phone_graph
from asr_gru.language import PronunciationTable, WordGraph, phrase_graph
from tests.decoding.words import PRONUNCIATIONS, TOKENS, WORDS, best_path_scores

PHRASES = (("aa",), ("ab", "b"), ("ab", "bc"), ("a", "a"), ("b",), ("bee", "cab"), ("a",))


def spoken(words: list[str]) -> PronunciationTable:
    ways = [[p for w, p in PRONUNCIATIONS if WORDS[w] == word] for word in words]
    every = [way for own in ways for way in own]
    return PronunciationTable(
        np.cumsum([0, *map(len, ways)]),
        np.cumsum([0, *map(len, every)]),
        np.array([phone for way in every for phone in way], np.int64),
    )


def loop() -> WordGraph:
    """Any number of weighted "a" or "b", then "cab"; two arcs lead back to the start."""
    words = ["a", "b", "cab"]
    return WordGraph(
        words,
        words,
        source=np.array([0, 0, 0, 1, 0]),
        target=np.array([0, 0, 1, 0, 2]),
        word=np.array([0, 1, 2, 0, 0]),
        weight=np.array([-0.3, -1.5, 0.0, -0.2, -0.9]),
        final=np.array([-np.inf, -0.25, -2.0]),
    )


def phone_graph(graph: WordGraph | None = None) -> PhoneGraph:
    graph = graph or phrase_graph(PHRASES)
    return build_phone_graph(graph, spoken(list(graph.spoken_as)))


def graph_search(graph: WordGraph | None = None, **parameters: float) -> GraphSearch:
    return GraphSearch(phone_graph(graph), TOKENS, parameters=GraphSearchParameters(**parameters))  # type: ignore[arg-type]


def exact_search(graph: WordGraph | None = None, **parameters: float) -> GraphSearch:
    """Return a search without pruning and without stray phones."""
    everything = {"beam": 1e4, "width": 1_000_000, "blank_skip": 1, "phone_floor": 0, "stray": 1e4}
    return graph_search(graph, **{**everything, **parameters})


def sentences(graph: WordGraph, longest: int) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield all word sequences up to a number of words, with their weights."""
    paths: list[tuple[int, tuple[str, ...], float]] = [(0, (), 0.0)]
    for _ in range(longest):
        paths = [
            (int(graph.target[arc]), (*words, graph.words[graph.word[arc]]), weight + w)
            for state, words, weight in paths
            for arc in np.flatnonzero(graph.source == state).tolist()
            for w in [float(graph.weight[arc])]
        ]
        yield from (
            (words, weight + float(graph.final[state]))
            for state, words, weight in paths
            if graph.final[state] > -np.inf
        )


def brute_force(
    rows: np.ndarray, graph: WordGraph, parameters: GraphSearchParameters
) -> tuple[dict[tuple[str, ...], float], float]:
    """Return the best score of every sentence over all alignments, and that of the loop."""
    acoustic = best_path_scores(rows, parameters.blank_bias)
    other = max(score - parameters.rejection * len(phones) for phones, score in acoustic.items())
    found: dict[tuple[str, ...], float] = {}
    for words, weight in sentences(graph, len(rows)):
        ways = [[p for w, p in PRONUNCIATIONS if WORDS[w] == word] for word in words]
        for way in itertools.product(*ways):
            phones = tuple(itertools.chain(*way))
            if phones in acoustic:
                total = acoustic[phones] + weight
                found[words] = max(found.get(words, -math.inf), total)
    return found, other


def slow_search(
    rows: np.ndarray,
    phones: tuple[int, ...],
    words_end: set[int],
    parameters: GraphSearchParameters,
) -> float:
    """Return the score of the best alignment of phones, with stray phones between words."""
    states = {(0, True): 0.0}
    for row in rows.astype(float):
        row = np.maximum(row, math.log(parameters.phone_floor))
        row[0] -= parameters.blank_bias
        after: dict[tuple[int, bool], float] = {}

        def offer(key: tuple[int, bool], score: float, after: dict = after) -> None:
            after[key] = max(after.get(key, -math.inf), score)

        for (position, blank), score in states.items():
            idle = row[0]
            if position in words_end:
                idle = max(idle, row[1:].max() - parameters.stray)
            offer((position, True), score + idle)
            if not blank:
                offer((position, False), score + row[phones[position - 1]])
            if position < len(phones) and (
                blank or position == 0 or phones[position] != phones[position - 1]
            ):
                offer((position + 1, False), score + row[phones[position]])
        states = after
    return max(states.get((len(phones), blank), -math.inf) for blank in (True, False))
