"""From manifest to model to word error rate, with tones as letters."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from asr_gru.decoding import BeamDecoder, GreedyDecoder
from asr_gru.recognizer import Recognizer
from asr_gru.training.recipe import load_recipe
from recipes.en_small.trigram import add, estimate

ROOT = Path(__file__).parents[2]


def train(run, data, *options):
    return run(
        "train", data / "tiny.toml", "--run-dir", data / "run", "--cache", data / "cache", *options
    )


def test_a_trained_and_exported_model_transcribes(run, data, monkeypatch):
    trained = train(run, data)
    assert trained.status == 0, trained.err
    assert "mean WER" in trained.err
    assert {"checkpoint.pt", "tokens.txt", "log.jsonl"} <= {
        p.name for p in (data / "run").iterdir()
    }
    lists = ["--calibration", data / "list.tsv", "--check", data / "list.tsv"]
    refused = run("export", data / "run", data / "model", *lists, "--bound", "-1000")
    assert refused.status == 1
    assert not (data / "model").exists()
    exported = run("export", data / "run", data / "model", *lists, "--bound", "1000")
    assert exported.status == 0, exported.err
    assert "int8" in exported.out
    assert run("transcribe", "--model", data / "model", data / "0.wav").status == 0
    table = run("evaluate", "--model", data / "model", data / "list.tsv", data / "list.tsv")
    assert table.status == 0
    found = run("evaluate", "--model", data / "model", "--json", data / "list.tsv")
    document = json.loads(found.out)["list"]
    assert document["utterances"] == 12
    assert document["words"] == 36
    low, high = document["interval"]
    assert low <= document["word_error_rate"] <= high


@pytest.mark.parametrize("direction", ["bi", "chunked"])
def test_a_model_that_hears_ahead(run, data, direction):
    """Trained, exported to int8, used for recordings; a bidirectional one refuses live audio."""
    wanted = ("--set", f"encoder.direction={direction}")
    assert train(run, data, *wanted).status == 0
    lists = ("--calibration", data / "list.tsv", "--check", data / "list.tsv", "--bound", "1000")
    exported = run("export", data / "run", data / "model", *lists)
    assert exported.status == 0, exported.err
    config = json.loads((data / "model" / "config.json").read_text())
    assert config["streaming"] == (direction == "chunked")
    assert run("transcribe", "--model", data / "model", data / "0.wav").status == 0
    assert run("evaluate", "--model", data / "model", data / "list.tsv").status == 0
    if direction == "bi":
        output = data / "live.srt"
        command = ("live", "--model", data / "model", "--from-file", data / "0.wav")
        live = run(*command, "--output", output)
        assert live.status == 1
        assert live.err.count("\n") == 1
        assert "needs whole recordings" in live.err
        assert not output.exists()


def test_export_with_a_lexicon_and_a_language_model(run, data):
    """Words are spelled with letters, or pronounced with phones."""
    assert train(run, data).status == 0
    tokens = (data / "run" / "tokens.txt").read_text()
    assert tokens.split() == ["<blank>", "<space>", "a", "b"]
    (data / "words.dict").write_text("ab  AA B\nba  B AA1\nbee  B\nunheard  AA B AA\n")
    words = "".join(f"-0.7\t{word}\n" for word in ("<unk>", "<s>", "</s>", "ab", "ba", "bee"))
    (data / "words.arpa").write_text(f"\\data\\\nngram 1=6\n\n\\1-grams:\n{words}\n\\end\\\n")
    lists = ("--calibration", data / "list.tsv", "--check", data / "list.tsv", "--bound", "1000")
    options = ("--lexicon", data / "words.dict", "--language-model", data / "words.arpa")

    def refused(*arguments):
        result = run("export", data / "run", data / "n", *lists, *arguments)
        assert result.status == 1
        assert result.err.count("\n") == 1
        assert not (data / "n").exists()
        return result.err

    assert "'AA' is not one of the" in refused(*options)
    assert "give both" in refused(*options[2:])
    spelled = run("export", data / "run", data / "s", *lists, "--lexicon", "letters", *options[2:])
    assert spelled.status == 0, spelled.err
    assert json.loads((data / "s" / "config.json").read_text())["decoder"]["kind"] == "words"

    (data / "run" / "tokens.txt").write_text("<blank>\n<space>\nAA\nB\n")
    exported = run("export", data / "run", data / "m", *lists, *options)
    assert exported.status == 0, exported.err
    config = json.loads((data / "m" / "config.json").read_text())
    assert config["decoder"]["kind"] == "words"
    assert config["tokens"]["kind"] == "phones"
    assert {"lexicon.bin", "language.bin"} <= set(config["files"])
    text = run("transcribe", "--model", data / "m", data / "0.wav").out
    assert set(text.split()) <= {"ab", "ba", "bee"}


def test_an_empty_training_set_is_refused(run, data):
    result = train(run, data, "--set", "data.shortest_s=5.0")
    assert result.status == 1
    assert "no training utterance is left" in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


def test_another_network_in_the_run_folder_is_refused(run, data):
    assert train(run, data).status == 0
    result = train(run, data, "--set", "encoder.width=16")
    assert result.status == 2
    assert "another model" in result.err


def test_a_run_can_start_from_another_run(run, data):
    assert train(run, data).status == 0
    options = ["--start-from", data / "run", "--set", "encoder.dropout=0.3"]
    command = ["train", data / "tiny.toml", "--cache", data / "cache", "--run-dir", data / "second"]
    assert run(*command, *options).status == 0
    assert run(*command[:-1], data / "third", *options, "--set", "encoder.width=16").status == 2


def test_a_run_can_start_from_a_model_directory_with_its_tokens(run, data, model):
    """The texts have only two of the model's ten letters; all weights of the head are kept."""
    command = ["train", data / "tiny.toml", "--cache", data / "cache", "--run-dir", data / "tuned"]
    started = run(*command, "--start-from", model)
    assert started.status == 0, started.err
    tokens = (data / "tuned" / "tokens.txt").read_text()
    assert tokens == (model / "tokens.txt").read_text()
    fresh = run(*command[:-1], data / "fresh", "--start-from", model, "--new-head")
    assert fresh.status == 0, fresh.err
    assert (data / "fresh" / "tokens.txt").read_text().split() == ["<blank>", "<space>", "a", "b"]
    assert run(*command[:-1], data / "odd", "--new-head").status == 2
    nowhere = run(*command[:-1], data / "other", "--start-from", data / "nowhere")
    assert nowhere.status == 1
    assert "nowhere" in nowhere.err


