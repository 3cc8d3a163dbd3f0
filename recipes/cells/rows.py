"""The rows of the comparison: their configurations, training, and trained networks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from asr_gru.data.audio import duration_of
from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.errors import ConfigError, did_you_mean
from asr_gru.nn.net import AcousticNet, NetBuilder
from asr_gru.training.checkpoint import NAME, load_checkpoint
from asr_gru.training.distributed import init_processes
from asr_gru.training.loop import DivergedError, train
from asr_gru.training.recipe import Stage, load_recipe, mark_finished
from asr_gru.training.run import Run
from asr_gru.training.stages import plan_stages
from recipes.cells.attention import AttentionNet, CausalAttention

__all__ = [
    "ATTENTION",
    "choose_rows",
    "differences",
    "load_rows",
    "load_trained",
    "slice_list",
    "slice_lists",
    "train_rows",
]

RECIPE = Path(__file__).with_name("cells.toml")
ATTENTION = "gru-attention"
"""The row whose network is an ``AttentionNet``; all else is that of the first row."""
LISTS = ("train.tsv", "dev.tsv")


def load_rows(changes: Sequence[str] = ()) -> list[Stage]:
    """Return the stages of ``cells.toml`` and the row with self-attention.

    ``changes`` are ``table.key=value``, applied to every row.
    """
    stages = load_recipe(RECIPE, changes)
    return [*stages, replace(stages[0], name=ATTENTION)]


def choose_rows(rows: Sequence[Stage], names: Sequence[str]) -> list[Stage]:
    """Return the rows called ``names``, or all of them without names.

    Raises:
        ConfigError: there is no such row, or the changes have made two of them the same.
    """
    known = {row.name: row for row in rows}
    for name in names:
        if name not in known:
            raise ConfigError(f"no row {name!r}{did_you_mean(name, known)}")
    chosen = [row for row in rows if not names or row.name in names]
    for first, second in itertools.combinations(chosen, 2):
        if first.config == second.config and ATTENTION not in (first.name, second.name):
            raise ConfigError(
                f"rows {first.name!r} and {second.name!r} do not differ with these changes (--set);"
                " give the rows to compare with --rows"
            )
    return chosen


def net_builder(name: str) -> NetBuilder:
    """Return what builds the network of the row called ``name``."""
    return AttentionNet if name == ATTENTION else AcousticNet


def slice_lists(run: Run, lists: Sequence[Path], hours: Sequence[float], longest_s: float) -> None:
    """Write ``train.tsv`` and ``dev.tsv`` to ``run.root``: random utterances, up to ``hours`` each.

    Raises:
        ConfigError: there are none, or rows were trained on other ones.
    """
    for name, source, limit in zip(LISTS, lists, hours, strict=True):
        path = run.root / name
        draft = path.with_name(f".{name}")
        write_manifest(draft, slice_list(source, limit, longest_s))
        is_other = path.exists() and path.read_bytes() != draft.read_bytes()
        if is_other and name == LISTS[0] and any(run.folder.glob("*")):
            draft.unlink()
            raise ConfigError(
                f"{run.folder}: these rows were trained on other utterances than {source} and "
                "--hours choose; give another --output, or the same options"
            )
        draft.replace(path)


def slice_list(source: Path, hours: float, longest_s: float) -> list[Utterance]:
    """Return random utterances of a manifest, up to ``hours``, with their durations.

    Utterances longer than ``longest_s`` are left out: with short ones, more of them fit in a batch
    and recurrent layers take fewer sequential steps.

    Raises:
        ConfigError: there are none.
    """
    utterances = read_manifest(source)
    random.Random(1).shuffle(utterances)
    chosen: list[Utterance] = []
    total_s = 0.0
    for utterance in utterances:
        duration_s = duration_of(utterance)
        if duration_s > longest_s:
            continue
        total_s += duration_s
        if total_s > 3600.0 * hours:
            break
        chosen.append(replace(utterance, duration_s=duration_s))
    if not chosen:
        raise ConfigError(
            f"{source}: no utterance of at most {longest_s:g} s within {hours:g} hours; "
            "raise --longest-s or the hours"
        )
    return chosen


def train_rows(rows: Sequence[Stage], run: Run, log: Callable[[str], None]) -> None:
    """Train the rows that are not finished, each in a folder of its own under ``run.folder``.

    A row that diverges is finished as well: ``load_trained`` returns None for it.
    """
    for row in rows:
        if row.name == ATTENTION:
            CausalAttention(row.config.encoder.width)  # before hours of training the others
    processes = init_processes()
    for planned in plan_stages(rows, run, None, log):
        stage = planned.stage
        log(f"row {stage.name}")
        try:
            train(stage.config, planned.run, processes, log, build_net=net_builder(stage.name))
        except DivergedError as error:
            log(f"row {stage.name} diverged: {error}")
        mark_finished(planned.run.folder, stage.config)


def load_trained(folder: Path, name: str) -> AcousticNet | None:
    """Load the network of a finished row, with its averaged weights; None if it diverged."""
    if not (folder / name / NAME).exists():
        return None
    checkpoint = load_checkpoint(folder / name)
    if checkpoint.epoch < checkpoint.config.epochs:
        return None
    net = net_builder(name)(checkpoint.config.net, checkpoint.vocab_size, None)
    net.load_state_dict(checkpoint.ema or checkpoint.weights)
    return net.eval()


def differences(first: Stage, row: Stage) -> str:
    """Return the keys in which the configuration of ``row`` differs, as in TOML."""
    if row.name == ATTENTION:
        return "self-attention on top"
    base, own = (msgspec.to_builtins(stage.config) for stage in (first, row))
    keys = []
    for key, value in own.items():
        for inner, its in value.items() if isinstance(value, dict) else ((None, value),):
            before = base[key] if inner is None else base[key][inner]
            if its != before:
                name = key if inner is None else f"{key}.{inner}"
                keys.append(
                    f"`{name} = {its:g}`" if isinstance(its, float) else f"`{name} = {its}`"
                )
    return ", ".join(keys)
