"""Grapheme to phoneme: how a word that no dictionary has may be pronounced.

A joint-sequence model (Bisani and Ney 2008): letters and phones are written together as a
sequence of graphones, whose n-gram (interpolated modified Kneser-Ney) says which sequences are
likely. A beam search over the ways to write a word finds its likeliest pronunciations. The model
is a language model whose words are graphones, ``ch:CH`` or ``x:K_S``.
"""

from __future__ import annotations

import heapq
import lzma
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr_gru.errors import ConfigError, DataError, ModelError
from asr_gru.files import write_bytes
from asr_gru.language.backoff import key_bits, normalise, to_ngrams
from asr_gru.language.corpus import MARKS, Corpus
from asr_gru.language.dictionary import Entry
from asr_gru.language.graphones import Graphone, align
from asr_gru.language.interpolation import interpolate
from asr_gru.language.kneser_ney import kneser_ney
from asr_gru.language.ngram import LanguageModel
from asr_gru.language.packing import packed_bytes
from asr_gru.language.pruning import prune

__all__ = ["GraphemeToPhoneme", "train_g2p"]

BEAM = 24
MARGIN = 8.0
"""Nats behind the best at which a way to write a word is given up."""
MAX_FILE_BYTES = 1 << 25
RAREST = 3
"""Fewer occurrences of a graphone are taken for errors of the dictionary."""


@dataclass(slots=True)
class _Beam:
    """Ways to write the letters of one word so far: states, log-probabilities, graphones."""

    states: list[int]
    scores: list[float]
    paths: list[tuple[int, ...]]


class GraphemeToPhoneme:
    """Pronounces words by their letters.

    Attributes:
        model: the n-gram of graphones.
        letters: what words may be written with.
    """

    def __init__(self, model: LanguageModel, name: str = "model") -> None:
        self.model = model
        self._phones: list[tuple[str, ...]] = [()] * len(model.words)
        self._graphones: dict[str, list[int]] = defaultdict(list)
        for place, graphone in enumerate(model.words):
            if graphone in MARKS:
                continue
            letters, separator, phones = graphone.rpartition(":")
            if not separator or not letters:
                raise ModelError(f"{name}: {graphone!r} is no graphone; give a model of graphones")
            self._graphones[letters].append(place)
            self._phones[place] = tuple(phones.split("_")) if phones else ()
        self._longest = max(map(len, self._graphones), default=0)
        self.letters = frozenset("".join(self._graphones))

    @classmethod
    def load(cls, path: str | Path) -> GraphemeToPhoneme:
        """Read a model, compressed if its name ends in ``.xz``.

        Raises:
            ModelError: not there, damaged, or no model of graphones.
        """
        path = Path(path)
        if path.suffix != ".xz":
            return cls(LanguageModel.load(path), str(path))
        try:
            with lzma.open(path) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror or error}; give another model") from None
        except (EOFError, lzma.LZMAError):
            raise ModelError(f"{path}: cut or damaged; write it again") from None
        if len(data) > MAX_FILE_BYTES:
            raise ModelError(f"{path}: too large to be a model of graphones")
        return cls(LanguageModel.from_bytes(data, str(path)), str(path))

    def save(self, path: str | Path) -> None:
        """Write the model, compressed if the name ends in ``.xz``."""
        data = self.model.to_bytes(links=False)
        write_bytes(path, lzma.compress(data, preset=9) if Path(path).suffix == ".xz" else data)

    def pronounce(self, word: str, n: int = 1) -> list[tuple[tuple[str, ...], float]]:
        """Return the likeliest pronunciations of one word, as ``pronounce_all`` does."""
        return self.pronounce_all([word], n)[0]

    def pronounce_all(
        self, words: Sequence[str], n: int = 1
    ) -> list[list[tuple[tuple[str, ...], float]]]:
        """Return for each word its likeliest pronunciations with their probabilities.

        Args:
            words: in lower case.
            n: the most pronunciations for each.

        Returns:
            Phones and their share of the beam, best first; empty where the letters allow none.

        Raises:
            DataError: a character that is no letter of the model.
        """
        for word in words:
            unknown = sorted(set(word) - self.letters)
            if unknown or not word:
                shown = " ".join(map(repr, unknown)) or "no letters at all"
                raise DataError(
                    f"{word!r} cannot be pronounced: {shown}; write it with letters, or give its "
                    "phones in a lexicon"
                )
        found = self._search(words)
        return [self._best(beam, n) for beam in found]

    def _search(self, words: Sequence[str]) -> list[_Beam]:
        """Return the ways to write each whole word, with the end of the word."""
        start = self.model.start()
        beams = [
            [_Beam([start], [0.0], [()]), *(_Beam([], [], []) for _ in word)] for word in words
        ]
        for place in range(max(map(len, words), default=0)):
            here: list[_Beam] = []
            targets: list[_Beam] = []
            graphones: list[int] = []
            for word, beam in zip(words, beams, strict=True):
                if place >= len(word):
                    continue
                beam[place] = self._cut(beam[place])
                for length in range(1, min(self._longest, len(word) - place) + 1):
                    for graphone in self._graphones.get(word[place : place + length], ()):
                        here.append(beam[place])
                        targets.append(beam[place + length])
                        graphones.append(graphone)
            self._extend(here, targets, graphones)
        ends = [beam[-1] for beam in beams]
        states = [state for beam in ends for state in beam.states]
        log_probs = iter(self.model.end(np.array(states, np.int64)).tolist())
        return [
            _Beam(beam.states, [score + next(log_probs) for score in beam.scores], beam.paths)
            for beam in ends
        ]

    def _extend(
        self, sources: Sequence[_Beam], targets: Sequence[_Beam], graphones: Sequence[int]
    ) -> None:
        """Write a graphone after every way of its source, all in one question to the model."""
        states = [state for source in sources for state in source.states]
        sizes = [len(source.states) for source in sources]
        log_probs, following = self.model.score(
            np.array(states, np.int64), np.repeat(np.array(graphones, np.int64), sizes)
        )
        scored = zip(log_probs.tolist(), following.tolist(), strict=True)
        for source, target, graphone in zip(sources, targets, graphones, strict=True):
            for score, path in zip(source.scores, source.paths, strict=True):
                log_prob, state = next(scored)
                target.states.append(state)
                target.scores.append(score + log_prob)
                target.paths.append((*path, graphone))

    def _cut(self, beam: _Beam) -> _Beam:
        """Keep the best ways."""
        if not beam.scores:
            return beam
        least = max(beam.scores) - MARGIN
        kept = heapq.nlargest(BEAM, range(len(beam.scores)), key=beam.scores.__getitem__)
        kept = [way for way in kept if beam.scores[way] >= least]
        return _Beam(
            [beam.states[way] for way in kept],
            [beam.scores[way] for way in kept],
            [beam.paths[way] for way in kept],
        )

    def _best(self, beam: _Beam, n: int) -> list[tuple[tuple[str, ...], float]]:
        """Sum the ways that say the same phones."""
        shares: dict[tuple[str, ...], float] = defaultdict(float)
        best = max(beam.scores, default=0.0)
        for score, path in zip(beam.scores, beam.paths, strict=True):
            phones = tuple([phone for graphone in path for phone in self._phones[graphone]])
            if phones:
                shares[phones] += float(np.exp(score - best))
        total = sum(shares.values())
        ranked = heapq.nlargest(n, shares.items(), key=lambda pair: pair[1])
        return [(phones, share / total) for phones, share in ranked]


