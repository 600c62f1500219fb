"""Codecs: exact functions against mpmath, frequencies against distributions, latents cut into cells, round trips."""

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vaecourse.coding import (
    BernoulliCodec,
    BinomialCodec,
    CategoricalCodec,
    GaussianCells,
    Stack,
    cumulative_frequencies,
    exact_functions,
)

UNIT = 1 << 12


@pytest.mark.parametrize(
    ("name", "reference", "points", "tolerance"),
    [
        ("exp", mpmath.exp, np.linspace(-60, 60, 41), 1e-13),
        ("tanh", mpmath.tanh, np.linspace(-10, 10, 41), 1e-13),
        ("sigmoid", mpmath.sigmoid, np.linspace(-20, 20, 41), 1e-13),
        ("normal_cdf", mpmath.ncdf, np.linspace(-9, 9, 73), 1e-13),
        ("normal_quantile", lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1), np.linspace(1e-4, 1 - 1e-4, 41), 1e-9),
    ],
)
def test_exact_functions(name, reference, points, tolerance):
    values = getattr(exact_functions, name)(points)
    expected = np.array([float(reference(mpmath.mpf(float(point)))) for point in points])
    np.testing.assert_allclose(values, expected, rtol=tolerance if name == "exp" else 0, atol=tolerance)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=300).filter(any), st.integers(9, 23))
def test_frequencies_fill_the_range_and_leave_nobody_out(weights, precision):
    below = cumulative_frequencies(np.array(weights, np.int64), precision)
    frequency = np.diff(below)
    assert below[0] == 0 and below[-1] == 2**precision and frequency.min() >= 1
    share = np.array(weights) / sum(weights)
    assert np.abs(frequency - share * (2**precision - len(weights))).max() <= 2


# ------------------------------------------------------------------------------------------------ pixels

CODECS = {
    "Bernoulli": (BernoulliCodec(20), 1, lambda a: td.Bernoulli(logits=a[..., None])),
    "Binomial": (BinomialCodec(16, 20), 1, lambda a: td.Binomial(16, logits=a[..., None])),
    "Categorical": (CategoricalCodec(17, 20), 17, lambda a: td.Categorical(logits=a.unflatten(-1, (-1, 1, 17)))),
}


def outputs(num_images, num_pixels, per_pixel, seed=0, scale=2.0):
    """What a decoder might say, in units of 2^-12 and in torch."""
    integers = np.rint(np.random.default_rng(seed).normal(0, scale, (num_images, num_pixels * per_pixel)) * UNIT)
    return integers, torch.from_numpy(integers / UNIT)


@pytest.mark.parametrize("name", CODECS)
def test_frequencies_are_the_probabilities(name):
    """To the rounding of logits to 2^-8 (relative 2^-9 a trial) and one or two of 2^20."""
    codec, per_pixel, distribution = CODECS[name]
    integers, logits = outputs(50, 3, per_pixel)
    values = torch.arange(codec.largest + 1.0, dtype=torch.float64)
    mass = distribution(logits).log_prob(values).exp().numpy()  # [B, D, K]
    for pixel in range(3):
        below = codec.cumulative(integers, pixel)
        assert (below[:, 0] == 0).all() and (below[:, -1] == 1 << 20).all()
        np.testing.assert_allclose(np.diff(below) / 2**20, mass[:, pixel], rtol=2**-9 * 16, atol=4 / 2**20)


@pytest.mark.parametrize("name", CODECS)
def test_pixels_come_back_and_cost_their_information(name):
    codec, per_pixel, distribution = CODECS[name]
    integers, logits = outputs(300, 20, per_pixel)
    torch.manual_seed(0)
    x = distribution(logits).sample().squeeze(-1).long().numpy()
    stack = Stack.of_random_bits(300)
    codec.push(stack, x, integers)
    ideal = -distribution(logits).log_prob(torch.from_numpy(x)[..., None].double()).sum().item() / np.log(2)
    assert stack.num_bits - stack.clean_bits == pytest.approx(ideal, rel=1e-3)
    np.testing.assert_array_equal(codec.pop(stack, integers, 20), x)
    assert stack == Stack.of_random_bits(300)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("scale", [50.0, 1e9])
def test_the_impossible_can_be_coded(name, scale):
    """Whatever the logits, every value has a frequency: it costs no more than r bits."""
    codec, per_pixel, _ = CODECS[name]
    integers, _ = outputs(4, 30, per_pixel, scale=scale)
    x = np.random.default_rng(1).integers(0, codec.largest + 1, (4, 30))
    stack = Stack.of_random_bits(4)
    codec.push(stack, x, integers)
    assert stack.num_bits - stack.clean_bits <= 20 * x.size
    np.testing.assert_array_equal(codec.pop(stack, integers, 30), x)


