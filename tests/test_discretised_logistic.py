"""The discretised logistic: against a direct sum over the levels, exact arithmetic, its samples, and bad input."""

import math

import mpmath as mp
import pytest
import torch
from cases import z_scores

from vaecourse.distributions import DiscretisedLogistic, quantile
from vaecourse.likelihoods import DiscretisedLogistic as Likelihood
from vaecourse.likelihoods import check_support

F64 = torch.float64


def made(num_levels, dtype=F64):
    """Bells inside, on an edge between levels, at the ends and far outside; from a spike to flat. Batch [P]."""
    places = torch.tensor([-40.0, -0.5, 0.0, 0.3, 0.5, 0.37 * num_levels, num_levels - 1.0, num_levels + 300.0])
    scales = torch.tensor([1e-3, 0.05, 0.7, 1.0, 1.5, 8.0, 100.0, 1e4, 1e6])
    loc, scale = torch.cartesian_prod(places, scales).to(dtype).unbind(-1)
    return DiscretisedLogistic(loc[:, None], scale.log()[:, None], num_levels)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize(("dtype", "tolerance"), [(F64, 1e-12), (torch.float32, 1e-6)])
def test_levels_sum_to_one(num_levels, dtype, tolerance):
    """Over all levels, whatever the bell: the ends have the tails."""
    p = made(num_levels, dtype)
    log_p = p.log_prob(p.enumerate_support())  # [K, P]
    assert log_p.dtype == dtype and log_p.isfinite().all()
    torch.testing.assert_close(log_p.double().exp().sum(0), torch.ones(72, dtype=F64), rtol=0, atol=tolerance)


def test_a_mixture_of_256_levels_sums_to_one():
    torch.manual_seed(0)
    p = DiscretisedLogistic(256 * torch.rand(50, 5), 3 * torch.randn(50, 5), 256, torch.randn(50, 5))
    torch.testing.assert_close(p.log_prob(p.enumerate_support()).exp().sum(0), torch.ones(50), rtol=0, atol=1e-6)


def exact(x, loc, scale, num_levels):
    """log(F(x + 1/2) - F(x - 1/2)) in 120 digits."""

    def cdf(value):
        return 1 / (1 + mp.exp(-(mp.mpf(value) - mp.mpf(loc)) / mp.mpf(scale)))

    with mp.workdps(120):
        upper = cdf(x + 0.5) if x < num_levels - 1 else mp.mpf(1)
        lower = cdf(x - 0.5) if x > 0 else mp.mpf(0)
        return float(mp.log(upper - lower))


@pytest.mark.parametrize(
    ("x", "loc", "scale"),
    [(10, -40.0, 0.5), (10, 5.25, 1.5), (0, 20.0, 0.25), (16, -3.0, 0.5), (8, 8.0, 2.0**-10), (9, 8.0, 2.0**-6)],
)
@pytest.mark.parametrize(("dtype", "digits"), [(F64, 1e-13), (torch.float32, 1e-6)])
def test_against_many_digits(x, loc, scale, dtype, digits):
    """At (10, -40, 0.5) both cumulative probabilities are 1 in float32, and the logarithm of their difference -inf."""
    p = DiscretisedLogistic(torch.tensor([loc], dtype=dtype), torch.tensor([math.log(scale)], dtype=F64).to(dtype), 17)
    log_p = p.log_prob(torch.tensor(float(x), dtype=dtype)).item()
    # A logarithm of a scale is rounded to eps, and multiplies every distance by 1 + eps log s.
    assert log_p == pytest.approx(exact(x, loc, scale, 17), rel=8 * digits, abs=digits)


def test_gradients_are_finite_and_those_of_differences():
    p = made(17)
    loc, log_scale = (part.clone().requires_grad_() for part in (p.loc, p.log_scale))
    levels = p.enumerate_support()
    by_loc, by_scale = torch.autograd.grad(
        DiscretisedLogistic(loc, log_scale, 17).log_prob(levels).sum(), [loc, log_scale]
    )
    assert by_loc.isfinite().all() and by_scale.isfinite().all()
    moderate = ((p.log_scale > -1) & (p.log_scale < 5))[:, 0]
    loc, log_scale = (part[moderate].clone().requires_grad_() for part in (p.loc, p.log_scale))
    assert torch.autograd.gradcheck(
        lambda loc, log_scale: DiscretisedLogistic(loc, log_scale, 17).log_prob(levels[:, moderate]), (loc, log_scale)
    )


