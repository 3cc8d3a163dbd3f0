"""The command line called in this process."""

import sys
from dataclasses import dataclass

import pytest

from asr_gru.cli import main


@dataclass(frozen=True)
class Result:
    status: str | int | None
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Call ``asr-gru`` with arguments."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["asr-gru", *map(str, arguments)])
        capsys.readouterr()
        status: str | int | None = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call
