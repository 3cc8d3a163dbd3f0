"""Compute the training cost of the stages of a recipe from a measured training speed.

    python -m recipes.librispeech.cost recipes/librispeech/*.toml --speed 130 --parameters 7.4

The speed is given in seconds of audio per second of training, summed over all processes, for a
model with the given number of parameters in millions. The cost per second of audio is roughly
proportional to the number of parameters, so it is scaled to that of each stage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_gru.errors import DataError
from asr_gru.language.dictionary import ENGLISH_PHONES
from recipes.command_line import needed, one_line_errors, positive, whole_number

with needed(__name__, "train"):
    import torch

    from asr_gru.nn.net import AcousticNet
    from asr_gru.training.config import TrainConfig
    from asr_gru.training.recipe import load_recipe

__all__ = ["HOURS", "Cost", "main", "stage_cost"]

HOURS = {
    "train-clean-5": 5.3,
    "train-clean-100": 100.6,
    "train-clean-360": 363.6,
    "train-other-500": 496.7,
}
"""Hours of each part; of the large ones as in Panayotov et al. 2015."""

FORWARD = 1 / 3
"""Cost of a teacher's forward pass as a fraction of a step with as many parameters."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage takes.

    Attributes:
        parameters: of the network, in millions.
        audio_h: hours of audio that it trains on, in all epochs.
        steps: optimiser steps, padding not counted.
        hours: hours of training.
    """

    parameters: float
    audio_h: float
    steps: int
    hours: float


def stage_cost(
    config: TrainConfig,
    speed: float,
    parameters: float,
    *,
    teacher: float = 0.0,
    processes: int = 2,
) -> Cost:
    """Return the cost of a stage.

    Args:
        config: configuration of the stage.
        speed: measured speed in seconds of audio per second of training.
        parameters: parameters in millions of the model whose speed was measured.
        teacher: parameters of the teacher in millions; 0 without one.
        processes: number of training processes.
    """
    own = _parameters(config)
    audio_h = config.epochs * sum(HOURS[Path(name).stem] for name in config.data.train)
    views = 2 if config.cr_ctc_weight else 1
    seconds_per_second = (views * own + FORWARD * teacher) / parameters / speed
    steps = round(3600 * audio_h / config.data.batch_s / processes)
    return Cost(own, audio_h, steps, audio_h * seconds_per_second)


def _parameters(config: TrainConfig) -> float:
    is_phones = config.data.tokens == "phones"
    vocab_size = len(ENGLISH_PHONES) + 1 if is_phones else config.data.vocab_size
    with torch.device("meta"):
        net = AcousticNet(config.net, vocab_size)
    return sum(parameter.numel() for parameter in net.parameters()) / 1e6


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.librispeech.cost",
        description="Print what the stages of recipes cost.",
    )
    parser.add_argument("recipes", nargs="+", type=Path, help="recipes of this folder")
    parser.add_argument("--speed", type=positive, required=True, help="times real time, measured")
    parser.add_argument("--parameters", type=positive, required=True, help="in millions")
    parser.add_argument(
        "--processes", type=whole_number, default=2, help="number of training processes"
    )
    options = parser.parse_args(arguments)
    print("| recipe | stage | parameters | hours of audio | steps | hours of training |")
    print("|---|---|---|---|---|---|")
    for path in options.recipes:
        sizes: dict[str, float] = {}
        for stage in load_recipe(path):
            teacher = stage.config.distillation.teacher
            if teacher and teacher not in sizes:
                raise DataError(
                    f"{path}: teacher {teacher!r} of stage {stage.name!r} is of unknown size; "
                    "name an earlier stage"
                )
            unknown = {Path(name).stem for name in stage.config.data.train} - set(HOURS)
            if unknown:
                raise DataError(
                    f"{path}: hours of {', '.join(sorted(unknown))} are unknown; "
                    f"known are {', '.join(HOURS)}"
                )
            cost = stage_cost(
                stage.config,
                options.speed,
                options.parameters,
                teacher=sizes.get(teacher, 0.0),
                processes=options.processes,
            )
            sizes[stage.name] = cost.parameters
            print(
                f"| {path.stem} | {stage.name} | {cost.parameters:.1f} M "
                f"| {cost.audio_h:,.0f} | {cost.steps:,} | {cost.hours:,.1f} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
