from __future__ import annotations

import pytest

from asr_gru.errors import DataError
from asr_gru.language import ENGLISH_PHONES, Lexicon
from asr_gru.language.pronounce import load_english
from asr_gru.language.word_list import parse_word_list, pronounce_listed

LEXICON = Lexicon.build([("cat", ("K", "AE", "T"))], ENGLISH_PHONES)


def added(text, lexicon=LEXICON, normaliser="english", **options):
    listed = parse_word_list(enumerate(text.splitlines(), 1), "list", normaliser)
    return {
        one.word: one
        for one in pronounce_listed(listed, lexicon, **{"pronouncer": load_english} | options)
    }


def test_added_words_have_the_source_of_their_pronunciation():
    text = """# mine
cat
Siobhan: SH AH0 V AO1 N
siobhan: SH IH V AO N
Cat: K AA T
cat: K AE T
dog
Grafanauts
ÖZTÜRK
BBQX
"""
    found = added(text)
    assert set(found) == {"siobhan", "cat", "dog", "grafanauts", "ozturk", "bbqx"}
    assert found["siobhan"].pronunciations == (
        ("SH", "AH", "V", "AO", "N"),
        ("SH", "IH", "V", "AO", "N"),
    )
    assert found["cat"].pronunciations == (("K", "AA", "T"),)
    assert found["siobhan"].source == found["cat"].source == "given"
    assert found["dog"].source == "dictionary"
    assert found["grafanauts"].source == "grapheme to phoneme"
    assert found["bbqx"].source == "spelled out 'b b q x'"


def test_a_given_pronunciation_replaces_a_predicted_one():
    assert added("zork\nzork: Z AO R K")["zork"].pronunciations == (("Z", "AO", "R", "K"),)


def test_models_of_characters_spell_added_words():
    lexicon = Lexicon.of_letters(["cab"], list("abc"))
    found = added("bac\ncab", lexicon, "none", characters=True)
    assert found["bac"].pronunciations == (("b", "a", "c"),)
    assert list(found) == ["bac"]
    with pytest.raises(DataError, match="'bad': no token for 'd'"):
        added("bad", lexicon, "none", characters=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "list: no words; write one per line"),
        ("# a\n\n", "list: no words"),
        ("cat\nжук", "'жук' cannot be pronounced: 'ж' 'к' 'у'"),
        ("cat:", "line 1: 'cat:' has no phones"),
        (": K", "line 1: ': K' has no word"),
        ("!!!", "line 1: '!!!' has no word"),
        ("\nNew York", r"line 2: 'New York' is several words to the model \(new york\)"),
        ("R2D2", r"several words to the model"),
        ("go: ZZ", "line 1: 'go': phone 'ZZ' is not among the model's 39"),
        ("x" * 65, "has 65 characters; a word has at most 64"),
        ("go: " + "G " * 101, "101 phones; a word has at most 100"),
    ],
)
def test_invalid_lists_are_refused_in_one_line(text, said):
    with pytest.raises(DataError, match=said) as refused:
        added(text)
    assert "\n" not in str(refused.value)


def test_words_that_a_model_cannot_pronounce_are_refused():
    few = Lexicon.build([("a", ("AA",))], ["AA", "B"])
    with pytest.raises(DataError, match=r"line 1: 'dog' needs the phone A[AO], which"):
        added("dog", few)
    with pytest.raises(DataError, match="'hund' has no pronunciation, and only English words"):
        added("hund", pronouncer=None)
    assert added("hund: HH UH N T", pronouncer=None)
