"""Phone error rate and cost of greedy decoding, and of the search with the phone trigram.

    OMP_NUM_THREADS=1 python -m benchmarks.accuracy.phones MANIFEST… --every 2

The acoustic model runs once and is not timed. The reference of a word is the pronunciation of the
lexicon that has the fewest errors; words that the lexicon lacks are pronounced by their letters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from asr_gru import Recognizer
from asr_gru.tuning import run_acoustic_model
from benchmarks._common import Table, load, make_parser, read_lists, run


def pronounced(recognizer: Recognizer, text: str) -> list[list[list[int]]]:
    """Return the tokens of each pronunciation of each word."""
    words = text.split()
    table = recognizer.word_pronunciations().look_up(words)
    return [
        [
            table.tokens[table.starts[way] : table.starts[way + 1]].tolist()
            for way in range(table.first[word], table.first[word + 1])
        ]
        for word in range(len(words))
    ]


def phone_errors(words: Sequence[Sequence[Sequence[int]]], found: Sequence[int]) -> tuple[int, int]:
    """Return the Levenshtein distance to the nearest pronunciations, and the phones of the first.

    A row of the table of distances is ``(found + 1,)``; the variants of a word begin with the same
    row, and the best of their last rows is the first of the next word.
    """
    place = np.arange(len(found) + 1)
    row, phones = place, 0
    for ways in words:
        ends = []
        for way in ways:
            end = row
            for phone in way:
                after = end + 1
                np.minimum(after[1:], end[:-1] + (np.array(found) != phone), out=after[1:])
                end = np.minimum.accumulate(after - place) + place
            ends.append(end)
        row, phones = np.minimum.reduce(ends), phones + len(ways[0])
    return int(row[-1]), phones


def main(argv: Sequence[str] | None = None) -> None:
    options = make_parser(__doc__, manifests=True, every=2).parse_args(argv)
    recognizer = load(options)
    lists = {
        name: [
            (pronounced(recognizer, one.text), one.log_probs)
            for one in run_acoustic_model(recognizer.acoustic, utterances)
        ]
        for name, utterances in read_lists(options).items()
    }
    frame_s = recognizer.acoustic.info.frame_s
    table = Table(("decoder", "<8"), *((name, "13.2f") for name in lists), ("RTF", "8.4f"))
    for name in ("greedy", "phones"):
        decoder = recognizer.decoder_for(name)
        rates, frames, spent = [], 0, 0.0
        for utterances in lists.values():
            wrong = phones = 0
            for words, log_probs in utterances:
                began = time.process_time()
                (state,) = decoder.advance([decoder.start()], [log_probs])
                tokens = decoder.best(decoder.finish(state))[0].tokens
                spent += time.process_time() - began
                errors, count = phone_errors(words, tokens)
                wrong, phones, frames = wrong + errors, phones + count, frames + len(log_probs)
            rates.append(100 * wrong / max(1, phones))
        table.row(name, *rates, spent / max(1e-9, frames * frame_s))


if __name__ == "__main__":
    run(main)
