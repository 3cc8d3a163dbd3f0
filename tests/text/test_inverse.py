from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr_gru.language import Lexicon
from asr_gru.text import inverse_normalise, normalise, write_words
from asr_gru.text.numerals import SMALL, TENS, cardinal, ordinal, year
from asr_gru.text.spoken_numbers import CARDINALS, ORDINALS, parse_cardinal, parse_ordinal

WRITTEN = {
    "twenty five people": "25 people",
    "one thousand two hundred and four": "1,204",
    "five million people": "5 million people",
    "three point one four": "3.14",
    "between one hundred and two hundred": "Between 100 and 200",
    "the twenty first century": "The 21st century",
    "in nineteen eighty four": "In 1984",
    "in the nineteen nineties": "In the 1990s",
    "in the eighteen hundreds": "In the 1800s",
    "june two thousand": "June 2000",
    "the fifth of may two thousand": "The 5th of May 2000",
    "in two thousand and five": "In 2005",
    "two thousand and five people": "2,005 people",
    "the year two thousand": "The year 2000",
    "in two thousand years": "In 2,000 years",
    "twenty twenty one": "2021",
    "in twenty twenty": "In 2020",
    "nineteen oh five": "1905",
    "at seven thirty": "At 7:30",
    "at seven oh five p m": "At 7:05 p.m.",
    "five o'clock": "5 o'clock",
    "ten percent": "10%",
    "twenty degrees celsius": "20°C",
    "three point five million dollars": "$3.5 million",
    "twenty five dollars and ten cents": "$25.10",
    "ten pounds and fifty pence": "£10.50",
    "a twenty dollar bill": "A $20 bill",
    "on june fifth nineteen eighty four": "On June 5th, 1984",
    "june five": "June 5",
    "the fifth of may": "The 5th of May",
    "since march": "Since March",
    "i'm sure i saw john's car in new york on sunday": (
        "I'm sure I saw John's car in New York on Sunday"
    ),
    "mister jones and missus white": "Mr. Jones and Mrs. White",
    "in new york's harbor": "In New York's harbor",
    "the united states' coast": "The United States' coast",
    "mister and missus jones": "Mr. and Mrs. Jones",
    "doctor john in rio de janeiro": "Dr. John in Rio de Janeiro",
}
AMBIGUOUS = [
    "one two three",
    "twenty twenty",
    "two to four",
    "one of us",
    "a hundred",
    "a hundred and twenty five people",
    "second",
    "a twenty second delay",
    "a one hundred and twenty second delay",
    "one hundred and ninth time",
    "it grew by point five percent",
    "point five million dollars",
    "two point oh five percent",
    "version three point ten",
    "by seven twenty pounds",
    "it costs three dollars fifty",
    "ten pounds twenty",
    "nineteen eighty four's best film",
    "two thousand and five's best film",
    "hey mister can you help",
    "mister and nobody else",
    "at one point two men",
    "one hundred and two and three",
    "one hundred one",
    "nine eleven",
    "fifty fifty",
    "twenty four seven",
    "seven eleven",
    "two thirds of a tenth",
    "one hundredth of a second",
    "that may first seem odd",
    "we march on",
    "the first time",
    "in two thousand and ten",
    "the five hundred and five hundred and six",
    "several thousand",
    "oh",
]


@pytest.mark.parametrize("spoken", WRITTEN)
def test_written_form(spoken):
    assert inverse_normalise(spoken) == WRITTEN[spoken]
    assert normalise(WRITTEN[spoken], "english") == spoken


@pytest.mark.parametrize("spoken", AMBIGUOUS)
def test_ambiguous_numbers_stay_in_words(spoken):
    assert inverse_normalise(spoken) == spoken[0].upper() + spoken[1:]


def spell_time(hour, minute, suffix):
    minutes = f"oh {SMALL[minute]}" if minute < 10 else cardinal(minute)
    return f"{cardinal(hour)} {minutes} {suffix}".strip()


def spell_amount(whole, cents, currency):
    return f"{cardinal(whole)} {currency} and {cardinal(cents)} cents"


NUMBERS = st.integers(0, 999_999_999) | st.integers(0, 2_100)
ROOT = Path(__file__).parents[2]
LEXICON_WORDS = Lexicon.load(ROOT / "asr_gru" / "models" / "en-small" / "lexicon.bin").words
CONTEXT_DEPENDENT = sorted(
    {*SMALL, *TENS, *CARDINALS, *ORDINALS, "and", "oh", "point", "to", "a", "of", "i", "m", "p"}
    | {"dollars", "dollar", "bill", "cents", "percent", "pounds", "pence", "yen", "o'clock", "x"}
    | {"may", "march", "june", "new", "york", "mister", "doctor", "john", "nineties", "in", "at"}
    | {"minus", "plus", "number", "times", "degrees", "celsius", "c", "f", "boys'", "'em", "s", "k"}
)
PARTS = st.one_of(
    NUMBERS.map(cardinal),
    NUMBERS.map(ordinal),
    st.integers(1100, 2099).filter(lambda n: not 2000 <= n < 2010).map(year),
    st.builds(
        spell_time,
        st.integers(1, 24),
        st.integers(1, 59),
        st.sampled_from(["", "a m", "p m", "o'clock"]),
    ),
    st.builds(
        spell_amount, NUMBERS, st.integers(1, 99), st.sampled_from(["dollars", "euros", "pounds"])
    ),
    st.sampled_from(CONTEXT_DEPENDENT),
    st.sampled_from(CONTEXT_DEPENDENT),
    st.sampled_from(LEXICON_WORDS),
)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(PARTS, max_size=12))
@example(["five", "a m", "i"])
@example(["page", "twenty", "x", "twenty"])
def test_the_written_form_normalises_to_the_spoken_words(parts):
    spoken = normalise(" ".join(parts), "english")
    assert normalise(inverse_normalise(spoken), "english") == spoken


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_the_written_form_of_any_text_normalises_as_the_text_does(text):
    assert normalise(inverse_normalise(text), "english") == normalise(text, "english")


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=12))
def test_each_spoken_word_belongs_to_exactly_one_written_word(parts):
    words = " ".join(parts).split()
    written = write_words(words)
    indices = [i for word in written for i in range(word.first, word.stop)]
    assert indices == list(range(len(words)))
    assert all(word.text for word in written)


@given(NUMBERS)
def test_numbers_from_ten_up_are_written_in_digits(number):
    written = inverse_normalise(cardinal(number))
    assert any(letter.isdigit() for letter in written) == (number >= 10)
    assert parse_cardinal(cardinal(number).split()) == number
    assert parse_ordinal(ordinal(number).split()) == number


def test_a_number_that_would_be_misread_in_its_context_stays_in_words():
    """``20 x 20`` would be read as twenty by twenty."""
    assert inverse_normalise("plan twenty x twenty of the ten") == "Plan twenty x twenty of the 10"
