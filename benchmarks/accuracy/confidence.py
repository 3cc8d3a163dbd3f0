"""How far a word's confidence is its probability of being right, and the temperature that fits.

python -m benchmarks.accuracy.confidence MANIFEST... --every 2

A word is right when the alignment with the reference matches it. The temperature printed is the
one of the highest likelihood, to be written into the model's card; calibration error is the mean
distance between confidence and share of right words over ten bins, by words (Guo et al. 2017).
"""

import argparse
from pathlib import Path

import numpy as np

from asr_gru import Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest
from asr_gru.scoring import align
from asr_gru.text import normalise


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    rate = recognizer.acoustic.info.sample_rate
    confidences, rights = [], []
    for manifest in options.manifests:
        for utterance in read_manifest(manifest)[:: options.every]:
            words = recognizer.transcribe(read_recording(utterance.path, rate), rate).words
            said = normalise(utterance.text, "english").split()
            pairs = align(said, [word.text for word in words])
            heard = [said == word for said, word in pairs if word is not None]
            confidences += [word.confidence for word in words]
            rights += heard
    confidence, right = np.array(confidences), np.array(rights)
    steps = np.geomspace(0.25, 16, 97)
    best = max(steps, key=lambda t: likelihood(warmed(confidence, t), right))
    print(f"{len(right)} words, {100 * right.mean():.1f} % right")
    print("temperature  log-likelihood  calibration error")
    for temperature in (1.0, float(best)):
        changed = warmed(confidence, temperature)
        print(
            f"{temperature:11.2f}  {likelihood(changed, right):14.4f}"
            f"  {calibration_error(changed, right):17.3f}"
        )
    print("(temperatures multiply that of the model itself)")
    print("confidence   words  right %")
    changed = warmed(confidence, float(best))
    for low in np.arange(0, 1, 0.2):
        inside = (changed >= low) & (changed < low + 0.2 + 1e-9)
        if inside.any():
            share = 100 * right[inside].mean()
            print(f"{low:4.1f}-{low + 0.2:3.1f}   {inside.sum():7d} {share:8.1f}")


if __name__ == "__main__":
    main()
