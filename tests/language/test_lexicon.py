import gzip

import numpy as np
import pytest

from asr_gru.decoding.word_search import word_search
from asr_gru.errors import DataError, ModelError
from asr_gru.language import (
    ENGLISH_PHONES,
    EstimateConfig,
    LanguageModel,
    Lexicon,
    estimate,
    restrict_lexicon,
)
from asr_gru.language.arrays import write_arrays
from asr_gru.language.variants import count_variants, weighted
from tests.language.small_models import random_ngrams

ENTRIES = [
    ("read", ("R", "EH", "D")),
    ("the", ("DH", "AH")),
    ("read", ("R", "IY", "D")),
    ("the", ("DH", "IY")),
    ("the", ("DH", "AH")),
    ("naïve", ("N", "AY", "IY", "V")),
]


def lexicon():
    return Lexicon.build(ENTRIES, ENGLISH_PHONES)


def test_pronunciations_are_grouped_by_word():
    built = lexicon()
    assert len(ENGLISH_PHONES) == len(set(ENGLISH_PHONES)) == 39
    assert built.words == ("read", "the", "naïve")
    assert built.spoken_words.tolist() == [0, 0, 1, 1, 2]
    spoken = [[ENGLISH_PHONES[unit] for unit in one] for one in built.pronunciations("read")]
    assert spoken == [["R", "EH", "D"], ["R", "IY", "D"]]
    assert built.pronunciations("nobody's") == []
    assert "the" in built
    assert "them" not in built
    assert [entry for entry in built.entries() if entry[0] == "the"] == [ENTRIES[1], ENTRIES[3]]


def test_binary_and_text_files_are_read_back(tmp_path):
    built = lexicon()
    built.save(tmp_path / "lexicon.bin")
    built.write_text(tmp_path / "lexicon.txt")
    text = (tmp_path / "lexicon.txt").read_text()
    assert text.startswith("read  R EH D\nread  R IY D\n")
    for other in (
        Lexicon.load(tmp_path / "lexicon.bin"),
        Lexicon.read_text(tmp_path / "lexicon.txt", ENGLISH_PHONES),
    ):
        assert list(other.entries()) == list(built.entries())
        assert other.phones == built.phones


WEIGHTS = {ENTRIES[0]: np.log(0.25), ENTRIES[2]: np.log(0.5), ENTRIES[3]: -99.0}


def test_log_probs_are_relative_to_the_best_pronunciation_and_kept(tmp_path):
    built = Lexicon.build(ENTRIES, ENGLISH_PHONES, WEIGHTS)
    assert built.log_probs.tolist() == [-0.6875, 0.0, 0.0, -15.9375, 0.0]
    assert lexicon().log_probs.tolist() == [0.0] * 5
    assert lexicon().entry_log_probs() == {}
    built.save(tmp_path / "lexicon.bin")
    built.write_text(tmp_path / "lexicon.txt")
    assert (tmp_path / "lexicon.txt").read_text().startswith("read 0.503 R EH D\nread 1 R IY D\n")
    for other in (
        Lexicon.load(tmp_path / "lexicon.bin"),
        Lexicon.read_text(tmp_path / "lexicon.txt", ENGLISH_PHONES),
        Lexicon.build(built.entries(), ENGLISH_PHONES, built.entry_log_probs()),
    ):
        assert list(other.entries()) == list(built.entries())
        assert other.log_probs.tolist() == built.log_probs.tolist()


def test_a_search_prefers_the_probable_pronunciation():
    symbols = ["<blank>", *ENGLISH_PHONES]
    entries = [("read", ("R", "EH", "D")), ("red", ("R", "EH", "D")), ("read", ("R", "IY", "D"))]
    rows = np.full((3, len(symbols)), -20.0, np.float32)
    rows[np.arange(3), [symbols.index(phone) for phone in ("R", "EH", "D")]] = -0.1
    found = {}
    for name, log_probs in (("plain", None), ("weighted", {entries[0]: -2.0})):
        search = word_search(symbols, Lexicon.build(entries, ENGLISH_PHONES, log_probs))
        (state,) = search.advance([search.start()], [rows])
        (best,) = search.best(search.finish(state))
        found[name] = [word.text for word in best.words or ()]
    assert found == {"plain": ["read"], "weighted": ["red"]}


