"""``asr-gru train``: start a training run, or resume one."""

from __future__ import annotations

import atexit
import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_gru.cli.interrupts import interruptible
from asr_gru.cli.options import cache_option, finite
from asr_gru.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from asr_gru.training.overfit import OverfitResult

__all__ = ["command"]


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Base folder of the paths in CONFIG (default: the folder of CONFIG).",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Folder of checkpoints, tokens and log (default: runs/ and the name of CONFIG, or of its "
    "folder for a recipe.toml).",
)
@click.option("--stage", "stage_name", metavar="NAME", help="Train only this stage of a recipe.")
@cache_option
@click.option(
    "--start-from",
    type=click.Path(path_type=Path),
    help="Run or model (or name of a bundled model) to initialise the weights from.",
)
@click.option(
    "--new-head",
    is_flag=True,
    help="With --start-from: keep only the encoder, and build tokens from the texts of CONFIG.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.0, min_open=True, max=1e6),
    callback=finite,
    help="Train for this long, including the learning rate decay, instead of CONFIG's epochs.",
)
@click.option(
    "--overfit-one-batch",
    is_flag=True,
    help="Only check that one batch can be learned by heart; fails if not. Writes no run.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a key of CONFIG."
)
def command(
    config: Path,
    root: Path | None,
    run_dir: Path | None,
    stage_name: str | None,
    cache: Path,
    start_from: Path | None,
    new_head: bool,
    minutes: float | None,
    overfit_one_batch: bool,
    changes: tuple[str, ...],
) -> None:
    """Train a model as configured in CONFIG (TOML), or resume a stopped run.

    A recipe with [[stage]] tables is trained stage by stage; finished stages are skipped.

    Several processes: torchrun --nproc_per_node=2 -m asr_gru train CONFIG
    """
    try:
        from asr_gru.training.distributed import init_processes
        from asr_gru.training.overfit import overfit_one_batch as overfit
        from asr_gru.training.recipe import choose_stage, load_recipe
        from asr_gru.training.run import Run, StopRequest
        from asr_gru.training.stages import plan_stages, train_stages
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    if new_head and start_from is None:
        raise ConfigError("--new-head needs --start-from")
    stages = load_recipe(config, changes, _log)
    only = None if stage_name is None else choose_stage(stages, stage_name, config)
    stop = StopRequest()
    run = Run(
        folder=run_dir or Path("runs") / _run_name(config),
        root=root or config.parent,
        cache=cache,
        start_from=start_from,
        new_head=new_head,
        minutes=minutes,
        stop=stop,
    )

    planned = [] if overfit_one_batch else plan_stages(stages, run, only, _log)

    def request_stop() -> bool:
        stop.requested = True
        return stop.is_heeded

    with interruptible(request_stop) as check:
        processes = init_processes()
        state = None
        try:
            if overfit_one_batch:
                result = overfit((only or stages[0]).config, run, processes, _log)
            else:
                state = train_stages(planned, processes, _log)
        except Exception:
            if processes.world_size > 1:
                # Threads of the process group may still wait for a dead peer, and would abort
                # the interpreter's shutdown after the error was printed.
                atexit.register(os._exit, 1)
            raise
        finally:
            processes.shutdown()
        if stop.requested and processes.is_main and state is not None:
            _log(f"stopped after step {state.global_step}; the same command resumes from there")
        check()
        if overfit_one_batch:
            _print_overfit(result)


def _print_overfit(result: OverfitResult) -> None:
    for reference, hypothesis in result.texts:
        click.echo(f"ref: {reference}\nhyp: {hypothesis}")
    if not result.learned:
        raise ConfigError(
            f"one batch was not learned in {result.steps} steps (loss {result.loss:.4g} nats per "
            "token); check that texts and recordings belong together, optimiser.learning_rate, "
            "and encoder.subsampling"
        )
    click.echo(f"learned in {result.steps} steps: loss {result.loss:.4g} nats per token")


def _run_name(config: Path) -> str:
    if config.name == "recipe.toml":
        return config.absolute().parent.name or config.stem
    return config.stem


def _log(line: str) -> None:
    click.echo(f"{dt.datetime.now():%H:%M:%S}  {line}", err=True)
