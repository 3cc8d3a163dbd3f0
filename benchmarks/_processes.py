"""Other processes that benchmarks measure: a server, and the core that one runs on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread

from asr_gru import Error

__all__ = ["Server", "last_line", "pin", "serving"]

STOP_S = 30.0
"""A server that has not stopped after so long is killed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its port on 127.0.0.1, and its process id."""

    port: int
    pid: int


@contextmanager
def serving(*options: str, core: int | None = None) -> Iterator[Server]:
    """Run ``asr-gru serve`` with ``options``, on one core if given.

    Raises:
        Error: the server did not start.
    """
    command = [sys.executable, "-m", "asr_gru", "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=partial(pin, core)
    )
    with process:
        assert process.stderr is not None
        try:
            before = []
            for line in process.stderr:
                if found := re.search(r"//127\.0\.0\.1:(\d+)", line):
                    break
                before.append(line)
            else:
                raise Error(f"the server did not start: {last_line(''.join(before))}")
            # a pipe that nobody reads blocks the server once it is full of warnings
            reader = Thread(target=deque, args=(process.stderr, 0), daemon=True)
            reader.start()
            yield Server(int(found[1]), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()


def last_line(output: str) -> str:
    """Return the last line that a failed program wrote, which says why, without its prefix."""
    lines = output.strip().splitlines() or ["it wrote no reason"]
    return re.sub(r"^(asr-gru|error|fatal): ", "", lines[-1].strip())


def pin(core: int | None) -> None:
    """Stay on one core from now on."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
