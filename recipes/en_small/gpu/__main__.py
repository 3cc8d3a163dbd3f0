r"""Train on a GPU for some minutes, on a machine that has neither the recordings nor a network.

Where the recordings are, once::

    python -m recipes.en_small.gpu pack recipes/en_small/recipe.toml --stage gpu --root DATA \
      --start-from runs/en_small/crf --out PARTS

On the machine with the GPU, for each part as it arrives, and once, beside them::

    python -m recipes.en_small.gpu decode PARTS/part0
    python -m recipes.en_small.gpu train PARTS --minutes 12 --out OUT

Training begins with the first part, takes in others as they are decoded, and ends at the deadline,
which a number (seconds since 1970) in ``PARTS/deadline`` moves.
``cat OUT/last.pt.* > runs/gpu/checkpoint.pt``, with ``OUT/tokens.txt`` beside it, is a run that can
be exported or continued; ``OUT/best.pt.*`` is the one with the lowest loss in validation.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from recipes.command_line import log, needed, one_line_errors
from recipes.en_small.gpu.clock import Clock

with needed(__name__, "train"):
    import torch

    from recipes.en_small.gpu.decode import decode
    from recipes.en_small.gpu.train import train

RATE = 16_000


@one_line_errors()
def main() -> int:
    """Run one of the commands; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("pack", help="write the parts")
    one.add_argument("config", type=Path)
    one.add_argument("--stage", help="stage of the recipe, whose configuration is used")
    one.add_argument("--root", type=Path, required=True, help="data root")
    one.add_argument("--start-from", type=Path, required=True, help="run or model to start from")
    one.add_argument("--out", type=Path, required=True, help="folder of the parts")
    one.add_argument("--part-mib", type=float, default=56.0, help="size limit of a part")
    one.add_argument("--copies", type=Path, help="folder with Opus copies of recordings")
    one.add_argument("--set", dest="changes", action="append", default=[], help="KEY=VALUE")
    one = commands.add_parser("decode", help="decode a part")
    one.add_argument("part", type=Path)
    one = commands.add_parser("train", help="train on the decoded parts")
    one.add_argument("parts", type=Path)
    one.add_argument("--minutes", type=float, required=True, help="time from now on")
    one.add_argument("--out", type=Path, required=True, help="folder for the weights")
    options = parser.parse_args()
    _run(options, parser)
    return 0


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if options.command == "pack":
        from asr_gru.training.recipe import choose_stage, load_recipe
        from recipes.en_small.gpu.pack import pack  # these need what the other machine lacks

        stages = load_recipe(options.config, options.changes, log)
        if options.stage is None and stages[0].name:
            parser.error(f"{options.config}: has stages; name one with --stage")
        stage = choose_stage(stages, options.stage, options.config) if options.stage else stages[0]
        pack(
            stage.config,
            options.root,
            options.out,
            start_from=options.start_from,
            part_mib=options.part_mib,
            copies=options.copies or options.root,
        )
    elif options.command == "decode":
        decode(options.part, RATE)
    else:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        clock = Clock(options.parts / "deadline", time.time() + 60.0 * options.minutes)
        train(options.parts, options.out, clock, log, device)
        log("done")


if __name__ == "__main__":
    sys.exit(main())
