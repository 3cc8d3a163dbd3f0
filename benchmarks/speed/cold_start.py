"""Wall time, CPU time and memory of ``asr-gru transcribe``, in fresh processes.

python -m benchmarks.speed.cold_start audio_samples/telephone.wav
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks._common import Table, make_parser, positive, print_environment, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, recording=True)
    parser.add_argument("--times", type=positive, default=10)
    options = parser.parse_args(argv)
    print_environment(options.model)
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
    table = Table(("", "<10"), ("best", "6.2f"), ("median", "7.2f"))
    table.row("wall s", min(walls), statistics.median(walls))
    table.row("CPU s", min(processor), statistics.median(processor))
    print(f"peak memory {peak:.0f} MB, torch imported: {'yes' if torch else 'no'}")


if __name__ == "__main__":
    run(main)
