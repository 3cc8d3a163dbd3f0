"""Weights in int8."""

from __future__ import annotations

import numpy as np
import pytest

from asr_gru.export.rounding import LARGEST, PAIR, InputStatistics, round_weight


def statistics(x):
    x = x.astype(np.float64)
    return InputStatistics(x.min(0), x.max(0), x.mean(0), np.cov(x.T, bias=True))


def data(inputs=33, outputs=20, seed=0):
    """Return correlated inputs with nonzero means, and weights with outliers."""
    random = np.random.default_rng(seed)
    mixed = random.standard_normal((2000, inputs // 2)) @ random.standard_normal(
        (inputs // 2, inputs)
    )
    x = mixed + 0.3 * random.standard_normal(mixed.shape) + random.uniform(-2, 2, inputs)
    return x.astype(np.float32), random.standard_t(3, (inputs, outputs)).astype(np.float32)


def product_error(rounded, x, weight):
    found = x @ (rounded.whole * rounded.scales) + rounded.bias
    return np.sqrt(np.mean((found - x @ weight) ** 2))


@pytest.mark.parametrize("with_statistics", [False, True])
@pytest.mark.parametrize("kind", ["heavy tails", "all equal", "negative", "zeros"])
def test_pairs_of_weights_fit_into_sixteen_bits(kind, with_statistics):
    x, weight = data()
    weight = {
        "heavy tails": weight,
        "all equal": np.ones_like(weight),
        "negative": -np.abs(weight),
        "zeros": np.zeros_like(weight),
    }[kind]
    rounded = round_weight(weight, statistics(x) if with_statistics else None)
    whole = np.pad(rounded.whole.astype(int), ((0, 1), (0, 0)))
    pairs = whole.reshape(-1, 2, whole.shape[1])
    assert np.abs(whole).max() <= LARGEST
    assert np.maximum(pairs, 0).sum(axis=1).max() <= PAIR
    assert np.minimum(pairs, 0).sum(axis=1).min() >= -PAIR
    assert 255 * PAIR < 2**15


def test_weights_on_whole_steps_are_exact():
    weight = np.array([[64.0, -3.0], [1.0, 64.0], [-64.0, 0.0]], np.float32)
    rounded = round_weight(weight)
    np.testing.assert_allclose(rounded.whole * rounded.scales, weight, rtol=1e-6)
    np.testing.assert_array_equal(rounded.bias, 0.0)


def test_without_statistics_weights_are_rounded_to_the_nearest_step():
    _, weight = data()
    rounded = round_weight(weight * np.float32(0.5))
    error = np.abs(rounded.whole * rounded.scales - weight * np.float32(0.5))
    assert np.median(error / rounded.scales) < 0.5


def test_input_statistics_reduce_the_error_of_the_product():
    x, weight = data()
    plain, seen = round_weight(weight), round_weight(weight, statistics(x))
    assert product_error(seen, x, weight) < 0.7 * product_error(plain, x, weight)


def test_the_mean_of_the_product_is_preserved():
    x, weight = data()
    rounded = round_weight(weight, statistics(x))
    found = x @ (rounded.whole * rounded.scales) + rounded.bias
    np.testing.assert_allclose(found.mean(0), (x @ weight).mean(0), atol=2e-3)


def test_constant_inputs_do_not_constrain_rounding():
    x, weight = data()
    x[:, 4] = 1.5
    rounded = round_weight(weight, statistics(x))
    np.testing.assert_allclose(
        (x @ (rounded.whole * rounded.scales) + rounded.bias).mean(0),
        (x @ weight).mean(0),
        atol=2e-3,
    )


def test_rounding_is_deterministic():
    x, weight = data()
    first, again = (round_weight(weight, statistics(x)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
