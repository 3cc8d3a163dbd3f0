"""The alignment recipe with a stand-in for PocketSphinx: one phone of one frame per letter."""

from __future__ import annotations

import importlib
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from asr_gru.training.phone_times import read_phone_times

WORDS = {"up", "an", "bad"}


@dataclass
class Phone:
    name: str
    start: int
    duration: int


class Decoder:
    """A decoder of three words that fails on ``bad``."""

    def __init__(self, **_settings):
        self.text = ""

    def lookup_word(self, word):
        return word if word in WORDS else None

    def set_align_text(self, text):
        self.text = text

    def set_alignment(self):
        if "bad" in self.text:
            raise RuntimeError("Failed to set up sub-word alignment")

    def start_utt(self):
        pass

    def process_raw(self, samples, full_utt):
        assert full_utt
        assert len(samples) == 3200

    def end_utt(self):
        pass

    def get_alignment(self):
        letters = [letter.upper() for letter in self.text.replace(" ", "")]
        yield [Phone(letter, 10 * n, 10) for n, letter in enumerate(letters)]


@pytest.fixture
def recipe(monkeypatch):
    module = types.ModuleType("pocketsphinx")
    monkeypatch.setattr(module, "Decoder", Decoder, raising=False)
    monkeypatch.setitem(sys.modules, "pocketsphinx", module)
    monkeypatch.delitem(sys.modules, "recipes.en_small.align", raising=False)
    yield importlib.import_module("recipes.en_small.align")
    sys.modules.pop("recipes.en_small.align")


@pytest.fixture
def manifest(tmp_path):
    texts = {"a.wav": "Up an", "b.wav": "an", "c.wav": "an bad", "d.wav": "unheard of", "e.wav": ""}
    for name in texts:
        soundfile.write(tmp_path / name, np.zeros(1600), 16_000)
    lines = "".join(f"{name}\t{text}\n" for name, text in texts.items())
    (tmp_path / "list.tsv").write_text("path\ttext\n" + lines, encoding="utf-8")
    return tmp_path / "list.tsv"


def run(recipe, monkeypatch, manifest, output):
    monkeypatch.setattr(sys, "argv", ["align", str(manifest), str(output)])
    recipe.main()


def test_training_accepts_the_written_phones(recipe, manifest, tmp_path, monkeypatch, capsys):
    output = tmp_path / "phones.tsv"
    run(recipe, monkeypatch, manifest, output)
    phones = read_phone_times(output, [tmp_path])
    assert phones.names == ("A", "N", "P", "U")
    assert set(phones.times) == {tmp_path / "a.wav", tmp_path / "b.wav"}
    assert phones.times[tmp_path / "a.wav"][1].tolist() == [0.1, 0.2, 0.3, 0.4]
    output = capsys.readouterr().out
    for line in (
        "2 aligned",
        "1 the aligner gave up",
        "1 a word is not in the dictionary",
        "1 no text",
    ):
        assert line in output


def test_an_interrupted_alignment_is_resumed(recipe, manifest, tmp_path, monkeypatch, capsys):
    output = tmp_path / "phones.tsv"
    run(recipe, monkeypatch, manifest, output)
    whole = output.read_text(encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    output.write_text("".join(lines[:3]) + lines[3][:-1][:4], encoding="utf-8")
    capsys.readouterr()
    run(recipe, monkeypatch, manifest, output)
    assert sorted(output.read_text(encoding="utf-8").splitlines()) == sorted(whole.splitlines())


def test_single_words_are_aligned_last(recipe, manifest):
    names = [name for _, name, _ in recipe.jobs(manifest, set())]
    assert {names.index("a.wav"), names.index("c.wav"), names.index("d.wav")} == {0, 1, 2}
    assert [name for _, name, _ in recipe.jobs(manifest, {"a.wav", "c.wav", "d.wav"})] == names[3:]