def test_a_run_can_start_from_a_model_of_word_pieces(run, data):
    pieces = ("--set", "data.tokens=pieces", "--set", "data.vocab_size=5")
    assert train(run, data, *pieces).status == 0
    lists = ("--calibration", data / "list.tsv", "--check", data / "list.tsv")
    exported = run("export", data / "run", data / "pieces", *lists, "--bound", "1000")
    assert exported.status == 0, exported.err
    command = ["train", data / "tiny.toml", "--cache", data / "cache", *pieces]
    started = run(*command, "--run-dir", data / "on", "--start-from", data / "pieces")
    assert started.status == 0, started.err
    for name in ("tokens.txt", "tokens.model"):
        assert (data / "on" / name).read_bytes() == (data / "run" / name).read_bytes()


def test_doctor_and_models(run, model):
    healthy = run("doctor", "--model", model)
    assert healthy.status == 0
    assert "real-time factor" in healthy.out
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for requirement in (*project["dependencies"], *extras["train"], *extras["server"]):
        name = re.split("[<>=]", requirement)[0]
        assert re.search(rf"^(ok|none) +{name} ", healthy.out, re.MULTILINE), name
    broken = run("doctor", "--model", "none")
    assert broken.status == 1
    assert "BROKEN" in broken.out
    assert run("models").status == 0


