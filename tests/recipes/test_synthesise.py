"""Synthetic speech, with a stand-in for flite."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import Utterance, read_manifest
from asr_gru.errors import DataError
from asr_gru.training.phone_times import read_phone_times
from recipes.en_small import synthesise

TEXTS = ["Up and away", "alone", "it's, here"]


def utterances() -> list[Utterance]:
    return [Utterance(path=Path(f"{n}.wav"), text=text) for n, text in enumerate(TEXTS)]


def flite(command: list[str], **settings) -> subprocess.CompletedProcess[str]:
    """Write 0.1 s and print a phone per word."""
    assert settings["check"]
    text = Path(command[command.index("-f") + 1]).read_text(encoding="ascii")
    assert text == text.lower()
    words = text.split()
    soundfile.write(command[-1], np.zeros(1600 * len(words)), 16_000, format="WAV")
    times = "".join(f"ax:{(n + 1) / 10:.3f} " for n in range(len(words) - 1))
    return subprocess.CompletedProcess(command, 0, f"{times}pau:{len(words) / 10:.3f} \n")


def test_texts_are_drawn_without_replacement():
    prompts = synthesise.draw(utterances(), 4, seed=1)
    assert {prompt.text for prompt in prompts[:2]} == {"up and away", "it's here"}
    assert [prompt.text for prompt in prompts[2:]] == [prompt.text for prompt in prompts[:2]]
    assert all(prompt.voice in synthesise.VOICES for prompt in prompts)
    assert prompts == synthesise.draw(utterances(), 4, seed=1)
    assert prompts != synthesise.draw(utterances(), 4, seed=2)


def test_a_manifest_of_single_words_is_refused():
    with pytest.raises(DataError, match="two words"):
        synthesise.draw(utterances()[1:2], 4, seed=1)


def test_training_accepts_the_written_manifest(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(subprocess, "run", flite)
    lines = "".join(f"{n}.wav\t{text}\n" for n, text in enumerate(TEXTS))
    (tmp_path / "list.tsv").write_text("path\ttext\n" + lines, encoding="utf-8")
    folder = tmp_path / "made"
    arguments = ["synthesise", str(tmp_path / "list.tsv"), str(folder), "--utterances", "3"]
    monkeypatch.setattr("sys.argv", arguments)
    synthesise.main()
    assert capsys.readouterr().out.startswith("3 utterances, 0.00 hours")
    made = read_manifest(folder / "train.tsv")
    assert {utterance.text for utterance in made} == {"up and away", "it's here"}
    assert all(utterance.source == "flite" for utterance in made)
    assert [soundfile.info(u.path).duration for u in made] == [u.duration_s for u in made]
    times = read_phone_times(folder / "phones.tsv", [folder])
    assert times.names == ("AH", "SIL")
    assert set(times.times) == {utterance.path for utterance in made}
