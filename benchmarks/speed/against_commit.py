"""Start-up time, real-time factor and results, side by side with another commit.

python -m benchmarks.speed.against_commit HEAD~1
python -m benchmarks.speed.against_commit v0.1.0 RECORDING… --rounds 10

The package of the other commit is unpacked into a temporary folder. Both are measured in fresh
processes that take turns, so that a change of the machine's load hits both; the best of all rounds
counts.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asr_gru import Error
from benchmarks._common import (
    AUDIO_SAMPLES,
    Table,
    make_parser,
    print_environment,
    run,
    whole_number,
)
from benchmarks._processes import last_line

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


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("commit", help="what to compare the working tree with")
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING")
    parser.add_argument("--rounds", type=whole_number, default=5, help="of which the best counts")
    options = parser.parse_args(argv)
    model = options.model
    if Path(model).is_dir():  # the processes run in other folders
        model = str(Path(model).resolve())
    paths = options.recordings or [AUDIO_SAMPLES / name for name in SAMPLES]
    recordings = [str(path.resolve()) for path in paths]
    print_environment(options.model)
    with tempfile.TemporaryDirectory() as folder:
        trees = [unpack(options.commit, Path(folder)), HERE]
        old, new = measure(trees, model, recordings, options.rounds)
    width = max(10, len(options.commit))
    number = f"{width}.4f"
    table = Table(("", "<32"), (options.commit, number), ("here", number), ("change %", "8.1f"))
    for kind, label in (
        ("start", "transcribe, the whole command, s"),
        ("recording", "real-time factor, recordings"),
        ("stream", "real-time factor, live stream"),
    ):
        table.row(label, old[kind], new[kind], 100 * (new[kind] / old[kind] - 1))
    print()
    table = Table(("equal to the bit", "<32"), *((n, ">11") for n in ("log-probs", "text", "live")))
    for name in recordings:
        same = zip(old["results"][name], new["results"][name], strict=True)
        table.row(Path(name).name, *("yes" if a == b else "no" for a, b in same))


def unpack(commit: str, folder: Path) -> Path:
    """Write the package of a commit into ``folder``; Error if there is no such commit."""
    command = ["git", "-C", str(HERE), "archive", commit, "asr_gru"]
    archive = subprocess.run(command, capture_output=True)
    if archive.returncode:
        raise Error(f"{commit}: {last_line(archive.stderr.decode())}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def measure(
    trees: list[Path], model: str, recordings: list[str], rounds: int
) -> list[dict[str, Any]]:
    """Return, for each tree, the best time of each kind and the digests of its results."""
    measured: list[dict[str, Any]] = [{} for _ in trees]
    for _ in range(rounds):
        for tree, best in zip(trees, measured, strict=True):
            began = time.perf_counter()
            call(tree, "-m", "asr_gru", "transcribe", "--model", model, recordings[-1])
            found = {"start": time.perf_counter() - began}
            found |= json.loads(call(tree, "-c", PROBE, model, *recordings))
            results = best.setdefault("results", found["results"])
            if found.pop("results") != results:
                raise Error(f"{tree}: two runs gave different results")
            for kind, seconds in found.items():
                best[kind] = min(seconds, best.get(kind, seconds))
    return measured


def call(tree: Path, *arguments: str) -> str:
    """Run Python on one thread with the package in ``tree``; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=tree, capture_output=True, text=True
    )
    if done.returncode:
        raise Error(f"{tree}: {last_line(done.stderr)}")
    return done.stdout


if __name__ == "__main__":
    run(main)
