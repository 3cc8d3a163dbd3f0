"""Which words may follow which: the finite graph of a list of phrases or of a grammar."""

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
    """States joined by words; what leads from state 0 to a final one can be said.

    Attributes:
        words: the spelling of each word number.
        spoken_as: what stands for each in a lexicon; ``a.`` is the letter, for example.
        source: ``(arcs,)`` the state that an arc leaves.
        target: ``(arcs,)`` the state that it enters.
        word: ``(arcs,)`` its word.
        weight: ``(arcs,)`` its log-weight, in nats.
        final: ``(states,)`` log-weight of ending at a state; minus infinity where nothing ends.
    """

    words: Sequence[str]
    spoken_as: Sequence[str]
    source: Ints
    target: Ints
    word: Ints
    weight: Floats
    final: Floats


def phrase_graph(phrases: Iterable[Sequence[str]]) -> WordGraph:
    """Return the graph of a list of phrases, each given as its words; beginnings are shared."""
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
