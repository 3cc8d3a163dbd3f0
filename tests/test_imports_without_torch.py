from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORT_ALL = """
import importlib, pkgutil, sys
import asr_gru

apart = ("asr_gru.nn", "asr_gru.export", "asr_gru.training")

def modules(package):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not found.name.startswith(apart):
            module = importlib.import_module(found.name)
            yield found.name
            if found.ispkg:
                yield from modules(module)

names = list(modules(asr_gru))
assert "asr_gru.recognizer" in names and "asr_gru.decoding.beam" in names, names
print([name for name in ("torch", "torchaudio", "librosa", "sounddevice") if name in sys.modules])
"""

JUST_THE_PACKAGE = """
import sys
import asr_gru
asr_gru.Error, asr_gru.Word, asr_gru.__version__
print([name for name in ("numpy", "onnxruntime", "soundfile", "soxr") if name in sys.modules])
asr_gru.Recognizer
print([name for name in ("onnxruntime", "soundfile", "soxr", "msgspec") if name in sys.modules])
"""


def printed(code):
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split("\n")[:-1]


def test_nothing_outside_nn_export_and_training_loads_torch_or_opens_sound_devices():
    assert printed(IMPORT_ALL) == ["[]"]


def test_importing_the_package_loads_nothing_heavy():
    assert printed(JUST_THE_PACKAGE) == ["[]", "[]"]