def train_g2p(
    entries: Iterable[Entry],
    order: int = 6,
    size: int | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> GraphemeToPhoneme:
    """Train a model of graphones on a dictionary.

    Args:
        entries: words and pronunciations; words in lower case.
        order: graphones of the longest n-grams.
        size: bytes that the packed n-grams may take; ``None`` keeps all.
        on_progress: told what was done, in a line.

    Raises:
        DataError: nothing to learn from.
        ConfigError: an order that does not fit the number of graphones.
    """
    listed = list(dict.fromkeys(entries))
    for word, phones in listed:
        if any(mark in f"{word} {' '.join(phones)}" for mark in ":_"):
            raise DataError(f"{word!r}: ':' and '_' have a meaning of their own; leave it out")
    cuts = [_written(cut) for cut in align(listed)]
    counts: dict[str, int] = defaultdict(int)
    for cut in cuts:
        for graphone in cut:
            counts[graphone] += 1
    common = {graphone for graphone, count in counts.items() if count >= RAREST} or set(counts)
    lines = [" ".join(cut) for cut in cuts if cut and common.issuperset(cut)]
    on_progress(f"{len(common)} graphones, {len(lines)} of {len(listed)} entries")
    if not lines:
        raise DataError("no entry of the dictionary can be learned from; give words with phones")
    corpus = Corpus()
    corpus.add(["\n".join(lines)], "dictionary")
    vocabulary = corpus.choose(len(common))
    try:
        bits = key_bits(len(vocabulary), order)
    except ConfigError as error:
        raise ConfigError(f"{len(common)} graphones: {error}") from None
    estimated = kneser_ney(corpus.texts[0], len(vocabulary), order, bits)
    model, contexts = interpolate([estimated], np.ones(1), np.inf)
    margins = normalise(model)
    on_progress(f"{' + '.join(map(str, (len(vocabulary), *map(len, model.keys))))} n-grams")
    if size is not None:
        counts_alone = (len(vocabulary), *[0] * (order - 1))
        if packed_bytes(len(vocabulary), counts_alone, links=False) > size:
            raise ConfigError(f"size {size} bytes is too small for the graphones; allow more")
        model = prune(model, margins, contexts, size, links=False)
    return GraphemeToPhoneme(LanguageModel.build(to_ngrams(model, vocabulary)))


def _written(cut: Sequence[Graphone]) -> list[str]:
    return [f"{letters}:{'_'.join(phones)}" for letters, phones in cut]
