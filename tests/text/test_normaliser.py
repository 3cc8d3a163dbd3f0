import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.text import normalise
from asr_gru.text.numerals import cardinal, ordinal, year

ENGLISH = {
    "Mr. O’Brien paid $20 - TWICE!": "mr o'brien paid twenty dollars twice",
    "It's 3.14% of 1,204": "it's three point one four percent of one thousand two hundred and four",
    "In 1905 and in 2024": "in nineteen oh five and in twenty twenty four",
    "the 21st & the 3rd": "the twenty first and the third",
    "£1.50 or €2": "one pound and fifty pence or two euros",
    "agent 007": "agent zero zero seven",
    "the dogs' house, 'tis so": "the dogs' house 'tis so",
    "well-known  co-op": "well known co op",
}


@pytest.mark.parametrize("written", ENGLISH)
def test_english(written):
    assert normalise(written, "english") == ENGLISH[written]


def test_basic_keeps_any_script():
    assert normalise("Слово, ЗА «слово»!", "basic") == "слово за слово"


def test_none_only_tidies_spaces():
    assert normalise("  Hello,\tWorld ", "none") == "Hello, World"


@pytest.mark.parametrize("how", ["none", "basic", "english"])
@given(text=st.text(max_size=60))
def test_normal_texts_stay_as_they_are(how, text):
    once = normalise(text, how)
    assert normalise(once, how) == once
    assert once == " ".join(once.split())


def test_numbers():
    assert cardinal(0) == "zero"
    assert cardinal(342) == "three hundred and forty two"
    assert cardinal(1_000_001) == "one million and one"
    assert ordinal(20) == "twentieth"
    assert ordinal(112) == "one hundred and twelfth"
    assert year(1900) == "nineteen hundred"
