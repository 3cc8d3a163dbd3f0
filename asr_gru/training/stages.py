"""Trains the stages of a recipe, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr_gru.errors import ConfigError
from asr_gru.training.checkpoint import Checkpoint
from asr_gru.training.distributed import Processes
from asr_gru.training.loop import train
from asr_gru.training.recipe import Stage, mark_finished, read_finished
from asr_gru.training.run import Run, find_model
from asr_gru.training.run_report import report_finished_run

__all__ = ["PlannedStage", "plan_stages", "train_stages"]


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage that is to be trained, and the run that does it."""

    stage: Stage
    run: Run


def plan_stages(
    stages: Sequence[Stage], run: Run, only: Stage | None, log: Callable[[str], None]
) -> list[PlannedStage]:
    """Return the stages that remain to be trained, in order.

    Args:
        stages: a recipe; a single stage without a name is trained with the settings of ``run``.
        run: options of the run. Its folder receives one folder for each stage. Its ``start_from``
            and ``new_head`` replace those of ``only``, else of the first stage.
        only: train this stage alone.
        log: receives a line for each stage that is skipped, or was finished differently.

    Raises:
        ConfigError: a stage depends on one that is not finished, or ``run.minutes`` is given for
            several stages.
    """
    if not stages[0].name:
        return [PlannedStage(stages[0], run)]
    if run.minutes is not None and only is None:
        raise ConfigError(
            "--minutes: name the stage with --stage, or give each its minutes in the recipe"
        )
    planned: list[PlannedStage] = []
    for stage in stages if only is None else [only]:
        folder = run.folder / stage.name
        finished = read_finished(folder)
        if finished == stage.config and run.minutes is None:
            log(f"stage {stage.name}: finished ({folder})")
            continue
        if finished is not None:
            log(f"stage {stage.name}: finished with another configuration; going on in {folder}")
        explicit = run.start_from is not None and stage is (only or stages[0])
        start_from = run.start_from if explicit else _start_from(stage, run)
        if stage.after and not explicit and not _will_be_finished(stage.after, run, planned):
            raise ConfigError(
                f"stage {stage.name!r} starts from {stage.after!r}, which is not finished; "
                f"train it first (--stage {stage.after}), or give --start-from"
            )
        teacher = _teacher_stage(stage, stages)
        if teacher and not _will_be_finished(teacher, run, planned):
            raise ConfigError(
                f"stage {stage.name!r} is distilled from {teacher!r}, which is not finished; "
                f"train it first (--stage {teacher})"
            )
        new_head = run.new_head if explicit else stage.new_head
        minutes = run.minutes or stage.minutes
        its_run = replace(
            run,
            folder=folder,
            start_from=start_from,
            teacher=run.folder / teacher if teacher else None,
            new_head=new_head,
            minutes=minutes,
        )
        planned.append(PlannedStage(stage, its_run))
    return planned


def _start_from(stage: Stage, run: Run) -> Path | None:
    if stage.after:
        return run.folder / stage.after
    if not stage.start_from:
        return None
    return find_model(stage.start_from, run.root)


def _teacher_stage(stage: Stage, stages: Sequence[Stage]) -> str:
    """Return the name of the earlier stage that ``stage`` is distilled from, or ""."""
    names = [each.name for each in stages]
    teacher = stage.config.distillation.teacher
    return teacher if teacher in names[: names.index(stage.name)] else ""


def _will_be_finished(name: str, run: Run, planned: Sequence[PlannedStage]) -> bool:
    is_planned = any(earlier.stage.name == name for earlier in planned)
    return is_planned or read_finished(run.folder / name) is not None


def train_stages(
    planned: Sequence[PlannedStage], processes: Processes, log: Callable[[str], None]
) -> Checkpoint | None:
    """Train stage after stage until the last, or until the run is asked to stop.

    Returns:
        the state of the last stage that was trained, or None if nothing was left to do.
    """
    state: Checkpoint | None = None
    for stage, run in ((each.stage, each.run) for each in planned):
        if run.stop.requested:
            break
        run.stop.is_heeded = False
        if stage.name and processes.is_main:
            log(f"stage {stage.name}: training in {run.folder}")
        state = train(stage.config, run, processes, log)
        if processes.is_main and not run.stop.requested:
            if stage.name:
                mark_finished(run.folder, stage.config)
            report_finished_run(run.folder, run.root, log)
    return state
