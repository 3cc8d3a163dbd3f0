"""Synthetic speech, with stand-ins for the engines."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import soundfile

from asr_gru.data.manifest import read_manifest
from asr_gru.errors import ConfigError, DataError
from asr_gru.training.phone_times import read_phone_times
from recipes.en_small import synthesise
from recipes.en_small.synthesis import flite, ipa, kokoro, speech, texts
from recipes.en_small.synthesis.hibari import PITCHES, TRACTS

TEXTS = ["Up, and away!", "alone", "It's here."]


def tone(seconds: float, rate: int = 16_000, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(0.3 * np.arange(round(seconds * rate)))).astype(np.float32)


@pytest.fixture
def sentences(tmp_path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


@pytest.fixture
def programs(monkeypatch) -> list[list[str]]:
    """Stand-ins for flite, with a tone of 0.1 s and a phone per word, and for eSpeak NG."""
    commands: list[list[str]] = []

    def run(command: list[str], **settings) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        assert settings["check"]
        if command[0] == "espeak-ng":
            return subprocess.CompletedProcess(command, 0, "bˈo^ʊt\n")
        said = Path(command[command.index("-f") + 1]).read_text(encoding="ascii")
        assert said == said.lower()
        words = said.split()
        soundfile.write(command[-1], tone(0.1 * len(words)), 16_000, format="WAV")
        times = "".join(f"ax:{(n + 1) / 10:.3f} " for n in range(len(words) - 1))
        return subprocess.CompletedProcess(command, 0, f"{times}pau:{len(words) / 10:.3f} \n")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("shutil.which", lambda program: program)
    return commands


@pytest.fixture
def voices(tmp_path) -> Path:
    folder = tmp_path / "voices"
    folder.mkdir()
    for number, name in enumerate(("af_one", "am_two", "bf_three", "zf_other")):
        np.full((510, 256), number, np.float32).tofile(folder / f"{name}.bin")
    return folder


@pytest.fixture
def inputs(monkeypatch) -> list[dict[str, np.ndarray]]:
    """What a stand-in for Kokoro's network is given."""
    given: list[dict[str, np.ndarray]] = []

    class Session:
        def __init__(self, model: str, options: onnxruntime.SessionOptions) -> None:
            if not Path(model).is_file():
                raise RuntimeError("no such file\nand so on")

        def run(self, outputs: list[str], values: dict[str, np.ndarray]) -> list[np.ndarray]:
            given.append(values)
            return [tone(0.5, 24_000)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return given


def test_texts_are_drawn_without_replacement(sentences):
    read = texts.read_sentences(sentences)
    assert {(one.text, one.written) for one in read} == {
        ("up and away", "Up, and away!"),
        ("it's here", "It's here."),
    }
    first = list(itertools.islice(texts.draw(read, seed=1), 4))
    assert set(first[:2]) == set(read)
    assert first[2:] == first[:2]
    orders = {tuple(itertools.islice(texts.draw(read, seed), 2)) for seed in range(9)}
    assert len(orders) == 2


def test_a_manifest_of_single_words_is_refused(tmp_path):
    (tmp_path / "list.tsv").write_text("path\ttext\na.wav\talone\n", encoding="utf-8")
    with pytest.raises(DataError, match="two words"):
        texts.read_sentences(tmp_path / "list.tsv")


def test_recordings_are_trimmed_and_never_clipped():
    silence = np.zeros(16_000, np.float32)
    finished = speech.finish(np.concatenate([silence, tone(1.0, level=1.2), silence]), 16_000)
    assert len(finished) == pytest.approx(1.4 * 16_000, abs=480)
    assert np.abs(finished).max() == pytest.approx(0.9)
    assert np.abs(speech.finish(tone(1.0), 8_000)).max() == pytest.approx(0.5, abs=0.02)
    assert not len(speech.finish(silence, 16_000))


def test_training_accepts_the_written_manifest(programs, sentences, tmp_path, capsys):
    folder = tmp_path / "made"
    arguments = [str(sentences), str(folder), "--utterances", "3", "--jobs", "2"]
    assert synthesise.main(arguments) == 0
    assert capsys.readouterr().out.startswith("3 utterances, 0.00 hours")
    made = read_manifest(folder / "train.tsv")
    assert {utterance.text for utterance in made} == {"up and away", "it's here"}
    assert all(utterance.source == "flite" for utterance in made)
    assert [soundfile.info(u.path).duration for u in made] == [u.duration_s for u in made]
    times = read_phone_times(folder / "phones.tsv", [folder])
    assert times.names == ("AH", "SIL")
    assert set(times.times) == {utterance.path for utterance in made}


def test_each_limit_ends_the_work(programs, sentences, tmp_path):
    def made(*options: str) -> int:
        assert synthesise.main([str(sentences), str(tmp_path / "made"), *options]) == 0
        return len(read_manifest(tmp_path / "made" / "train.tsv"))

    assert made("--utterances", "20") == 20
    assert made("--hours", "0.002") == 2 * synthesise.WAVE
    assert made("--hours", "9", "--minutes", "1e-9") == synthesise.WAVE


def test_an_engine_that_can_say_nothing_ends_the_work(monkeypatch, sentences, tmp_path, capsys):
    class Mute:
        asked = 0

        def speak(self, _sentence: str, _dice: random.Random) -> speech.Speech:
            self.asked += 1
            assert self.asked < 10 * synthesise.WAVE, "it is asked for ever"
            return speech.Speech(np.zeros(0, np.float32), "mute")

    monkeypatch.setattr(synthesise, "open_engine", lambda _options: Mute())
    assert synthesise.main([str(sentences), str(tmp_path / "made"), "--hours", "1"]) == 1
    assert "the engine could say none of it" in capsys.readouterr().err


def test_the_seed_decides_voices(programs):
    def voice(seed: int) -> str:
        return flite.Flite().speak("up and away", random.Random(seed)).voice

    drawn = [voice(seed) for seed in range(20)]
    assert drawn == [voice(seed) for seed in range(20)]
    assert set(drawn) == set(flite.VOICES)


@pytest.mark.parametrize(
    ("printed", "accent", "expected"),
    [
        ("bˈæɾɚz lˈɪɾə^l bˈo^ʊt", "a", "bˈæTəɹz lˈɪTᵊl bˈOt"),
        ("ðə bˈɜːdz fˈa^ɪ^ɚɹ d^ʒˈɔ^ɪ", "a", "ðə bˈɜɹdz fˈIəɹ ʤˈY"),
        ("ðə bˈɜːdz bˈə^ʊt fˈe^ə t^ʃˈa", "b", "ðə bˈɜːdz bˈQt fˈɛː ʧˈæ"),
    ],
)
def test_ipa_becomes_the_symbols_of_the_model(printed, accent, expected):
    assert ipa.convert(printed, accent) == expected
    assert len(set(ipa.SYMBOLS.values())) == len(ipa.SYMBOLS)


def test_punctuation_is_kept(programs):
    assert ipa.phonemise("Up, and away!?", "b") == "bˈOt, bˈOt!"
    assert all("en-gb-x-rp" in command for command in programs)


def test_numbers_are_spoken_whole(programs, monkeypatch):
    said: list[str] = []

    def speak(words, _voice):
        said.append(words)
        return "bˈo^ʊt"

    monkeypatch.setattr(ipa, "_espeak", speak)
    assert ipa.phonemise("It costs 2,000.50, at 5:30.", "a") == "bˈOt, bˈOt."
    assert said == ["It costs 2,000.50", " at 5:30"]


def test_kokoro_speaks_with_voices_and_blends_of_one_accent(programs, inputs, voices):
    engine = kokoro.Kokoro(Path(__file__), voices)
    drawn = {engine.speak("A boat.", random.Random(seed)).voice for seed in range(60)}
    assert {"af_one", "am_two", "bf_three"} < drawn
    assert any(voice.startswith("af_one+am_two-") for voice in drawn)
    assert not any("zf_other" in voice or "+bf" in voice or "bf_three+" in voice for voice in drawn)
    assert all(tuple(given["tokens"][0, [0, -1]]) == (0, 0) for given in inputs)
    styles = {round(float(given["style"][0, 0]), 3) for given in inputs}
    assert {0.0, 1.0, 2.0} < styles
    assert any(0 < style < 1 for style in styles)
    assert all(0.8 <= given["speed"][0] <= 1.25 for given in inputs)


def test_kokoro_leaves_out_what_is_too_long(programs, inputs, voices):
    engine = kokoro.Kokoro(Path(__file__), voices)
    assert not len(engine.speak("boat. " * 200, random.Random(1)).samples)
    assert not inputs


def test_the_manifest_names_kokoro_and_the_voice(programs, inputs, voices, sentences, tmp_path):
    options = ["--engine", "kokoro", "--model", __file__, "--voices", str(voices)]
    folder = tmp_path / "made"
    assert synthesise.main([str(sentences), str(folder), "--utterances", "2", *options]) == 0
    made = read_manifest(folder / "train.tsv")
    assert {utterance.written for utterance in made} == {"Up, and away!", "It's here."}
    assert all(utterance.speaker.startswith(("kokoro-a", "kokoro-b")) for utterance in made)
    assert not (folder / "phones.tsv").exists()


class FakeHibari:
    """A stand-in for the package's class; the spectrum is a tone whose length follows the speed."""

    sample_rate = 24_000

    def __init__(self) -> None:
        self.sess = SimpleNamespace(run=self.run)

    def phonemize(self, text: str) -> list[str]:
        return [text]

    def ids(self, phonemes: str) -> list[int]:
        return [0, *range(1, len(phonemes) + 1), 0]

    def run(self, outputs: None, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [tone(1 / values["speed"][0], 24_000)[None], np.full((1, 3), 200, np.float32)]


def test_hibari_warps_tract_and_pitch_but_not_the_pace(monkeypatch, sentences, tmp_path):
    pitches: list[float] = []

    def waveform(spectrum: np.ndarray, f0: np.ndarray, noise: np.random.Generator) -> np.ndarray:
        pitches.append(float(f0[0]))
        return spectrum

    fake = SimpleNamespace(Hibari=FakeHibari, dsp=SimpleNamespace(synth=waveform))
    monkeypatch.setitem(sys.modules, "hibari", fake)
    folder = tmp_path / "made"
    options = ["--engine", "hibari", "--utterances", "30"]
    assert synthesise.main([str(sentences), str(folder), *options]) == 0
    made = read_manifest(folder / "train.tsv")
    assert len({utterance.speaker for utterance in made}) > 15
    assert all(0.79 < utterance.duration_s < 1.26 for utterance in made)
    assert all(200 * min(PITCHES) / max(TRACTS) <= pitch <= 300 for pitch in pitches)
    assert len(set(pitches)) > 15


def test_errors_name_the_thing_and_the_remedy(
    monkeypatch, inputs, voices, sentences, tmp_path, capsys
):
    def fails(*options: str) -> str:
        assert synthesise.main([str(sentences), str(tmp_path / "made"), *options]) == 2
        return capsys.readouterr().err

    monkeypatch.setattr("shutil.which", lambda program: None)
    monkeypatch.setitem(sys.modules, "hibari", None)
    assert "apt install flite" in fails("--engine", "flite")
    assert "pip install hibari-tts" in fails("--engine", "hibari")
    assert "--model and --voices" in fails("--engine", "kokoro")
    model = ["--engine", "kokoro", "--model", str(tmp_path / "none")]
    assert fails(*model, "--voices", str(tmp_path)).count("\n") == 1
    assert "none: no such file; give" in fails(*model, "--voices", str(voices))
    (voices / "am_short.bin").write_bytes(b"1234")
    assert "am_short.bin" in fails(*model, "--voices", str(voices))


def test_a_program_that_fails_is_one_line(monkeypatch):
    def run(command: list[str], **settings) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="broken\n")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("shutil.which", lambda program: program)
    with pytest.raises(ConfigError, match="broken"):
        flite.Flite().speak("up and away", random.Random(1))
    with pytest.raises(ConfigError, match="espeak-ng failed"):
        ipa.phonemise("up and away", "a")
