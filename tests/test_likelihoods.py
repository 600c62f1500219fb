"""Likelihoods: what the network's outputs mean, extreme logits, and the refusal of data outside the support."""

import math

import pytest
import torch
import torch.distributions as td
from torch import nn

from vaecourse.likelihoods import Bernoulli, Binomial, CategoricalPixels, ContinuousBernoulli, Gaussian, check_support

F64 = torch.float64


class Constant(nn.Module):
    """A decoder that says the same of every z."""

    def __init__(self, *values):
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values, dtype=F64))

    def forward(self, z):
        return self.values.expand(*z.shape[:-1], -1)


Z = torch.zeros(1, 2, dtype=F64)


def test_events_are_summed_not_averaged():
    """64 fair coins cost 64 log 2 nats; a mean over pixels would say log 2."""
    nats = -Bernoulli(Constant(*[0.0] * 64))(Z).log_prob(torch.ones(1, 64, dtype=F64))
    assert nats.item() == pytest.approx(64 * math.log(2), abs=1e-12)


def test_binomial_has_its_coefficient():
    """log Bin(3; 5, 1/2) = log 10 - 5 log 2; without the coefficient the counts would not sum to one."""
    nats = Binomial(Constant(0.0), 5)(Z).log_prob(torch.tensor([[3.0]], dtype=F64))
    assert nats.item() == pytest.approx(math.log(10 / 32), abs=1e-12)


def test_continuous_bernoulli_normaliser():
    """At lambda = 1/2 it is uniform: density 1, where the Bernoulli log-loss says 1/2."""
    density = ContinuousBernoulli(Constant(0.0))(Z).log_prob(torch.tensor([[0.3]], dtype=F64)).exp()
    assert density.item() == pytest.approx(1.0, abs=1e-9)


def test_gaussian_scale_is_a_standard_deviation():
    log_p = Gaussian(Constant(1.0), scale=3.0).double()(Z).log_prob(torch.tensor([[4.0]], dtype=F64))
    assert log_p.item() == pytest.approx(-0.5 - math.log(3 * math.sqrt(2 * math.pi)), abs=1e-7)


def test_gaussian_learns_its_scale_only_if_asked():
    assert next(name for name, _ in Gaussian(Constant(1.0), learn_scale=True).named_parameters()) == "log_scale"
    assert "log_scale" not in dict(Gaussian(Constant(1.0)).named_parameters())


def test_levels_have_logits_of_their_own():
    """Two pixels of three levels, the first pixel's logits first; probabilities 1/2, 1/3, 1/6 and 1/4, 1/4, 1/2."""
    net = Constant(*torch.tensor([3.0, 2.0, 1.0, 1.0, 1.0, 2.0]).log().tolist())
    px_z = CategoricalPixels(net, 3)(torch.zeros(1, 2, dtype=F64))
    x = torch.tensor([[0.0, 2.0], [2.0, 0.0]], dtype=F64)
    expected = torch.tensor([1 / 4, 1 / 24], dtype=F64).log()
    torch.testing.assert_close(px_z.log_prob(x), expected)
    torch.testing.assert_close(px_z.mean, torch.tensor([[1 / 3 + 2 / 6, 1 / 4 + 2 / 2]], dtype=F64))
    assert px_z.event_shape == (2,) and px_z.sample((5,)).dtype == F64 and px_z.expand((7,)).sample().shape == (7, 2)


def test_levels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="num_levels must be at least 2, and is 1"):
        CategoricalPixels(IDENTITY, 1)
    with pytest.raises(ValueError, match="net must give a multiple of 3 outputs, and gives 4"):
        CategoricalPixels(IDENTITY, 3)(logits(4))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_gaussian_refuses_a_scale_that_is_none(scale):
    with pytest.raises(ValueError, match="scale must be above 0, and is"):
        Gaussian(Constant(1.0), scale=scale)


@pytest.mark.parametrize("make", [Bernoulli, lambda net: Binomial(net, 16), ContinuousBernoulli])
@pytest.mark.parametrize("logit", [-800.0, 800.0])
def test_extreme_logits_keep_finite_gradients(make, logit):
    """Log space throughout: a decoder that is certain and wrong pays |logit| nats a trial, not infinity."""
    net = Constant(logit)
    log_p = make(net)(Z).log_prob(torch.tensor([[float(logit < 0)]], dtype=F64))
    log_p.sum().backward()
    assert log_p.isfinite() and -17 * 800 <= log_p < -700 and net.values.grad.isfinite().all()


@pytest.mark.parametrize(
    ("likelihood", "value", "words"),
    [
        (Bernoulli(Constant(0.0)), 0.5, r"Bernoulli on 0 and 1, and has values such as 0\.5"),
        (Binomial(Constant(0.0), 16), 17.0, r"Binomial on the integers 0\.\.16, and has values such as 17"),
        (Binomial(Constant(0.0), 16), 1.5, r"such as 1\.5"),
        (ContinuousBernoulli(Constant(0.0)), -0.1, r"ContinuousBernoulli on the interval 0\.\.1, .* such as -0\.1"),
        (Gaussian(Constant(0.0)), math.nan, "Normal on .* such as nan"),
    ],
)
def test_data_outside_the_support_are_refused(likelihood, value, words):
    good = torch.zeros(3, 1, dtype=F64)
    check_support(likelihood(Z), good)
    bad = good.clone()
    bad[1] = value
    with pytest.raises(ValueError, match=words):
        check_support(likelihood(Z), bad)


