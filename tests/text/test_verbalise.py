import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.text import normalise
from asr_gru.text import verbalise as verbalise_module
from asr_gru.text.numerals import cardinal, fraction, ordinal, plural, year
from asr_gru.text.verbalise import INTEGER, verbalise


def num2words(number, **options):
    """Call the library num2words, the reference; skip the test if it is not installed."""
    return pytest.importorskip("num2words").num2words(number, **options)


NUMBERS = {
    "3.14% of 1,204": "three point one four percent of one thousand two hundred and four",
    "agent 007": "agent zero zero seven",
    ".5 and -.25": "point five and minus point two five",
    "version 1.2.3": "version one point two point three",
    "card 4111111111111": "card four one one one one one one one one one one one one",
    "No. 5 and #1": "number five and number one",
    "H2O, A4, 5km": "h two o a four five km",
    "20°C, 1°, 50+": "twenty degrees celsius one degree fifty plus",
}
LISTS = {
    "1,2,3": "one two three",
    "1, 2, 3": "one two three",
    "12,34": "twelve thirty four",
    "1,234,5": "one two hundred and thirty four five",
    "1,2,345": "one two three hundred and forty five",
    "1,234,567": "one million two hundred and thirty four thousand five hundred and sixty seven",
    "1989,1990": "nineteen eighty nine nineteen ninety",
}
MONEY = {
    "$3.5 million": "three point five million dollars",
    "$3.5m": "three point five million dollars",
    "$1 billion": "one billion dollars",
    "$3 bn": "three billion dollars",
    "$3 b": "three dollars b",
    "€20,50": "twenty euros and fifty cents",
    "€1.234,56": "one thousand two hundred and thirty four euros and fifty six cents",
    "$1,000.50": "one thousand dollars and fifty cents",
    "£1.50 or €2": "one pound and fifty pence or two euros",
    "$1.00, $1.01, $0.50, $.5": "one dollar one dollar and one cent fifty cents point five dollars",
    "50¢ 20€ 5 £": "fifty cents twenty euros five pounds",
    "$-20, ($-1.50)": "minus twenty dollars minus one dollar and fifty cents",
    "-$20 and $10-20": "minus twenty dollars and ten to twenty dollars",
    "¥500": "five hundred yen",
    "a $20 bill, £5 notes": "a twenty dollar bill five pound notes",
}
FRACTIONS = {
    "1/2 cup": "one half cup",
    "3/4": "three quarters",
    "⅔ and 3½": "two thirds and three and a half",
    "1 1/2 or 2-3/8": "one and a half or two and three eighths",
    "24/7 since 9/11": "twenty four seven since nine eleven",
    "12/25/2020": "twelve twenty five twenty twenty",
}
SIGNS = {
    "-5 +5 −5 ±5 (-3)": "minus five plus five minus five plus or minus five minus three",
    "5 + 3 = 8, 3×4, 6−1": "five plus three equals eight three times four six minus one",
    "COVID-19, F-16": "covid nineteen f sixteen",
    "10² m³": "ten squared m cubed",
}
YEARS = {
    "In 1905 and in 2024": "in nineteen oh five and in twenty twenty four",
    "1990s, 1990's, 1900s": "nineteen nineties nineteen nineties nineteen hundreds",
    "the '90s, ’90s and 20s": "the nineties nineties and twenties",
    "class of '05 or '99": "class of oh five or ninety nine",
    "1984's hits and 2005's": "nineteen eighty four's hits and two thousand and five's",
    "100s or 1000s of people": "hundreds or thousands of people",
    "2000s and 2010s": "two thousands and twenty tens",
}
TIMES = {
    "5:30, 5:05 pm, 5:00": "five thirty five oh five p m five o'clock",
    "10am, 10 a.m., 5.30pm": "ten a m ten a m five thirty p m",
    "17:00 and 00:15": "seventeen hundred and zero fifteen",
    "1:02:03": "one oh two oh three",
    "16:9": "sixteen to nine",
}
RANGES = {
    "10-20, pages 3–5": "ten to twenty pages three to five",
    "1914-1918, 1914–18": "nineteen fourteen to nineteen eighteen nineteen fourteen to eighteen",
    "10-15%, $10-$20": "ten to fifteen percent ten dollars to twenty dollars",
    "1990s–2000s": "nineteen nineties to two thousands",
    "9am-5pm, 5:30-6:30": "nine a m to five p m five thirty to six thirty",
    "3-2, 10-year-old": "three two ten year old",
    "2020-01-15": "twenty twenty zero one fifteen",
    "555-1234": "five five five one two three four",
    "1-800-555-1234": "one eight zero zero five five five one two three four",
}
ORDINALS = {
    "the 21st & the 3rd": "the twenty first and the third",
    "1,000th": "one thousandth",
    "21st-century": "twenty first century",
}
CASES = NUMBERS | LISTS | MONEY | FRACTIONS | SIGNS | YEARS | TIMES | RANGES | ORDINALS


