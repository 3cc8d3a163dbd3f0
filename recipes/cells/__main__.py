"""Train the rows, measure them and write the report: ``python -m recipes.cells --help``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from asr_gru.files import write_bytes
from recipes.command_line import log, needed, one_line_errors, positive, whole_number

with needed(__name__, "train"):
    from asr_gru.training.run import Run
    from recipes.cells.figures import Measurement, measure
    from recipes.cells.report import render
    from recipes.cells.rows import choose_rows, load_rows, slice_lists, train_rows

__all__ = ["main"]


@one_line_errors("stopped; the same command goes on from the last checkpoint")
def main(argv: Sequence[str] | None = None) -> int:
    """Train, measure and write; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.cells",
        description="Compare recurrent cells on the same speech and write report.md.",
    )
    parser.add_argument("--train", type=Path, required=True, help="manifest to train on")
    parser.add_argument("--dev", type=Path, required=True, help="manifest to compare on")
    parser.add_argument("--hours", type=positive, default=2.0, help="hours of --train to use")
    parser.add_argument("--dev-hours", type=positive, default=0.25, help="hours of --dev to use")
    parser.add_argument("--longest-s", type=positive, default=6.0, help="longest utterance, in s")
    parser.add_argument("--output", type=Path, default=Path("runs/cells"), help="folder of runs")
    parser.add_argument("--report", type=Path, help="folder of the report (default: --output)")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these rows")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="override a key of cells.toml in every row",
    )  # fmt: skip
    parser.add_argument(
        "--frames", type=whole_number, default=200, help="frames to follow gradients back"
    )
    parser.add_argument(
        "--repeats", type=whole_number, default=15, help="rounds of each speed measurement"
    )
    options = parser.parse_args(argv)
    folder = options.report or options.output
    rows = choose_rows(load_rows(options.changes), options.rows)
    run = Run(options.output / "rows", options.output / "data", options.output / "cache")
    hours = (options.hours, options.dev_hours)
    slice_lists(run, (options.train, options.dev), hours, options.longest_s)
    train_rows(rows, run, log)
    plan = Measurement(rows, run, folder / "pictures", options.frames, options.repeats)
    arguments = sys.argv[1:] if argv is None else argv
    command = shlex.join(["python", "-m", "recipes.cells", *arguments])
    figures = {"command": command, **measure(plan, log)}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in figures.items()]
    write_bytes(folder / "results.json", ("{" + ",\n".join(lines) + "}\n").encode())
    write_bytes(folder / "report.md", render(figures).encode())
    print(f"{folder / 'report.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
