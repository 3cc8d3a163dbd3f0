"""``asr-gru train``: a configuration becomes a run, which goes on where it stopped."""

from __future__ import annotations

import atexit
import datetime as dt
import os
from pathlib import Path

import click

from asr_gru.cli.interrupts import interruptible
from asr_gru.cli.options import finite
from asr_gru.errors import ConfigError, MissingExtraError

__all__ = ["command"]


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="What the paths in CONFIG are relative to (default: the folder of CONFIG).",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Checkpoints, tokens, log (default: runs/ and the name of CONFIG).",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("runs/cache"),
    show_default=True,
    help="Where decoded recordings are kept, for all runs.",
)
@click.option(
    "--start-from",
    type=click.Path(path_type=Path),
    help="A run or a model (also the name of a bundled one) whose weights a new run begins with.",
)
@click.option(
    "--new-head",
    is_flag=True,
    help="With --start-from: keep its encoder, make tokens from the texts of CONFIG.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.0, min_open=True, max=1e6),
    callback=finite,
    help="Train this long, the learning rate falling to its end, in place of CONFIG's epochs.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of CONFIG."
)
def command(
    config: Path,
    root: Path | None,
    run_dir: Path | None,
    cache: Path,
    start_from: Path | None,
    new_head: bool,
    minutes: float | None,
    changes: tuple[str, ...],
) -> None:
    """Train a model as CONFIG (TOML) says, or go on with a run that was stopped.

    Several processes: torchrun --nproc_per_node=2 -m asr_gru train CONFIG
    """
    try:
        from asr_gru.training.config import load_train_config
        from asr_gru.training.distributed import init_processes
        from asr_gru.training.loop import train
        from asr_gru.training.run import Run, StopRequest
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    if new_head and start_from is None:
        raise ConfigError("--new-head needs --start-from")
    parsed = load_train_config(config, changes, _say)
    stop = StopRequest()
    run = Run(
        folder=run_dir or Path("runs") / config.stem,
        root=root or config.parent,
        cache=cache,
        start_from=start_from,
        new_head=new_head,
        minutes=minutes,
        stop=stop,
    )

    def ask() -> bool:
        stop.requested = True
        return stop.is_heeded

    with interruptible(ask) as check:
        processes = init_processes()
        try:
            state = train(parsed, run, processes, _say)
        except Exception:
            if processes.world_size > 1:
                # Threads of the process group may wait for a peer that is gone, and would abort
                # the interpreter's shutdown after the error has been printed.
                atexit.register(os._exit, 1)
            raise
        finally:
            processes.shutdown()
        if stop.requested and processes.is_main:
            _say(f"stopped after step {state.global_step}; the same command goes on from there")
        check()


def _say(line: str) -> None:
    click.echo(f"{dt.datetime.now():%H:%M:%S}  {line}", err=True)
