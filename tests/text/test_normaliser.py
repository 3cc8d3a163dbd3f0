from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asr_gru
from asr_gru.language import open_lexicon
from asr_gru.language.english import LETTER_NAMES
from asr_gru.text import normalise
from asr_gru.text.normaliser import SPECIAL, _english

MODEL = Path(asr_gru.__file__).parent / "models" / "en-small"
WORDS = {
    "Mr. O’Brien paid $20 - TWICE!": "mister o'brien paid twenty dollars twice",
    "Mrs. Hale saw Dr Smith": "missus hale saw doctor smith",
    "the dogs' house, 'tis so": "the dogs' house 'tis so",
    "'He said yes' is not a plural": "he said yes is not a plural",
    "well-known  co-op": "well known co op",
    "a _'b": "a b",
    "Café, naïve, Ægir, façade": "cafe naive aegir facade",
    "R&D @ home": "r and d at home",
}
TIMES_IN_WORDS = {
    "at three PM, half past ten a.m.": "at three p m half past ten a m",
    "seven o'clock am": "seven o'clock a m",
    "twenty three forty five pm": "twenty three forty five p m",
    "which one am I, the PM": "which one am i the pm",
    "I am three; everyone am": "i am three everyone am",
    "one ampere": "one ampere",
}
APOSTROPHES = ["don´t", "don`t", "don’t", "don‘t", "donʼt", "don′t", "don＇t", "don ́t", "don᾽t"]
FORMAT = [
    "co\u00adoperate",
    "co\u200boperate",
    "co\u200doperate",
    "\ufeffcooperate",
    "co\u2060operate",
]


@pytest.mark.parametrize("written", WORDS)
def test_english_words(written):
    assert normalise(written, "english") == WORDS[written]


@pytest.mark.parametrize("written", TIMES_IN_WORDS)
def test_am_and_pm_after_a_time_in_words(written):
    assert normalise(written, "english") == TIMES_IN_WORDS[written]


@pytest.mark.parametrize("written", ["3:45 pm", "3.45 P.M.", "three forty five PM"])
def test_am_and_pm_are_letters_as_in_the_lexicon_of_the_bundled_model(written):
    lexicon = open_lexicon(MODEL / "lexicon.bin", ())
    words = normalise(written, "english").split()
    assert words == ["three", "forty", "five", "p", "m"]
    for letter in "apm":
        assert LETTER_NAMES[letter] in lexicon.spoken(letter)


@pytest.mark.parametrize("written", APOSTROPHES)
def test_every_character_used_as_an_apostrophe(written):
    assert normalise(written, "english") == "don't"


@pytest.mark.parametrize("how", ["basic", "english"])
@pytest.mark.parametrize("written", FORMAT)
def test_format_characters_do_not_split_words(written, how):
    assert normalise(written, how) == "cooperate"


def test_basic_keeps_any_script():
    assert normalise("Слово, ЗА «слово»!", "basic") == "слово за слово"


def test_english_keeps_the_marks_of_other_scripts():
    assert normalise("क्या é", "english") == "क्या e"


def test_none_only_collapses_white_space():
    assert normalise("  Hello,\tWorld ", "none") == "Hello, World"


SYMBOLS = st.text("0123456789.,:;/-–−+±°%$€£¢'’´`ab smcprdtho½²\u00ad\u0301&@#x=", max_size=24)


@pytest.mark.parametrize("how", ["none", "basic", "english"])
@given(text=st.one_of(st.text(max_size=60), SYMBOLS))
@settings(max_examples=400)
def test_normalisation_is_idempotent(how, text):
    once = normalise(text, how)
    assert normalise(once, how) == once
    assert once == " ".join(once.split())


@given(text=SYMBOLS)
def test_no_ascii_digit_remains(text):
    assert not any(character in "0123456789" for character in normalise(text, "english"))


@given(
    text=st.text(st.characters(max_codepoint=127, exclude_characters=SPECIAL.decode()), max_size=40)
    | st.text("'` .srtmdeilx-_", max_size=20)
)
@settings(max_examples=400)
def test_the_fast_path_for_plain_text_has_the_same_result(text):
    assert normalise(text, "english") == _english(text.replace("`", "'"))
