"""Pronunciation lexicons for decoding: flat arrays in one memory-mapped file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from asr_gru.errors import DataError, ModelError
from asr_gru.language.arrays import Array, read_arrays, write_arrays
from asr_gru.language.dictionary import Entry, read_weighted
from asr_gru.language.ngrams import Ints
from asr_gru.language.packing import pack_words, unpack_words
from asr_gru.language.text_files import create_text

__all__ = ["Lexicon"]

KIND = "lexicon"
MAX_COUNT = 255
"""Maximum phones per pronunciation and pronunciations per word, which are stored in 8 bits."""
COST_STEP = 1.0 / 16.0
"""Resolution of stored log-probabilities in nats; the lowest is -255 steps."""


class Lexicon:
    """Words with one or more pronunciations each, in the order given.

    Attributes:
        phones: the phone inventory; pronunciations are indices into it.
        words: distinct words.
        spoken_words: index into ``words`` of each pronunciation, ascending, ``(n,)`` int64.
        starts: the phones of pronunciation ``i`` are ``units[starts[i]:starts[i + 1]]``,
            ``(n + 1,)`` int64.
        units: phones of all pronunciations, ``(starts[-1],)`` uint8 or uint16.
        log_probs: log-probability of each pronunciation, in nats, relative to the most probable one
            of its word, ``(n,)`` float64; 0 if unknown.
    """

    def __init__(self, meta: dict[str, Any], arrays: dict[str, Array], name: str) -> None:
        try:
            self.phones = tuple(str(phone) for phone in meta["phones"])
            self.words = unpack_words(arrays["words"])
            variants, lengths = arrays["variants"], arrays["lengths"]
            self.units = arrays["units"]
            costs = arrays.get("costs", np.zeros(len(lengths), np.uint8))
        except (KeyError, TypeError, UnicodeDecodeError):
            raise ModelError(f"{name}: damaged lexicon; write it again") from None
        typed = all(array.dtype == np.uint8 for array in (variants, lengths, costs))
        if (
            not typed
            or self.units.dtype not in (np.uint8, np.uint16)
            or variants.sum(dtype=np.int64) != len(lengths)  # before an array is made of them
        ):
            raise ModelError(f"{name}: damaged lexicon; write it again")
        self.spoken_words: Ints = np.repeat(np.arange(len(variants)), variants)
        self.starts: Ints = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        if not (
            len(self.words) == len(variants) == len(set(self.words))
            and len(lengths) == len(costs)
            and self.starts[-1] == len(self.units)
            and variants.min(initial=1) > 0 < lengths.min(initial=1)
            and int(self.units.max(initial=0)) < max(1, len(self.phones))
        ):
            raise ModelError(f"{name}: damaged lexicon; write it again")
        self.log_probs = -COST_STEP * costs.astype(np.float64)
        self._meta, self._arrays = meta, arrays

    @classmethod
    def build(
        cls,
        entries: Iterable[Entry],
        phones: Sequence[str],
        log_probs: Mapping[Entry, float] | None = None,
    ) -> Lexicon:
        """Build a lexicon; duplicate entries are dropped.

        Args:
            entries: pairs of a word and its phones.
            phones: the phone inventory, usually that of the acoustic model.
            log_probs: log-probabilities of entries in nats, 0 if missing; only differences between
                pronunciations of the same word matter.

        Raises:
            DataError: a phone that is not in the inventory, or a pronunciation that is empty or has
                more than 255 phones.
        """
        ids = {phone: index for index, phone in enumerate(phones)}
        collected: dict[str, dict[tuple[int, ...], None]] = {}
        for word, spoken in entries:
            unknown = [phone for phone in spoken if phone not in ids]
            if unknown:
                raise DataError(
                    f"{word!r}: phone {unknown[0]!r} is not among the {len(phones)} of the "
                    "lexicon; change the pronunciation"
                )
            if not 0 < len(spoken) <= MAX_COUNT or not word or "\n" in word:
                raise DataError(f"{word!r}: a word needs 1 to {MAX_COUNT} phones; change it")
            collected.setdefault(word, {})[tuple([ids[phone] for phone in spoken])] = None
        for word, found in collected.items():
            if len(found) > MAX_COUNT:
                raise DataError(f"{word!r}: more than {MAX_COUNT} pronunciations; leave some out")
        spoken_units = [units for found in collected.values() for units in found]
        unit_type = np.uint8 if len(phones) <= 1 << 8 else np.uint16
        arrays: dict[str, Array] = {
            "words": pack_words(collected),
            "variants": np.array([len(found) for found in collected.values()], np.uint8),
            "lengths": np.array([len(units) for units in spoken_units], np.uint8),
            "units": np.array([unit for units in spoken_units for unit in units], unit_type),
        }
        if log_probs and any(log_probs.values()):
            arrays["costs"] = _costs(collected, phones, log_probs)
        return cls({"phones": list(phones)}, arrays, "lexicon")

    @classmethod
    def of_letters(cls, words: Iterable[str], tokens: Sequence[str]) -> Lexicon:
        """Build a lexicon of spellings, for models of characters.

        Args:
            words: the words.
            tokens: tokens of the model, which are the inventory.

        Raises:
            DataError: words with characters that are not tokens.
        """
        entries, refused, known = [], {}, set(tokens)
        for word in words:
            unknown = sorted(set(word) - known)
            if unknown:
                refused[word] = unknown
            else:
                entries.append((word, tuple(word)))
        if refused:
            word, unknown = next(iter(refused.items()))
            others = f" and {len(refused) - 1} more words" if len(refused) > 1 else ""
            raise DataError(
                f"{word!r}{others}: no token for {' '.join(map(repr, unknown))}; leave the word "
                "out, or spell it with the model's characters"
            )
        return cls.build(entries, tokens)

    @classmethod
    def load(cls, path: str | Path) -> Lexicon:
        """Memory-map a file written by ``save``.

        Raises:
            ModelError: the file cannot be read, is truncated or damaged, or is not a lexicon.
        """
        meta, arrays = read_arrays(Path(path), KIND)
        return cls(meta, arrays, str(path))

    def save(self, path: str | Path) -> None:
        """Write the lexicon to a file."""
        write_arrays(Path(path), KIND, self._meta, self._arrays)

    @classmethod
    def read_text(cls, path: str | Path, phones: Sequence[str]) -> Lexicon:
        """Read a text dictionary; see ``dictionary.read_weighted``."""
        entries, log_probs = [], {}
        for word, spoken, probability in read_weighted(Path(path), phones):
            entries.append((word, spoken))
            if probability is not None:
                log_probs[word, spoken] = math.log(probability)
        return cls.build(entries, phones, log_probs)

    def write_text(self, path: str | Path) -> None:
        """Write a text dictionary, compressed if its name ends in ``.gz`` or ``.xz``.

        If log-probabilities are known, lines are ``WORD P PH ON ES`` as in Kaldi's
        ``lexiconp.txt``, with P relative to the most probable pronunciation of the word.
        """
        known = bool(self.log_probs.any())
        with create_text(Path(path)) as file:
            for (word, spoken), log_prob in zip(self.entries(), self.log_probs, strict=True):
                weight = f"{math.exp(log_prob):.3g}" if known else ""
                file.write(f"{word} {weight} {' '.join(spoken)}\n")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def places(self, words: Sequence[str]) -> Ints:
        """Return the index in ``self.words`` of each word, -1 for unknown words."""
        ids = self._ids
        return np.array([ids.get(word, -1) for word in words], np.int64)

    def pronunciations(self, word: str) -> list[tuple[int, ...]]:
        """Return the pronunciations of a word as indices into ``phones``; none if unknown."""
        index = self._ids.get(word)
        if index is None:
            return []
        first, end = np.searchsorted(self.spoken_words, [index, index + 1])
        return [
            tuple(self.units[self.starts[row] : self.starts[row + 1]].tolist())
            for row in range(first, end)
        ]

    def spoken(self, word: str) -> list[tuple[str, ...]]:
        """Return the pronunciations of a word as phones; none if unknown."""
        return [tuple([self.phones[unit] for unit in units]) for units in self.pronunciations(word)]

    def entry_log_probs(self) -> dict[Entry, float]:
        """Return the log-probabilities by entry, as for ``build``; empty if unknown."""
        if not self.log_probs.any():
            return {}
        return dict(zip(self.entries(), self.log_probs.tolist(), strict=True))

    def entries(self) -> Iterable[Entry]:
        """Yield each word with each of its pronunciations, as phones."""
        units = self.units.tolist()
        starts = self.starts.tolist()
        for row, index in enumerate(self.spoken_words.tolist()):
            phones = units[starts[row] : starts[row + 1]]
            yield self.words[index], tuple([self.phones[phone] for phone in phones])

    def token_ids(self, tokens: Sequence[str]) -> Ints:
        """Return the token id of each of ``phones``, ``(phones,)``; -1 for unused phones.

        Raises:
            ModelError: a phone that occurs in a pronunciation is not a token.
        """
        ids = {token: index for index, token in enumerate(tokens)}
        found = np.array([ids.get(phone, -1) for phone in self.phones], np.int64)
        used = np.bincount(self.units, minlength=len(self.phones)) > 0
        missing = [self.phones[index] for index in np.flatnonzero(used & (found < 0))]
        if missing:
            raise ModelError(
                f"the lexicon's phones {' '.join(missing[:8])}{' ...' if len(missing) > 8 else ''} "
                "are not among the model's tokens; build the lexicon for this model"
            )
        return found


def _costs(
    collected: Mapping[str, Mapping[tuple[int, ...], None]],
    phones: Sequence[str],
    log_probs: Mapping[Entry, float],
) -> Array:
    """Return the cost of each pronunciation relative to the best of its word, in steps."""
    costs: list[int] = []
    for word, found in collected.items():
        values = [
            log_probs.get((word, tuple([phones[unit] for unit in units])), 0.0) for units in found
        ]
        best = max(values)
        costs.extend(min(255, round((best - value) / COST_STEP)) for value in values)
    return np.array(costs, np.uint8)