UTTERANCES = [
    (["the", "read", "the"], ["DH", "AH", "R", "IY", "D", "DH", "IY"]),
    (["read"], ["R", "IY", "D"]),
    ([], []),
    (["read"], ["R", "IY", "D", "Z"]),
    (["read", "them"], ["R", "IY", "D", "DH", "EH", "M"]),
]


def test_variants_are_counted_in_aligned_phones():
    found = count_variants(lexicon(), UTTERANCES)
    assert (found.utterances, found.left_out) == (3, 2)
    assert found.counts == {ENTRIES[1]: 1, ENTRIES[2]: 2, ENTRIES[3]: 1}
    counted = weighted(lexicon(), found.counts)
    expected = np.log([2 / 2.6, 1.0, 1.0, 1.6 / 3, 1.0])
    np.testing.assert_allclose(counted.log_probs, expected, atol=1 / 32)
    assert list(counted.entries()) == list(lexicon().entries())


def test_variants_are_found_across_word_boundaries():
    entries = [("a", ("AH",)), ("a", ("AH", "N")), ("nap", ("N", "AE", "P")), ("ape", ("AE", "P"))]
    built = Lexicon.build(entries, ENGLISH_PHONES)
    phones = ("AH", "N", "AE", "P")
    assert count_variants(built, [(["a", "nap"], phones)]).counts[entries[0]] == 1
    assert count_variants(built, [(["a", "ape"], phones)]).counts[entries[1]] == 1


def test_dictionary_formats_are_read(tmp_path):
    path = tmp_path / "dictionary.dict.gz"
    text = ";;; heading\n\nread R EH1 D\nread(2)\tR IY1 D # now\n'tis  T IH1 Z\n"
    path.write_bytes(gzip.compress(text.encode()))
    found = list(Lexicon.read_text(path, ENGLISH_PHONES).entries())
    assert found[:2] == list(lexicon().entries())[:2]
    assert found[2:] == [("'tis", ("T", "IH", "Z"))]


def test_phones_of_a_model_may_end_in_a_digit(tmp_path):
    (tmp_path / "l.txt").write_text("ma m a1\n")
    assert list(Lexicon.read_text(tmp_path / "l.txt", ["m", "a", "a1"]).entries()) == [
        ("ma", ("m", "a1"))
    ]


def test_a_lexicon_can_spell_words_by_letters():
    tokens = ["<blank>", "<space>", *"abcdefghijklmnopqrstuvwxyz'"]
    built = Lexicon.of_letters(["don't", "cab"], tokens)
    assert [tokens[unit] for unit in built.pronunciations("don't")[0]] == list("don't")
    assert built.token_ids(tokens).tolist() == list(range(len(tokens)))
    with pytest.raises(DataError, match="'naïve' and 1 more words: no token for 'ï'"):
        Lexicon.of_letters(["cab", "naïve", "çé"], tokens)


