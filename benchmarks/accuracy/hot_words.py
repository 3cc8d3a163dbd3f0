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

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from asr_gru.decoding import TreeSearch
from asr_gru.decoding.hot_search import CAUTION
from asr_gru.language import LanguageModel
from asr_gru.model.directory import LANGUAGE, ModelDirectory
from asr_gru.scoring import align
from asr_gru.tuning import EncodedUtterance, run_acoustic_model
from benchmarks._common import Table, load, make_parser, read_lists, run, text_of, whole_number

WEIGHTS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)


def rarest(unigrams: Mapping[str, float], said: set[str], count: int) -> list[str]:
    """Return the words said that the language model takes for the least likely.

    Args:
        unigrams: log-probability of each word without context.
        said: all words of the references.
        count: number of words to return, at most.
    """
    return sorted(said, key=lambda word: (unigrams.get(word, -math.inf), word))[:count]


def distractors(
    unigrams: Mapping[str, float], rare: Sequence[str], said: set[str], count: int
) -> list[str]:
    """Return words as rare as the given ones that are not said; the rarest if none is known."""
    known = [unigrams[word] for word in rare if word in unigrams] or [min(unigrams.values())]
    lowest, highest = min(known), max(known)
    unsaid = [
        word
        for word, log_prob in unigrams.items()
        if lowest <= log_prob <= highest and word not in said
    ]
    return np.random.default_rng(0).permutation(sorted(unsaid))[:count].tolist()


def measure(
    search: TreeSearch, heard: Sequence[EncodedUtterance], rare: set[str], others: set[str]
) -> tuple[float, float, int, int, float]:
    """Measure a search with hot words.

    Returns:
        recall and error rate of the rest in percent (nan if there are no such words), distractors
        that were recognised, rare words that were recognised in place of others, and processor
        seconds of the search.
    """
    places = found = words = errors = alarms = misheard = 0
    began = time.process_time()
    texts = [text_of(search, one) for one in heard]
    spent = time.process_time() - began
    for one, text in zip(heard, texts, strict=True):
        for said, recognised in align(one.text.split(), text.split()):
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
    recall = 100 * found / places if places else math.nan
    rest = 100 * errors / words if words else math.nan
    return recall, rest, alarms, misheard, spent


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument(
        "--count", type=whole_number, default=200, help="rare words, and as many distractors"
    )
    parser.add_argument("--weights", type=float, nargs="*", default=WEIGHTS, metavar="NATS")
    parser.add_argument("--caution", type=float, nargs="+", default=[CAUTION], metavar="PART")
    options = parser.parse_args(argv)
    recognizer = load(options, decoder="words")
    plain = recognizer.decoder
    assert isinstance(plain, TreeSearch)
    model = LanguageModel.load(ModelDirectory.open(options.model).path / LANGUAGE)
    log_probs = model.unigram_log_probs
    unigrams = {word: float(log_probs[number]) for word, number in plain.numbers.items()}
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
        rare = rarest(unigrams, said, options.count)
        others = distractors(unigrams, rare, said, options.count)
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
            recall, rest, alarms, misheard, spent = measure(search, heard, set(rare), set(others))
            rate = alarms * 3600 / audio_s
            table.row(name, weight, caution, recall, rest, rate, misheard, spent / audio_s)


if __name__ == "__main__":
    run(main)
