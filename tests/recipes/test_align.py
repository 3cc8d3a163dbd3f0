"""The alignment recipe with a stand-in for PocketSphinx: one phone of one frame per letter."""

from __future__ import annotations

import importlib
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import Utterance
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
        assert np.abs(np.frombuffer(samples, np.int16).astype(int)).max() in (0, 32768)

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


def test_samples_above_full_scale_are_clipped(recipe, tmp_path):
    loud = np.tile([1.5, -1.5], 800)
    soundfile.write(tmp_path / "loud.wav", loud, 16_000, subtype="FLOAT")
    assert recipe.align((Utterance(tmp_path / "loud.wav", "an"), "loud.wav"))[2] == ""


def test_segments_of_a_recording_are_aligned(recipe, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(16_000), 16_000)
    table = tmp_path / "list.tsv"
    table.write_text("path\ttext\tstart_s\tduration_s\nlong.wav\tan\t0.5\t0.1\n", encoding="utf-8")
    (job,) = recipe.jobs(table, set())
    assert job[1] == "long.wav#t=0.500,0.600"
    assert recipe.align(job)[1] == "A 0.10 N 0.20"


def test_unreadable_recordings_are_skipped(recipe, tmp_path):
    job = (Utterance(tmp_path / "none.wav", "an"), "none.wav")
    assert recipe.align(job) == ("none.wav", "", "the recording cannot be read")


def test_other_files_are_not_overwritten(recipe, manifest, monkeypatch, capsys):
    before = manifest.read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["align", str(manifest), str(manifest)])
    assert recipe.main() == 1
    assert "is not a list of phones; name another output" in capsys.readouterr().err
    assert manifest.read_text(encoding="utf-8") == before


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
    names = [name for _, name in recipe.jobs(manifest, set())]
    assert {names.index("a.wav"), names.index("c.wav"), names.index("d.wav")} == {0, 1, 2}
    assert [name for _, name in recipe.jobs(manifest, {"a.wav", "c.wav", "d.wav"})] == names[3:]
