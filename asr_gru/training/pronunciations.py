"""Texts as phones, for models that write phones: the lexicon's, or those an alignment chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asr_gru.data.manifest import Utterance
from asr_gru.errors import ConfigError
from asr_gru.language import Lexicon
from asr_gru.language.dictionary import ENGLISH_PHONES
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

    def __init__(self, lexicon: Lexicon, chosen: PhoneTimes | None = None) -> None:
        self.phones = lexicon.phones
        self._lexicon = lexicon
        self._chosen: dict[Path, tuple[str, ...]] = {}
        if chosen is not None:
            names = chosen.names
            for path, (ids, _) in chosen.spoken.items():
                said = tuple([names[i] for i in ids.tolist() if names[i] not in SILENCE])
                self._chosen[path] = said

    def ways(self, word: str) -> list[tuple[str, ...]]:
        """Return the pronunciations of a word, the commonest first, or an empty list."""
        phones = self._lexicon.phones
        return [
            tuple([phones[unit] for unit in units]) for units in self._lexicon.pronunciations(word)
        ]

    def spell(self, utterances: Iterable[Utterance]) -> PhoneTexts:
        """Write texts as phones: the chosen ones, else the first pronunciation of each word."""
        texts = PhoneTexts([])
        first: dict[str, tuple[str, ...]] = {}
        for utterance in utterances:
            said = self._chosen.get(utterance.path)
            if said is None:
                words = utterance.text.split()
                for word in words:
                    if word not in first:
                        first[word] = next(iter(self.ways(word)), ())
                unknown = [word for word in words if not first[word]]
                texts.words.update(unknown)
                if unknown:
                    texts.missing[utterance.path] = unknown[0]
                    said = ()
                else:
                    said = tuple([phone for word in words for phone in first[word]])
            texts.utterances.append(replace(utterance, text=" ".join(said)))
        return texts


def load_pronunciations(
    data: DataConfig, root: Path, phones: Sequence[str] = ENGLISH_PHONES
) -> Pronunciations:
    """Read the lexicon of ``data`` and, where there is one, the file of chosen phones.

    Raises:
        ConfigError: no lexicon given.
        DataError: a lexicon or file of phones that cannot be read.
    """
    if not data.lexicon:
        raise ConfigError(
            'data.tokens = "phones" needs data.lexicon: a dictionary such as cmudict.dict'
        )
    chosen = None
    if data.pronunciations:
        folders = {(root / name).parent for name in (*data.train, *data.validation)}
        chosen = read_phones(root / data.pronunciations, folders)
    return Pronunciations(Lexicon.read_text(root / data.lexicon, phones), chosen)


def _named(words: Counter[str]) -> str:
    shown = ", ".join(f"{word} ({count})" for word, count in words.most_common(MOST_SHOWN))
    more = len(words) - MOST_SHOWN
    return f"{shown} and {more} more words" if more > 0 else shown
