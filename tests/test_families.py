"""Reparameterised samples beyond location and scale: densities, laws of samples, and gradients against quantiles."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import z_scores
from scipy import integrate, special, stats

from vaecourse.distributions import Affine, Implicit, InverseCDF, VonMises

F64 = torch.float64


def t(value):
    return torch.tensor(value, dtype=F64)


# --------------------------------------------------------------------------------------------- affine maps of noise

BASES = {
    "normal": td.Normal(t(0.0), t(1.0)),
    "laplace": td.Laplace(t(0.0), t(1.0)),
    "student": td.StudentT(t(5.0)),
    "skewed": td.Gumbel(t(0.0), t(1.0)),
}
LOC, TRIL = t([0.5, -1.0]), t([[0.8, 0.0], [-0.6, 1.5]])


def test_affine_normal_is_the_cholesky_gaussian():
    q, exact = Affine(BASES["normal"], LOC, TRIL), td.MultivariateNormal(LOC, scale_tril=TRIL)
    z = torch.randn(7, 2, dtype=F64)
    torch.testing.assert_close(q.log_prob(z), exact.log_prob(z))
    torch.testing.assert_close((q.mean, q.variance), (exact.mean, exact.variance))


@pytest.mark.parametrize("name", BASES)
def test_affine_density_integrates_to_one(name):
    """On a square of 120 x 120 by the trapezoid rule; the tails beyond hold less than 1e-5, kinks cost 1e-3."""
    q = Affine(BASES[name], LOC, TRIL)
    axis = torch.linspace(-60, 60, 1201, dtype=F64)
    mass = q.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * 0.1**2
    assert abs(mass - 1) < 2e-3


@pytest.mark.parametrize("name", BASES)
def test_affine_samples_follow_the_density(name):
    """E log q and the moments: 5 z-scores, one above 4.5 has probability 4e-5."""
    q = Affine(BASES[name], LOC.expand(3, 2), TRIL)
    torch.manual_seed(0)
    z = q.rsample((40_000,))
    assert z.shape == (40_000, 3, 2)
    log_q, z = q.log_prob(z)[:, :1], z[:, 0]
    assert z_scores(z, q.mean[0]).abs().max() < 4.5
    assert z_scores((z - q.mean[0]) ** 2, q.variance).abs().max() < 4.5
    entropy = 2 * stats_entropy(name) + math.log(0.8 * 1.5)
    assert z_scores(-log_q, t([entropy])).abs().max() < 4.5


def stats_entropy(name):
    law = {"normal": stats.norm(), "laplace": stats.laplace(), "student": stats.t(5), "skewed": stats.gumbel_r()}[name]
    return float(law.entropy())


def test_affine_gradient_is_the_noise():
    """dz/dm = 1 and dz_i/dC_il = eps_l."""
    loc, tril = LOC.clone().requires_grad_(), TRIL.clone().requires_grad_()
    z = Affine(BASES["laplace"], loc, tril).rsample()
    by_loc, by_tril = torch.autograd.grad(z[1], [loc, tril])
    noise = torch.linalg.solve_triangular(TRIL, (z.detach() - LOC)[:, None], upper=False)[:, 0]
    torch.testing.assert_close(by_loc, t([0.0, 1.0]))
    torch.testing.assert_close(by_tril[1], noise)


def test_affine_refusals():
    with pytest.raises(ValueError, match=r"one scalar distribution, and has shape \[2\]"):
        Affine(td.Normal(torch.zeros(2), 1.0), LOC, TRIL)
    with pytest.raises(ValueError, match="must have rsample, and Poisson has not"):
        Affine(td.Poisson(1.0), LOC, TRIL)


# ------------------------------------------------------------------------------------------------------ inverse CDFs

LIMITS = {"none": (None, None), "below": (0.5, None), "above": (None, 1.0), "both": (-1.0, 2.0)}


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("base", [td.Normal, td.Laplace, td.Cauchy])
def test_truncated_density_and_samples(base, limits):
    """A Kolmogorov-Smirnov test of 5,000 samples against the truncated CDF; p below 1e-4 would fail."""
    low, high = LIMITS[limits]
    base = base(t(0.3), t(1.2))
    q = InverseCDF(base, low, high)
    torch.manual_seed(0)
    z = q.rsample((5000,))
    assert q.support.check(z).all()
    below, above = (
        (0.0 if low is None else base.cdf(t(low)).item()),
        (1.0 if high is None else base.cdf(t(high)).item()),
    )
    quantiles = ((base.cdf(z) - below) / (above - below)).numpy()
    assert stats.kstest(quantiles, "uniform").pvalue > 1e-4
    ends = (-np.inf if low is None else low), (np.inf if high is None else high)
    mass = integrate.quad(lambda v: q.log_prob(t(v)).exp().item(), *ends, limit=200)[0]
    assert abs(mass - 1) < 1e-6


def test_truncated_density_is_zero_outside():
    q = InverseCDF(td.Normal(t(0.0), t(1.0)), -1.0, 2.0)
    assert q.log_prob(t([-1.1, 2.1])).tolist() == [-math.inf, -math.inf]
    assert q.log_prob(t([-1.0, 2.0])).isfinite().all()


@pytest.mark.parametrize("limits", LIMITS)
def test_truncated_gradient_against_moments(limits):
    """The derivative of the mean by finite differences of scipy's: 2 z-scores of 40,000 gradients."""
    low, high = LIMITS[limits]
    values = torch.tensor([0.3, 1.2], dtype=F64)
    rows = values.expand(40_000, 2).clone().requires_grad_()
    torch.manual_seed(0)
    z = InverseCDF(td.Normal(rows[:, 0], rows[:, 1]), low, high).rsample()
    (gradient,) = torch.autograd.grad(z.sum(), rows)

    def mean(loc, scale):
        ends = (-math.inf if low is None else low), (math.inf if high is None else high)
        return stats.truncnorm((ends[0] - loc) / scale, (ends[1] - loc) / scale, loc, scale).mean()

    h = 1e-5
    expected = [
        (mean(0.3 + h, 1.2) - mean(0.3 - h, 1.2)) / (2 * h),
        (mean(0.3, 1.2 + h) - mean(0.3, 1.2 - h)) / (2 * h),
    ]
    error = (gradient.mean(0) - t(expected)).abs()
    assert (error < 4.5 * gradient.std(0) / 200 + 1e-6).all()


