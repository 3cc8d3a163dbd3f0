"""Grapheme-to-phoneme conversion: predicts pronunciations of words that no dictionary has.

A joint-sequence model (Bisani and Ney 2008): a word and its pronunciation are a sequence of
graphones such as ``ch:CH`` or ``x:K_S``, scored by an n-gram model (interpolated modified
Kneser-Ney). A beam search over the graphone sequences of a word finds its likeliest
pronunciations.
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
"""Hypotheses this many nats below the best are pruned."""
MAX_FILE_BYTES = 1 << 25
MIN_COUNT = 3
"""Rarer graphones are considered errors in the dictionary."""


@dataclass(slots=True)
class _Beam:
    """Hypotheses for a prefix of a word: n-gram states, log-probabilities, graphones."""

    states: list[int]
    scores: list[float]
    paths: list[tuple[int, ...]]


class GraphemeToPhoneme:
    """Predicts pronunciations from spelling.

    Attributes:
        model: n-gram model of graphones.
        letters: letters that words can contain.
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
                raise ModelError(f"{name}: {graphone!r} is not a graphone; give another model")
            self._graphones[letters].append(place)
            self._phones[place] = tuple(phones.split("_")) if phones else ()
        self._longest = max(map(len, self._graphones), default=0)
        self.letters = frozenset("".join(self._graphones))

    @classmethod
    def load(cls, path: str | Path) -> GraphemeToPhoneme:
        """Load a model, which is compressed if its name ends in ``.xz``.

        Raises:
            ModelError: the file cannot be read, is damaged, or is not a grapheme-to-phoneme model.
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
            raise ModelError(f"{path}: truncated or damaged; write it again") from None
        if len(data) > MAX_FILE_BYTES:
            raise ModelError(f"{path}: too large for a grapheme-to-phoneme model")
        return cls(LanguageModel.from_bytes(data, str(path)), str(path))

    def save(self, path: str | Path) -> None:
        """Write the model, compressed if the name ends in ``.xz``."""
        data = self.model.to_bytes(links=False)
        write_bytes(path, lzma.compress(data, preset=9) if Path(path).suffix == ".xz" else data)

    def pronounce(self, word: str, n: int = 1) -> list[tuple[tuple[str, ...], float]]:
        """Return the likeliest pronunciations of a word; see ``pronounce_all``."""
        return self.pronounce_all([word], n)[0]

    def pronounce_all(
        self, words: Sequence[str], n: int = 1
    ) -> list[list[tuple[tuple[str, ...], float]]]:
        """Return the likeliest pronunciations of each word.

        Args:
            words: words in lower case.
            n: maximum number of pronunciations per word.

        Returns:
            Phones and their probability within the beam, best first; empty if no graphones match.

        Raises:
            DataError: a character is not a letter of the model.
        """
        for word in words:
            unknown = sorted(set(word) - self.letters)
            if unknown or not word:
                shown = " ".join(map(repr, unknown)) or "no letters"
                raise DataError(
                    f"{word!r} cannot be pronounced: {shown}; write it with letters, or give its "
                    "phones in a lexicon"
                )
        found = self._search(words)
        return [self._best(beam, n) for beam in found]

    def _search(self, words: Sequence[str]) -> list[_Beam]:
        """Return the hypotheses for each word, including the end-of-word probability."""
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
                beam[place] = self._prune(beam[place])
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
        """Extend all hypotheses of each source by a graphone, in one call of the model."""
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

    def _prune(self, beam: _Beam) -> _Beam:
        """Prune to the beam width and margin."""
        if not beam.scores:
            return beam
        least = max(beam.scores) - MARGIN
        kept = heapq.nlargest(BEAM, range(len(beam.scores)), key=beam.scores.__getitem__)
        kept = [i for i in kept if beam.scores[i] >= least]
        return _Beam(
            [beam.states[i] for i in kept],
            [beam.scores[i] for i in kept],
            [beam.paths[i] for i in kept],
        )

    def _best(self, beam: _Beam, n: int) -> list[tuple[tuple[str, ...], float]]:
        """Return the best pronunciations; probabilities of equal phones are added."""
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
    """Train a grapheme-to-phoneme model on a dictionary.

    Args:
        entries: words in lower case, and their pronunciations.
        order: order of the n-gram model.
        size: maximum bytes of the packed n-grams; None disables pruning.
        on_progress: called with a line of text after each step.

    Raises:
        DataError: no entry can be used.
        ConfigError: the order is too high for the number of graphones.
    """
    listed = list(dict.fromkeys(entries))
    for word, phones in listed:
        if any(mark in f"{word} {' '.join(phones)}" for mark in ":_"):
            raise DataError(f"{word!r}: ':' and '_' are reserved; leave it out")
    cuts = [_written(cut) for cut in align(listed)]
    counts: dict[str, int] = defaultdict(int)
    for cut in cuts:
        for graphone in cut:
            counts[graphone] += 1
    common = {graphone for graphone, count in counts.items() if count >= MIN_COUNT} or set(counts)
    lines = [" ".join(cut) for cut in cuts if cut and common.issuperset(cut)]
    on_progress(f"{len(common)} graphones, {len(lines)} of {len(listed)} entries")
    if not lines:
        raise DataError("no usable entries in the dictionary; give words with phones")
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
