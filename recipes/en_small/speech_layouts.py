"""Where the repositories of ``speech_sources.py`` keep texts and speakers of their recordings."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["Clip", "Layout", "Read"]

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
        texts: what may have been said; empty where the repository has no text.
        speaker: its speaker in the repository, or empty.
        sure: whether the first text was said. If not, a teacher's text selects one of them.
    """

    blob: str
    texts: tuple[str, ...]
    speaker: str = ""
    sure: bool = True


Layout = Callable[[Sequence[str], Read], Iterator[Clip]]
"""Yields the clips among the paths of the recordings."""


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


def _read_number(number: str) -> list[str]:
    """Return the readings of a number digit by digit, and by hundreds and tens."""
    options = list(dict.fromkeys(_read_digits(number)))
    if len(number) in (2, 3, 4) and number[0] != "0":
        head = number[:-2]
        lead = [] if not head else [DIGITS[int(head)] if len(head) == 1 else _two_digits(head)]
        if number[1:] == "000":
            options.append(f"{DIGITS[int(number[0])]} thousand")
        else:
            end = "hundred" if head and number.endswith("00") else _two_digits(number[-2:])
            options.append(" ".join([*lead, end]))
    return options


def _read_address(address: str) -> Iterator[str]:
    """Yield the readings of an address: numbers digit by digit, or by hundreds and tens."""
    parts = re.findall(r"\d+|[^\W\d]+", address.lower())
    readings = []
    for part in parts:
        if not part.isdecimal():
            readings.append([part])
            continue
        readings.append(_read_number(part))
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


NOT_SPOKEN = re.compile(r"[\[<({*#@%/]|\d'|[a-zA-Z]\.\d|(?<!\d)(?![1-9]00(?!\d))\d{3}")
"""Marks remarks, noises, and what could be read in several ways, as numbers of three digits.

A teacher cannot tell the readings of a number that it writes in digits.
"""


def read_asterisk(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """Asterisk: two lists of prompts, ``name: text``; some names are in both."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for part in ("core", "extra"):
        name = ""
        for line in read(f"en/{part}-sounds-en.txt").splitlines():
            if found := re.match(r"([^\s;]+?)(?:\.wav)?:(.*)", line):
                name = found[1]
                texts[name].append(found[2].strip())
            elif line.strip() and not line.startswith(";"):
                texts[name].append("[continued]")
    for path in paths:
        name = path.removeprefix("en/").removesuffix(".wav")
        found_texts = {text.lower().rstrip("."): text for text in texts.get(name, ())}
        spoken = all(text and not NOT_SPOKEN.search(text) for text in found_texts)
        if found_texts and spoken and not name.startswith("silence/"):
            readings = tuple(found_texts.values())
            yield Clip(path, readings, "allison", sure=len(readings) == 1)


def read_joanne(paths: Sequence[str], read: Read) -> Iterator[Clip]:
    """Prompts of a remote control: a table with a column for each version of its software."""
    for row in _rows(read("contents.csv"), ","):
        path = "en" + row["OpenTX 2.3"].replace("\\", "/")
        text = row["spoken"]
        if path in paths and "sound!" not in text and not NOT_SPOKEN.search(text):
            yield Clip(path, (text,), "joanne")


def read_librispeech(paths: Sequence[str], _read: Read) -> Iterator[Clip]:
    """LibriSpeech: named by speaker, chapter and utterance, without texts."""
    for path in paths:
        yield Clip(path, (), PurePosixPath(path).stem.split("-")[0], sure=False)
