"""Recipes: training runs in stages, each described by what differs from a common base.

A recipe is a configuration with ``[[stage]]`` tables:

    epochs = 10
    [data]
    train = ["train.tsv"]

    [[stage]]
    name = "first"

    [[stage]]
    name = "second"
    optimiser.learning_rate = 5e-4

    [[stage]]
    name = "third"
    extends = "second"
    augment.speed_prob = 0.3

A stage that ``extends`` an earlier one differs from that stage instead of from the base. Each
stage starts from the weights of the one before. A configuration without stages is a recipe of a
single stage without a name.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from asr_gru.errors import ConfigError, did_you_mean
from asr_gru.files import write_bytes
from asr_gru.training.config import TrainConfig
from asr_gru.training.config_file import build_train_config, parse_train_config, read_toml
from asr_gru.training.renamed_keys import upgrade_keys

__all__ = ["Stage", "choose_stage", "load_recipe", "mark_finished", "read_finished"]

FINISHED = "finished.json"
"""Written into the folder of a stage that was trained to its end: its configuration."""
STAGES = "stage"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class StageKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of a stage that are not keys of the configuration.

    Attributes:
        name: name of the stage, and of its folder.
        extends: an earlier stage to differ from, instead of from the base. Its configuration and
            ``minutes`` are inherited; ``name``, ``start_from`` and ``new_head`` are not.
        start_from: an earlier stage, a run or model relative to the data root, or a bundled model;
            by default the stage before, ``""`` for random weights.
        new_head: keep only the encoder, and build the tokenizer from this stage's texts.
        minutes: train for this long instead of ``epochs``. A stage with ``epochs`` of its own does
            not inherit it.
    """

    name: str
    extends: str | None = None
    start_from: str | None = None
    new_head: bool = False
    minutes: Annotated[float, Meta(gt=0, le=1e6)] | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One training run of a recipe.

    Attributes:
        name: its name, "" for a configuration without stages.
        config: its whole configuration.
        after: the earlier stage whose weights it starts from, or "".
        start_from: a run or model to start from instead, or "".
        new_head: as in ``StageKeys``.
        minutes: as in ``StageKeys``.
    """

    name: str
    config: TrainConfig
    after: str = ""
    start_from: str = ""
    new_head: bool = False
    minutes: float | None = None


def load_recipe(
    path: Path, changes: Sequence[str] = (), notice: Callable[[str], None] = lambda _line: None
) -> list[Stage]:
    """Read a recipe, or a configuration without stages.

    Args:
        path: TOML file.
        changes: ``table.key=value``, applied to every stage.
        notice: receives a line that lists keys of earlier versions with their current names.

    Raises:
        ConfigError: the file is not a recipe; names the stage and the key.
    """
    base = read_toml(path)
    if STAGES not in base:
        return [Stage("", build_train_config(base, str(path), changes, notice))]
    tables = base.pop(STAGES)
    if not (isinstance(tables, list) and tables and all(isinstance(t, dict) for t in tables)):
        raise ConfigError(f"{path}: stage is no list of tables, or empty; write [[stage]]")
    _upgrade(base, str(path), notice, ())
    reader = _StageReader(path, base, changes, notice)
    for number, table in enumerate(tables, 1):
        reader.add(number, table, [each.get("name") for each in tables[number:]])
    return reader.stages


class _StageReader:
    """Adds one stage after the other to ``stages``."""

    def __init__(
        self,
        path: Path,
        base: dict[str, Any],
        changes: Sequence[str],
        notice: Callable[[str], None],
    ) -> None:
        self.stages: list[Stage] = []
        self._path = path
        self._base = base
        self._changes = changes
        self._notice = notice
        self._values: dict[str, dict[str, Any]] = {}
        """For each stage its configuration as plain values, without ``changes``."""

    def add(self, number: int, table: dict[str, Any], later: Sequence[Any]) -> None:
        """Add a stage; ``later`` are the names of the stages after it."""
        own = {key: table.pop(key) for key in StageKeys.__struct_fields__ if key in table}
        where = f"{self._path}: stage {own.get('name', number)!r}"
        try:
            keys = msgspec.convert(own, StageKeys)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{where}: {str(error).replace('`$.', '`')}") from None
        names = [stage.name for stage in self.stages]
        if not NAME.fullmatch(keys.name) or keys.name in names:
            raise ConfigError(
                f"{where}: names have to differ, and consist of letters, digits, '.', '_' and '-'"
            )
        after, start_from = names[-1] if names else "", ""
        if keys.start_from is not None:
            is_stage = keys.start_from in names
            after, start_from = (keys.start_from, "") if is_stage else ("", keys.start_from)
        if keys.new_head and not (after or start_from):
            raise ConfigError(f"{where}: new_head needs a stage, run or model to start from")
        _upgrade(table, where, self._notice, StageKeys.__struct_fields__)
        base, minutes = self._base, keys.minutes
        if keys.extends is not None:
            extended = _extended(self.stages, keys.extends, where, later)
            base = self._values[extended.name]
            if minutes is None and "epochs" not in table:
                minutes = extended.minutes
        values = _merged(base, table)
        self._values[keys.name] = copy.deepcopy(values)
        config = build_train_config(values, where, self._changes, self._notice)
        self.stages.append(Stage(keys.name, config, after, start_from, keys.new_head, minutes))


def _extended(stages: Sequence[Stage], name: str, where: str, later: Sequence[Any]) -> Stage:
    """Return the earlier stage that a stage ``extends``."""
    found = {stage.name: stage for stage in stages}
    if name in found:
        return found[name]
    if name in later:
        remedy = "comes after it; move it before"
    elif found:
        known = did_you_mean(name, found) or f"; there are {', '.join(found)}"
        remedy = f"is not an earlier stage{known}"
    else:
        remedy = "is not an earlier stage; the first stage cannot extend another"
    raise ConfigError(f"{where}: extends {name!r}, which {remedy}")


def _upgrade(
    values: dict[str, Any], where: str, notice: Callable[[str], None], further: Sequence[str]
) -> None:
    """Rename keys of earlier versions, and refuse unknown ones; ``further`` may be meant."""
    renamed = upgrade_keys(values, where)
    if renamed:
        now = ", ".join(f"{old} is now {new}" for old, new in renamed)
        notice(f"{where}: keys of an earlier version: {now}")
    tables = {field.name: field.type for field in msgspec.structs.fields(TrainConfig)}
    for key, value in values.items():
        if key not in tables:
            hint = did_you_mean(key, [*tables, *further])
            raise ConfigError(f"{where}: unknown key {key!r}{hint}")
        fields: tuple[str, ...] = getattr(tables[key], "__struct_fields__", ())
        for inner in value if fields and isinstance(value, dict) else ():
            if inner not in fields:
                name = f"{key}.{inner}"
                raise ConfigError(f"{where}: unknown key {name!r}{did_you_mean(inner, fields)}")


def _merged(base: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    """Return the base with the values of a stage; tables are merged, their values replaced."""
    values = copy.deepcopy(base)
    for key, value in stage.items():
        both = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = {**values[key], **value} if both else value
    return values


def choose_stage(stages: Sequence[Stage], name: str, path: Path) -> Stage:
    """Return the stage called ``name``.

    Raises:
        ConfigError: there is none.
    """
    names = [stage.name for stage in stages if stage.name]
    if not names:
        raise ConfigError(f"{path}: has no stages; leave --stage out")
    if name not in names:
        hint = did_you_mean(name, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"{path}: no stage {name!r}{hint}")
    return stages[names.index(name)]


def mark_finished(folder: Path, config: TrainConfig) -> None:
    """Record that the run in ``folder`` was trained to its end with ``config``."""
    write_bytes(folder / FINISHED, msgspec.json.format(msgspec.json.encode(config)) + b"\n")


def read_finished(folder: Path) -> TrainConfig | None:
    """Return the configuration with which the run in ``folder`` was finished, or None.

    Raises:
        ConfigError: the record of it is damaged.
    """
    path = folder / FINISHED
    try:
        return parse_train_config(msgspec.json.decode(path.read_bytes(), type=dict), str(path))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, ConfigError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); delete it to train again") from None
