from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.errors import ConfigError
from asr_gru.streaming.endpoint import EndpointRules, EndpointState, find_endpoint

FRAME_S = 0.04


def endpoint_after(pattern: str, rules: EndpointRules, state: EndpointState | None = None):
    """Process frames of speech (``#``) and silence (``.``)."""
    silence = [mark == "." for mark in pattern]
    return find_endpoint(state or EndpointState(), silence, rules, FRAME_S)


def endpoint_at(pattern: str, rules: EndpointRules):
    end = endpoint_after(pattern, rules)[1]
    return end and (end.frames, end.reason)


RULES = EndpointRules(trailing_s=0.4, longest_s=2.0, leading_s=1.0, pause_s=0.12)


def test_silence_after_speech_ends_a_segment():
    assert endpoint_at("..###..#" + "." * 9, RULES) is None
    assert endpoint_at("..###..#" + "." * 20, RULES) == (18, "silence")


PATIENT = EndpointRules(trailing_s=0.4, incomplete_s=0.8, longest_s=None)


@pytest.mark.parametrize(
    ("probability", "needed"),
    [(None, 10), (1.0, 10), (1e-3, 10), (10**-3.5, 15), (1e-4, 20), (0.0, 20)],
)
def test_an_unlikely_sentence_end_needs_more_silence(probability, needed):
    pause = "#" + "." * 10
    state, end = endpoint_after(pause, PATIENT)
    assert end is not None
    state = state.with_needed(probability, PATIENT, FRAME_S)
    assert state.needed == needed
    _, end = endpoint_after("." * (needed - 10), PATIENT, state)
    assert needed == 10 or (end is not None and end.frames == needed - 10)
    assert endpoint_after("." * (needed - 11), PATIENT, state)[1] is None or needed == 10
    spoken, end = endpoint_after(
        "#" + "." * 9, PATIENT, state
    )  # the next pause is judged separately
    assert (spoken.needed, end) == (0, None)


def test_changed_rules_end_a_wait():
    state = EndpointState(5, 12, 20)
    assert endpoint_after(".", RULES, state)[1] is not None


def test_leading_silence_ends_without_a_segment():
    assert endpoint_after("." * 12, EndpointRules(trailing_s=None, leading_s=1.0))[1] is None
    assert endpoint_at("." * 30, EndpointRules(trailing_s=None, leading_s=1.0)) == (25, "nothing")


def test_the_sentence_end_is_computed_once_per_silence():
    state, end = endpoint_after("." * 30, RULES)
    assert end is not None
    assert (end.frames, end.reason) == (10, "silence")
    state, end = endpoint_after("." * 30, RULES, state)
    assert end is not None
    assert (end.frames, end.reason) == (15, "nothing")


def test_the_maximum_length_counts_from_the_first_speech():
    assert endpoint_at("." * 5 + "#" * 60, RULES) == (55, "length")


def test_a_pause_suffices_near_the_maximum_length():
    assert endpoint_at("#" * 30 + "..." + "#" * 17, RULES) == (50, "length")
    state, end = endpoint_after("#" * 41 + "..." + "#" * 6, RULES)
    assert end is not None
    assert (end.frames, end.reason) == (44, "pause")
    _, end = endpoint_after(".#", RULES, state)
    assert end is not None
    assert (end.frames, end.reason) == (2, "pause")


def test_off_never_ends():
    assert endpoint_at("#" * 5000 + "." * 5000, EndpointRules.off()) is None


def test_rules_can_change_between_calls():
    state, end = endpoint_after("####" + "." * 30, EndpointRules.off())
    assert end is None
    _, end = endpoint_after(".", RULES, state)
    assert end is not None
    assert (end.frames, end.reason) == (1, "silence")


@given(st.text("#.", max_size=200), st.lists(st.integers(0, 50), max_size=10))
def test_chunking_does_not_change_endpoints(pattern, cuts):
    whole = endpoint_after(pattern, RULES)
    state, seen = EndpointState(), 0
    for cut in [*sorted(cuts), len(pattern)]:
        state, end = endpoint_after(pattern[seen:cut], RULES, state)
        if end:
            assert whole == (state, type(end)(seen + end.frames, end.reason))
            return
        seen = max(seen, cut)
    assert whole == (state, None)


def test_modes_have_their_rules():
    short, normal, long = (EndpointRules.named(mode) for mode in ("short", "normal", "long"))
    assert (short, normal, long) == (
        EndpointRules.short(),
        EndpointRules.normal(),
        EndpointRules.long(),
    )
    for values in (
        [rules.trailing_s for rules in (short, normal, long)],
        [rules.incomplete_s for rules in (short, normal, long)],
        [rules.longest_s for rules in (short, normal, long)],
    ):
        numbers = [value for value in values if value is not None]
        assert len(set(numbers)) == 3
        assert numbers == sorted(numbers)
    assert EndpointRules.named("off") == EndpointRules.off()
    with pytest.raises(ConfigError, match="did you mean 'normal'"):
        EndpointRules.named("norml")


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    "rule", ["trailing_s", "incomplete_s", "longest_s", "leading_s", "pause_s"]
)
def test_invalid_rules_are_refused(rule, value):
    with pytest.raises(ConfigError, match="give seconds above 0"):
        EndpointRules(**{rule: value})
