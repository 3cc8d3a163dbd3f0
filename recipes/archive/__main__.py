"""Transcribe an archive on a Ray cluster: ``python -m recipes.archive --help``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from asr_gru.errors import MissingExtraError
from recipes.command_line import one_line_errors, whole_number

__all__ = ["main"]


@one_line_errors("stopped; the same command goes on with what is not finished")
def main(argv: Sequence[str] | None = None) -> int:
    """Transcribe what is not finished; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.archive",
        description="Transcribe an archive on a Ray cluster, or on the CPUs of this machine.",
    )
    parser.add_argument(
        "source", help="a folder, the URL of a bucket, a list of paths or URLs (.txt), a manifest"
    )
    parser.add_argument("output", help="folder or URL that receives the parts")
    parser.add_argument(
        "--format", choices=("jsonl", "parquet"), default="jsonl", help="of the parts"
    )
    parser.add_argument("--model", default="en-small", help="name or directory of the model")
    parser.add_argument(
        "--actors", type=whole_number, help="workers, with one CPU each (default: all)"
    )
    parser.add_argument(
        "--batch-size", type=whole_number, default=16, help="recordings per model call"
    )
    parser.add_argument("--part-size", type=whole_number, default=64, help="recordings per part")
    parser.add_argument("--address", help="address of a running cluster, or auto")
    return _run(parser.parse_args(argv))


def _run(options: argparse.Namespace) -> int:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its authors
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        from recipes.archive.cluster import connect, transcribe_parts
        from recipes.archive.parts import OutputFolder, plan_parts
        from recipes.archive.sources import list_recordings
        from recipes.archive.worker import Settings
    except ModuleNotFoundError as error:
        if error.name not in {"ray", "pyarrow", "fsspec"}:
            raise
        raise MissingExtraError(error.name, "archive") from None
    from asr_gru import Recognizer
    from asr_gru.model.directory import bundled_models

    Recognizer.load(options.model)  # a wrong name fails here, not on every worker
    is_bundled = options.model in bundled_models()
    model = options.model if is_bundled else str(Path(options.model).absolute())
    output = OutputFolder(options.output, options.format)
    recordings = list_recordings(options.source)
    finished = output.finished()
    parts = plan_parts(recordings, finished, options.part_size)
    left = sum(len(part.recordings) for part in parts)
    found, planned = _many(len(recordings), "recording"), _many(len(parts), "part")
    print(f"{found}, {len(recordings) - left} finished; {planned}")
    if not parts:
        return 0
    cpus = connect(options.address)
    began = time.monotonic()
    settings = Settings(output.url, options.format, model, options.batch_size)
    actors = options.actors or cpus
    audio_s, busy_s, unreadable = 0.0, 0.0, 0
    unreachable: list[str] = []
    for number, done in enumerate(transcribe_parts(parts, settings, actors), 1):
        left -= done["recordings"]
        audio_s, busy_s = audio_s + done["audio_s"], busy_s + done["seconds"]
        unreadable += done["unreadable"]
        unreachable += done["unreachable"]
        elapsed = time.monotonic() - began
        print(
            f"{number}/{len(parts)} parts, {audio_s / 3600:.2f} hours of audio, "
            f"{audio_s / elapsed:.1f} times real time ({done['host']}, pid {done['pid']})",
            flush=True,
        )
    if busy_s:
        print(f"{audio_s / busy_s:.1f} times real time per worker, start not counted")
    for problem in unreachable[:5]:
        print(f"error: {problem}", file=sys.stderr)
    if unreadable:
        print(f"{_many(unreadable, 'recording')} could not be read; see the column error")
    if left:
        print(f"error: {_many(left, 'recording')} not done; run the command again", file=sys.stderr)
    return int(left > 0)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


if __name__ == "__main__":
    sys.exit(main())
