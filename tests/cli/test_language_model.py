import gzip
import lzma

import pytest

from asr_gru.language import LanguageModel
from tests.language.small_texts import random_text


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "one.txt").write_text(random_text(1))
    (tmp_path / "two.txt.xz").write_bytes(lzma.compress(random_text(2).encode()))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt.gz").write_bytes(gzip.compress(random_text(3).encode()))
    (folder / "b.txt").write_text(random_text(4))
    return [tmp_path / "one.txt", tmp_path / "two.txt.xz", folder]


def test_models_are_trained_evaluated_and_converted(run, texts, tmp_path):
    held_out = tmp_path / "held_out.tsv"
    held_out.write_text("path\ttext\na.wav\tw1 w2 w3\nb.wav\tw1 w1 strange\n")
    out = tmp_path / "language.bin"
    trained = run(
        "language-model", "train", *texts, "--out", out, "--order", 3, "--vocabulary", 12,
        "--size", "11kB", "--development", held_out,
    )  # fmt: skip
    assert trained.status == 0, trained.err
    assert trained.out.count("weight ") == 3
    assert "vocabulary: 12 words" in trained.err
    assert out.stat().st_size <= 11_000
    model = LanguageModel.load(out)
    assert (model.order, len(model.words)) == (3, 15)

    result = run("language-model", "perplexity", out, texts[0], texts[2])
    assert result.status == 0
    first, second = result.out.splitlines()
    assert first.startswith("perplexity ")
    assert first.endswith(str(texts[0]))
    assert second.endswith(str(texts[2]))
    for name in ("model.arpa", "model.arpa.gz", "model.arpa.xz"):
        assert run("language-model", "convert", out, tmp_path / name).status == 0
        info = run("language-model", "info", tmp_path / name).out
        assert info.split(": ")[1].split(",  ")[0].startswith("order 3, 15 1-grams")
        again = run("language-model", "perplexity", tmp_path / name, texts[0]).out
        assert float(again.split()[1].strip(",")) == pytest.approx(
            float(first.split()[1].strip(",")), rel=1e-3
        )
    back = tmp_path / "back.bin"
    assert run("language-model", "convert", tmp_path / "model.arpa", back, "--exact").status == 0
    assert back.stat().st_size > 2 * 1024
    assert LanguageModel.load(back).counts == model.counts


def test_arpa_files_may_have_other_names(run, texts, tmp_path):
    arpa, other = tmp_path / "language.arpa", tmp_path / "language.lm"
    assert run("language-model", "train", texts[0], "--out", arpa).status == 0
    other.write_bytes(arpa.read_bytes())
    for arguments in (["info"], ["perplexity", texts[0]]):
        printed = [
            run("language-model", arguments[0], path, *arguments[1:]) for path in (arpa, other)
        ]
        assert printed[1].status == 0, printed[1].err
        assert printed[1].out.replace(str(other), str(arpa)) == printed[0].out
    assert run("language-model", "convert", other, tmp_path / "language.bin").status == 0


def test_words_limits_the_vocabulary(run, texts, tmp_path):
    (tmp_path / "lexicon.txt").write_text("w1  W AH N\nw1  W AA N\nw2  T UW\n<s> X\n")
    out = tmp_path / "language.arpa"
    words = tmp_path / "lexicon.txt"
    assert run("language-model", "train", texts[0], "--out", out, "--words", words).status == 0
    assert "ngram 1=5\n" in out.read_text()
    words.write_text(";;; a dictionary\nw1  W AH N\nw1(2)  W AA N\n# numbers\nw2  T UW # two\n")
    assert run("language-model", "train", texts[0], "--out", out, "--words", words).status == 0
    assert "ngram 1=5\n" in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "ONE", "--out", "l.txt"], "l.txt: write .bin"),
        (["train", "ONE", "--out", "none/l.bin"], "none: no such folder"),
        (["train", "ONE", "--out", "l.bin", "--order", "6"], "order 6; use 1 to 5"),
        (["train", "ONE", "--out", "l.bin", "--size", "8 apples"], "'8 apples' is not a size"),
        (["train", "ONE", "--out", "l.bin", "--size", "8"], "too small for"),
        (["train", "NONE", "--out", "l.bin"], "none.txt: No such file"),
        (["train", "EMPTY", "--out", "l.bin"], "no files"),
        (["train", "LATIN", "--out", "l.bin"], "latin.txt: line 3: not UTF-8"),
        (["train", "ONE", "--out", "l.bin", "--development", "BLANK"], "no words"),
        (["train", "ONE", "--out", "l.bin", "--words", "BLANK"], "no words"),
        (["perplexity", "ONE", "ONE"], "no \\data\\ in the file"),
        (["info", "NONE"], "none.txt: No such file"),
        (["convert", "ONE", "x.arpa"], "no \\data\\ in the file"),
        (["convert", "ARPA", "x.bin"], "no \\data\\ in the file"),
        (["tran"], "tran"),
    ],
)
def test_wrong_arguments_are_refused(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    files = {
        "ONE": ("one.txt", random_text(1).encode()),
        "LATIN": ("latin.txt", b"one\ntwo\ncaf\xe9\n"),
        "BLANK": ("blank.txt", b"\n \n"),
        "ARPA": ("text.arpa", b"no model\n"),
    }
    for name, data in files.values():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "empty").mkdir()
    names = {key: name for key, (name, _) in files.items()} | {"NONE": "none.txt", "EMPTY": "empty"}
    before = sorted(tmp_path.iterdir())
    result = run("language-model", *(names.get(argument, argument) for argument in arguments))
    assert result.status in (1, 2)
    error = result.err.splitlines()[-1]
    assert error.startswith("asr-gru: ")
    assert message in error
    assert sorted(tmp_path.iterdir()) == before