def test_a_torchaudio_for_another_torch_is_named(run, model, data, tmp_path, monkeypatch):
    (tmp_path / "torchaudio.py").write_text("raise OSError('could not load this library')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    checked = run("doctor", "--model", model)
    assert checked.status == 1
    assert "BROKEN   torchaudio does not fit torch; run: pip install '.[train]'" in checked.out
    command = [sys.executable, "-m", "asr_gru", "train", str(data / "tiny.toml")]
    trained = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert trained.returncode == 2
    assert trained.stderr.count("\n") == 1
    assert "torchaudio does not fit torch; run: pip install" in trained.stderr


def test_align_corpus_writes_phones_for_training(run, data):
    (data / "letters.dict").write_text("a  AA\na(2)  EY\nb  B IY\n")
    phones = ("--set", "data.tokens=phones", "--set", "data.lexicon=letters.dict")
    assert train(run, data, *phones).status == 0
    aligned = run(
        *("align-corpus", data / "run", data / "list.tsv", "--lexicon", data / "letters.dict"),
        *("--output", data / "phones.tsv", "--cache", data / "cache"),
    )
    assert aligned.status == 0, aligned.err
    assert "12 utterances aligned" in aligned.out
    lines = (data / "phones.tsv").read_text().splitlines()
    assert lines[0] == "path\tphones"
    assert {line.split("\t")[0] for line in lines[1:]} == {f"{n}.wav" for n in range(12)}
    chosen = ("--set", "data.pronunciations=phones.tsv", "--set", "phones.file=phones.tsv")
    command = ("train", data / "tiny.toml", "--cache", data / "cache", "--run-dir", data / "two")
    started = run(*command, *phones, *chosen, "--set", "phones.layer=1")
    assert started.status == 0, started.err
    empty = run(
        *("align-corpus", data / "run", data / "list.tsv", "--lexicon", data / "none.dict"),
        *("--output", data / "other.tsv", "--cache", data / "cache"),
    )
    assert empty.status == 1
    assert "none.dict" in empty.err


def test_phones_are_found_with_the_trigram_of_the_training(run, data, capsys):
    """Without it, as in models of earlier exports, greedily; a recipe adds it to these."""
    (data / "letters.dict").write_text("a  AA\nb  B IY\n")
    phones = ("--set", "data.tokens=phones", "--set", "data.lexicon=letters.dict")
    assert train(run, data, *phones).status == 0
    lists = ("--calibration", data / "list.tsv", "--check", data / "list.tsv", "--bound", "1000")
    assert run("export", data / "run", data / "new", *lists).status == 0
    trigram = data / "new" / "trigram.bin"
    assert isinstance(Recognizer.load(data / "new", decoder="phones").decoder, BeamDecoder)
    shown = run("transcribe", "--model", data / "new", "--phones", data / "0.wav")
    assert shown.status == 0, shown.err
    named = ("transcribe", "--model", data / "new", "--decoder", "phones", "--format", "ctm")
    assert run(*named, data / "0.wav").out == shown.out
    words = run("transcribe", "--model", data / "new", "--phones", "--decoder", "beam", "0.wav")
    assert words.err == "asr-gru: --phones has its own decoder; omit --decoder\n"

    (data / "run" / "trigram.bin").rename(data / "kept.bin")
    assert run("export", data / "run", data / "old", *lists).status == 0
    assert isinstance(Recognizer.load(data / "old", decoder="phones").decoder, GreedyDecoder)
    stage = load_recipe(data / "tiny.toml", [setting for setting in phones if "=" in setting])[0]
    tokens = Recognizer.load(data / "old").tokenizer.symbols
    estimated = estimate(stage.config.data, data, tokens)
    assert add(estimated, data / "old").read_bytes() == trigram.read_bytes()
    assert add(estimated, data / "run").read_bytes() == trigram.read_bytes()
    assert isinstance(Recognizer.load(data / "old", decoder="phones").decoder, BeamDecoder)
    trigram.write_bytes((data / "kept.bin").read_bytes()[:-1] + b"x")
    assert "altered" in run("transcribe", "--model", data / "new", "--phones", data / "0.wav").err
