"""``asr_gru.adapt``: whole model directories."""

from __future__ import annotations

import json

import numpy as np
import pytest

import asr_gru
from asr_gru.decoders import Decoders
from asr_gru.decoding import word_spans
from asr_gru.errors import ConfigError, DataError, ModelError
from asr_gru.language import LanguageModel, Lexicon
from asr_gru.model.directory import ModelDirectory


def recognised_words(model, spoken):
    """Return the words that a model's search finds in phones of one certain frame each."""
    directory = ModelDirectory.open(model)
    tokens = directory.tokenizer()
    symbols = tokens.symbols
    decoder = Decoders(directory).get("words")
    rows = []
    for phone in spoken.split():
        for token in (symbols.index(phone), 0):
            row = np.full(len(symbols), 0.01 / (len(symbols) - 1))
            row[token] = 0.99
            rows.append(np.log(row))
    (state,) = decoder.advance([decoder.start()], [np.array(rows, np.float32)])
    best = decoder.best(decoder.finish(state))[0]
    return [span.text for span in word_spans(best, tokens)]


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("a cat back\na cab back\n" * 6, "utf-8")
    return path


def test_new_words_are_recognised_and_old_ones_remain(word_model, tmp_path, notes):
    out = tmp_path / "out"
    found = asr_gru.adapt(word_model, out, words=["cab: K AA B", "bob"], texts=[notes])
    assert [one.word for one in found.added] == ["cab"]
    assert (found.known, found.path) == (("bob",), out)
    assert recognised_words(word_model, "K AA B") != ["cab"]
    assert recognised_words(out, "K AA B") == ["cab"]
    for word, phones in (
        ("back", "B AA K"),
        ("cat", "K AA T"),
        ("tack", "T AA K"),
        ("bob", "B AA B"),
    ):
        assert recognised_words(word_model, phones) == recognised_words(out, phones) == [word]
    assert asr_gru.Recognizer.load(out).info.name == "out"
    assert 0 < found.text.weight <= 0.9
    assert found.text.held_out.after < found.text.held_out.before


def test_a_text_makes_its_sentences_likelier(word_model, tmp_path, notes):
    asr_gru.adapt(word_model, tmp_path / "out", texts=[notes])
    old, new = (
        LanguageModel.load(folder / "language.bin") for folder in (word_model, tmp_path / "out")
    )
    said, other = ["a", "cat", "back"], ["bob", "tack"]
    assert new.sentence(said).sum() > old.sentence(said).sum() + 0.5
    assert new.sentence(other).sum() < old.sentence(other).sum()


def test_pronunciations_alone_do_not_change_the_language_model(word_model, tmp_path):
    found = asr_gru.adapt(word_model, tmp_path / "out", words=["tack: T AA AA K"])
    assert [one.word for one in found.added] == ["tack"]
    lexicon = Lexicon.load(tmp_path / "out" / "lexicon.bin")
    assert lexicon.spoken("tack") == [("T", "AA", "K"), ("T", "AA", "AA", "K")]
    names = [folder / "language.bin" for folder in (word_model, tmp_path / "out")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_word_errors_are_compared(word_model, tmp_path, notes, recording):
    manifest = tmp_path / "dev.tsv"
    manifest.write_text(f"path\ttext\n{recording}\ta cab\n{recording}\ta cat\n", "utf-8")
    lines = []
    found = asr_gru.adapt(
        word_model,
        tmp_path / "out",
        words=["cab: K AA B"],
        texts=[notes],
        development=manifest,
        on_progress=lines.append,
    )
    difference = found.after.words.rate - found.before.words.rate
    assert found.comparison.difference == pytest.approx(difference)
    assert found.development.words == 4
    assert lines[-1] == f"evaluating {tmp_path / 'out'}"


def test_the_directory_records_the_adaptation(word_model, tmp_path, notes):
    asr_gru.adapt(word_model, tmp_path / "out", texts=[notes], weight=0.25)
    config, old = (
        json.loads((folder / "config.json").read_text())
        for folder in (tmp_path / "out", word_model)
    )
    assert config["training"]["adapted_from"] == "words"
    assert config["training"]["text_weight"] == 0.25
    assert config["decoder"] == old["decoder"]
    assert config["files"]["acoustic.onnx"] == old["files"]["acoustic.onnx"]


def test_an_existing_folder_is_replaced_only_on_request(word_model, tmp_path, notes):
    out = tmp_path / "out"
    out.mkdir()
    asr_gru.adapt(word_model, out, texts=[notes], weight=0.0)
    with pytest.raises(ConfigError, match="out: exists; give another name"):
        asr_gru.adapt(word_model, out, texts=[notes])
    asr_gru.adapt(word_model, out, texts=[notes], weight=0.5, overwrite=True)
    assert json.loads((out / "config.json").read_text())["training"]["text_weight"] == 0.5
    with pytest.raises(ModelError, match="is not a model directory"):
        asr_gru.adapt(word_model, tmp_path, texts=[notes], overwrite=True)
    with pytest.raises(ConfigError, match="is a file"):
        asr_gru.adapt(word_model, notes, texts=[notes], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "out"]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, ConfigError, "nothing to adapt to; give a list of words, a text, or both"),
        ({"words": []}, DataError, "words: no words"),
        ({"words": ["жук"]}, DataError, "'жук' cannot be pronounced: 'ж' 'к' 'у'"),
        ({"words": ["dog"]}, DataError, "'dog' needs the phone"),
        ({"texts": ["absent.txt"]}, DataError, "absent.txt: No such file"),
        ({"texts": "absent.txt"}, ConfigError, "texts is 'absent.txt'; give a list of files"),
        ({"words": ["a"], "weight": 0.5}, ConfigError, "a weight is of the texts"),
        ({"texts": ["a"], "weight": 1.5}, ConfigError, "weight 1.5; give 0 to 1"),
        ({"texts": ["a"], "weight": float("nan")}, ConfigError, "weight nan; give 0 to 1"),
        ({"words": ["a"], "size": 10}, ConfigError, "size 10 bytes is too small for"),
        ({"words": ["a"], "size": 0}, ConfigError, "size 0; give the bytes"),
        ({"words": ["a"], "development": "no.tsv"}, DataError, "no.tsv: No such file"),
    ],
)
def test_refusals_are_one_line(word_model, tmp_path, options, error, said):
    with pytest.raises(error, match=said) as refused:
        asr_gru.adapt(word_model, tmp_path / "out", **options)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_texts_that_are_not_utf_8_are_refused_with_the_line(word_model, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"a cat\na caf\xe9\n")
    with pytest.raises(DataError, match=r"notes.txt: line 2: not UTF-8"):
        asr_gru.adapt(word_model, tmp_path / "out", texts=[path])
    with pytest.raises(DataError, match=r"notes.txt: line 2: not UTF-8"):
        asr_gru.adapt(word_model, tmp_path / "out", words=path)


def test_models_without_a_lexicon_are_refused(model, tmp_path, notes):
    with pytest.raises(ModelError, match="has no lexicon"):
        asr_gru.adapt(model, tmp_path / "out", texts=[notes])
