import pytest

from benchmarks.latency.endpoint import Final, judge

UTTERANCES = ((1.0, 3.0), (4.5, 6.0), (6.3, 8.0), (10.0, 12.0))
"""Gaps of 1.5 s, 0.3 s and 2 s."""


def test_right_cuts():
    finals = [Final(4.0, (1.5, 2.9)), Final(8.9, (4.7, 6.5, 7.9)), Final(12.9, (10.5, 11.8))]
    cuts = judge(UTTERANCES, finals, 0.8)
    assert (cuts.utterances, cuts.gaps) == (4, 2)
    assert (cuts.early, cuts.length, cuts.late, cuts.none) == (0, 0, 0, 0)
    assert cuts.after_s == pytest.approx((1.0, 0.9))


def test_the_wait_for_the_step_is_counted():
    cuts = judge(UTTERANCES[:2], [Final(4.0, (1.5,))], 0.8, step_s=0.16)
    assert cuts.after_s == pytest.approx((1.0,))
    cuts = judge(UTTERANCES[:2], [Final(4.04, (1.5,))], 0.8, step_s=0.16)
    assert cuts.after_s == pytest.approx((1.16,))


def test_early_cuts_are_finals_of_a_silence_inside_an_utterance():
    cut, rest = Final(2.5, (1.2, 1.6)), Final(4.0, (2.8,))
    assert judge(UTTERANCES, [cut, rest], 0.8).early == 1
    assert judge(UTTERANCES, [cut], 0.8).early == 0  # nothing of it followed
    # the silence began before the utterance did
    assert judge(UTTERANCES, [Final(4.6, (1.2, 3.2))], 0.8).early == 0


def test_cuts_for_length_are_counted_apart():
    cuts = judge(UTTERANCES, [Final(2.5, (1.2, 2.4))], 0.8)
    assert (cuts.early, cuts.length) == (0, 1)


def test_late_cuts_are_segments_over_a_gap():
    cuts = judge(UTTERANCES, [Final(8.9, (1.5, 2.9, 4.7, 7.9))], 0.8)
    assert (cuts.late, cuts.none) == (1, 0)
    assert len(cuts.after_s) == 1


def test_gaps_without_words_before_them():
    cuts = judge(UTTERANCES, [], 0.8)
    assert (cuts.gaps, cuts.late, cuts.none) == (2, 0, 2)


def test_gaps_that_are_too_short_for_the_mode_do_not_count():
    assert judge(UTTERANCES, [], 1.6).gaps == 1
