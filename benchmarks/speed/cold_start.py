"""Wall time, CPU time and memory of ``asr-gru transcribe``, in fresh processes.

python -m benchmarks.speed.cold_start audio_samples/telephone.wav
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from asr_gru import Error
from benchmarks._common import Table, make_parser, peak_mb, print_environment, run, whole_number
from benchmarks._processes import last_line


def call(command: Sequence[str]) -> str:
    """Run a command and return what it wrote to stderr."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Error(last_line(done.stderr))
    return done.stderr


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, recording=True)
    parser.add_argument("--times", type=whole_number, default=10, help="number of runs")
    options = parser.parse_args(argv)
    print_environment(options.model)
    arguments = ["-m", "asr_gru", "transcribe", "--model", options.model, str(options.recording)]
    walls, processor = [], []
    for _ in range(options.times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        call([sys.executable, *arguments])
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        processor.append(spent)
    peak = peak_mb(resource.RUSAGE_CHILDREN)
    imported = call([sys.executable, "-X", "importtime", *arguments])
    torch = any(line.rpartition("|")[2].strip() == "torch" for line in imported.splitlines())
    table = Table(("", "<10"), ("best", "6.2f"), ("median", "7.2f"))
    table.row("wall s", min(walls), statistics.median(walls))
    table.row("CPU s", min(processor), statistics.median(processor))
    print(f"peak memory {peak:.0f} MB, torch imported: {'yes' if torch else 'no'}")


if __name__ == "__main__":
    run(main)
