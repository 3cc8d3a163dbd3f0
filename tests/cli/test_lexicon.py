import pytest

from asr_gru.language import ENGLISH_PHONES, Lexicon
from tests.language.test_g2p import regular


def test_pronounce_prints_phones_and_sources(run, tmp_path):
    result = run("pronounce", "read", "dvds", "zorblax")
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "read  R EH D  (dictionary)" or lines[1] == "read  R EH D  (dictionary)"
    assert "dvds  D IY V IY D IY Z  (" in result.out
    assert lines[-1].endswith("(grapheme to phoneme)")
    own = tmp_path / "own.txt"
    own.write_text("zorblax  Z AO R B L AE K S\nread  R EH1 D\n")
    mine = run("pronounce", "--dictionary", own, "read", "zorblax", "cat").out.splitlines()
    assert mine == [
        "read  R EH D  (dictionary)",
        "zorblax  Z AO R B L AE K S  (dictionary)",
        "cat  K AE T  (dictionary)",
    ]
    assert len(run("pronounce", "--n", 3, "zorblax").out.splitlines()) == 3


def test_own_entries_are_found_in_any_spelling(run, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("ZORBLAX  Z AO R B\nÖztürk  EH Z T ER K\nRead  R EH1 D\n", encoding="utf-8")
    found = run("pronounce", "--dictionary", own, "zorblax", "ZORBLAX", "öztürk", "read")
    assert found.out.splitlines() == [
        "zorblax  Z AO R B  (dictionary)",
        "ZORBLAX  Z AO R B  (dictionary)",
        "öztürk  EH Z T ER K  (dictionary)",
        "read  R EH D  (dictionary)",
    ]


def test_lexicons_are_built_from_word_lists(run, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("# a list\ncat\nread\nzorblaxes\n\ncat\n")
    built = run("lexicon", "build", words, "--out", tmp_path / "lexicon.bin")
    assert built.status == 0, built.err
    assert "3 words, " in built.out
    assert "2  dictionary" in built.out
    assert run("lexicon", "build", words, "--out", tmp_path / "lexicon.txt").status == 0
    loaded = Lexicon.load(tmp_path / "lexicon.bin")
    text = Lexicon.read_text(tmp_path / "lexicon.txt", ENGLISH_PHONES)
    assert list(loaded.entries()) == list(text.entries())
    assert loaded.words == ("cat", "read", "zorblaxes")


def test_lexicons_keep_the_probabilities_of_a_dictionary(run, tmp_path):
    (tmp_path / "own.txt").write_text("read 1.0 R IY D\nread 0.5 R EH D\n")
    (tmp_path / "words.txt").write_text("cat\nread\n")
    out = tmp_path / "lexicon.txt"
    built = run(
        *("lexicon", "build", tmp_path / "words.txt", "--out", out),
        *("--dictionary", tmp_path / "own.txt"),
    )
    assert built.status == 0, built.err
    assert out.read_text().splitlines() == ["cat 1 K AE T", "read 1 R IY D", "read 0.503 R EH D"]


def test_pronunciations_are_counted_in_manifests(run, tmp_path):
    (tmp_path / "plain.txt").write_text("read R EH D\nread R IY D\nthe DH AH\n")
    (tmp_path / "list.tsv").write_text("path\ttext\n1.wav\tRead the\n2.wav\tread\n3.wav\tthe cat\n")
    spoken = tmp_path / "spoken.tsv"
    spoken.write_text(
        "path\tphones\n1.wav\tSIL 0.1 R 0.2 IY 0.3 D 0.4 DH 0.5 AH 0.6\n"
        "2.wav\tR 0.1 IY 0.2 D 0.3 SIL 0.5\n3.wav\tDH 0.1 AH 0.2 K 0.3 AE 0.4 T 0.5\n"
    )
    arguments = ("--pronunciations", spoken, "--out", tmp_path / "counted.txt")
    result = run("lexicon", "count", tmp_path / "plain.txt", tmp_path / "list.tsv", *arguments)
    assert result.status == 0, result.err
    assert "3 words of 2 utterances counted; 1 utterances left out" in result.out
    lines = (tmp_path / "counted.txt").read_text().splitlines()
    assert lines[1:] == ["read 1 R IY D", "the 1 DH AH"]
    assert lines[0].startswith("read 0.7")
    spoken.write_text("path\tphones\n9.wav\tR 0.1\n")
    refused = run("lexicon", "count", tmp_path / "plain.txt", tmp_path / "list.tsv", *arguments)
    assert refused.status == 1
    assert "spoken.tsv: no utterance of the manifests with phones of its words" in refused.err


def test_grapheme_to_phoneme_models_are_trained(run, tmp_path):
    lines = [f"{word}  {' '.join(phones)}\n" for word, phones in regular(0)]
    (tmp_path / "d.txt").write_text("".join(lines))
    out = tmp_path / "g2p.bin.xz"
    trained = run("lexicon", "train", tmp_path / "d.txt", "--out", out, "--order", 2)
    assert trained.status == 0, trained.err
    assert out.stat().st_size < 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pronounce"], "WORDS"),
        (["pronounce", "漢"], "'漢' cannot be pronounced"),
        (["pronounce", "--n", "0", "cat"], "'--n': 0"),
        (["lexicon", "build", "bad.txt", "--out", "l.bin", "--n", "0"], "'--n': 0"),
        (["pronounce", "--dictionary", "none.txt", "cat"], "none.txt: No such file"),
        (["pronounce", "--dictionary", "bad.txt", "cat"], "bad.txt: line 1: 'QQ'"),
        (["lexicon", "build", "none.txt", "--out", "l.bin"], "none.txt: No such file"),
        (["lexicon", "build", "strange.txt", "--out", "l.bin"], "'漢' cannot be pronounced"),
        (["lexicon", "build", "bad.txt", "--out", "none/l.bin"], "none: no such folder"),
        (["lexicon", "train", "bad.txt", "--out", "g.bin"], "bad.txt: line 1: 'QQ'"),
        (["lexicon", "train", "bad.txt", "--out", "g.bin", "--order", "9"], "order 9"),
    ],
)
def test_wrong_arguments_are_refused(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("cat K QQ T\n")
    (tmp_path / "strange.txt").write_text("cat\n漢\n")
    before = sorted(tmp_path.iterdir())
    result = run(*arguments)
    assert result.status in (1, 2)
    assert result.err.startswith("asr-gru: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert sorted(tmp_path.iterdir()) == before
