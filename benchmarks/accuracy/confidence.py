"""Calibration of word confidences, and the temperature that fits best.

python -m benchmarks.accuracy.confidence MANIFEST... --plot docs/reliability.png

A word is correct when the alignment with the reference matches it. The temperature printed
maximises the likelihood and belongs in the model's card. The expected calibration error is the mean
distance between confidence and accuracy over ten bins, weighted by words (Guo et al. 2017). AUC,
the area under the receiver operating characteristic, is the probability that a correct word has a
higher confidence than a wrong one.
``--plot`` draws the reliability diagram of the confidences as they are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from asr_gru import MissingExtraError
from asr_gru.data.audio import load_audio
from asr_gru.errors import DataError
from asr_gru.scoring import align
from benchmarks._common import Table, load, make_parser, read_lists, reference, run

FEWEST = 5
"""Bins of fewer words are not drawn."""


def logit(confidence: np.ndarray) -> np.ndarray:
    clipped = np.clip(confidence, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def rescale(confidence: np.ndarray, temperature: float) -> np.ndarray:
    """Return confidences with their log-odds divided by a temperature."""
    return 1 / (1 + np.exp(-logit(confidence) / temperature))


def log_likelihood(confidence: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean(np.log(np.where(right, confidence, 1 - confidence) + 1e-12)))


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = np.minimum((confidence * 10).astype(int), 9)
    parts = [(bins == b) for b in range(10) if (bins == b).any()]
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * p.mean() for p in parts))


def area(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the area under the receiver operating characteristic; ties count half."""
    good, bad = confidence[right], np.sort(confidence[~right])
    if not len(good) or not len(bad):
        return float("nan")
    below = np.searchsorted(bad, good, "left") + np.searchsorted(bad, good, "right")
    return float(below.mean() / (2 * len(bad)))


def draw(path: Path, lists: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw accuracy by confidence for each list, above the number of words in each bin."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "train") from None
    figure = Figure(figsize=(6, 6.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    upper.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    for name, (confidence, right) in lists.items():
        bins = np.minimum((confidence * 10).astype(int), 9)
        filled = [b for b in range(10) if (bins == b).sum() >= FEWEST]
        upper.plot(
            [confidence[bins == b].mean() for b in filled],
            [right[bins == b].mean() for b in filled],
            marker="o",
            label=f"{name} (ECE {calibration_error(confidence, right):.3f})",
        )
        counts = [(bins == b).sum() for b in range(10)]
        lower.step(np.arange(11) / 10, [*counts, counts[-1]], where="post")
    upper.set(ylabel="fraction of words correct", ylim=(0, 1), xlim=(0, 1))
    upper.legend(loc="lower right")
    lower.set(xlabel="confidence", ylabel="words")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a reliability diagram")
    options = parser.parse_args(argv)
    recognizer = load(options)
    rate = recognizer.info.sample_rate
    lists = {}
    table = Table(
        ("list", "<16"), ("words", "7d"), ("correct %", "9.1f"), ("ECE", "6.3f"), ("AUC", "6.3f")
    )
    for name, utterances in read_lists(options).items():
        confidences, rights = [], []
        for utterance in utterances:
            words = recognizer.transcribe(load_audio(utterance, rate), rate).words
            pairs = align(reference(utterance).split(), [word.text for word in words])
            confidences += [word.confidence for word in words]
            rights += [said == word for said, word in pairs if word is not None]
        one = lists[name] = np.array(confidences), np.array(rights, bool)
        if rights:
            table.row(name, len(rights), 100 * one[1].mean(), calibration_error(*one), area(*one))
    if not any(len(right) for _, right in lists.values()):
        raise DataError("no word was recognised in these recordings; give others")
    confidence, right = (np.concatenate(arrays) for arrays in zip(*lists.values(), strict=True))
    if options.plot is not None:
        draw(options.plot, lists)
    steps = np.geomspace(0.25, 16, 97)
    best = max(steps, key=lambda t: log_likelihood(rescale(confidence, t), right))
    print(f"{len(right)} words, {100 * right.mean():.1f} % correct")
    table = Table(
        ("temperature", "11.2f"), ("log-likelihood", "15.4f"), ("calibration error", "18.3f")
    )
    for temperature in (1.0, float(best)):
        changed = rescale(confidence, temperature)
        table.row(temperature, log_likelihood(changed, right), calibration_error(changed, right))
    print("(temperatures multiply that of the model itself)")
    table = Table(("confidence", "<10"), ("words", "7d"), ("correct %", "9.1f"))
    changed = rescale(confidence, float(best))
    fifths = np.minimum((changed * 5).astype(int), 4)
    for fifth in range(5):
        inside = fifths == fifth
        if inside.any():
            share = 100 * right[inside].mean()
            table.row(f"{fifth / 5:.1f}-{(fifth + 1) / 5:.1f}", inside.sum(), share)


if __name__ == "__main__":
    run(main)
