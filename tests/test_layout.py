"""Imports only point down and are not circular, and few packages import torch."""

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
    {"model", "language", "audio"},
    {"data", "decoding"},
    {"nn", "streaming", "closed_vocabulary", "decoder_config"},
    {"export", "backends", "decoders", "alignment"},
    {"decoding_options"},
    {"loaded_model"},
    {"transcriber"},
    {"recognizer"},
    {"evaluation", "inspection", "live", "tuning"},
    {"adaptation", "calibration"},
    {"training", "server"},
    {"cli"},
    {"__main__"},
]
"""Layers from the bottom up. A package may import packages of lower layers, and itself."""

FLOOR = {room: row for row, rooms in enumerate(ROOMS) for room in rooms}
LATE = {
    "asr_gru.results.alignment": {"asr_gru.formats"},
    "asr_gru.results.transcript": {"asr_gru.formats"},
}
"""Imports within a function that point up, as a transcript can save itself in every format."""
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


def test_every_module_belongs_to_a_known_package():
    assert {room(name) for name in PACKAGE} - {"__init__", "models"} == set(FLOOR)


def test_imports_between_packages_point_down():
    up = {
        f"{name} -> {target}"
        for name, tree in PACKAGE.items()
        for target in targets(name, tree) - LATE.get(name, set())
        if room(name) != "__init__"
        and room(target) not in ("__init__", room(name))
        and FLOOR[room(target)] >= FLOOR[room(name)]
    }
    assert up == set()


def test_imports_are_not_circular():
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


def test_only_nn_export_and_training_import_torch():
    astray = {
        name
        for name, tree in PACKAGE.items()
        if room(name) not in WITH_TORCH
        and any(module.split(".")[0] in TORCH for module, _ in imported(tree))
    }
    assert astray <= {"asr_gru.cli.doctor"}, astray  # which reports what is installed


@pytest.mark.parametrize("folder", ["benchmarks", "studies", "recipes", "examples"])
def test_nothing_imports_the_tests(folder):
    astray = {
        name
        for name, tree in modules(folder)
        if any(module.split(".")[0] == "tests" for module, _ in imported(tree))
    }
    assert astray == set()


def is_torch(tree: ast.Module) -> bool:
    return any(module.split(".")[0] in TORCH for module, _ in imported(tree))


def test_torch_modules_export_no_function_that_needs_only_numpy():
    """Such a function should be usable without torch, so it belongs in another module."""
    astray = set()
    for name, tree in PACKAGE.items():
        if not is_torch(tree):
            continue
        inner = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        for function in inner:
            names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
            public = isinstance(function, ast.FunctionDef) and function.name[0] != "_"
            # functions that call others of their module may need torch
            own = {n.name for n in inner} - {function.name}
            numpy = names & {"np", "npt"} and not names & ({"torch", "nn", "Tensor"} | own)
            if public and numpy and "AcousticNet" not in names and "TrainingSet" not in names:
                astray.add(f"{name}.{function.name}")
    assert astray == set()


HIDDEN = {
    "register_forward_hook": {  # which remove it after measuring
        "asr_gru.export.calibrate",
        "asr_gru.training.diagnosis",
    },
    "register_full_backward_hook": {"asr_gru.training.diagnosis"},
    "register_forward_pre_hook": set(),
    "modules": set(),  # settings of layers are arguments of their constructors
    "named_modules": {"asr_gru.training.diagnosis"},
    "server_state": set(),  # of uvicorn
    "setattr": set(),
}
"""Calls and attributes that hide dependencies between modules, and where they are allowed."""


def test_there_are_no_hidden_contracts():
    found: dict[str, set[str]] = {name: set() for name in HIDDEN}
    for module, tree in PACKAGE.items():
        for node in ast.walk(tree):
            attribute = isinstance(node, ast.Attribute) and node.attr
            name = attribute or (isinstance(node, ast.Name) and node.id)
            if name in HIDDEN and not (
                isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.modules"
            ):
                found[str(name)].add(module)
    assert found == HIDDEN


def test_weights_are_found_by_name_not_by_the_order_of_nodes():
    reader = ast.dump(PACKAGE["asr_gru.training.from_model"])
    assert "'initializer'" in reader
    assert "attr='node'" not in reader


def test_modules_use_only_public_attributes_of_others():
    """No private attributes of other modules are used, and no attributes of modules are set."""
    reached, patched = set(), set()
    for tree in PACKAGE.values():
        own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        own |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and of_self(n)}
        own |= {
            n.target.id
            for n in ast.walk(tree)
            if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
        }
        libraries = {
            (alias.asname or alias.name).split(".")[0]
            for n in ast.walk(tree)
            if isinstance(n, ast.Import)
            for alias in n.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not of_self(node):
                text = ast.unparse(node)
                if not node.attr.startswith("__") and node.attr not in own | NAMED_TUPLE:
                    reached.add(text)
            if isinstance(node, ast.Assign):
                patched |= {
                    ast.unparse(target)
                    for target in node.targets
                    if isinstance(target, ast.Attribute) and ast.unparse(target.value) in libraries
                }
    assert reached <= OTHERS_PRIVATE
    # cli/quiet.py restores standard error; cli opens the null device for streams that are closed.
    assert patched <= {"sys.stdin", "sys.stdout", "sys.stderr"}


NAMED_TUPLE = {"_replace", "_make"}
OTHERS_PRIVATE = {
    "os._exit",
    "self._sd._initialize",  # PortAudio rescans devices only when it is restarted
    "self._sd._terminate",
    "torch.ops.mkldnn._is_mkldnn_bf16_supported",  # operators without public names in torch
    "torch.ops.mkldnn._linear_pointwise",
    "torch.ops.mkldnn._reorder_linear_weight",
}


def of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
