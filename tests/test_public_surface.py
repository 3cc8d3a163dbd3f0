from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import asr_gru

ROOT = Path(__file__).parents[1]
IMPORT = re.compile(r"^ *from (asr_gru[\w.]*) import ([\w, ]+|\([^)]*\))", re.MULTILINE)


def documented():
    """Yield what README, docs and examples import, and from where."""
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py")]
    for path in texts:
        for module, names in IMPORT.findall(path.read_text(encoding="utf-8")):
            for name in re.findall(r"\w+", names):
                yield module, name


def test_what_is_documented_is_exported():
    found = set(documented())
    assert ("asr_gru", "Recognizer") in found
    for module, name in found:
        assert name in import_module(module).__all__, f"{module}.{name}"


def test_what_is_exported_can_be_imported_and_is_documented():
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


def test_what_public_methods_return_is_exported():
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
