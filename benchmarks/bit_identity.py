"""Whether log-probabilities of real recordings agree to the bit for other cuts and company.

python -m benchmarks.bit_identity MANIFEST --count 64
"""

import argparse
from pathlib import Path

import numpy as np

from asr_gru import Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--model", default="en-small")
    options = parser.parse_args()
    acoustic = Recognizer.load(options.model).acoustic
    info = acoustic.info
    random = np.random.default_rng(0)
    utterances = read_manifest(options.manifest)[: options.count]
    recordings = [read_recording(u.path, info.sample_rate) for u in utterances]
    frames = min(len(samples) for samples in recordings) // info.frame_samples
    batch = np.stack([samples[: frames * info.frame_samples] for samples in recordings])
    alone = [acoustic.step(row[None], acoustic.start())[0][0] for row in batch]
    together = acoustic.step(batch, acoustic.start(len(batch)))[0]
    cut = []
    for row in batch:
        state, rows, done = acoustic.start(), [], 0
        while done < frames:
            count = min(frames - done, int(random.integers(1, 9)))
            first = done * info.frame_samples
            piece = row[None, first : first + count * info.frame_samples]
            log_probs, state = acoustic.step(piece, state)
            rows.append(log_probs[0])
            done += count
        cut.append(np.concatenate(rows))
    for name, others in (("random cuts", cut), (f"batch of {len(batch)}", together)):
        same = sum(np.array_equal(a, b) for a, b in zip(alone, others, strict=True))
        print(
            f"{name:14} {same} of {len(alone)} recordings equal to the bit ({frames} frames each)"
        )


if __name__ == "__main__":
    main()
