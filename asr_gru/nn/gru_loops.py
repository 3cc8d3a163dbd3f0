"""The loops of ``fast_gru`` in C++, compiled where they run: about twice as fast as in Python.

torch compiles ``gru_loops.cpp`` for this very processor (some twenty seconds, once), and keeps the
result in its own cache. Without a C++ compiler training goes on with the loops in Python.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import torch

__all__ = ["compiled_loops"]

SOURCE = Path(__file__).with_suffix(".cpp")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fno-finite-math-only")


@functools.cache
def compiled_loops() -> Any | None:
    """Return the module with ``forward`` and ``backward``, or None where it cannot be compiled."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # of missing CUDA
    name = _name()
    try:
        path = _cache() / f"{name}.so"
        if not path.exists():
            _compile(name, path)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ImportError, OSError, RuntimeError):  # no compiler, no ninja, no space, other flags
        return None
    return module


def _compile(name: str, path: Path) -> None:
    """Compile in a folder of this process alone, so that one that is killed locks out no other."""
    from torch.utils import cpp_extension

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        cpp_extension.load(
            name,
            [str(SOURCE)],
            extra_cflags=list(FLAGS),
            build_directory=folder,
        )
        Path(folder, f"{name}.so").replace(path)


def _cache() -> Path:
    """Return where torch keeps what it compiles."""
    from torch.utils.cpp_extension import get_default_build_root

    return Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root()) / "asr_gru"


def _name() -> str:
    """Return a name that another source, torch or processor does not share."""
    made_of = [SOURCE.read_text(encoding="utf-8"), torch.__version__, *FLAGS, _processor()]
    return f"asr_gru_{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}"


def _processor() -> str:
    """Return a string that identifies the instruction set of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    telling = ("model name", "flags", "Features")
    return "\n".join(next((x for x in lines if x.startswith(key)), "") for key in telling)