def test_the_quick_way_of_binary_pixels_is_the_general_one():
    """Bernoulli has loops of its own: what one writes the other reads, to the last bit."""
    integers, _ = outputs(9, 25, 1)
    x = np.random.default_rng(2).integers(0, 2, (9, 25))
    own, general, codec = Stack.of_random_bits(9), Stack.of_random_bits(9), CODECS["Bernoulli"][0]
    codec.push(own, x, integers)
    super(BernoulliCodec, codec).push(general, x, integers)
    assert own == general
    np.testing.assert_array_equal(super(BernoulliCodec, codec).pop(own, integers, 25), x)


# ------------------------------------------------------------------------------------------------ latents


@pytest.mark.parametrize(("num_levels", "precision"), [(17, 24), (17, 28), (256, 25), (257, 24), (4096, 28)])
def test_uniform_levels_fill_the_range(num_levels, precision):
    """Where the weights' sum is largest: it must not pass what an int64 holds."""
    below = CategoricalCodec(num_levels, precision).cumulative(np.zeros((1, num_levels)), 0)
    assert below[0, -1] == 1 << precision and np.diff(below).min() >= 1
    np.testing.assert_allclose(np.diff(below[0]) * num_levels / 2**precision, 1, atol=2 * num_levels / 2**precision)


CELLS = [GaussianCells(1, 8), GaussianCells(6, 16), GaussianCells(12, 24)]


def test_cells_have_equal_mass_under_the_prior():
    cells = GaussianCells(8, 24)
    np.testing.assert_allclose(np.diff(stats.norm.cdf(cells.edges)), 2.0**-8, rtol=1e-9)
    np.testing.assert_allclose(stats.norm.cdf(cells.centres / UNIT), (np.arange(256) + 0.5) / 256, atol=1e-4)


@pytest.mark.parametrize(("loc", "log_scale"), [(0.3, -0.5), (-2.0, -2.5), (3.0, 0.7), (0.0, -6.0)])
def test_cells_have_the_mass_of_q(loc, log_scale):
    codec = GaussianCells(10, 24)
    loc, log_scale = (round(value * UNIT) for value in (loc, log_scale))
    every = np.arange(1025)
    _, inverse = codec._parameters(np.array([loc, log_scale], float))
    below = codec.cumulative(every, np.full(1025, loc), np.full(1025, inverse[0]))
    assert below[0] == 0 and below[-1] == 1 << 24 and np.diff(below).min() >= 1
    mass = np.diff(stats.norm.cdf(codec.edges, loc / UNIT, np.exp(log_scale / UNIT)))
    np.testing.assert_allclose(np.diff(below) / 2**24, mass, rtol=1e-3, atol=2e-6)  # a line between points 2^-8 apart


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(-(2**60), 2**60), st.integers(-(2**40), 2**40), st.sampled_from(CELLS))
def test_no_cell_is_ever_empty(loc, log_scale, codec):
    every = np.arange(2**codec.num_cell_bits + 1)
    loc, inverse = codec._parameters(np.array([float(loc), float(log_scale)]))
    below = codec.cumulative(every, loc, inverse)
    assert below[0] == 0 and below[-1] == 1 << codec.precision and np.diff(below).min() >= 1


def test_latents_come_back_and_are_drawn_from_q():
    """10,000 lanes draw z ~ q from random bits: mean and variance to four standard errors."""
    codec, lanes = GaussianCells(12, 24), 10_000
    q = np.rint(np.array([0.4, -1.1, -0.7, -1.5]) * UNIT) * np.ones((lanes, 1))
    stack = Stack.of_random_bits(lanes)
    cells = codec.pop(stack, q)
    z = codec.centres[cells] / UNIT
    se = np.exp([-0.7, -1.5]) / np.sqrt(lanes)
    assert (np.abs(z.mean(0) - [0.4, -1.1]) < 4 * se).all()
    assert (np.abs(z.var(0) / np.exp([-1.4, -3.0]) - 1) < 4 * np.sqrt(2 / lanes)).all()
    codec.push(stack, cells, q)
    assert stack == Stack.of_random_bits(lanes, 0, stack.num_clean_words)
    codec.push_under_prior(stack, cells)
    assert stack.num_bits - stack.clean_bits == pytest.approx(12 * 2 * lanes, rel=1e-6)
    np.testing.assert_array_equal(codec.pop_under_prior(stack, 2, lanes), cells)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="num_cell_bits must be between 1 and 15 at precision 16, and is 16"):
        GaussianCells(16, 16)
    with pytest.raises(ValueError, match="precision must give each of 257 values a frequency, and is 8"):
        BinomialCodec(256, 8)
