import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from asr_gru.alignment.matching import match_words

WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=60)


@given(WORDS, WORDS)
def test_matched_pairs_are_equal_and_increasing(one, other):
    pairs = match_words(one, other)
    assert all(one[a] == other[b] for a, b in pairs)
    for (a, b), (c, d) in itertools.pairwise(pairs):
        assert a < c
        assert b < d


@given(st.integers(2, 300), st.data())
def test_omitted_and_inserted_words_leave_the_rest_matched(count, data):
    one = [f"w{number % 97}-{number}" for number in range(count)]
    low = data.draw(st.integers(0, count))
    high = data.draw(st.integers(low, count))
    other = [*one[:low], *["new"] * data.draw(st.integers(0, 5)), *one[high:]]
    found = match_words(one, other)
    kept = {*range(low if low > 3 else 0), *range(high if count - high > 3 else count, count)}
    assert kept <= {a for a, _ in found} <= {*range(low), *range(high, count)}


REPETITIVE = "so it was and it was not so it was then a fox came by and it was gone"


def test_repeated_words_are_matched_between_anchors():
    one = REPETITIVE.split()
    other = ["the" if word == "a" else word for word in one]
    assert len(match_words(one, other)) == len(one) - 1


def test_matching_takes_less_than_quadratic_time():
    chance = random.Random(1)
    one = [str(chance.randrange(3_000)) for _ in range(30_000)]
    assert len(match_words(one, one)) > 29_000
