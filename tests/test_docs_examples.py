"""The programs of docs/examples.md run and print what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from asr_gru.data.manifest import read_manifest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "audio_samples").symlink_to(ROOT / "audio_samples")
    return tmp_path


def blocks(section, language):
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


def run(program, text, folder):
    result = subprocess.run(
        program, input=text, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def python(section, folder):
    (text,) = blocks(section, "python")
    return run([sys.executable, "-"], text, folder)


def commands(section, folder):
    (text,) = blocks(section, "bash")
    own = f'asr-gru() {{ "{sys.executable}" -m asr_gru "$@"; }}\n'
    return run(["bash", "-e", "-"], own + text, folder)


def test_a_light_switch(folder):
    (text,) = blocks("A light switch", "python")
    assert len([line for line in text.splitlines() if line.strip()]) <= 20
    assert python("A light switch", folder).splitlines() == [
        "switch {'room': 'kitchen', 'on': True}",
        "dim {'room': 'bedroom', 'percent': 40}",
    ]


def test_dictation_with_added_names(folder):
    section = "Dictation with names of your own"
    text, *doubts = python(section, folder).splitlines()
    assert "Australia" in text
    assert len(doubts) == text.count("?]")
    assert not any(line.endswith("?") for line in doubts)
    live = commands(section, folder)
    assert (folder / "letter.txt").read_text() == live
    assert "Australia" in live


def test_subtitles_of_a_lecture(folder):
    section = "Subtitles of a lecture"
    assert commands(section, folder) == ""
    assert sorted(path.name for path in (folder / "lecture").iterdir()) == [
        "long.json",
        "long.srt",
        "long.vtt",
    ]
    shown = python(section, folder)
    subtitles = (folder / "lecture.srt").read_text()
    assert subtitles == (folder / "lecture" / "long.srt").read_text()
    assert "Quilter" in subtitles
    assert len(re.findall(r"^ +[\d.]+ s  ", shown, re.MULTILINE)) > 10


def test_aligning_an_audio_book(folder):
    section = "Aligning an audio book"
    *sentences, rest = python(section, folder).splitlines()
    assert [line.split()[2] for line in sentences] == ["Mister", "Nor"]
    assert len(rest.partition("audio:")[2].split()) > 5
    assert float(rest.split()[1]) == pytest.approx(191.2, abs=1.0)
    listed = read_manifest(folder / "sentences" / "list.tsv")
    assert len(listed) == 2
    for utterance, line in zip(listed, sentences, strict=True):
        start, end = map(float, line.split()[:2])
        assert soundfile.info(utterance.path).duration == pytest.approx(end - start + 0.2, abs=0.05)
    commands(section, folder)
    assert (folder / "places.tsv").read_text().count("\n") == 2
    assert {path.suffix for path in (folder / "book").iterdir()} == {".srt", ".TextGrid"}
    assert (folder / "chapter.TextGrid").read_text().count(
        "Quilter"
    ) == 4  # in sentences and in words