@pytest.mark.parametrize("written", CASES)
def test_spoken_form(written):
    assert normalise(written, "english") == CASES[written]


def plain(words):
    return words.replace(",", "").replace("-", " ")


def is_year(number):
    return 1100 <= number <= 1999 or 2010 <= number <= 2099


@given(number=st.integers(0, 10**12 - 1) | st.integers(0, 30_000))
def test_cardinals_agree_with_num2words(number):
    expected = plain(num2words(number, to="year" if is_year(number) else "cardinal"))
    assert normalise(str(number), "english") == expected
    assert normalise(f"{number:,}", "english") == plain(num2words(number))


@given(number=st.integers(0, 10**18 - 1))
def test_large_cardinals_agree_with_num2words(number):
    assert cardinal(number) == plain(num2words(number))


@given(number=st.integers(0, 10**9))
def test_ordinals_agree_with_num2words(number):
    assert normalise(f"{number}th", "english") == plain(num2words(number, to="ordinal"))


@given(whole=st.integers(0, 10**9), decimals=st.from_regex("[0-9]{1,5}", fullmatch=True))
def test_decimals_agree_with_num2words(whole, decimals):
    expected = f"{plain(num2words(whole))} point {' '.join(map(num2words, map(int, decimals)))}"
    assert normalise(f"{whole}.{decimals}", "english") == expected


@given(number=st.integers(1, 10**9))
def test_negative_numbers_agree_with_num2words(number):
    if not is_year(number):
        assert normalise(f"-{number}", "english") == plain(num2words(-number))


@given(cents=st.integers(100, 10**9))
def test_amounts_of_money_agree_with_num2words(cents):
    expected = num2words(cents, to="currency", currency="USD", separator=" and")
    expected = plain(expected).removesuffix(" and zero cents")
    assert normalise(f"${cents // 100}.{cents % 100:02}", "english") == expected


def test_spelling_of_each_kind_of_number():
    assert cardinal(1_000_001) == "one million and one"
    assert ordinal(112) == "one hundred and twelfth"
    assert year(1900) == "nineteen hundred"
    assert plural("six") == "sixes"
    assert fraction(3, 2) == "three halves"


@given(text=st.text("0123459.,;:!?() \"'-amps", max_size=16))
@settings(max_examples=1000)
def test_the_fast_path_for_plain_numbers_has_the_same_result(text):
    fast = verbalise(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verbalise_module, "NOT_PLAIN", re.compile(""))
        assert " ".join(fast.split()) == " ".join(verbalise(text).split())


@pytest.mark.parametrize("text", ["${}", "{} £", "{}s 2nd", "{} 5°", "{} 2nd 5°", "x{}'s"])
def test_long_runs_of_digits_are_read_one_by_one(text):
    count = 5_000  # int() refuses more than 4,300
    spoken = normalise(text.format("1" * count), "english")
    assert spoken.split().count("one") >= count - 1


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("10\u202f000 people", "ten thousand people"),
        ("1\u2009234\u2009567", plain(num2words(1_234_567))),
        ("12\xa0500.5", "twelve thousand five hundred point five"),
        ("2019\xa0000", "twenty nineteen zero zero zero"),
        ("10 000 people", "ten thousand people"),
        ("$1 234 000", f"{plain(num2words(1_234_000))} dollars"),
        ("1 000-2 000", "one thousand to two thousand"),
        ("call 800 000 1234", "call eight hundred zero zero zero twelve thirty four"),
        ("agent 7 007", "agent seven zero zero seven"),
        ("10'000 francs", "ten thousand francs"),
        ("1’234’567", plain(num2words(1_234_567))),
        ("3'11", "three eleven"),
    ],
)
def test_thousands_between_spaces_and_apostrophes(text, spoken):
    assert normalise(text, "english") == spoken


def test_numbers_are_searched_from_the_first_digit_of_a_run_only():
    """Searching from each takes quadratic time: 20 s for 20,000 digits."""
    integer = re.compile(INTEGER)
    assert [start for start in range(50) if integer.match("1" * 50, start)] == [0]
