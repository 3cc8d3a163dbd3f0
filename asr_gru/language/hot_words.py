"""Parse hot words: phrases, each with an optional weight and optional phones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from asr_gru.errors import ConfigError, is_real

__all__ = ["HotWord", "HotWordsLike", "default_weight", "parse_hot_words"]

HotWordsLike = Mapping[str, float] | Mapping[str, float | None] | Iterable[str]
"""Weights by phrase, None for the default, or lines; see ``parse_hot_words``."""

NATS_PER_PHONE, FREE_PHONES, MAX_DEFAULT_WEIGHT = 1.2, 2, 9.0
"""Chosen on ``dev`` with ``benchmarks/accuracy/hot_words.py``; better than equal weights, because
other speech is easily mistaken for a short word."""
MAX_WEIGHT = 20.0
MAX_HOT_WORDS = 5_000
MAX_CHARACTERS = 100
"""Characters."""
MAX_PHONES = 60


@dataclass(frozen=True, slots=True)
class HotWord:
    """A word or phrase that is more likely to be spoken than the language model expects.

    Attributes:
        phrase: as given.
        weight: score added where the phrase is recognised, in nats; 0 only adds its pronunciation,
            None is that of ``default_weight``.
        phones: pronunciation of a single word; empty to look it up or predict it.
    """

    phrase: str
    weight: float | None = None
    phones: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The phrase and its phones, as ``parse_hot_words`` reads them."""
        return f"{self.phrase}: {' '.join(self.phones)}" if self.phones else self.phrase


def parse_hot_words(given: HotWordsLike) -> tuple[HotWord, ...]:
    """Parse hot words given by a program or a file.

    Args:
        given: weights by phrase, or lines of a phrase and an optional ``= WEIGHT``. Phrases
            without a weight get that of ``default_weight``. The phones of a single word can follow
            it after a colon; of several lines for a phrase, the largest weight counts::

                Kubernetes
                Frau Öztürk = 8
                Öztürk: EH Z T ER K
                Siobhan: SH AH V AO N = 4

    Raises:
        ConfigError: not a list, a weight that is not a number from 0 to 20, an empty line, or
            phrases that are too many or too long.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigError(f"hot_words is {str(given)[:40]!r}; give a list, or weights by phrase")
    found = []
    for number, line in enumerate(islice(given, MAX_HOT_WORDS + 1), 1):
        if number > MAX_HOT_WORDS:
            raise ConfigError(f"more than {MAX_HOT_WORDS} hot words; leave some out")
        if not isinstance(line, str):
            raise ConfigError(f"hot word {number} is {str(line)[:40]!r}; give text")
        text, weight = line, given[line] if isinstance(given, Mapping) else None
        if not isinstance(given, Mapping) and "=" in line:
            text, _, written = line.rpartition("=")
            weight = _number(written, number, line)
        text, colon, phones = text.partition(":")
        text = text.strip()
        name = f"hot word {number} ({_short(line)})"
        if not text or (colon and not phones.strip()):
            raise ConfigError(f"{name} has no {'phones' if text else 'words'}; leave it out")
        if len(text) > MAX_CHARACTERS:
            raise ConfigError(f"{name} has {len(text)} characters; give at most {MAX_CHARACTERS}")
        if weight is not None:
            weight = _checked(weight, name)
        spoken = tuple(phones.split())
        if len(spoken) > MAX_PHONES:
            raise ConfigError(f"{name} has {len(spoken)} phones; give at most {MAX_PHONES}")
        found.append(HotWord(text, weight, spoken))
    return tuple(found)


def default_weight(phones: int) -> float:
    """Return the default weight of a phrase: 1.2 nats per phone after the second, at most 9.

    Args:
        phones: number of phones of its shortest pronunciation.
    """
    return min(MAX_DEFAULT_WEIGHT, NATS_PER_PHONE * max(0, phones - FREE_PHONES))


def _checked(weight: object, name: str) -> float:
    if not is_real(weight):
        raise ConfigError(f"{name}: weight {str(weight)[:40]!r} is not a number")
    number = float(weight)
    if not math.isfinite(number) or not 0 <= number <= MAX_WEIGHT:
        raise ConfigError(f"{name}: weight {weight}; give 0 to {MAX_WEIGHT:g}")
    return number


def _number(text: str, number: int, line: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"hot word {number} ({_short(line)}): weight {text.strip()[:40]!r} is not a number"
        ) from None


def _short(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:20]} ...")
