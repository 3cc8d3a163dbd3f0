"""How well the places are found where a text and its recording differ.

python -m benchmarks.accuracy.alignment MANIFEST...

The utterances of a manifest are joined to one recording. Their text is aligned as it is, where
every word that is not found is a false alarm, and after words were put in, taken out and replaced,
one to six at a time, about every 25 words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr_gru import Alignment
from asr_gru.alignment import Aligner, AlignmentPenalties
from asr_gru.alignment.recording import hear
from asr_gru.data.audio import load_audio
from benchmarks._common import Table, load, make_parser, read_lists, reference, run

BETWEEN_S = 0.4
APART, LONGEST = 25, 6


class Damaged(NamedTuple):
    """A text with other words, and where each of the true ones went."""

    words: list[str]
    false: set[int]
    """Places in ``words`` that are not said."""
    left_out: list[tuple[int, int]]
    """Words before and after each place at which words of the recording are missing."""


def damage(words: Sequence[str], seed: int) -> Damaged:
    chance = random.Random(seed)
    result: list[str] = []
    false: set[int] = set()
    left_out: list[tuple[int, int]] = []
    at = 0
    while at < len(words):
        step = chance.randint(APART // 2, APART * 3 // 2)
        result += words[at : at + step]
        at += step
        if at >= len(words):
            break
        count = chance.randint(1, LONGEST)
        kind = chance.choice(["put in", "take out", "replace"])
        if kind != "put in":
            at += count
            left_out.append((len(result) - 1, len(result) + (count if kind == "replace" else 0)))
        if kind != "take out":
            start = chance.randrange(len(words) - count)
            false |= set(range(len(result), len(result) + count))
            result += words[start : start + count]
    return Damaged(result, false, left_out)


def found_places(alignment: Alignment, left_out: Sequence[tuple[int, int]]) -> int:
    """Return at how many of the places where words were taken out their speech is reported."""
    words = alignment.words
    found = 0
    for low, high in left_out:
        begin, end = words[max(low, 0)].start_s, words[min(high, len(words) - 1)].end_s
        found += any(
            mismatch.kind != "text" and mismatch.start_s < end and mismatch.end_s > begin
            for mismatch in alignment.mismatches
        )
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--penalties", type=float, nargs=3, help="extra, word, phone, in nats")
    options = parser.parse_args(argv)
    recognizer = load(options)
    rate = recognizer.info.sample_rate
    aligner = Aligner(
        recognizer.pipeline,
        recognizer.word_pronunciations(),
        "english",
        penalties=AlignmentPenalties(*options.penalties or ()),
    )
    table = Table(
        ("list", "<16"),
        ("words", "7d"),
        ("false %", "9.2f"),
        ("found %", "9.1f"),
        ("precise %", "11.1f"),
        ("extra %", "9.1f"),
    )
    for name, utterances in read_lists(options).items():
        parts: list[np.ndarray] = []
        words: list[str] = []
        for utterance in utterances:
            parts += [load_audio(utterance, rate), np.zeros(round(BETWEEN_S * rate))]
            words += reference(utterance).split()
        samples = np.concatenate(parts).astype(np.float32)
        rows, heard = hear(recognizer.pipeline, samples, rate)
        damaged = damage(words, 1)
        clean = aligner.align_rows(" ".join(words), rows, heard)
        harmed = aligner.align_rows(" ".join(damaged.words), rows, heard)
        flagged = {place for place, word in enumerate(harmed.words) if word.confidence == 0}
        right = len(flagged & damaged.false)
        table.row(
            name,
            len(words),
            100 * sum(word.confidence == 0 for word in clean.words) / len(words),
            100 * right / max(1, len(damaged.false)),
            100 * right / max(1, len(flagged)),
            100 * found_places(harmed, damaged.left_out) / max(1, len(damaged.left_out)),
        )


if __name__ == "__main__":
    run(main)
