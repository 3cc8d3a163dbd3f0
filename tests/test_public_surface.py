from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import asr_gru

ROOT = Path(__file__).parents[1]
IMPORT = re.compile(r"^ *from (asr_gru[\w.]*) import ([\w, ]+|\([^)]*\))", re.MULTILINE)


def documented():
    """Yield module and name of every import in README, docs and examples."""
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py")]
    for path in texts:
        for module, names in IMPORT.findall(path.read_text(encoding="utf-8")):
            for name in re.findall(r"\w+", names):
                yield module, name


def test_documented_names_are_exported():
    found = set(documented())
    assert ("asr_gru", "Recognizer") in found
    for module, name in found:
        assert name in import_module(module).__all__, f"{module}.{name}"


def test_exported_names_can_be_imported_and_have_docstrings():
    assert dir(asr_gru) == sorted(asr_gru.__all__) == asr_gru.__all__
    for name in asr_gru.__all__:
        value = getattr(asr_gru, name)
        if isinstance(value, type):
            assert value.__doc__
            assert value.__module__.startswith("asr_gru.")
    with pytest.raises(AttributeError, match="'Recogniser'"):
        asr_gru.Recogniser  # noqa: B018


def texts() -> list[str]:
    paths = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py")]
    return [path.read_text(encoding="utf-8") for path in paths]


def test_names_that_documents_mention_are_exported():
    """``asr_gru.Name`` and ``asr_gru.module.name``, in prose and in code."""
    names = set(re.findall(r"\basr_gru((?:\.[a-z]\w*)*)\.([A-Z]\w*)", "\n".join(texts())))
    assert ("", "Recognizer") in names
    for module, name in names:
        assert name in import_module(f"asr_gru{module}").__all__, f"asr_gru{module}.{name}"


def test_every_exported_name_is_documented():
    words = set(re.findall(r"\w+", "\n".join(texts())))
    assert set(asr_gru.__all__) - {"__version__"} <= words


def test_methods_in_the_examples_of_documents_exist():
    """``recognizer.method`` and ``stream.method``, as README and docs write them."""
    owners = {"recognizer": asr_gru.Recognizer, "stream": asr_gru.Stream}
    found = re.findall(r"\b(recognizer|stream)\.([a-z]\w*)\(", "\n".join(texts()))
    assert found
    for owner, method in found:
        assert callable(getattr(owners[owner], method)), f"{owner}.{method}"


def test_types_returned_by_public_methods_are_exported():
    for function in (
        asr_gru.Recognizer.transcribe,
        asr_gru.Recognizer.segments,
        asr_gru.Recognizer.stream,
        asr_gru.Stream.feed,
        asr_gru.Stream.copy,
    ):
        (name,) = re.findall(r"\b(?!Iterator|list\b)[A-Z]\w+", function.__annotations__["return"])
        assert name in asr_gru.__all__


def test_the_version_is_that_of_the_package():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'\nversion = "{asr_gru.__version__}"\n' in project


ROOMS = (
    "asr_gru",
    *(f"asr_gru.{room}" for room in ("audio", "data", "decoding", "formats", "language", "live")),
    *(f"asr_gru.{room}" for room in ("live.writers", "model.directory", "scoring", "text")),
    *(f"asr_gru.{room}" for room in ("audio.microphone", "audio.paced", "evaluation", "tuning")),
)
MOST_POSITIONAL = 3


def public_functions():
    """Yield exported functions and methods, except constructors of plain records."""
    for room in ROOMS:
        module = import_module(room)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{room}.{name}", value
            elif inspect.isclass(value):
                for key, member in vars(value).items():
                    function = getattr(member, "__func__", member)
                    plain = key == "__init__" and hasattr(value, "__dataclass_fields__")
                    public = key[0] != "_" or (key == "__init__" and not plain)
                    if inspect.isfunction(function) and public:
                        yield f"{room}.{name}.{key}", function


def test_at_most_three_arguments_are_positional():
    wide = {}
    for where, function in public_functions():
        given = [
            parameter.name
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is not parameter.KEYWORD_ONLY
            and parameter.name not in ("self", "cls")
        ]
        if len(given) > MOST_POSITIONAL:
            wide[where] = given
    assert wide == {}


def test_results_are_constructed_with_keywords():
    """Within the package, as ``Segment(0, "a", 0.0, 1.0, words)`` is hard to read."""
    records = {"Event", "Hypothesis", "Match", "ModelInfo", "Segment", "Transcript", "Word"}
    astray = [
        f"{path.name}: {ast.unparse(node)}"
        for path in (ROOT / "asr_gru").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and len(node.args) > MOST_POSITIONAL
        and ast.unparse(node.func) in records
    ]
    assert astray == []


def test_a_decoder_can_be_chosen_for_each_load_stream_and_call():
    recognizer = asr_gru.Recognizer
    for function in (
        recognizer.load,
        recognizer.stream,
        recognizer.resume,
        recognizer.transcribe,
        recognizer.transcribe_batch,
        recognizer.segments,
    ):
        decoder = inspect.signature(function).parameters["decoder"]
        assert (decoder.kind, decoder.default) == (decoder.KEYWORD_ONLY, None)
