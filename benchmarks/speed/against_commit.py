"""Start-up time, real-time factor and results, side by side with another commit.

python -m benchmarks.speed.against_commit HEAD~1
python -m benchmarks.speed.against_commit v0.1.0 RECORDING… --rounds 10

The other commit is unpacked into a temporary folder. Both are measured in fresh processes that
take turns, so that a change of the machine's load hits both; the best of all rounds counts.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2]
SAMPLES = ("accent.opus", "long.ogg", "read.flac", "stereo.flac", "telephone.wav")
PROBE = """
import dataclasses, hashlib, json, sys, time
import numpy as np
from asr_gru import Recognizer
from asr_gru.audio import read_recording

def digest(value):
    return hashlib.sha256(value if isinstance(value, bytes) else repr(value).encode()).hexdigest()

recognizer = Recognizer.load(sys.argv[1])
info = recognizer.acoustic.info
results = {}
recording_s = stream_s = audio_s = 0.0
for name in sys.argv[2:]:
    samples = read_recording(name, info.sample_rate)
    audio_s += len(samples) / info.sample_rate
    began = time.perf_counter()
    transcript = recognizer.transcribe(samples, info.sample_rate)
    recording_s += time.perf_counter() - began
    began = time.perf_counter()
    stream = recognizer.stream(info.sample_rate)
    events = []
    for first in range(0, len(samples), info.step_samples):
        events += stream.feed(samples[first : first + info.step_samples])
    events += stream.finish()
    stream_s += time.perf_counter() - began
    count = len(samples) // info.step_samples * info.step_samples
    log_probs, _ = recognizer.acoustic.step(samples[None, :count], recognizer.acoustic.start(1))
    results[name] = [
        digest(np.ascontiguousarray(log_probs).tobytes()),
        digest(dataclasses.astuple(transcript)),
        digest([dataclasses.astuple(event) for event in events]),
    ]
print(json.dumps({
    "recording": recording_s / audio_s,
    "stream": stream_s / audio_s,
    "results": results,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="what to compare the working tree with")
    parser.add_argument("recordings", nargs="*", type=Path, help="by default audio_samples/")
    parser.add_argument("--model", default="en-small", help="of each tree, or a path")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    recordings = [str(path.resolve()) for path in options.recordings] or [
        str(HERE / "audio_samples" / name) for name in SAMPLES
    ]
    with tempfile.TemporaryDirectory() as folder:
        trees = {options.commit: unpack(options.commit, Path(folder)), "here": HERE}
        measured = measure(trees, options.model, recordings, options.rounds)
    report(measured, recordings)


def unpack(commit: str, folder: Path) -> Path:
    """Write the package of a commit into ``folder``."""
    command = ["git", "-C", str(HERE), "archive", commit, "asr_gru"]
    archive = subprocess.run(command, capture_output=True)
    if archive.returncode:
        raise SystemExit(archive.stderr.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def measure(
    trees: dict[str, Path], model: str, recordings: list[str], rounds: int
) -> dict[str, dict[str, Any]]:
    """Return, for each tree, the best time of each kind and the digests of its results."""
    measured: dict[str, dict[str, Any]] = {name: {} for name in trees}
    for _ in range(rounds):
        for name, tree in trees.items():
            best = measured[name]
            command = ["-m", "asr_gru", "transcribe", "--model", model, recordings[-1]]
            began = time.perf_counter()
            run(tree, *command)
            found = {"start": time.perf_counter() - began}
            found |= json.loads(run(tree, "-c", PROBE, model, *recordings))
            results = best.setdefault("results", found["results"])
            if found.pop("results") != results:
                raise SystemExit(f"{name}: two runs gave different results")
            for kind, seconds in found.items():
                best[kind] = min(seconds, best.get(kind, seconds))
    return measured


def run(tree: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=tree, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{tree}: {done.stderr.strip()}")
    return done.stdout


def report(measured: dict[str, dict[str, Any]], recordings: list[str]) -> None:
    (before, old), (here, new) = measured.items()
    width = max(10, len(before))
    print(f"{'':44} {before:>{width}} {here:>{width}} {'change':>8}")
    kinds = {
        "start": "asr-gru transcribe of the last recording, s",
        "recording": "real-time factor, whole recordings",
        "stream": "real-time factor, live stream",
    }
    for kind, label in kinds.items():
        change = f"{100 * (new[kind] / old[kind] - 1):+.1f} %"
        print(f"{label:44} {old[kind]:{width}.4f} {new[kind]:{width}.4f} {change:>8}")
    print(f"\n{'bit-identical':44} {'log-probs':>10} {'transcript':>11} {'events':>7}")
    for name in recordings:
        same = [
            "yes" if a == b else "NO"
            for a, b in zip(old["results"][name], new["results"][name], strict=True)
        ]
        print(f"{Path(name).name:44} {same[0]:>10} {same[1]:>11} {same[2]:>7}")


if __name__ == "__main__":
    main()
