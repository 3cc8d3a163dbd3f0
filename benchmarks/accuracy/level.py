"""Word error rate at other levels, and with a step of level inside each utterance.

python -m benchmarks.accuracy.level MANIFEST... --every 3
"""

import argparse
from pathlib import Path

import numpy as np

from asr_gru import EndpointRules, Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

RATE = 16_000


def levels(samples):
    for gain_db in (0, -15, -30, 10):
        yield f"{gain_db:+} dB", samples * 10 ** (gain_db / 20)
    for step_db in (-20, 20):
        gains = np.full(len(samples), 10 ** (-10 / 20))
        gains[len(samples) // 2 :] *= 10 ** (step_db / 20)
        yield f"step of {step_db:+} dB", samples * gains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th utterance")
    parser.add_argument("--model", action="append", help="repeat to compare models")
    options = parser.parse_args()
    names = options.model or ["en-small"]
    recognizers = {name: Recognizer.load(name) for name in names}
    scores: dict[tuple[str, str], Score] = {}
    for manifest in options.manifests:
        for utterance in read_manifest(manifest)[:: options.every]:
            said = normalise(utterance.text, "english")
            for level, samples in levels(read_recording(utterance.path, RATE)):
                for name, recognizer in recognizers.items():
                    heard = recognizer.transcribe(
                        samples.astype(np.float32), RATE, endpoint=EndpointRules.off()
                    ).text
                    score = word_errors(said, normalise(heard, "english"))
                    scores[level, name] = scores.get((level, name), Score()) + score
    print(f"{'WER %':16}" + "".join(f"{name:>12}" for name in names))
    for level in dict.fromkeys(level for level, _ in scores):
        print(f"{level:16}" + "".join(f"{scores[level, name].rate:12.2f}" for name in names))


if __name__ == "__main__":
    main()
