"""Word graphs: the word sequences of a list of phrases or of a grammar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr_gru.language.ngrams import Ints

__all__ = ["Floats", "WordGraph", "phrase_graph"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WordGraph:
    """A weighted finite-state acceptor of words, with start state 0.

    Attributes:
        words: spelling of each word id.
        spoken_as: lexicon entry of each word id; ``a.`` is the name of the letter, for example.
        source: source state of each arc, ``(arcs,)``.
        target: target state of each arc, ``(arcs,)``.
        word: word id of each arc, ``(arcs,)``.
        weight: log-weight of each arc in nats, ``(arcs,)``.
        final: log-weight of ending at each state, ``(states,)``; minus infinity if not final.
    """

    words: Sequence[str]
    spoken_as: Sequence[str]
    source: Ints
    target: Ints
    word: Ints
    weight: Floats
    final: Floats


def phrase_graph(phrases: Iterable[Sequence[str]]) -> WordGraph:
    """Return the prefix tree of phrases, each given as its words."""
    words: dict[str, int] = {}
    arcs: dict[tuple[int, int], int] = {}
    finals = []
    states = 1
    for phrase in phrases:
        state = 0
        for text in phrase:
            word = words.setdefault(text, len(words))
            following = arcs.setdefault((state, word), states)
            states += following == states
            state = following
        finals.append(state)
    leaving = np.array([*arcs], np.int64).reshape(-1, 2)
    final = np.full(states, -np.inf)
    final[finals] = 0.0
    return WordGraph(
        words=[*words],
        spoken_as=[*words],
        source=leaving[:, 0].copy(),
        target=np.array([*arcs.values()], np.int64),
        word=leaving[:, 1].copy(),
        weight=np.zeros(len(arcs)),
        final=final,
    )
