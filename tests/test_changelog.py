"""The renamed things in the changelog exist under their new names."""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

from asr_gru.training.renamed_keys import RENAMED, RENAMED_FIELDS

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([\w ]+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def rows(kind: str) -> list[tuple[list[str], list[str]]]:
    """Return old and new names of each row of a kind."""
    names = re.compile(r"`([^`]+)`")
    return [(names.findall(old), names.findall(new)) for row, old, new in ROWS if row == kind]


def path_of(module: str) -> Path:
    """Return the file or folder of a module."""
    path = ROOT / module.replace(".", "/")
    return path if path.is_dir() else path.with_suffix(".py")


def member(owner: object, name: str) -> object:
    fields = getattr(owner, "__dataclass_fields__", {})
    return fields[name] if name in fields else getattr(owner, name)


def resolve(name: str) -> object:
    """Return the object at ``asr_gru.NAME``."""
    parts = ["asr_gru", *name.split(".")]
    count = max(n for n in range(1, len(parts)) if path_of(".".join(parts[:n])).exists())
    return reduce(member, parts[count:], import_module(".".join(parts[:count])))


def test_renamed_modules_exist():
    found = rows("module")
    assert found
    for (old,), (new,) in found:
        assert path_of(new).exists(), new
        assert path_of(old).is_dir() or not path_of(old).exists(), old


def test_renamed_python_names_exist():
    found = rows("Python")
    assert found
    for _, news in found:
        owner = ""
        for new in news:
            if "." in new:
                owner = new.rpartition(".")[0]
            elif owner:
                new = f"{owner}.{new}"
            elif new[0].islower():
                continue  # an argument
            resolve(new)


def test_renamed_keys_are_read_under_their_old_names():
    assert {old: new for (old,), (new,) in rows("configuration")} == RENAMED
    assert {old: new for (old,), (new,) in rows("checkpoint")} == RENAMED_FIELDS


def test_renamed_benchmarks_exist():
    found = rows("benchmark")
    assert found
    for _, (new,) in found:
        assert (ROOT / new).exists() or path_of(new).exists(), new