def test_inverse_cdf_refusals():
    with pytest.raises(ValueError, match=r"low must be below high, and they are 2.0 and 1.0"):
        InverseCDF(td.Normal(0.0, 1.0), 2.0, 1.0)
    with pytest.raises(ValueError, match="must leave the base some mass"):
        InverseCDF(td.Normal(t(0.0), t(1.0)), 50.0, 51.0).rsample()


# ------------------------------------------------------------------------------------------------ implicit gradients


def implicit_gradient(make, parameters, num_samples=40):
    """Samples, and the gradient of each by each parameter, [N] and [N, P]."""
    rows = t(parameters).expand(num_samples, -1).clone().requires_grad_()
    torch.manual_seed(0)
    z = make(*rows.unbind(-1)).rsample()
    (gradient,) = torch.autograd.grad(z.sum(), rows)
    return z.detach(), gradient


def quantile_gradient(cdf, ppf, z, parameters, h=1e-5):
    """Central differences of the quantile function at the quantile of z, [N, P]."""
    u, columns = cdf(z, *parameters), []
    for k in range(len(parameters)):
        up, down = list(parameters), list(parameters)
        up[k] += h
        down[k] -= h
        columns.append((ppf(u, *up) - ppf(u, *down)) / (2 * h))
    return torch.from_numpy(np.stack(columns, -1))


def mixture_cdf(z, logit, m1, m2):
    w = special.expit(logit)
    return w * stats.norm.cdf(z, m1, 0.5) + (1 - w) * stats.norm.cdf(z, m2, 0.8)


def invert(cdf, low, high):
    def ppf(u, *parameters):
        a, b = np.full_like(u, low), np.full_like(u, high)
        for _ in range(80):
            middle = (a + b) / 2
            below = cdf(middle, *parameters) < u
            a, b = np.where(below, middle, a), np.where(below, b, middle)
        return (a + b) / 2

    return ppf


def von_mises_cdf(z, loc, kappa):
    def one(end):
        return integrate.quad(lambda v: math.exp(kappa * (math.cos(v) - 1)), 0, end - loc, epsabs=1e-13)[0]

    return 0.5 + np.array([one(end) for end in np.atleast_1d(z)]) / (2 * math.pi * special.i0e(kappa))


def mixture(logit, m1, m2):
    weights = td.Categorical(logits=torch.stack([logit, torch.zeros_like(logit)], -1))
    scale = torch.tensor([0.5, 0.8], dtype=F64)
    return Implicit(td.MixtureSameFamily(weights, td.Normal(torch.stack([m1, m2], -1), scale)))


