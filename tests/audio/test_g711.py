"""G.711 against values of the standard's tables."""

import numpy as np
import pytest

from asr_gru.audio.g711 import decode_alaw, decode_ulaw


@pytest.mark.parametrize(
    ("code", "value"),
    [(0xFF, 0), (0x7F, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8), (0x9B, 10364)],
)
def test_mu_law_agrees_with_the_standard(code, value):
    assert decode_ulaw(bytes([code])).tolist() == [value / 32768]


@pytest.mark.parametrize(
    ("code", "value"), [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0xD4, 24)]
)
def test_a_law_agrees_with_the_standard(code, value):
    assert decode_alaw(bytes([code])).tolist() == [value / 32768]


@pytest.mark.parametrize("decode", [decode_ulaw, decode_alaw])
def test_all_codes_decode_to_symmetric_values_within_full_scale(decode):
    values = decode(bytes(range(256)))
    assert values.dtype == np.float32
    assert np.abs(values).max() < 1
    np.testing.assert_array_equal(values[:128], -values[128:])
