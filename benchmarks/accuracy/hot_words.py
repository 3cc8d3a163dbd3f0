"""Rare words as hot words: recall, errors of the other words, and false alarms.

    OMP_NUM_THREADS=1 python -m benchmarks.accuracy.hot_words DATA/speech/dev-read.tsv …

The hot words of each list are its rarest words according to the language model, absent ones first,
and as many distractors, equally rare words that are not spoken. Recall is the ratio of rare words
that are recognised. The error rate of the rest covers all other words, and insertions of words that
are not hot. False alarms are recognised distractors per hour of audio, followed by rare words that
were recognised in place of other words. Time is that of the search, in processor seconds per second
of audio. Weight 0 is without hot words, and "default" gives each word the weight of
``language.default_weight``. ``--caution`` takes other ratios of the acoustic shortfall off the
weights (``decoding.HotWords``); each is measured with each weight.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from asr_gru.decoding import TreeSearch
from asr_gru.decoding.hot_search import CAUTION
from asr_gru.scoring import align
from asr_gru.tuning import run_acoustic_model
from benchmarks._common import Table, load, make_parser, positive, read_lists, run

WEIGHTS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)


def rarest(search: TreeSearch, said: set[str], count: int) -> list[str]:
    """Return the words said that the language model takes for the least likely."""
    log_probs = search._unigrams
    numbers = search.numbers
    return sorted(
        said, key=lambda word: (log_probs[numbers[word]] if word in numbers else -np.inf, word)
    )[:count]


def distractors(search: TreeSearch, rare: Sequence[str], said: set[str], count: int) -> list[str]:
    """Return words as rare as the given ones that are not said."""
    known = [search.numbers[word] for word in rare if word in search.numbers]
    highest = max(float(search._unigrams[number]) for number in known)
    lowest = min(float(search._unigrams[number]) for number in known)
    unsaid = [
        word
        for word, number in search.numbers.items()
        if lowest <= search._unigrams[number] <= highest and word not in said
    ]
    return np.random.default_rng(0).permutation(sorted(unsaid))[:count].tolist()


def measure(
    search: TreeSearch, heard: Sequence[Any], rare: set[str], others: set[str]
) -> tuple[float, float, int, int]:
    """Return recall and error rate of the rest in percent, distractors heard, others misheard."""
    places = found = words = errors = alarms = misheard = 0
    for one in heard:
        (state,) = search.advance([search.start()], [one.log_probs])
        best = search.best(search.finish(state))[0].words or ()
        for said, recognised in align(one.text.split(), [word.text for word in best]):
            if said in rare:
                places += 1
                found += said == recognised
            elif said is not None:
                words += 1
                errors += said != recognised
            elif recognised not in rare and recognised not in others:
                errors += 1
            alarms += recognised in others
            misheard += recognised in rare and said != recognised
    return 100 * found / places, 100 * errors / words, alarms, misheard


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument(
        "--count", type=positive, default=200, help="rare words, and as many distractors"
    )
    parser.add_argument("--weights", type=float, nargs="*", default=WEIGHTS, metavar="NATS")
    parser.add_argument("--caution", type=float, nargs="+", default=[CAUTION], metavar="PART")
    options = parser.parse_args(argv)
    recognizer = load(options, decoder="words")
    plain = recognizer.decoder
    assert isinstance(plain, TreeSearch)
    table = Table(
        ("list", "<14"),
        ("weight", "7.1f"),
        ("caution", "7.2f"),
        ("recall %", "9.1f"),
        ("rest WER %", "11.2f"),
        ("false/h", "8.1f"),
        ("misheard", "9"),
        ("RTF", "8.4f"),
    )
    for name, utterances in read_lists(options).items():
        heard = run_acoustic_model(recognizer.acoustic, utterances)
        said = {word for one in heard for word in one.text.split()}
        rare = rarest(plain, said, options.count)
        others = distractors(plain, rare, said, options.count)
        audio_s = sum(len(one.log_probs) for one in heard) * recognizer.acoustic.info.frame_s
        settings: list[tuple[float | str, float]] = [(0.0, 0.0)]
        settings += [(w, c) for w in ("default", *options.weights) for c in options.caution]
        for weight, caution in settings:
            search, both = plain, [*rare, *others]
            if weight:
                listed = both if weight == "default" else dict.fromkeys(both, float(weight))
                made = recognizer.hot_word_decoder(listed)
                assert isinstance(made, TreeSearch)
                assert made.hot is not None
                search = made.with_hot_words(replace(made.hot, caution=caution))
            began = time.process_time()
            recall, rest, alarms, misheard = measure(search, heard, set(rare), set(others))
            factor = (time.process_time() - began) / audio_s
            table.row(
                name, weight, caution, recall, rest, alarms * 3600 / audio_s, misheard, factor
            )


if __name__ == "__main__":
    run(main)
