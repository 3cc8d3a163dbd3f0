"""The repositories that ``collect_speech.py`` takes recordings from, and where their texts are."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["SOURCES", "Clip", "Read", "Source"]

Read = Callable[[str], str]
"""Returns a text file of the repository."""

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TENS = ("ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording.

    Attributes:
        blob: its path in the repository.
        texts: what may have been said.
        speaker: its speaker in the repository, or empty.
        sure: whether the first text was said. If not, a teacher's text selects one of them.
    """

    blob: str
    texts: tuple[str, ...]
    speaker: str = ""
    sure: bool = True


Layout = Callable[[Sequence[str], Read], Iterator[Clip]]
"""Yields the clips among the paths of the recordings."""


@dataclass(frozen=True, slots=True)
class Source:
    """A repository with recordings.

    Attributes:
        repository: ``owner/name``.
        commit: the commit the list was made from.
        pattern: matches the paths of the recordings.
        layout: finds their texts and speakers.
        limit: number of clips to take of each text, spread over the repository; 0 takes all.
    """

    repository: str
    commit: str
    pattern: str
    layout: Layout
    limit: int = 0


def _rows(text: str, delimiter: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(text.splitlines(), delimiter=delimiter)


def read_grid(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """GRID: videos beside word alignments (begin, end, word)."""
    for path in paths:
        speaker, stem = PurePosixPath(path).parts[-2], PurePosixPath(path).stem
        words = [
            fields[2]
            for line in read(f"data/alignments/{speaker}/{stem}.align").splitlines()
            if len(fields := line.split()) == 3
        ]
        yield Clip(path, (" ".join(word for word in words if word not in ("sil", "sp")),), speaker)


def name_of_folder(paths: Sequence[str], _read: Read) -> Iterator[Clip]:
    """One folder for each word or phrase."""
    for path in paths:
        text = PurePosixPath(path).parts[-2].replace("_", " ")
        yield Clip(path, (text,), _speaker_of(PurePosixPath(path).stem))


def _speaker_of(stem: str) -> str:
    """Return the speaker in a name of Speech Commands or AudioMNIST."""
    found = re.fullmatch(r"([0-9a-f]{8})_nohash_\d+|\d_(\d\d)_\d+", stem)
    return "" if found is None else found[1] or found[2]


def name_of_file(paths: Sequence[str], _read: Read) -> Iterator[Clip]:
    """The file is named as its word."""
    for path in paths:
        yield Clip(path, (PurePosixPath(path).stem.replace("_", " "),))


def read_common_voice_1(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """Common Voice 1: a table beside the folder."""
    texts = {row["filename"]: row["text"] for row in _rows(read("cv-valid-test.csv"), ",")}
    for path in paths:
        name = "/".join(PurePosixPath(path).parts[-2:])
        if name in texts:
            yield Clip(path, (texts[name],))


def read_alphanumeric(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """Names, telephone numbers and addresses, read as one likes."""
    for row in _rows(read("metadata.csv"), ","):
        folder = PurePosixPath(row["file_name"]).parts[-2]
        if row["file_name"] not in paths:
            continue
        if folder == "Names":
            name = row["Name"].strip().lower()
            spelled = " ".join(name.replace(" ", ""))
            texts: tuple[str, ...] = (spelled, name, f"{name} {spelled}")
        elif folder == "Numbers":
            texts = tuple(_read_digits(re.sub(r"\D", "", row["Number"])))
        else:
            texts = tuple(_read_address(row["Address"]))
        yield Clip(row["file_name"], texts, row["Response_ID"], sure=False)


def _read_digits(number: str) -> Iterator[str]:
    for zero in ("zero", "oh"):
        yield " ".join(DIGITS[int(digit)] if digit != "0" else zero for digit in number)


def _two_digits(number: str) -> str:
    tens, ones = int(number[0]), int(number[1])
    if tens == 1:
        return TEENS[ones]
    first = TENS[tens - 1] if tens else "oh"
    return first if not ones and tens else f"{first} {DIGITS[ones]}"


def _read_address(address: str) -> Iterator[str]:
    """Yield the readings of an address: numbers digit by digit, or by hundreds and tens."""
    parts = re.findall(r"\d+|[^\W\d]+", address.lower())
    readings = []
    for part in parts:
        if not part.isdecimal():
            readings.append([part])
            continue
        options = list(dict.fromkeys(_read_digits(part)))
        if len(part) in (2, 3, 4) and part[0] != "0":
            head = part[:-2]
            lead = [] if not head else [DIGITS[int(head)] if len(head) == 1 else _two_digits(head)]
            options.append(" ".join([*lead, _two_digits(part[-2:])]))
        readings.append(options)
    for words in itertools.islice(itertools.product(*readings), 200):
        yield " ".join(words)


REQUESTS = (
    *("", "brew", "can i get", "can i have", "i want", "get me"),
    *("give me", "i'd like", "make me", "may i have", "could i get", "could i have"),
)


def read_coffee(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """Orders of coffee, labelled with their slots; the grammar is that of the repository."""
    labels = json.loads(read("data/label/label.json"))
    for path in paths:
        label = labels.get(PurePosixPath(path).name, {})
        slots = {key: value.strip() for key, value in label.get("slots", {}).items()}
        if "coffeeDrink" in slots:
            yield Clip(path, tuple(_orders(slots)), sure=False)


def _orders(slots: Mapping[str, str]) -> Iterator[str]:
    before = [slots[name] for name in ("size", "roast", "numberOfShots") if name in slots]
    after = [slots[name] for name in ("milkAmount", "sugarAmount") if name in slots]
    for request, article in itertools.product(REQUESTS, ("", "a", "an")):
        for qualities in itertools.permutations(before):
            for additions in itertools.permutations(after):
                words = (request, article, *qualities, slots["coffeeDrink"])
                ending = f" with {' and '.join(additions)}" if additions else ""
                yield " ".join(filter(None, words)) + ending


def read_community_words(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """Words and phrases of Precise Community Data, in a table without a header."""
    lines = csv.reader(read("not-wake-words/en/metadata.csv").splitlines())
    texts = {row[0]: row[1] for row in lines if len(row) > 1 and row[1].strip()}
    for path in paths:
        name = PurePosixPath(path).name
        if name in texts:
            yield Clip(path, (texts[name],))


def read_vctk_copy(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """VCTK: a text file for each recording."""
    for path in paths:
        speaker, name = PurePosixPath(path).parts[-2:]
        text = read(f"data/VCTK-Corpus/txt/{speaker}/{PurePosixPath(name).stem}.txt")
        yield Clip(path, (" ".join(text.split()),), speaker)


SOURCES = {
    "grid-s1": Source(
        "TVR28/LipNet",
        "7cdd534",
        r"^data/s1/.*\.mpg$",
        read_grid,
    ),
    "coffee-orders": Source(
        "Picovoice/speech-to-intent-benchmark",
        "47b1ca6",
        r"^data/speech/clean/.*\.wav$",
        read_coffee,
    ),
    "alphanumeric": Source(
        "Sakshee5/alphanumeric-audio-dataset",
        "6c9a38e",
        r"^audio_data/.*\.wav$",
        read_alphanumeric,
    ),
    "vctk-p239": Source(
        "avgaydashenko/speech-recognition-hw",
        "68ae13611fe455889a813d130847129024c44f2b",
        r"^data/VCTK-Corpus/wav48/.*\.wav$",
        read_vctk_copy,
    ),
    "wake-words": Source(
        "Picovoice/wake-word-benchmark",
        "8491919",
        r"^audio/(computer|jarvis|smart mirror|snowboy|view glass)/.*\.wav$",
        name_of_folder,
        limit=60,
    ),
    "community-wake-words": Source(
        "OpenVoiceOS/ovos-ww-community-dataset",
        "914a793",
        r"^wake-words/en/.*\.wav$",
        name_of_folder,
        limit=40,
    ),
    "community-words": Source(
        "OpenVoiceOS/ovos-ww-community-dataset",
        "914a793",
        r"^not-wake-words/en/.*\.wav$",
        read_community_words,
    ),
    "audiomnist-part": Source(
        "epljakic/Spoken-Digit-Recognition",
        "edd1f29",
        r"^(zero|one|two|three)/.*\.wav$",
        name_of_folder,
    ),
    "speech-commands-part": Source(
        "vinsis/speech-commands-recognition",
        "53317d5",
        r"^speech_commands_v0.01/[a-z]+/.*\.wav$",
        name_of_folder,
    ),
    "gcompris-words": Source(
        "gcompris/GCompris-voices",
        "c0e8a743b7b4633af06b8dc15bc2b397e456dd6f",
        r"^en/words/[a-z_]+\.ogg$",
        name_of_file,
    ),
    "commonvoice-1-test": Source(
        "Venkateshbhakthavat/Project-Discussion",
        "79e7b2c9a86d7c3c8aeeb12d5335661b4a848d4f",
        r"cv-valid-test/.*\.mp3$",
        read_common_voice_1,
    ),
}
"""README.md has their licences."""
