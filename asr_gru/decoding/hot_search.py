"""A search for words with a list of hot words: which words those are, and how they sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from asr_gru.decoding.hot_words import HotWords, Phrase
from asr_gru.decoding.tree_search import TreeSearch
from asr_gru.errors import ConfigError

if TYPE_CHECKING:
    from asr_gru.language import HotWord, WordPronunciations

__all__ = ["hot_word_search", "own_pronunciations"]

Ways = tuple[tuple[int, ...], ...]


def hot_word_search(
    search: TreeSearch,
    listed: Sequence[HotWord],
    split: Callable[[str], list[str]],
    *,
    sounds: WordPronunciations,
    max_unknown: int | None = None,
) -> TreeSearch:
    """Return a search over the same words and those of the list, which earn their weights.

    Args:
        search: for words; hot words that it has are replaced.
        listed: the hot words.
        split: returns the words of a phrase as the search writes them.
        sounds: finds how the words are pronounced that the search lacks.
        max_unknown: how many of these there may be; None sets no limit.

    Raises:
        ConfigError: a phrase without words, phones for several words or unknown ones, a word that
            cannot be pronounced.
    """
    phrases: list[tuple[list[str], float]] = []
    given: dict[str, list[tuple[int, ...]]] = {}
    for one in listed:
        words = split(one.phrase)
        if not words:
            raise ConfigError(f"hot word {one.phrase!r} has no words; leave it out")
        if one.phones:
            if len(words) > 1:
                raise ConfigError(
                    f"hot word {one.phrase!r} has {len(words)} words; give phones for single words"
                )
            given.setdefault(words[0], []).append(sounds.known(one.phones, words[0]))
        phrases.append((words, one.weight))
    every = dict.fromkeys(word for words, _ in phrases for word in words)
    unknown = [word for word in every if word not in search.numbers and word not in given]
    spoken: dict[str, Ways] = {word: tuple(ways) for word, ways in given.items()}
    if unknown:
        found = sounds.spoken(unknown, max_unknown)
        starts, tokens = found.starts.tolist(), tuple(found.tokens.tolist())
        for place, word in enumerate(unknown):
            first, behind = found.first[place : place + 2].tolist()
            spoken[word] = tuple(tokens[starts[i] : starts[i + 1]] for i in range(first, behind))
    numbers = dict(search.numbers)
    extra: list[str] = []
    for word in spoken:
        if word not in numbers:
            numbers[word] = len(search.words) + len(extra)
            extra.append(word)
    earning: list[Phrase] = [
        (tuple([numbers[word] for word in words]), weight) for words, weight in phrases if weight
    ]
    own = {numbers[word]: ways for word, ways in spoken.items()}
    return search.with_hot_words(HotWords(tuple(earning), len(search.words), own, tuple(extra)))


def own_pronunciations(search: TreeSearch, symbols: Sequence[str]) -> dict[str, list[str]]:
    """Return the pronunciations of a search's hot words that are not from its lexicon."""
    if search.hot is None:
        return {}
    return {
        search.spelling(word): [" ".join([symbols[token] for token in way]) for way in ways]
        for word, ways in search.hot.spoken.items()
    }
