"""The commands of docs/tutorial.md in order, with tones and a small network."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
import torch

from asr_gru.cli import main
from recipes.minute import look, prepare

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```bash\n(.*?)```", TUTORIAL, re.DOTALL)
    for line in block.replace("\\\n", "").splitlines()
    if not line.startswith(("pip ", "apt "))
]
QUICK = {
    "recipes.minute.prepare": "--voice tones --train 100 --dev 4 --test 4",
    "train": "--set epochs=5 --set encoder.layers=1 --set encoder.width=64 "
    "--set data.batch_s=10 --set optimiser.learning_rate=6e-3",
    "export": "--bound 100",
}
"""Arguments added to commands for speed."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Run the tutorial; return what each command printed, by its name."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "recipes").symlink_to(ROOT / "recipes")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = {}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        for command in COMMANDS:
            name, status, text = _run(command, patch)
            assert status == 0, f"{shlex.join(command)}\n{text}"
            out[name] = out.get(name, "") + text
        assert (folder / "look.png").stat().st_size > 10_000
    torch.set_num_threads(threads)
    return out


def _run(command, patch):
    output = io.StringIO()
    status: str | int | None
    program = {"recipes.minute.prepare": prepare.main, "recipes.minute.look": look.main}
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        if command[0] == "python":
            assert command[1] == "-m"
            name = command[2]
            status = program[name]([*command[3:], *shlex.split(QUICK.get(name, ""))])
        else:
            assert command[0] == "asr-gru"
            name = command[1]
            patch.setattr("sys.argv", [*command, *shlex.split(QUICK.get(name, ""))])
            with pytest.raises(SystemExit) as end:
                main()
            status = end.value.code
    return name, status, output.getvalue()


def test_every_step_prints_its_output(printed):
    assert set(printed) == {*QUICK, "transcribe", "evaluate", "recipes.minute.look"}


def test_the_model_learns(printed):
    rates = [float(rate) for rate in re.findall(r"dev CER ([\d.]+)", printed["train"])]
    assert len(rates) == 5
    assert rates[-1] < 20


def test_the_steps_from_recording_to_text_are_explained(printed):
    lines = dict(line.split(maxsplit=1) for line in printed["recipes.minute.look"].splitlines())
    merged = re.sub(r"(.)\1*", r"\1", lines["best"])
    assert lines["merged"] == merged
    assert lines["text"] == merged.replace("-", "").replace("_", " ").strip()
    assert lines["text"] in printed["transcribe"]
