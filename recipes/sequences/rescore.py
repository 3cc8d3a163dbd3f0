"""Rescore n-best lists of the recogniser with the language model of ``recipes.sequences.text``.

    python -m recipes.sequences.rescore dev-read.tsv dev-crowd.tsv dev-accent.tsv

The score of a hypothesis becomes

    score + weight * (log p_mixed(words) - log p_ngram(words))

where ``score`` is the decoder's, which contains the n-gram model, and ``p_mixed`` is the mixture,
word by word, of ``share`` times the GRU and ``1 - share`` times the n-gram model. Both numbers are
chosen on one half of the speakers and applied to the other half, and vice versa, so that no
utterance affects the weights that it is rescored with.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from asr_gru.data.manifest import name_manifests
from asr_gru.errors import DataError
from asr_gru.language import LanguageModel
from asr_gru.results.transcript import MAX_ALTERNATIVES
from asr_gru.scoring import Score, compare, word_errors
from asr_gru.text import normalise
from recipes.command_line import needed, one_line_errors

with needed(__name__, "train"):
    from recipes.cells.pictures import save
    from recipes.sequences.n_best import NBest, load_n_best
    from recipes.sequences.word_model import WordModel, load_ngram, mixture

__all__ = ["ScoredList", "Weights", "choose", "halve", "main", "rescore"]

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
SIZES = (1, 2, 5, 10, MAX_ALTERNATIVES)
"""Sizes of n-best lists in the picture."""


class Weights(NamedTuple):
    """Weight of the gain and share of the GRU; a weight of 0 keeps the decoder's choice."""

    weight: float
    share: float


class ScoredList:
    """Utterances with the errors of each hypothesis, and its gain for each share.

    Attributes:
        entries: the n-best lists.
        errors: word errors of each hypothesis.
        half: which half of the speakers each utterance belongs to, 0 or 1.
    """

    def __init__(
        self,
        entries: Sequence[NBest],
        model: WordModel,
        ngram: LanguageModel,
        half_of: Mapping[str, int],
    ) -> None:
        self.entries = entries
        self.errors = [[word_errors(e.reference, normalise(t, "english")) for t in e.texts]
                       for e in entries]  # fmt: skip
        self.half = [half_of[entry.speaker] for entry in entries]
        sentences = [text.split() for entry in entries for text in entry.texts]
        old = [ngram.sentence(words).astype(np.float64) for words in sentences]
        new = model.log_probs(sentences)
        self._gains = {
            share: split(
                [float((mixture(a, b, share) - b).sum()) for a, b in zip(new, old, strict=True)],
                [len(entry.texts) for entry in entries],
            )
            for share in SHARES
        }

    def choices(self, weights: Weights, size: int = MAX_ALTERNATIVES) -> list[Score]:
        """Return the errors of the best hypothesis of each utterance among the first ``size``."""
        chosen = []
        for entry, errors, gains in zip(
            self.entries, self.errors, self._gains[weights.share], strict=True
        ):
            scores = np.array(entry.scores[:size]) + weights.weight * np.array(gains[:size])
            chosen.append(errors[int(scores.argmax())])
        return chosen

    def oracle(self, size: int = MAX_ALTERNATIVES) -> list[Score]:
        """Return the errors of the hypothesis with the fewest."""
        return [min(errors[:size], key=lambda score: score.errors) for errors in self.errors]


def halve(lists: Sequence[Sequence[NBest]]) -> dict[str, int]:
    """Return a half, 0 or 1, for each speaker, with equally many of every list in both."""
    half_of: dict[str, int] = {}
    for entries in lists:
        new = {entry.speaker for entry in entries} - set(half_of)
        shuffled = sorted(new, key=lambda speaker: (crc32(speaker.encode()), speaker))
        half_of |= {speaker: index % 2 for index, speaker in enumerate(shuffled)}
    return half_of


def split(values: Sequence[float], lengths: Sequence[int]) -> list[list[float]]:
    """Split ``values`` into pieces of these lengths."""
    iterator = iter(values)
    return [list(itertools.islice(iterator, length)) for length in lengths]


