"""The whole command ``asr-gru transcribe`` of about five seconds, in fresh processes.

python -m benchmarks.speed.cold_start audio_samples/telephone.wav
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording")
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    command = [sys.executable, "-m", "asr_gru", "transcribe", "--model", options.model]
    walls, processor = [], []
    for _ in range(options.times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run([*command, options.recording], check=True, capture_output=True)
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        processor.append(spent)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    probe = [sys.executable, "-X", "importtime", *command[1:], options.recording]
    imported = subprocess.run(probe, check=True, capture_output=True, text=True).stderr
    torch = any(line.rpartition("|")[2].strip() == "torch" for line in imported.splitlines())
    print(f"{'':10} {'best':>6} {'median':>7}")
    print(f"{'wall s':10} {min(walls):6.2f} {statistics.median(walls):7.2f}")
    print(f"{'CPU s':10} {min(processor):6.2f} {statistics.median(processor):7.2f}")
    print(f"peak memory {peak:.0f} MB, torch imported: {'yes' if torch else 'no'}")


if __name__ == "__main__":
    main()
