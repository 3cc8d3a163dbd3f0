import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.alignment.text import read_text
from asr_gru.errors import DataError
from asr_gru.text import normalise


def words(text):
    return [
        (word.written, " ".join(word.spoken), word.sentence) for word in read_text(text, "english")
    ]


def test_words_keep_their_written_form():
    assert words("Mr. O’Brien left — at 5:30.") == [
        ("Mr.", "mister", 0),
        ("O’Brien", "o'brien", 0),
        ("left —", "left", 0),
        ("at", "at", 0),
        ("5:30.", "five thirty", 0),
    ]


def test_written_words_that_are_spoken_as_one_are_merged():
    assert words("it cost $20 million then") == [
        ("it", "it", 0),
        ("cost", "cost", 0),
        ("$20 million", "twenty million dollars", 0),
        ("then", "then", 0),
    ]


def test_punctuation_before_the_first_word_belongs_to_it():
    assert words("* * Go") == [("* * Go", "go", 0)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("one two\nthree", [0, 0, 1]),
        ("One two\nthree. Four", [0, 0, 0, 1]),
        ("one\n\ntwo\nthree", [0, 1, 1]),
        ("“One!” two", [0, 1]),
        ("One. — Two.", [0, 1]),
    ],
)
def test_texts_are_split_into_sentences(text, sentences):
    assert [word.sentence for word in read_text(text, "english")] == sentences


@given(st.text("aB1$ .,-—\n'%", max_size=40))
def test_no_written_or_spoken_word_is_lost(text):
    try:
        found = read_text(text, "english")
    except DataError:
        assert not any(c.isalnum() or c == "%" for c in text)
        return
    assert " ".join(word.written for word in found) == " ".join(text.split())
    assert all(word.spoken for word in found)
    numbers = [word.sentence for word in found]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(numbers[-1] + 1))
    if "." not in text and "\n" not in text:
        spoken = [part for word in found for part in word.spoken]
        assert spoken == normalise(text, "english").split()


def test_a_text_without_words_is_refused():
    with pytest.raises(DataError, match="no words"):
        read_text(" … \n", "english")
