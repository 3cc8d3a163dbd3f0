"""Reads training configurations in TOML; keys of earlier versions are accepted."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from asr_gru.errors import ConfigError, did_you_mean
from asr_gru.files import read_text
from asr_gru.training.config import TrainConfig
from asr_gru.training.renamed_keys import RENAMED, upgrade_keys

__all__ = ["build_train_config", "load_train_config", "parse_train_config", "read_toml"]


def load_train_config(
    path: Path, changes: Sequence[str] = (), notice: Callable[[str], None] = lambda _line: None
) -> TrainConfig:
    """Read a TOML file; ``changes`` are ``table.key=value`` with values in TOML syntax.

    ``notice`` receives a line that lists keys of earlier versions with their current names.

    Raises:
        ConfigError: the file is missing or not TOML, or has an unknown key or an invalid value.
    """
    values = read_toml(path)
    if "stage" in values:
        raise ConfigError(f"{path}: has stages, and this needs a configuration without")
    return build_train_config(values, str(path), changes, notice)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: the file cannot be read or is not TOML.
    """
    text = read_text(path, "give a configuration in TOML", ConfigError)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


def build_train_config(
    values: dict[str, Any], name: str, changes: Sequence[str], notice: Callable[[str], None]
) -> TrainConfig:
    """Apply ``changes`` to plain values, which they modify, and validate them."""
    renamed = upgrade_keys(values, name)
    for change in changes:
        key, equals, value = change.partition("=")
        key, value = key.strip(), value.strip()
        renamed += [(key, RENAMED[key])] if key in RENAMED else []
        _apply(values, f"{RENAMED.get(key, key)}{equals}{value}")
    if renamed:
        now = ", ".join(f"{old} is now {new}" for old, new in renamed)
        notice(f"{name}: keys of an earlier version: {now}")
    config = parse_train_config(values, name)
    for key, number in _numbers(msgspec.to_builtins(config), ""):
        if not math.isfinite(number):
            raise ConfigError(f"{name}: {key} = {number}: write a finite number")
    return config


def _numbers(value: Any, key: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers in plain values, each with its key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner, key)
    elif isinstance(value, float):
        yield key, value


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise ConfigError(f"--set {change}: write it as table.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {change}: {parent} is not a table")
    values[last] = value


def parse_train_config(values: dict[str, Any], name: str = "configuration") -> TrainConfig:
    """Validate plain values as a configuration; keys of earlier versions are accepted."""
    values = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    upgrade_keys(values, name)
    try:
        return msgspec.convert(values, TrainConfig)
    except ConfigError as error:  # keys that do not fit each other
        raise ConfigError(f"{name}: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_explain(str(error))}") from None


def _explain(message: str) -> str:
    unknown = re.search(r"unknown field `([^`]*)`(?: - at `\$\.?(.*)`)?", message)
    if not unknown:
        return message.replace("`$.", "`")
    key, table = unknown[1], unknown[2] or ""
    owner: Any = TrainConfig
    if table:
        kinds = {field.name: field.type for field in msgspec.structs.fields(TrainConfig)}
        owner = kinds.get(table, TrainConfig)
    where = f"{table}.{key}" if table else key
    return f"unknown key {where!r}{did_you_mean(key, owner.__struct_fields__)}"
