"""Converts training texts to phones, with pronunciations of the lexicon or of an alignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asr_gru.data.manifest import Utterance
from asr_gru.errors import DataError
from asr_gru.language import Lexicon
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.language.pronounce import FROM_LETTERS, Pronouncer, Pronunciation, load_english
from asr_gru.training.config import DataConfig
from asr_gru.training.phone_times import PhoneTimes, read_phone_times

__all__ = ["SILENCE", "PhoneTexts", "Pronunciations", "load_pronunciations"]

SILENCE = frozenset({"SIL", "sil", "SP", "sp", "SPN", "spn"})
"""Labels that aligners use for silence and noise, which are not part of a text."""

MAX_LISTED = 30


@dataclass(frozen=True, slots=True)
class PhoneTexts:
    """Utterances whose texts are phones separated by spaces.

    Attributes:
        utterances: in the order given; the text is empty where a word has no pronunciation.
        missing: first word without a pronunciation of each utterance that has one, by path.
        unpronounced: counts of words without a pronunciation.
        guessed: counts of words pronounced by the grapheme-to-phoneme model.
    """

    utterances: list[Utterance]
    missing: dict[Path, str] = field(default_factory=dict)
    unpronounced: Counter[str] = field(default_factory=Counter)
    guessed: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[str]:
        """Return log lines that list words without a pronunciation and words with a guessed one."""
        lines = []
        if self.unpronounced:
            lines.append(
                f"left out, words without a pronunciation: {_most_common(self.unpronounced)}"
            )
        if self.guessed:
            lines.append(f"words pronounced by their letters: {_most_common(self.guessed)}")
        return lines


class Pronunciations:
    """Pronunciations of words, and the variants spoken in recordings that have been aligned."""

    def __init__(self, pronouncer: Pronouncer, aligned: PhoneTimes | None = None) -> None:
        self.phones = pronouncer.dictionary.phones
        self._pronouncer = pronouncer
        self._cache: dict[str, list[Pronunciation]] = {}
        self._aligned: dict[Path, tuple[str, ...]] = {}
        if aligned is not None:
            names = aligned.names
            for path, (ids, _) in aligned.times.items():
                self._aligned[path] = tuple(
                    [names[i] for i in ids.tolist() if names[i] not in SILENCE]
                )

    def variants(self, word: str) -> list[tuple[str, ...]]:
        """Return the pronunciations of a word, the most common first; empty if there is none."""
        self.prefetch([word])
        return [variant.phones for variant in self._cache[word]]

    def prefetch(self, words: Iterable[str]) -> None:
        """Look up the pronunciations of many words at once, which is faster than one by one."""
        new = [word for word in dict.fromkeys(words) if word not in self._cache]
        try:
            self._cache.update(zip(new, self._pronouncer.pronounce_all(new), strict=True))
        except DataError:  # some cannot be pronounced: find out which
            for word in new:
                try:
                    self._cache[word] = self._pronouncer.pronounce(word)
                except DataError:
                    self._cache[word] = []

    def to_phones(self, utterances: Iterable[Utterance]) -> PhoneTexts:
        """Convert texts to phones: those of the alignment, else the first variant of each word."""
        texts = PhoneTexts([])
        utterances = list(utterances)
        unaligned = [u for u in utterances if u.absolute_key not in self._aligned]
        self.prefetch(word for u in unaligned for word in u.text.split())
        for utterance in utterances:
            phones = self._aligned.get(utterance.absolute_key)
            if phones is None:
                words = utterance.text.split()
                variants = [self._cache[word] for word in words]
                unknown = [word for word, way in zip(words, variants, strict=True) if not way]
                guessed = [w for w, way in zip(words, variants, strict=True) if _is_guess(way)]
                texts.unpronounced.update(unknown)
                texts.guessed.update(guessed)
                if unknown:
                    texts.missing[utterance.key] = unknown[0]
                    phones = ()
                else:
                    phones = tuple([phone for way in variants for phone in way[0].phones])
            texts.utterances.append(replace(utterance, text=" ".join(phones)))
        return texts


def load_pronunciations(
    data: DataConfig, root: Path, phones: Sequence[str] = ENGLISH_PHONES
) -> Pronunciations:
    """Load the lexicon of ``data`` (default: the English one) and its alignment, if any.

    Words that neither the dictionary nor the rules cover are pronounced by their letters.

    Raises:
        DataError: the lexicon or the alignment cannot be read.
    """
    pronouncer = load_english()
    if data.lexicon:
        pronouncer = Pronouncer(Lexicon.read_text(root / data.lexicon, phones), pronouncer.g2p)
    aligned = None
    if data.pronunciations:
        folders = {(root / name).parent for name in (*data.train, *data.validation)}
        aligned = read_phone_times(root / data.pronunciations, folders)
    return Pronunciations(pronouncer, aligned)


def _is_guess(variants: Sequence[Pronunciation]) -> bool:
    return bool(variants) and variants[0].kind == FROM_LETTERS


def _most_common(words: Counter[str]) -> str:
    listed = ", ".join(f"{word} ({count})" for word, count in words.most_common(MAX_LISTED))
    more = len(words) - MAX_LISTED
    return f"{listed} and {more} more words" if more > 0 else listed