def test_data_of_another_size_are_refused():
    with pytest.raises(ValueError, match="x has 3 dimensions, and the likelihood scores 2"):
        check_support(Bernoulli(Constant(0.0, 0.0))(Z), torch.zeros(1, 3))


# ------------------------------------------------------------------------------------------- support, of all of x


def logits(num_dims, dtype=torch.float32):
    return torch.zeros(1, num_dims, dtype=dtype)


IDENTITY = nn.Identity()
SUPPORTS = {  # px_z of four pixels, a value that is good everywhere, one that is not, and what is said of it
    "Bernoulli": (Bernoulli(IDENTITY)(logits(4)), 1.0, 0.75, "Bernoulli on 0 and 1, .* such as 0.75:"),
    "Binomial": (Binomial(IDENTITY, 16)(logits(4)), 16.0, 17.0, r"Binomial on the integers 0\.\.16, .* such as 17:"),
    "CategoricalPixels": (
        CategoricalPixels(IDENTITY, 3)(logits(12)),
        2.0,
        3.0,
        r"Levels on the integers 0\.\.2, .* such as 3:",
    ),
    "a count that is none": (Binomial(IDENTITY, 16)(logits(4)), 3.0, 3.5, "such as 3.5:"),
    "ContinuousBernoulli": (ContinuousBernoulli(IDENTITY)(logits(4)), 0.5, 1.25, "such as 1.25:"),
    "Gaussian": (Gaussian(IDENTITY)(logits(4)), -7.0, math.inf, "Normal on Real, .* such as inf:"),
    "not a number": (Gaussian(IDENTITY)(logits(4)), -7.0, math.nan, "such as nan:"),
    "full Gaussian": (td.MultivariateNormal(logits(4)[0], torch.eye(4)), 2.0, math.nan, "MultivariateNormal.* nan:"),
    "mixture": (
        td.MixtureSameFamily(td.Categorical(torch.ones(2)), td.Independent(td.Bernoulli(torch.full((2, 4), 0.5)), 1)),
        1.0,
        0.25,
        "MixtureSameFamily on 0 and 1, .* such as 0.25:",
    ),
    "transformed": (
        td.TransformedDistribution(td.Independent(td.Uniform(logits(4), logits(4) + 1), 1), [td.ExpTransform()]),
        2.5,
        -0.5,
        "TransformedDistribution on GreaterThan.* such as -0.5:",
    ),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("name", SUPPORTS)
def test_the_value_outside_is_named_wherever_it_is(name, dtype):
    """The last pixel of the last of 10,000 data, whose other pixels are good; and then the first of them all."""
    px_z, good, bad, sentence = SUPPORTS[name]
    x = torch.full((10_000, 4), good, dtype=dtype)
    check_support(px_z, x)
    for place in ((9_999, 3), (0, 0), (8191, 2), (8192, 1)):
        spoilt = x.clone()
        spoilt[place] = bad
        with pytest.raises(ValueError, match=sentence):
            check_support(px_z, spoilt)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        ([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], r"OneHotCategorical on OneHot, and has values such as \(0.5, 0.5, 0\):"),
        ([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]], r"such as \(1, 1, 0\):"),
        ([[0.0, 1.0, 0.0], [1.0, 0.0, math.nan]], "such as nan:"),
    ],
)
def test_a_datum_whose_values_belong_together_is_named_whole(x, sentence):
    px_z = td.OneHotCategorical(torch.ones(1, 3))
    check_support(px_z, torch.eye(3))
    with pytest.raises(ValueError, match=sentence):
        check_support(px_z, torch.tensor(x))


def test_whole_numbers_and_truth_values_are_data():
    for x in (torch.ones(5, 4).bool(), torch.ones(5, 4).byte(), torch.ones(5, 4).long()):
        check_support(SUPPORTS["Bernoulli"][0], x)
    with pytest.raises(ValueError, match="such as 2:"):
        check_support(SUPPORTS["Bernoulli"][0], 2 * torch.ones(5, 4).byte())


def test_one_datum_needs_a_batch_axis():
    """x[0] in place of x[:1] would be scored as one number, over and over."""
    for name in ("Bernoulli", "full Gaussian"):
        with pytest.raises(ValueError, match=r"x must be \[B, D\] with a batch axis, x\[None\] .*; got \[4\]"):
            check_support(SUPPORTS[name][0], torch.ones(4))
    check_support(SUPPORTS["Bernoulli"][0], torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="x has 5 dimensions, and the likelihood scores 4"):
        check_support(SUPPORTS["Bernoulli"][0], torch.ones(2, 5))
