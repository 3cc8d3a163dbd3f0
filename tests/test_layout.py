"""Imports point down: no circle, no arrow up, and torch stays where it belongs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROOMS = [
    {"errors", "results"},
    {"files"},
    {"text", "scoring", "formats"},
    {"model", "language"},
    {"data", "audio", "decoding"},
    {"nn", "streaming"},
    {"export", "backends", "decoders"},
    {"recognizer"},
    {"evaluation", "live", "tuning"},
    {"training", "server"},
    {"cli"},
    {"__main__"},
]
"""From the ground up. A room may import rooms below its own row, and itself."""

FLOOR = {room: row for row, rooms in enumerate(ROOMS) for room in rooms}
LATE = {"asr_gru.results": {"asr_gru.formats"}}
"""Imports within a function that point up: a transcript saves itself in formats that know it."""
TORCH = {"torch", "torchaudio", "librosa"}
WITH_TORCH = {"nn", "export", "training"}


def modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST, *, for_types: bool = True) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of every import, also within functions.

    With ``for_types`` those under TYPE_CHECKING count as well.
    """
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and not for_types and "TYPE_CHECKING" in ast.dump(node.test):
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


PACKAGE = dict(modules("asr_gru"))


def room(module: str) -> str:
    """Return the part of the package that a module is in; the package itself is its top."""
    return module.split(".")[1] if "." in module else "__init__"


def targets(name: str, tree: ast.AST, *, for_types: bool = True) -> set[str]:
    """Return the package's modules that a module imports."""
    found = set()
    for module, member in imported(tree, for_types=for_types):
        if module == "asr_gru" or module.startswith("asr_gru."):
            inner = f"{module}.{member}"
            found.add(inner if inner in PACKAGE else module)
    return found - {name}


def test_every_module_is_in_a_known_room():
    assert {room(name) for name in PACKAGE} - {"__init__", "models"} == set(FLOOR)


def test_imports_between_rooms_point_down():
    up = {
        f"{name} -> {target}"
        for name, tree in PACKAGE.items()
        for target in targets(name, tree) - LATE.get(name, set())
        if room(name) != "__init__"
        and room(target) not in ("__init__", room(name))
        and FLOOR[room(target)] >= FLOOR[room(name)]
    }
    assert up == set()


def test_modules_form_no_circle():
    arrows = {
        name: targets(name, tree, for_types=False) - {"asr_gru"} - LATE.get(name, set())
        for name, tree in PACKAGE.items()
    }
    open_, done = set(), set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in open_, " -> ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        open_.add(name)
        for target in sorted(arrows.get(name, ())):
            visit(target, (*trail, name))
        open_.remove(name)
        done.add(name)

    for name in sorted(arrows):
        if name != "asr_gru":
            visit(name, ())


def test_torch_stays_in_nn_export_and_training():
    astray = {
        name
        for name, tree in PACKAGE.items()
        if room(name) not in WITH_TORCH
        and any(module.split(".")[0] in TORCH for module, _ in imported(tree))
    }
    assert astray <= {"asr_gru.cli.doctor"}, astray  # which reports what is installed


@pytest.mark.parametrize("folder", ["benchmarks", "studies", "recipes", "examples"])
def test_nothing_stands_on_the_tests(folder):
    astray = {
        name
        for name, tree in modules(folder)
        if any(module.split(".")[0] == "tests" for module, _ in imported(tree))
    }
    assert astray == set()
