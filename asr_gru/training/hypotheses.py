"""What the network recognised in the last validation, as JSON lines in the run's folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from asr_gru.data.manifest import Utterance
from asr_gru.files import replace_file
from asr_gru.training.json_lines import read_json_lines

__all__ = [
    "HYPOTHESES_FILE",
    "Hypothesis",
    "read_hypotheses",
    "recording_name",
    "write_hypotheses",
]

HYPOTHESES_FILE = "hypotheses.jsonl"


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True, rename={"list_name": "list"}):
    """An utterance of a validation set.

    Attributes:
        list_name: name of the set.
        recording: name of the recording, as ``recording_name`` returns it.
        reference: its text: words, or phones between spaces.
        hypothesis: what the network recognised, with greedy decoding.
    """

    list_name: str
    recording: str
    reference: str
    hypothesis: str


def recording_name(utterance: Utterance, root: Path) -> str:
    """Return the path of an utterance relative to ``root``, or absolute if it is elsewhere."""
    key = utterance.key
    name = key.relative_to(root).as_posix() if key.is_relative_to(root) else str(key)
    return os.fsencode(name).decode("utf-8", "replace")


def write_hypotheses(folder: Path, hypotheses: Iterable[Hypothesis]) -> None:
    """Write the hypotheses of a validation in place of earlier ones.

    Raises:
        OSError: the file cannot be written; names it.
    """
    with replace_file(folder / HYPOTHESES_FILE) as file:
        for one in hypotheses:
            file.write(msgspec.json.encode(one) + b"\n")


def read_hypotheses(folder: Path) -> list[Hypothesis]:
    """Read the hypotheses of a run; damaged lines are left out.

    Raises:
        OSError: the file exists and cannot be read.
    """
    return [*read_json_lines(folder / HYPOTHESES_FILE, Hypothesis)]