@pytest.fixture
def mixture():
    loc, log_scale = torch.tensor([[-1.0, 6.0, 15.5]], dtype=F64), torch.tensor([[0.5, -1.0, 0.0]], dtype=F64)
    return DiscretisedLogistic(loc, log_scale, 17, torch.tensor([[0.3, 0.0, -0.5]], dtype=F64))


def test_samples_and_mean_are_those_of_the_probabilities(mixture):
    probs = mixture.log_prob(mixture.enumerate_support()).exp()[:, 0]
    torch.manual_seed(0)
    x = mixture.sample((50_000,))
    assert x.shape == (50_000, 1) and x.dtype == F64
    counted = (x == torch.arange(17)).double()
    assert z_scores(counted, probs).abs().max() < 4  # 17 levels: one above 4 by chance once in a thousand
    torch.testing.assert_close(mixture.mean[0], probs @ torch.arange(17, dtype=F64), rtol=1e-13, atol=0)


def test_quantiles_turn_uniform_noise_into_samples(mixture):
    """Each level is the quantile of an interval as long as its probability, and these follow on each other."""
    probs = mixture.log_prob(mixture.enumerate_support()).exp()[:, 0]
    edges = torch.cat([torch.zeros(1, dtype=F64), probs.cumsum(0)])
    inside = torch.cat([edges[:-1] + 1e-9 * probs, edges[1:] - 1e-9 * probs])[:, None]
    expected = torch.arange(17, dtype=F64).repeat(2)[:, None]
    assert torch.equal(quantile(mixture, inside), expected)


def test_equal_bells_are_one_bell():
    loc, log_scale = torch.tensor([[3.0]]), torch.tensor([[0.2]])
    levels = torch.arange(17.0)[:, None]
    one = DiscretisedLogistic(loc, log_scale, 17).log_prob(levels)
    three = DiscretisedLogistic(loc.expand(1, 3), log_scale, 17, torch.tensor([[1.0, -2.0, 0.5]])).log_prob(levels)
    torch.testing.assert_close(one, three)


def test_what_is_no_level_has_no_probability(mixture):
    x = torch.tensor([[-1.0], [17.0], [3.5], [math.inf]], dtype=F64)
    assert (mixture.log_prob(x) == -math.inf).all()
    assert mixture.log_prob(torch.tensor([math.nan], dtype=F64)).isnan()
    assert mixture.expand((5,)).sample((2,)).shape == (2, 5)


def test_outputs_are_in_halves_of_the_range():
    """Two pixels; a location of 0 is the middle, of 1 the highest level, and an output of log 2 doubles the scale."""
    outputs = torch.tensor([[0.0, 0.0, 1.0, math.log(2)]])
    p = Likelihood(torch.nn.Identity(), 17)(outputs).base_dist
    torch.testing.assert_close(p.loc, torch.tensor([[[8.0], [16.0]]]))
    torch.testing.assert_close(p.log_scale.exp(), torch.tensor([[[17 / 8], [17 / 4]]]))
    three = Likelihood(torch.nn.Identity(), 17, num_components=3)(torch.zeros(1, 18)).base_dist
    torch.testing.assert_close(three.loc[0, 0], torch.tensor([4.0, 8.0, 12.0]))


@pytest.mark.parametrize("num_components", [1, 3])
@pytest.mark.parametrize("size", [1.0, 30.0, 1e3])
def test_wild_outputs_keep_densities_and_gradients_finite(num_components, size):
    """As in the first steps of a training at too high a rate."""
    likelihood = Likelihood(torch.nn.Identity(), 256, num_components)
    torch.manual_seed(0)
    outputs = (size * torch.randn(50, 20 * likelihood.num_outputs)).requires_grad_()
    log_p = likelihood(outputs).log_prob(torch.randint(256, (50, 20)).float())
    assert log_p.isfinite().all()
    assert torch.autograd.grad(log_p.sum(), outputs)[0].isfinite().all()


def test_bad_input_is_one_sentence():
    net = torch.nn.Identity()
    with pytest.raises(ValueError, match="num_levels must be at least 2, and is 1"):
        Likelihood(net, 1)
    with pytest.raises(ValueError, match="num_components must be at least 1, and is 0"):
        Likelihood(net, 17, 0)
    with pytest.raises(ValueError, match="net must give a multiple of 9 outputs, and gives 10"):
        Likelihood(net, 17, 3)(torch.zeros(1, 10))
    for value, words in ((17.0, "such as 17"), (0.5, r"such as 0\.5")):
        with pytest.raises(ValueError, match=rf"DiscretisedLogistic on the integers 0\.\.16, and has values {words}"):
            check_support(Likelihood(net, 17)(torch.zeros(1, 4)), torch.tensor([[0.0, value]]))