CASES = {
    "normal": (
        lambda a, b: Implicit(td.Normal(a, b)),
        [0.4, 1.3],
        lambda z, a, b: stats.norm.cdf(z, a, b),
        lambda u, a, b: stats.norm.ppf(u, a, b),
    ),
    "mixture": (mixture, [0.4, -1.0, 1.5], mixture_cdf, invert(mixture_cdf, -20, 20)),
    "gamma, torch's own": (
        td.Gamma,
        [1.7, 0.6],
        lambda z, a, b: stats.gamma.cdf(z, a, scale=1 / b),
        lambda u, a, b: stats.gamma.ppf(u, a, scale=1 / b),
    ),
    "von Mises, wide": (
        lambda m, k: Implicit(VonMises(m, k)),
        [0.0, 0.7],
        von_mises_cdf,
        invert(von_mises_cdf, -math.pi, math.pi),
    ),
    "von Mises, narrow": (
        lambda m, k: Implicit(VonMises(m, k)),
        [0.3, 60.0],
        von_mises_cdf,
        invert(von_mises_cdf, -math.pi + 0.3, math.pi + 0.3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_implicit_gradient_against_finite_differences_of_the_quantile(name):
    """Central differences with h = 1e-5 are good to about 1e-8; torch's Gamma gradient is a float-grade series."""
    make, parameters, cdf, ppf = CASES[name]
    z, gradient = implicit_gradient(make, parameters)
    expected = quantile_gradient(cdf, ppf, z.numpy(), parameters)
    tolerance = 2e-4 if "gamma" in name else 1e-6
    torch.testing.assert_close(gradient, expected, rtol=tolerance, atol=tolerance)


def test_implicit_normal_is_the_pathwise_one():
    loc, scale = t(0.4).requires_grad_(), t(1.3).requires_grad_()
    torch.manual_seed(0)
    z = Implicit(td.Normal(loc, scale)).rsample((5,))
    by_loc, by_scale = torch.autograd.grad(z[2], [loc, scale])
    torch.testing.assert_close((by_loc, by_scale), (t(1.0), (z[2].detach() - 0.4) / 1.3))


def test_implicit_refuses_vectors():
    with pytest.raises(ValueError, match=r"scalar distribution, and has events of shape \[2\]"):
        Implicit(td.MultivariateNormal(torch.zeros(2), torch.eye(2)))


@pytest.mark.parametrize("kappa", [0.01, 0.7, 5.0, 60.0, 5000.0])
def test_von_mises_against_quadrature(kappa):
    loc = 0.3
    q = VonMises(t(loc), t(kappa))
    width = min(math.pi - 1e-3, 3 / math.sqrt(kappa))
    z = t(loc) + torch.linspace(-width, width, 11, dtype=F64)
    torch.testing.assert_close(q.cdf(z), torch.from_numpy(von_mises_cdf(z.numpy(), loc, kappa)), rtol=0, atol=1e-12)
    torch.testing.assert_close(q.log_prob(z), torch.from_numpy(stats.vonmises(kappa, loc).logpdf(z.numpy())))
    ends = q.cdf(t([loc - math.pi, loc + math.pi - 1e-9]))
    torch.testing.assert_close(ends, t([0.0, 1.0]), rtol=0, atol=1e-8)


def test_von_mises_samples_follow_the_density():
    """A Kolmogorov-Smirnov test of 5,000 samples; p below 1e-4 would fail."""
    q = VonMises(t(2.0), t(3.0))
    torch.manual_seed(0)
    assert stats.kstest(q.cdf(q.sample((5000,))).numpy(), "uniform").pvalue > 1e-4


def test_von_mises_gradient_of_a_mean():
    """d E cos(z - mu) / d kappa = 1 - A/kappa - A^2 with A = I1/I0; one z-score of 40,000 gradients."""
    kappa = 2.5
    rows = t([kappa]).expand(40_000).clone().requires_grad_()
    torch.manual_seed(0)
    z = Implicit(VonMises(torch.zeros_like(rows), rows)).rsample()
    (gradient,) = torch.autograd.grad(z.cos().sum(), rows)
    ratio = special.i1e(kappa) / special.i0e(kappa)
    assert z_scores(gradient[:, None], t([1 - ratio / kappa - ratio**2])).abs() < 4


def test_wrong_gradients_are_caught():
    """The reader's likely slips: the sign of dF, and the density forgotten."""
    _, parameters, cdf, ppf = CASES["normal"]

    class Slip(Implicit):
        def rsample(self, sample_shape=()):
            z = self.base.sample(sample_shape)
            value = self.base.cdf(z)
            return z - (value - value.detach())

    z, gradient = implicit_gradient(lambda a, b: Slip(td.Normal(a, b)), parameters)
    expected = quantile_gradient(cdf, ppf, z.numpy(), parameters)
    assert (gradient - expected).abs().max() > 0.1
