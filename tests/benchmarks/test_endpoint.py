import numpy as np
import pytest
import soundfile

from asr_gru import DataError
from asr_gru.data.manifest import Utterance
from benchmarks.latency import shown_words
from benchmarks.latency.endpoint import Final, joined, judge

UTTERANCES = ((1.0, 3.0), (4.5, 6.0), (6.3, 8.0), (10.0, 12.0))
"""Gaps of 1.5 s, 0.3 s and 2 s."""


def test_a_final_after_each_gap_is_correct():
    finals = [Final(4.0, (1.5, 2.9)), Final(8.9, (4.7, 6.5, 7.9)), Final(12.9, (10.5, 11.8))]
    cuts = judge(UTTERANCES, finals, 0.8)
    assert (cuts.utterances, cuts.gaps) == (4, 2)
    assert (cuts.early, cuts.length, cuts.late, cuts.none) == (0, 0, 0, 0)
    assert cuts.after_s == pytest.approx((1.0, 0.9))


def test_the_delay_includes_the_wait_for_a_full_step():
    cuts = judge(UTTERANCES[:2], [Final(4.0, (1.5,))], 0.8, step_s=0.16)
    assert cuts.after_s == pytest.approx((1.0,))
    cuts = judge(UTTERANCES[:2], [Final(4.04, (1.5,))], 0.8, step_s=0.16)
    assert cuts.after_s == pytest.approx((1.16,))


def test_a_final_at_a_silence_within_an_utterance_is_an_early_cut():
    cut, rest = Final(2.5, (1.2, 1.6)), Final(4.0, (2.8,))
    assert judge(UTTERANCES, [cut, rest], 0.8).early == 1
    assert judge(UTTERANCES, [cut], 0.8).early == 0  # no final after it
    # the silence began before the utterance
    assert judge(UTTERANCES, [Final(4.6, (1.2, 3.2))], 0.8).early == 0


def test_cuts_at_the_maximum_length_are_counted_separately():
    cuts = judge(UTTERANCES, [Final(2.5, (1.2, 2.4))], 0.8)
    assert (cuts.early, cuts.length) == (0, 1)


def test_a_segment_that_spans_a_gap_is_a_late_cut():
    cuts = judge(UTTERANCES, [Final(8.9, (1.5, 2.9, 4.7, 7.9))], 0.8)
    assert (cuts.late, cuts.none) == (1, 0)
    assert len(cuts.after_s) == 1


def test_gaps_without_words_before_them_do_not_count():
    cuts = judge(UTTERANCES, [], 0.8)
    assert (cuts.gaps, cuts.late, cuts.none) == (2, 0, 2)


def test_gaps_shorter_than_the_trailing_silence_do_not_count():
    assert judge(UTTERANCES, [], 1.6).gaps == 1


def test_segments_are_cut_out_of_their_recording(tmp_path):
    random = np.random.default_rng(0)
    soundfile.write(tmp_path / "talk.wav", random.uniform(-0.5, 0.5, 5 * 16_000), 16_000)
    segment = Utterance(tmp_path / "talk.wav", "a", duration_s=1.5, start_s=2.0)
    samples, ((begin_s, end_s),) = joined([segment], 1, 20.0, 16_000)
    assert (begin_s, end_s) == pytest.approx((1.0, 2.5))
    assert len(samples) == 5.5 * 16_000  # a second before, three after


def test_utterances_without_a_duration_in_the_manifest_may_be_too_long(tmp_path):
    soundfile.write(tmp_path / "talk.wav", np.ones(5 * 16_000), 16_000)
    with pytest.raises(DataError, match="no utterance is at most 2 s long; raise --longest"):
        joined([Utterance(tmp_path / "talk.wav", "a")], 1, 2.0, 16_000)


def test_recordings_without_words_are_refused(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    manifest = tmp_path / "silence.tsv"
    manifest.write_text("path\ttext\nsilence.wav\ta word\n", encoding="utf-8")
    with pytest.raises(DataError, match="no words were recognised"):
        shown_words.main([str(manifest), "--every", "1", "--shares", "0.5"])
