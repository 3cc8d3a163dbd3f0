"""Builds the tree search from tokens, a lexicon and a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.decoding.pronunciation_tree import build_tree, likeliest_first
from asr_gru.decoding.tree_search import TreeSearch
from asr_gru.decoding.tree_state import Ints
from asr_gru.errors import ModelError

if TYPE_CHECKING:
    from asr_gru.decoding.tree_parameters import TreeSearchParameters
    from asr_gru.language import LanguageModel, Lexicon

__all__ = ["word_search"]

SPACE = " "


def word_search(
    symbols: Sequence[str],
    lexicon: Lexicon,
    model: LanguageModel | None = None,
    *,
    parameters: TreeSearchParameters | None = None,
    spaced: bool = False,
) -> TreeSearch:
    """Build a word search.

    Args:
        symbols: the token of each column of the log-probabilities, the blank first.
        lexicon: the vocabulary with its pronunciations.
        model: the language model; None for equal probabilities of all words.
        parameters: see ``TreeSearchParameters``.
        spaced: whether a word may end with the token of the space, as in models of characters.

    Raises:
        ModelError: the lexicon has phones that the acoustic model lacks, or words that the
            language model lacks.
    """
    ids = lexicon.token_ids(symbols)
    word_ids = np.arange(len(lexicon.words))
    if model is not None:
        word_ids = model.ids(lexicon.words)
        doubtful = np.flatnonzero(word_ids == model.unk).tolist()
        unknown = [lexicon.words[i] for i in doubtful if lexicon.words[i] not in model]
        if unknown:
            more = f" and {len(unknown) - 1} more words" if len(unknown) > 1 else ""
            raise ModelError(
                "the language model was made for another vocabulary: it lacks "
                f"{unknown[0]!r}{more} of the lexicon; build both from one list of words"
            )
    phones, starts, log_probs = ids[lexicon.units], lexicon.starts, lexicon.log_probs
    word_of = word_ids[lexicon.spoken_words]
    if spaced:
        phones, starts = _with_spaces(phones, starts, symbols.index(SPACE))
        word_of, log_probs = np.tile(word_of, 2), np.tile(log_probs, 2)
    words = model.words if model is not None else lexicon.words
    tree = build_tree(word_of, phones, starts, log_probs=log_probs)
    if model is not None:
        tree = likeliest_first(tree, model.unigram_log_probs)
    return TreeSearch(tree, words, len(symbols), model=model, parameters=parameters)


def _with_spaces(phones: Ints, starts: Ints, space: int) -> tuple[Ints, Ints]:
    """Return all pronunciations, followed by all pronunciations with a space appended."""
    spaced = np.insert(phones, starts[1:], space)
    spaced_starts = starts[-1] + starts[1:] + np.arange(1, len(starts))
    return np.concatenate((phones, spaced)), np.concatenate((starts, spaced_starts))
