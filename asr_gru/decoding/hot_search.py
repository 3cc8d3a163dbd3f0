"""Adds a list of hot words, with their pronunciations, to a word search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from asr_gru.decoding.hot_words import HotWords, Phrase
from asr_gru.decoding.tree_search import TreeSearch
from asr_gru.errors import ConfigError

if TYPE_CHECKING:
    from asr_gru.language import HotWord, WordPronunciations

__all__ = ["CAUTION", "hot_word_search", "own_pronunciations"]

CAUTION = 0.25
"""Part of a phrase's acoustic shortfall that is taken off its weight. Chosen on ``dev`` with
``benchmarks/accuracy/hot_words.py``."""

Pronunciations = tuple[tuple[int, ...], ...]


def hot_word_search(
    search: TreeSearch,
    hot_words: Sequence[HotWord],
    split: Callable[[str], list[str]],
    *,
    pronunciations: WordPronunciations,
    max_unknown: int | None = None,
) -> TreeSearch:
    """Return a copy of a word search with these hot words.

    Args:
        search: the word search; hot words that it has are replaced.
        hot_words: the hot words; the largest weight of a phrase that is given several times.
        split: splits a phrase into normalised words.
        pronunciations: source of pronunciations for words that the search lacks.
        max_unknown: maximum number of such words; None for no limit.

    Raises:
        ConfigError: a phrase has no words, phones are given for a phrase of several words or are
            unknown, or a word has no pronunciation.
    """
    from asr_gru.language.hot_words import default_weight

    weights: dict[tuple[str, ...], list[float | None]] = {}
    given: dict[str, list[tuple[int, ...]]] = {}
    for one in hot_words:
        words = split(one.phrase)
        if not words:
            raise ConfigError(f"hot word {one.phrase!r} has no words; leave it out")
        if one.phones:
            if len(words) > 1:
                raise ConfigError(
                    f"hot word {one.phrase!r} has {len(words)} words; give phones for single words"
                )
            given.setdefault(words[0], []).append(pronunciations.token_ids(one.phones, words[0]))
        weights.setdefault(tuple(words), []).append(one.weight)
    distinct = dict.fromkeys(word for words in weights for word in words)
    unknown = [word for word in distinct if word not in search.numbers and word not in given]
    added: dict[str, Pronunciations] = {word: tuple(ways) for word, ways in given.items()}
    if unknown:
        found = pronunciations.look_up(unknown, max_unknown)
        starts, tokens = found.starts.tolist(), tuple(found.tokens.tolist())
        for index, word in enumerate(unknown):
            first, stop = found.first[index : index + 2].tolist()
            added[word] = tuple(tokens[starts[i] : starts[i + 1]] for i in range(first, stop))
    numbers = dict(search.numbers)
    extra: list[str] = []
    for word in added:
        if word not in numbers:
            numbers[word] = len(search.words) + len(extra)
            extra.append(word)
    by_number = {numbers[word]: ways for word, ways in added.items()}
    weighted: list[Phrase] = []
    for phrase, given_weights in weights.items():
        word_numbers = tuple([numbers[word] for word in phrase])
        phones = sum(_shortest(search, by_number, word) for word in word_numbers)
        weight = max(default_weight(phones) if w is None else w for w in given_weights)
        if weight:
            weighted.append((word_numbers, weight))
    return search.with_hot_words(
        HotWords(
            tuple(weighted), len(search.words), by_number, tuple(extra), CAUTION, tuple(hot_words)
        )
    )


def _shortest(search: TreeSearch, added: Mapping[int, Pronunciations], word: int) -> int:
    """Return the number of phones of the shortest pronunciation of a word."""
    lengths = [len(way) for way in added.get(word, ())]
    if word < len(search.words) and search.shortest[word]:
        lengths.append(int(search.shortest[word]))
    return min(lengths)


def own_pronunciations(search: TreeSearch, symbols: Sequence[str]) -> dict[str, list[str]]:
    """Return the pronunciations of a search's hot words that are not from its lexicon."""
    if search.hot is None:
        return {}
    return {
        search.spelling(word): [" ".join([symbols[token] for token in way]) for way in ways]
        for word, ways in search.hot.pronunciations.items()
    }
