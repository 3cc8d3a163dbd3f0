import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.audio import Resampler, check_rate, check_samples
from asr_gru.audio.samples import to_int16
from asr_gru.errors import AudioError


@pytest.mark.parametrize(
    ("samples", "first"),
    [
        (np.array([16384, -32768], np.int16), 0.5),
        (np.array([2**30, 0], np.int32), 0.5),
        (np.array([192, 128], np.uint8), 0.5),
        (np.array([0.5, 0.0]), 0.5),
        (np.array([[0.25, 0.75], [0.0, 0.0]], np.float32), 0.5),
    ],
)
def test_every_dtype_is_converted_to_mono_float32(samples, first):
    checked = check_samples(samples)
    assert checked.dtype == np.float32
    assert checked.shape == (2,)
    assert checked[0] == first


@pytest.mark.parametrize(
    "samples",
    [
        np.array([np.nan]),
        np.array([np.inf]),
        np.zeros((2, 3, 4)),
        np.zeros((2, 0)),
        np.array([1 + 2j]),
        np.array(["a"]),
        np.array([1, 2], np.int64),
    ],
)
def test_arrays_that_are_not_audio_are_refused(samples):
    with pytest.raises(AudioError):
        check_samples(samples)


def test_lists_of_unequal_lengths_are_refused():
    with pytest.raises(AudioError, match="unequal lengths"):
        check_samples([[0.5, 0.5], [0.5]])


def test_16_bit_samples_come_back_bit_identical():
    samples = np.arange(-(2**15), 2**15, dtype=np.int16)
    np.testing.assert_array_equal(to_int16(check_samples(samples)), samples)


def test_samples_above_full_scale_do_not_wrap_around_in_16_bits():
    samples = to_int16(np.array([1.2, -1.2, 0.5, 0.0, 1e-9], np.float32))
    assert samples.tolist() == [32767, -32768, 16384, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_are_clipped_at_24_db_over_full_scale(dtype):
    largest = np.finfo(dtype).max
    samples = np.array([0.5, 1e18, -largest, 1.5, -15.9], dtype)
    np.testing.assert_array_equal(
        check_samples(samples), np.array([0.5, 16, -16, 1.5, -15.9], np.float32)
    )
    stereo = np.array([[0.25, 0.75], [largest, largest]], dtype)
    np.testing.assert_array_equal(check_samples(stereo), [0.5, 16])


@pytest.mark.parametrize("rate", [0, -1, 999, 1e6, 44_100.5, float("nan")])
def test_invalid_sample_rates_are_refused(rate):
    with pytest.raises(AudioError, match="Hz"):
        check_rate(rate)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([8_000, 16_000, 44_100, 48_000]),
    cuts=st.lists(st.integers(0, 9_000), max_size=8),
)
def test_resampling_in_blocks_equals_resampling_at_once(rate, cuts):
    samples = np.random.default_rng(0).standard_normal(9_000).astype(np.float32)
    whole = Resampler(rate, 16_000)
    expected = np.concatenate([whole.feed(samples), whole.finish()])
    pieces = Resampler(rate, 16_000)
    got = [pieces.feed(piece) for piece in np.split(samples, sorted(cuts))]
    assert pieces.lag_s >= 0
    np.testing.assert_array_equal(np.concatenate([*got, pieces.finish()]), expected)
    assert abs(len(expected) - len(samples) * 16_000 / rate) <= 2
