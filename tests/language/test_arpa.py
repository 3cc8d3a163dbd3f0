import gzip
import lzma

import numpy as np
import pytest

from asr_gru.errors import DataError
from asr_gru.language import ENGLISH_PHONES, LanguageModel, Lexicon, read_arpa, write_arpa
from asr_gru.language.corpus import blocks_of, read_words
from tests.language.small_models import ARPA, random_ngrams


def assert_same_model(ours, theirs, tolerance):
    assert ours.words == theirs.words
    for one, other in zip(ours.levels, theirs.levels, strict=True):
        np.testing.assert_array_equal(one.keys, other.keys)
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=tolerance)
        np.testing.assert_allclose(one.backoffs, other.backoffs, atol=tolerance)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("suffix", ["arpa", "arpa.gz", "arpa.xz"])
def test_arpa_files_are_read_back(tmp_path, order, suffix):
    ngrams = random_ngrams(np.random.default_rng(order), order=order)
    write_arpa(ngrams, tmp_path / f"model.{suffix}")
    assert_same_model(read_arpa(tmp_path / f"model.{suffix}"), ngrams, 2e-6)
    assert [path.name for path in tmp_path.iterdir()] == [f"model.{suffix}"]


def test_packed_models_are_converted_to_arpa_and_back(tmp_path):
    model = LanguageModel.build(random_ngrams(np.random.default_rng(7), words=30))
    write_arpa(model.ngrams(), tmp_path / "model.arpa")
    assert_same_model(read_arpa(tmp_path / "model.arpa"), model.ngrams(), 2e-6)


def test_agrees_with_kenlm(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    ngrams = random_ngrams(np.random.default_rng(5), words=30, order=4, endings=True)
    write_arpa(ngrams, tmp_path / "model.arpa")
    theirs = kenlm.Model(str(tmp_path / "model.arpa"))
    ours = LanguageModel.build(read_arpa(tmp_path / "model.arpa"), quantise=False)
    rng = np.random.default_rng(1)
    for _ in range(50):
        words = [f"w{number}" for number in rng.integers(0, 30, rng.integers(0, 9))]
        expected = [score for score, _, _ in theirs.full_scores(" ".join(words))]
        np.testing.assert_allclose(ours.sentence(words) / np.log(10), expected, atol=2e-5)


def test_spaces_missing_unk_and_windows_line_ends_are_accepted(tmp_path, arpa):
    other = ARPA.replace("\t", "  ").replace("-1.0  <unk>\n", "").replace("1=6", "1=5")
    (tmp_path / "other.arpa").write_bytes(other.replace("\n", "\r\n").encode())
    ours = LanguageModel.build(read_arpa(tmp_path / "other.arpa"), quantise=False)
    usual = LanguageModel.build(read_arpa(arpa), quantise=False)
    sentence = ["the", "cat", "sat", "the", "the", "the", "sat"]
    np.testing.assert_allclose(ours.sentence(sentence), usual.sentence(sentence), atol=1e-6)
    assert ours.unigram_log_probs[ours.unk] < -200


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(ARPA.encode("utf-8-sig"))
    assert len(read_arpa(path).words) == 6
    path.write_bytes("read R EH D\n".encode("utf-8-sig"))
    assert Lexicon.read_text(path, ENGLISH_PHONES).words == ("read",)
    assert read_words(path) == ["read"]
    assert list(blocks_of(path)) == ["read R EH D\n"]


REFUSED = [
    (lambda text: text[:200], "line 19: expected a number, 2 words"),
    (lambda text: text.replace("\\end\\", ""), "truncated before"),
    (lambda text: text.replace("ngram 1=6", f"ngram 1={'9' * 5000}"), "line 2: expected 'ngram 1="),
    (lambda text: text.split("\\2-grams")[0], "truncated before"),
    (lambda text: text.replace("ngram 2=5", "ngram 2=6"), "5 2-grams, but the header says 6"),
    (lambda text: text.replace("ngram 1=6", "ngram 1=600000000000"), "header says 600000000000"),
    (lambda text: text.replace("ngram 2=5", "ngram 7=5"), "line 3: expected 'ngram 2="),
    (
        lambda text: text.replace(
            "ngram 3=3", "".join(f"ngram {n}=1\n" for n in range(3, 10)).strip()
        ),
        "order above 5",
    ),
    (lambda text: text.replace("-0.7\tcat", "nan\tcat"), "line 11: a probability"),
    (lambda text: text.replace("-0.7\tcat", "0.7\tcat"), "line 11: a probability above one"),
    (lambda text: text.replace("-0.7\tcat", "x\tcat"), "line 11: a field"),
    (lambda text: text.replace("cat\t-0.3", "cat\tinf"), "line 11: .* not finite"),
    (lambda text: text.replace("\tsat\t", "\tcat\t"), "line 12: 'cat' is listed twice"),
    (lambda text: text.replace("the the\t", "the cat\t"), "'the cat' is listed twice"),
    (lambda text: text.replace("the the\n", "dog\n"), "line 24: expected a number, 3 words"),
    (lambda text: text.replace("cat sat\n", "cat dog\n"), "'dog' is not listed in the 1-grams"),
    (lambda text: text.replace("<s> the cat", "cat cat sat"), "'cat cat sat' without 'cat cat'"),
    (lambda text: text.replace("</s>", "x"), "</s> is missing from the 1-grams"),
    (lambda text: "nothing of the kind", r"no \\data\\"),
    (lambda text: "", r"no \\data\\"),
    (lambda text: "\\data\\\n\n\\1-grams:\n\\end\\\n", "no 'ngram 1="),
]


@pytest.mark.parametrize(("alter", "message"), REFUSED)
def test_invalid_files_are_refused_in_one_line(tmp_path, alter, message):
    path = tmp_path / "bad.arpa"
    altered = alter(ARPA)
    assert altered != ARPA
    path.write_text(altered)
    with pytest.raises(DataError, match=message) as caught:
        read_arpa(path)
    assert str(caught.value).startswith(f"{path}: line ")
    assert "\n" not in str(caught.value)


def test_invalid_utf8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "latin.arpa"
    path.write_bytes(ARPA.replace("cat", "caté").encode("latin-1"))
    with pytest.raises(DataError, match="line 11: not UTF-8"):
        read_arpa(path)


def test_damaged_and_oversized_compressed_files_are_refused(tmp_path, monkeypatch):
    for suffix, compress in ((".gz", gzip.compress), (".xz", lzma.compress)):
        data = compress(ARPA.encode())
        for broken in (data[:-9], data[:30], b"plain text", data[:20] + bytes(40) + data[60:]):
            path = tmp_path / f"broken{suffix}"
            path.write_bytes(broken)
            with pytest.raises(DataError, match=f"broken{suffix}"):
                read_arpa(path)
    monkeypatch.setattr("asr_gru.language.arpa.MAX_ARPA_BYTES", 1 << 20)
    (tmp_path / "bomb.xz").write_bytes(lzma.compress(b"\n" * (1 << 22)))
    with pytest.raises(DataError, match="more than 1 MiB after decompression"):
        read_arpa(tmp_path / "bomb.xz")
    with pytest.raises(DataError, match=r"none\.arpa: No such file"):
        read_arpa(tmp_path / "none.arpa")
