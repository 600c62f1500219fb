"""The continuous Bernoulli against fifty digits: density, gradient, moments, quantiles and samples at every logit."""

import math

import mpmath as mp
import pytest
import torch
from scipy import stats

from vaecourse.distributions import ContinuousBernoulli
from vaecourse.likelihoods import ContinuousBernoulli as Likelihood

F64 = torch.float64
# On both sides of the places where torch's normaliser freezes, where our series ends (1), and of zero.
LOGITS = [0.0, 1e-12, 1e-3, 0.3, 0.999, 1.001, 3.0, 15.0, 17.0, 35.0, 37.0, 300.0, 1e4]
LOGITS = sorted({sign * logit for logit in LOGITS for sign in (-1, 1)})
X = [0.0, 1e-4, 0.25, 0.5, 0.9, 1 - 2**-14, 1.0]
both = pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
every_logit = pytest.mark.parametrize("logit", LOGITS)
mp.mp.dps = 50


def number(logit, dtype):
    """A logit in a dtype, and the same number with fifty digits."""
    rounded = torch.tensor(logit, dtype=dtype)
    return rounded.requires_grad_(), mp.mpf(rounded.item())


def log_density(logit, x):
    return logit * x - mp.log(mp.expm1(logit) / logit) if logit else mp.mpf(0)


def mean(logit):
    return 1 / (1 - mp.exp(-logit)) - 1 / logit if logit else mp.mpf(0.5)


def variance(logit):
    return 1 / logit**2 - mp.exp(logit) / mp.expm1(logit) ** 2 if logit else mp.mpf(1) / 12


@both
@every_logit
def test_density_and_its_gradient(logit, dtype):
    """Both to a few roundings; the derivative of log p by the logit is x less the mean."""
    logits, exact = number(logit, dtype)
    eps = torch.finfo(dtype).eps
    for value in X:
        x = torch.tensor(value, dtype=dtype, requires_grad=True)
        log_p = ContinuousBernoulli(logits).log_prob(x)
        by_logit, by_x = torch.autograd.grad(log_p, [logits, x])
        expected = log_density(exact, mp.mpf(x.item()))
        assert abs(log_p.item() - expected) <= 4 * eps * (1 + abs(expected))
        assert abs(by_logit.item() - (mp.mpf(x.item()) - mean(exact))) <= 4 * eps
        assert by_x.item() == logits.item()


@both
@every_logit
def test_moments(logit, dtype):
    logits, exact = number(logit, dtype)
    p, eps = ContinuousBernoulli(logits), torch.finfo(dtype).eps
    assert abs(p.mean.item() - mean(exact)) <= 4 * eps
    assert abs(p.variance.item() / variance(exact) - 1) <= 16 * eps
    expected = -log_density(exact, mean(exact))
    assert abs(p.entropy().item() - expected) <= 4 * eps * (1 + abs(expected))
    (slope,) = torch.autograd.grad(p.mean, logits)  # of an exponential family: the variance
    assert slope.item() == pytest.approx(p.variance.item(), rel=1e3 * eps)  # differences of terms near 1 / l^2 at 1


