"""A signal while modules are being imported ends the program quietly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asr_gru.cli.interrupts import Interrupted, interrupt_behind

SAMPLE = Path(__file__).parents[2] / "audio_samples" / "read.flac"
SIGNAL_AT_IMPORT = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), getattr(signal, number))

number, module, *sys.argv[1:] = sys.argv[1:]
sys.meta_path.insert(0, Finder())
if sys.argv[1] == "-m":
    del sys.argv[1]
    runpy.run_module("asr_gru", run_name="__main__", alter_sys=True)
else:  # as the script asr-gru
    from importlib.metadata import EntryPoint
    EntryPoint("asr-gru", "asr_gru.__main__:main", "console_scripts").load()()
"""


def interrupted(number, module, *arguments):
    command = [sys.executable, "-c", SIGNAL_AT_IMPORT, number, module, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stderr


@pytest.mark.parametrize("start", [(), ("-m",)])
@pytest.mark.parametrize(
    "module", ["asr_gru.cli", "click", "asr_gru.cli.interrupts", "asr_gru.errors"]
)
def test_before_the_command_line_runs(start, module):
    assert interrupted("SIGINT", module, *start, "models") == (130, "")


@pytest.mark.parametrize("module", ["asr_gru.cli.transcribe", "numpy", "onnxruntime.capi"])
def test_while_a_command_loads_its_libraries(module):
    status, printed = interrupted("SIGINT", module, "transcribe", SAMPLE)
    assert status == 130
    assert printed.strip("\n") in ("", "asr-gru: interrupted; 0 of 1 recordings are done")


def test_sigterm_while_the_recogniser_is_imported():
    status, printed = interrupted("SIGTERM", "onnxruntime.capi", "transcribe", SAMPLE)
    assert (status, printed) == (143, "asr-gru: interrupted; 0 of 1 recordings are done\n")


def test_the_interrupt_behind_an_error_is_found():
    def wrapped(cause):
        try:
            try:
                raise cause
            except BaseException as error:
                raise ImportError("initialization failed") from error
        except ImportError as error:
            return interrupt_behind(error)

    assert wrapped(Interrupted(15)) == 143
    assert wrapped(KeyboardInterrupt()) == 130
    assert wrapped(OSError()) is None
