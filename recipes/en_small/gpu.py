"""Train on a GPU for a fixed number of minutes, and pack the result for download.

    python -m recipes.en_small.gpu recipes/en_small/recipe.toml --stage phones --root DATA

with ``--start-from en-small --until 13.5 --out OUT``.

All processors decode the recordings into memory, training runs until the given minute since the
start of this command, and OUT receives the log and the averaged weights, split into files of
limited size. ``cat OUT/checkpoint.pt.* > runs/gpu/checkpoint.pt``, with ``OUT/tokens.txt`` beside
it, restores a run that can be exported or continued.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from asr_gru.files import write_bytes
from asr_gru.training.checkpoint import Checkpoint, save_checkpoint
from asr_gru.training.distributed import init_processes
from asr_gru.training.loop import Run, train
from asr_gru.training.recipe import choose_stage, load_recipe

MEMORY = Path("/dev/shm")  # noqa: S108
GPU_BATCH_S = 1200.0


def main() -> None:
    """Decode, train until the given minute, and pack the result."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--stage", help="stage of the recipe, whose configuration is used")
    parser.add_argument("--root", type=Path, required=True, help="data root")
    parser.add_argument("--until", type=float, required=True, help="minutes since the start")
    parser.add_argument("--out", type=Path, required=True, help="folder for log and weights")
    parser.add_argument("--start-from", type=Path, help="run or model to continue from")
    parser.add_argument("--part-mib", type=float, default=15.0, help="size limit of each file")
    parser.add_argument(
        "--reserve", type=float, default=0.5, help="minutes reserved for validation and writing"
    )
    parser.add_argument("--set", dest="changes", action="append", default=[], help="KEY=VALUE")
    options = parser.parse_args()

    processes = init_processes()
    changes = list(options.changes)
    if processes.device.type == "cuda" and not any("batch_s" in change for change in changes):
        changes.append(f"data.batch_s={GPU_BATCH_S}")
    stages = load_recipe(options.config, changes, _log)
    if options.stage is None and stages[0].name:
        parser.error(f"{options.config}: has stages; name one with --stage")
    stage = choose_stage(stages, options.stage, options.config) if options.stage else stages[0]
    memory = MEMORY if MEMORY.is_dir() else options.out
    folder = options.out / "run"
    minutes = options.until - options.reserve - (time.monotonic() - began) / 60
    run = Run(
        folder=folder,
        root=options.root,
        cache=memory / "asr_gru-cache",
        start_from=options.start_from,
        save_every_s=1e9,
        minutes=minutes,
    )
    _log(f"{processes.device}, {minutes:.1f} minutes to decode and to train")
    state = train(stage.config, run, processes, _log)
    pack_result(state, folder, options.out, int(options.part_mib * 2**20))
    _log(f"done after {(time.monotonic() - began) / 60:.1f} minutes")


def pack_result(state: Checkpoint, folder: Path, out: Path, part: int) -> list[Path]:
    """Write the averaged weights in files of at most ``part`` bytes, the log and the tokens."""
    state.weights = state.ema or state.weights
    state.ema, state.optimiser = {}, {}
    whole = folder / "weights.pt"
    save_checkpoint(state, whole)
    data = whole.read_bytes()
    shutil.rmtree(folder / "parts", ignore_errors=True)
    parts = []
    for number, first in enumerate(range(0, len(data), part)):
        parts.append(out / f"checkpoint.pt.{number:02}")
        write_bytes(parts[-1], data[first : first + part])
    for name in ("log.jsonl", "tokens.txt", "tokens.model"):
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)
    shutil.rmtree(folder)
    return parts


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