@both
@every_logit
def test_quantiles_and_their_gradient(logit, dtype):
    """F(F^-1(u)) = u, and dx/dl = -(dF/dl) / p with dF/dl = F (m(x) - m), m(x) the mean below x."""
    logits, exact = number(logit, dtype)
    eps = torch.finfo(dtype).eps
    u = torch.tensor([0.01, 0.3, 0.5, 0.9, 0.999], dtype=dtype, requires_grad=True)
    x = ContinuousBernoulli(logits).icdf(u)
    (by_u,) = torch.autograd.grad(x.sum(), u, retain_graph=True)
    for k, value in enumerate(x.tolist()):
        near = mp.mpf(value)
        cdf = mp.expm1(exact * near) / mp.expm1(exact) if exact else near
        density = mp.exp(log_density(exact, near))
        assert abs(cdf - u[k].item()) <= 4 * eps * (1 + density)  # x itself is rounded
        below = near * mean(exact * near)
        expected = cdf * (mean(exact) - below) / density
        (by_logit,) = torch.autograd.grad(x[k], logits, retain_graph=True)
        # The spacing of x, or of its distance from the far end, is eps, and costs as much in units of 1 / l.
        assert abs(by_logit.item() - expected) <= 8 * eps * (1 + 1 / max(1, abs(exact)) * 4)
        assert abs(by_u[k].item() * density - 1) <= 4 * eps * (1 + abs(exact))
        assert ContinuousBernoulli(logits).cdf(x[k]).item() == pytest.approx(
            float(cdf), abs=8 * eps * (1 + float(density))
        )


@both
@pytest.mark.parametrize("logit", [-1e4, -40.0, -17.0, -0.5, 0.0, 0.5, 17.0, 40.0, 1e4])
def test_samples_follow_the_distribution(logit, dtype):
    """A Kolmogorov-Smirnov test of 5,000 samples against the exact CDF; p below 1e-4 would fail."""
    torch.manual_seed(0)
    x = ContinuousBernoulli(torch.tensor(logit, dtype=dtype)).rsample((5000,))
    assert x.dtype == dtype and 0 <= x.min() and x.max() <= 1
    assert x.unique().numel() > 1500  # at 1e4 in float32 a scale holds 1678 numbers below 1
    distance = (1 - x if logit > 0 else x).double()
    rate = abs(logit)
    cdf = torch.expm1(-rate * distance) / math.expm1(-rate) if rate else distance
    assert stats.kstest(cdf.numpy(), "uniform").pvalue > 1e-4


def test_gradient_of_a_mean_through_samples():
    """The mean pathwise derivative is the variance: 4 z-scores of 40,000 gradients at each logit."""
    logits = torch.tensor([-30.0, -1.5, 0.0, 0.7, 20.0], dtype=F64).expand(40_000, 5).clone().requires_grad_()
    torch.manual_seed(0)
    (gradient,) = torch.autograd.grad(ContinuousBernoulli(logits).rsample().sum(), logits)
    expected = ContinuousBernoulli(logits[0].detach()).variance
    assert ((gradient.mean(0) - expected).abs() < 4 * gradient.std(0) / 200).all()


def test_gradients_of_gradients_pass_through_zero():
    """Second derivatives of log p are minus the variance, at zero as well."""
    for logit in (-2.0, -1e-9, 0.0, 1e-9, 2.0):
        logits = torch.tensor(logit, dtype=F64, requires_grad=True)
        p = ContinuousBernoulli(logits)
        (first,) = torch.autograd.grad(p.log_prob(torch.tensor(0.3, dtype=F64)), logits, create_graph=True)
        (second,) = torch.autograd.grad(first, logits)
        assert second.item() == pytest.approx(-p.variance.item(), rel=1e-12)


def test_outside_and_expanded():
    p = ContinuousBernoulli(torch.tensor([-50.0, 50.0]))
    assert p.log_prob(torch.tensor([-0.1, 1.1])).tolist() == [-math.inf, -math.inf]
    assert p.log_prob(torch.tensor(math.nan)).isnan().all()
    wide = p.expand((3, 2))
    assert wide.batch_shape == (3, 2) and wide.sample((4,)).shape == (4, 3, 2)
    assert torch.equal(wide.mean[1], p.mean)


def test_the_likelihood_slot_uses_it():
    """A decoder that is certain, in float32: at 100 the density at x = 1 is 100, which torch's own gives as 16."""
    p = Likelihood(torch.nn.Identity())(torch.tensor([[100.0, -100.0]]))
    assert p.log_prob(torch.tensor([[1.0, 0.0]])).item() == pytest.approx(2 * math.log(100), rel=1e-6)