def choose(lists: Sequence[ScoredList], half: int) -> Weights:
    """Return the weights with the lowest mean error rate over lists, in one half of the speakers.

    Of equally good ones, those with the smallest ``weight`` are returned.
    """

    def rate(weights: Weights) -> float:
        rates = []
        for one in lists:
            kept = [s for s, h in zip(one.choices(weights), one.half, strict=True) if h == half]
            rates.append(sum(kept, Score()).rate)
        return float(np.mean(rates))

    grid = [Weights(weight, share) for weight, share in itertools.product(WEIGHTS, SHARES)]
    return min(grid, key=lambda weights: (round(rate(weights), 9), weights.weight))


def rescore(one: ScoredList, both: Sequence[Weights], size: int = MAX_ALTERNATIVES) -> list[Score]:
    """Return errors after rescoring each half with the weights chosen on the other one."""
    by_half = [one.choices(both[1 - half], size) for half in (0, 1)]
    return [by_half[half][index] for index, half in enumerate(one.half)]


def draw(lists: dict[str, ScoredList], both: Sequence[Weights], path: Path) -> None:
    """Draw error rates over the size of the n-best list."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(lists), 3.4), layout="constrained")
    for axis, (name, one) in zip(
        figure.subplots(1, len(lists), squeeze=False)[0], lists.items(), strict=True
    ):
        rows: npt.NDArray[Any] = np.array(
            [[sum(scores, Score()).rate for scores in (rescore(one, both, size), one.oracle(size))]
             for size in SIZES]
        )  # fmt: skip
        axis.axhline(rows[0, 0], color="k", linestyle="--", linewidth=1, label="first choice")
        axis.plot(SIZES, rows[:, 0], "o-", label="rescored")
        axis.plot(SIZES, rows[:, 1], "s-", label="oracle")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("hypotheses")
    axis.legend(fontsize=8)
    figure.axes[0].set_ylabel("word error rate (%)")
    save(figure, path)


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> int:
    """Recognise, rescore and print; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.sequences.rescore",
        description="Rescore n-best lists with a recurrent language model.",
    )
    parser.add_argument("manifests", type=Path, nargs="+", help="manifests to recognise")
    parser.add_argument("--model", default="en-small", help="model to recognise with")
    parser.add_argument("--language", type=Path, default=Path("runs/sequences/language.pt"),
                        help="output of recipes.sequences.text")  # fmt: skip
    parser.add_argument("--nbest", type=Path, default=Path("runs/sequences/nbest.json"),
                        help="where n-best lists are kept")  # fmt: skip
    parser.add_argument("--picture", type=Path, help="PNG file of error rates")
    options = parser.parse_args(argv)
    run(options)
    return 0


def run(options: argparse.Namespace) -> None:
    """Rescore as the options say."""
    ngram = load_ngram(options.model)
    model = WordModel.load(options.language, ngram)
    names = name_manifests(options.manifests)
    found = load_n_best(options.nbest, options.model, options.manifests)
    half_of = halve(found)
    lists = {
        name: ScoredList(entries, model, ngram, half_of)
        for name, entries in zip(names, found, strict=True)
    }
    for name, one in lists.items():
        if set(one.half) != {0, 1}:
            raise DataError(f"{name}: no speaker for each half of the weights; give more speakers")
    both = [choose([*lists.values()], half) for half in (0, 1)]
    for half, chosen in enumerate(both):
        print(f"half {half + 1}: weight {chosen.weight:g}, share of the GRU {chosen.share:g}")
    print(f"{'':<16}{'utterances':>11}{'WER':>7}{'rescored':>10}{'oracle':>8}   difference, 95 %")
    for name, one in lists.items():
        first, after = [errors[0] for errors in one.errors], rescore(one, both)
        difference = compare(first, after)
        low, high = difference.interval
        rates = [sum(scores, Score()).rate for scores in (first, after, one.oracle())]
        print(
            f"{name:<16}{len(first):>11}{rates[0]:>7.2f}{rates[1]:>10.2f}{rates[2]:>8.2f}"
            f"   {difference.difference:+.2f} ({low:+.2f} to {high:+.2f})"
        )
    if options.picture:
        draw(lists, both, options.picture)


if __name__ == "__main__":
    sys.exit(main())
