"""Calibration of word confidences, and the temperature that fits best.

python -m benchmarks.accuracy.confidence MANIFEST... --every 2

A word is correct when the alignment with the reference matches it. The temperature printed
maximises the likelihood and belongs in the model's card. The expected calibration error is the mean
distance between confidence and accuracy over ten bins, weighted by words (Guo et al. 2017).
"""

from collections.abc import Sequence

import numpy as np

from asr_gru.audio import read_recording
from asr_gru.scoring import align
from benchmarks._common import Table, load, make_parser, read_all, reference, run


def odds(confidence: np.ndarray) -> np.ndarray:
    clipped = np.clip(confidence, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def warmed(confidence: np.ndarray, temperature: float) -> np.ndarray:
    return 1 / (1 + np.exp(-odds(confidence) / temperature))


def likelihood(confidence: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean(np.log(np.where(right, confidence, 1 - confidence) + 1e-12)))


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = np.minimum((confidence * 10).astype(int), 9)
    parts = [(bins == b) for b in range(10) if (bins == b).any()]
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * p.mean() for p in parts))


def main(argv: Sequence[str] | None = None) -> None:
    options = make_parser(__doc__, manifests=True).parse_args(argv)
    recognizer = load(options)
    rate = recognizer.info.sample_rate
    confidences, rights = [], []
    for utterance in read_all(options):
        words = recognizer.transcribe(read_recording(utterance.path, rate), rate).words
        pairs = align(reference(utterance).split(), [word.text for word in words])
        confidences += [word.confidence for word in words]
        rights += [said == word for said, word in pairs if word is not None]
    confidence, right = np.array(confidences), np.array(rights)
    steps = np.geomspace(0.25, 16, 97)
    best = max(steps, key=lambda t: likelihood(warmed(confidence, t), right))
    print(f"{len(right)} words, {100 * right.mean():.1f} % correct")
    table = Table(
        ("temperature", "11.2f"), ("log-likelihood", "15.4f"), ("calibration error", "18.3f")
    )
    for temperature in (1.0, float(best)):
        changed = warmed(confidence, temperature)
        table.row(temperature, likelihood(changed, right), calibration_error(changed, right))
    print("(temperatures multiply that of the model itself)")
    table = Table(("confidence", "<10"), ("words", "7d"), ("correct %", "9.1f"))
    changed = warmed(confidence, float(best))
    for low in np.arange(0, 1, 0.2):
        inside = (changed >= low) & (changed < low + 0.2 + 1e-9)
        if inside.any():
            share = 100 * right[inside].mean()
            table.row(f"{low:.1f}-{low + 0.2:.1f}", inside.sum(), share)


if __name__ == "__main__":
    run(main)