def test_the_tokens_of_a_model_are_checked():
    tokens = ["<blank>", *reversed(ENGLISH_PHONES)]
    ids = lexicon().token_ids(tokens)
    assert [tokens[token] for token in ids] == list(ENGLISH_PHONES)
    with pytest.raises(
        ModelError, match="the lexicon's phones AH DH are not among the model's tokens"
    ):
        lexicon().token_ids([token for token in tokens if token not in ("AH", "DH", "ZH")])
    without = lexicon().token_ids([token for token in tokens if token != "ZH"])
    assert without[ENGLISH_PHONES.index("ZH")] == -1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"read R EH D\nword\n", "line 2: 'word' has no phones"),
        (b"read R EX D\n", "line 1: 'EX' is not one of the 39 phones"),
        (b"read R EH3 D\n", "line 1: 'EH3' is not"),
        (b"the DH AH\ncaf\xe9 K AE\n", "line 2: not UTF-8"),
        (b"read 0.0 R EH D\n", "line 1: probability 0 of 'read'; give a number above 0"),
        (b"read 1.5 R EH D\n", "line 1: probability 1.5 of 'read'"),
        (b"read 0.5\n", "line 1: 'read' has no phones"),
        (b"read -0.5 R EH D\n", "line 1: '-0.5' is not one of the 39 phones"),
    ],
)
def test_bad_lines_are_refused(tmp_path, line, message):
    (tmp_path / "bad.txt").write_bytes(line)
    with pytest.raises(DataError, match=message):
        Lexicon.read_text(tmp_path / "bad.txt", ENGLISH_PHONES)


def test_bad_entries_are_refused():
    with pytest.raises(DataError, match="'read': phone 'Q'"):
        Lexicon.build([("read", ("R", "Q"))], ENGLISH_PHONES)
    with pytest.raises(DataError, match="'read': a word needs 1 to 255 phones"):
        Lexicon.build([("read", ())], ENGLISH_PHONES)


def test_a_lexicon_for_another_vocabulary_is_refused():
    made = estimate([("a text", ["yes\nno\n"])], EstimateConfig(order=2))
    model = LanguageModel.build(made.ngrams)
    entries = [("yes", ("Y", "EH", "S")), ("no", ("N", "OW")), ("cat", ("K", "AE", "T"))]
    kept = restrict_lexicon(Lexicon.build(entries, ENGLISH_PHONES), model)
    assert kept.words == ("yes", "no")
    assert restrict_lexicon(Lexicon.build(entries[:1], ENGLISH_PHONES), model).words == ("yes",)
    with pytest.raises(DataError, match="the lexicon has 0 of the language model's 2 words"):
        restrict_lexicon(Lexicon.build(entries[2:], ENGLISH_PHONES), model)


def test_altered_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "lexicon.bin"
    lexicon().save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        broken = bytearray(data)
        broken[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(broken)
        try:
            list(Lexicon.load(path).entries())
        except ModelError:
            refused += 1
    assert refused > 30
    LanguageModel.build(random_ngrams(np.random.default_rng(0))).save(path)
    with pytest.raises(ModelError, match="contains 'ngram', not 'lexicon'"):
        Lexicon.load(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("variants", np.array([-1, 3], np.int32)),
        ("variants", np.array([1, 1], np.float32)),
        ("variants", np.array([4_000_000_000, 1], np.uint32)),
        ("variants", np.full(4_000_000, 255, np.uint8)),
        ("lengths", np.array([1, 1], np.float32)),
        ("units", np.array([0, -1], np.int32)),
        ("units", np.array([0, 1], np.float32)),
        ("costs", np.array([np.nan, 0], np.float32)),
    ],
)
def test_arrays_of_other_types_or_sizes_are_refused(tmp_path, name, array):
    arrays = {name: np.array([1, 1], np.uint8) for name in ("variants", "lengths", "costs")}
    arrays |= {"words": np.frombuffer(b"a\nb", np.uint8), "units": np.array([0, 1], np.uint8)}
    write_arrays(tmp_path / "lexicon.bin", "lexicon", {"phones": ["A", "B"]}, arrays)
    assert len(Lexicon.load(tmp_path / "lexicon.bin")) == 2
    write_arrays(
        tmp_path / "lexicon.bin", "lexicon", {"phones": ["A", "B"]}, arrays | {name: array}
    )
    with pytest.raises(ModelError, match="damaged lexicon; write it again"):
        Lexicon.load(tmp_path / "lexicon.bin")
