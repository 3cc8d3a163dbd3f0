"""Texts as phones, for models that write phones: the lexicon's, or those an alignment chose."""

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
from asr_gru.training.phones import PhoneTimes, read_phones

__all__ = ["SILENCE", "PhoneTexts", "Pronunciations", "load_pronunciations"]

SILENCE = frozenset({"SIL", "sil", "SP", "sp", "SPN", "spn"})
"""Names under which aligners write silence and noise; they are no phones of a text."""

MOST_SHOWN = 30


@dataclass(frozen=True, slots=True)
class PhoneTexts:
    """Utterances whose texts are phones between spaces.

    Attributes:
        utterances: as given; the text is empty where a word has no pronunciation.
        missing: utterances left out, by path, each with its first word without a pronunciation.
        words: words without a pronunciation, and how often each was said.
        guessed: words whose pronunciation follows from their letters.
    """

    utterances: list[Utterance]
    missing: dict[Path, str] = field(default_factory=dict)
    words: Counter[str] = field(default_factory=Counter)
    guessed: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[str]:
        """Return lines that name words without a pronunciation, and those with a guessed one."""
        lines = []
        if self.words:
            lines.append(f"no pronunciation, utterances left out: {_named(self.words)}")
        if self.guessed:
            lines.append(f"pronounced by their letters: {_named(self.guessed)}")
        return lines


class Pronunciations:
    """How words are said, and which way was chosen in recordings that have been aligned."""

    def __init__(self, pronouncer: Pronouncer, chosen: PhoneTimes | None = None) -> None:
        self.phones = pronouncer.dictionary.phones
        self._pronouncer = pronouncer
        self._known: dict[str, list[Pronunciation]] = {}
        self._chosen: dict[Path, tuple[str, ...]] = {}
        if chosen is not None:
            names = chosen.names
            for path, (ids, _) in chosen.spoken.items():
                said = tuple([names[i] for i in ids.tolist() if names[i] not in SILENCE])
                self._chosen[path] = said

    def ways(self, word: str) -> list[tuple[str, ...]]:
        """Return the pronunciations of a word, the commonest first, or an empty list."""
        self.look_up([word])
        return [way.phones for way in self._known[word]]

    def look_up(self, words: Iterable[str]) -> None:
        """Find the pronunciations of many words at once, which is faster than one by one."""
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        try:
            self._known.update(zip(new, self._pronouncer.pronounce_all(new), strict=True))
        except DataError:  # some cannot be pronounced: find out which
            for word in new:
                try:
                    self._known[word] = self._pronouncer.pronounce(word)
                except DataError:
                    self._known[word] = []

    def spell(self, utterances: Iterable[Utterance]) -> PhoneTexts:
        """Write texts as phones: the chosen ones, else the first pronunciation of each word."""
        texts = PhoneTexts([])
        listed = list(utterances)
        texts_to_say = [u.text.split() for u in listed if u.path not in self._chosen]
        self.look_up(word for words in texts_to_say for word in words)
        for utterance in listed:
            said = self._chosen.get(utterance.path)
            if said is None:
                words = utterance.text.split()
                ways = [self._known[word] for word in words]
                unknown = [word for word, way in zip(words, ways, strict=True) if not way]
                guessed = [w for w, way in zip(words, ways, strict=True) if _is_guess(way)]
                texts.words.update(unknown)
                texts.guessed.update(guessed)
                if unknown:
                    texts.missing[utterance.path] = unknown[0]
                    said = ()
                else:
                    said = tuple([phone for way in ways for phone in way[0].phones])
            texts.utterances.append(replace(utterance, text=" ".join(said)))
        return texts


def load_pronunciations(
    data: DataConfig, root: Path, phones: Sequence[str] = ENGLISH_PHONES
) -> Pronunciations:
    """Read the lexicon of ``data`` and, where there is one, the file of chosen phones.

    Without a lexicon it is the English one of the package. Words that are in neither dictionary
    nor rules are pronounced by their letters.

    Raises:
        DataError: a lexicon or file of phones that cannot be read.
    """
    pronouncer = load_english()
    if data.lexicon:
        pronouncer = Pronouncer(Lexicon.read_text(root / data.lexicon, phones), pronouncer.g2p)
    chosen = None
    if data.pronunciations:
        folders = {(root / name).parent for name in (*data.train, *data.validation)}
        chosen = read_phones(root / data.pronunciations, folders)
    return Pronunciations(pronouncer, chosen)


def _is_guess(ways: Sequence[Pronunciation]) -> bool:
    return bool(ways) and ways[0].kind == FROM_LETTERS


def _named(words: Counter[str]) -> str:
    shown = ", ".join(f"{word} ({count})" for word, count in words.most_common(MOST_SHOWN))
    more = len(words) - MOST_SHOWN
    return f"{shown} and {more} more words" if more > 0 else shown
