"""Programs that are started without the libraries they need say in one line what to install."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "recipes", "studies")
TRAIN = ("torch", "matplotlib", "tensorboard", "filelock", "onnx", "sentencepiece")
WITHOUT = {"train": TRAIN, "tuning": ("optuna",), "archive": ("ray", "pyarrow", "fsspec")}
"""Libraries of each extra."""

LACKING = {
    "benchmarks.accuracy.int8": ("train", []),
    "benchmarks.speed.frontend_cost": ("train", []),
    "benchmarks.training.loop_speed": ("train", []),
    "benchmarks.training.sampler": ("train", ["--lines", "10"]),
    "benchmarks.training.step_speed": ("train", []),
    "recipes.archive": ("archive", ["speech", "texts"]),
    "recipes.cells": ("train", []),
    "recipes.en_small.gpu": ("train", ["train", "parts", "--minutes", "1", "--out", "out"]),
    "recipes.en_small.letters_to_phones": ("train", ["run", "new"]),
    "recipes.en_small.trigram": ("train", ["config.toml", "run", "--root", "data"]),
    "recipes.librispeech.cost": ("train", []),
    "recipes.minute.look": ("train", ["model", "recording.wav"]),
    "recipes.sequences.forecast": ("train", ["--years", "2"]),
    "recipes.sequences.rescore": ("train", ["dev.tsv"]),
    "recipes.sequences.text": ("train", ["text.txt"]),
    "recipes.tuning": ("tuning", ["--train", "train.tsv"]),
    "studies.level_training": ("train", []),
}
"""Extra and arguments of each program that needs one."""

RUN_WITHOUT = """
import runpy, sys
name, libraries, *sys.argv[1:] = sys.argv[1:]
sys.modules.update(dict.fromkeys(libraries.split(",")))  # imports of them fail
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""


def programs() -> list[str]:
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                found.append(name.removesuffix(".__main__"))
    return found


def run_without(
    libraries: tuple[str, ...], program: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN_WITHOUT, program, ",".join(libraries), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("program", sorted(LACKING))
def test_a_program_without_its_extra_says_in_one_line_what_to_install(program):
    extra, arguments = LACKING[program]
    result = run_without(WITHOUT[extra], program, *arguments)
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    library = re.fullmatch(
        rf"error: (\w+) is not installed; run: pip install '\.\[{extra}\]' in .*", lines[0]
    )
    assert library is not None, lines[0]
    assert library[1] in WITHOUT[extra], lines[0]


@pytest.mark.parametrize("program", sorted({*programs()} - {*LACKING, "recipes.en_small.align"}))
def test_other_programs_show_their_help_without_any_extra(program):
    everything = tuple(library for libraries in WITHOUT.values() for library in libraries)
    result = run_without(everything, program, "--help")
    assert result.returncode == 0, result.stderr
    assert "usage:" in result.stdout


def test_a_library_that_no_extra_installs_is_named():
    result = run_without(("pocketsphinx",), "recipes.en_small.align", "speech.tsv", "out.tsv")
    line = "error: pocketsphinx is not installed; run: pip install pocketsphinx"
    assert (result.returncode, result.stderr.strip()) == (2, line)


def test_only_the_program_itself_exits():
    code = "import sys; sys.modules['torch'] = None; import recipes.sequences.text"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "MissingExtraError: torch is not installed" in result.stderr
