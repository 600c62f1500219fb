"""Piecewise-constant densities: by hand, against quadrature, and where their gradients are and are not."""

import math

import pytest
import torch
import torch.distributions as td
from cases import seeded, z_scores

from vaecourse.distributions import Piecewise, PiecewiseConstant, kl_per_latent
from vaecourse.estimators import analytic_kl, pathwise, stl
from vaecourse.evaluation import importance_log_likelihood
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import iwae
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian

A = torch.tensor([1.0, 3.0, 2.0, 2.0], dtype=torch.float64)
OTHER = torch.tensor([4.0, 1.0, 1.0, 2.0], dtype=torch.float64)
MIDDLES = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000  # whole bins: exact for steps, 1e-10 for z^2


def test_by_hand():
    """Masses (1, 3, 2, 2)/8 of bins a quarter wide: log p, mean, 0.3 of the mass below 0.366667."""
    p = PiecewiseConstant(A.log())
    middles = torch.arange(4, dtype=torch.float64) / 4 + 0.125
    torch.testing.assert_close(p.log_prob(middles).exp(), torch.tensor([0.5, 1.5, 1.0, 1.0], dtype=torch.float64))
    assert p.mean.item() == pytest.approx(0.53125, abs=1e-12)
    assert p.icdf(torch.tensor(0.3, dtype=torch.float64)).item() == pytest.approx(
        0.25 + 0.25 * 0.175 / 0.375, abs=1e-12
    )


def test_against_quadrature():
    """Normaliser, moments, entropy and KL: each the mean of its integrand over the middles of a fine grid."""
    p, q = PiecewiseConstant(A.log()), PiecewiseConstant(OTHER.log())
    density = q.log_prob(MIDDLES).exp()
    mean_of = lambda values: (density * values).mean()  # noqa: E731
    assert mean_of(1.0).item() == pytest.approx(1.0, abs=1e-12)
    torch.testing.assert_close(q.mean, mean_of(MIDDLES), rtol=0, atol=1e-12)
    torch.testing.assert_close(q.variance, mean_of((MIDDLES - q.mean).square()), rtol=0, atol=1e-9)
    torch.testing.assert_close(q.entropy(), mean_of(-q.log_prob(MIDDLES)), rtol=0, atol=1e-12)
    for other in (p, td.Normal(A[0] / 3, A[1] / 7)):
        by_grid = mean_of(q.log_prob(MIDDLES) - other.log_prob(MIDDLES))
        torch.testing.assert_close(td.kl_divergence(q, other), by_grid, rtol=0, atol=1e-9)


def test_quantiles_invert_the_distribution_function():
    p = PiecewiseConstant(torch.stack([A, OTHER]).log())
    u = MIDDLES[::997, None]
    torch.testing.assert_close(p.cdf(p.icdf(u)), u.expand(-1, 2), rtol=0, atol=1e-12)
    torch.testing.assert_close(p.cdf(torch.tensor([-1.0, 2.0]).double()), torch.tensor([0.0, 1.0]).double())
    torch.testing.assert_close(p.cdf(MIDDLES[:, None])[25_000 - 1], A.new_tensor([1 / 8, 4 / 8]), rtol=0, atol=1e-4)


def test_nothing_lies_outside():
    p = PiecewiseConstant(A.log())
    outside = torch.tensor([-1e-9, 1 + 1e-9, -math.inf, math.inf], dtype=torch.float64)
    assert (p.log_prob(outside) == -math.inf).all()
    assert p.log_prob(torch.tensor([0.0, 1.0], dtype=torch.float64)).isfinite().all()


@pytest.mark.parametrize("scale", [1.0, 30.0, 200.0])
def test_samples_stay_in_their_bins_in_float32(scale):
    """Masses down to e^-200, which float32 rounds to nothing: samples lie where there is mass; gradients are finite."""
    logits = (scale * torch.tensor([0.0, -1.0, 0.5, -1.0, 0.0])).requires_grad_()
    p = PiecewiseConstant(logits)
    torch.manual_seed(0)
    z = p.rsample((20_000,))
    assert z.min() >= 0 and z.max() <= 1 and p.log_prob(z).isfinite().all()
    assert (p.log_prob(z) > math.log(1e-9)).all()  # 20,000 draws: none of a bin with less than 2e-10 of the mass
    assert torch.autograd.grad(z.mean(), logits)[0].isfinite().all()


def test_gradient_of_a_continuous_function_goes_through_the_samples():
    """d E f(z) / d log a by quantiles, at a grid of uniform numbers, against the derivative of the sum over bins."""
    logits = A.log().requires_grad_()
    z = PiecewiseConstant(logits).icdf(MIDDLES)
    through = torch.autograd.grad(z.square().mean(), logits)[0]
    edges = torch.linspace(0, 1, 5, dtype=torch.float64)
    of_bins = (edges[1:] ** 3 - edges[:-1] ** 3) / 3 * 4  # the mean of z^2 within each bin
    exact = torch.autograd.grad((logits.softmax(-1) * of_bins).sum(), logits)[0]
    torch.testing.assert_close(through, exact, rtol=0, atol=1e-8)  # the midpoint rule: (1 / 100,000)^2 a bin
    assert exact.abs().min() > 1e-3


def test_a_sampled_kl_has_no_gradient_through_the_samples():
    """log q(z) - log p(z) is flat in z wherever it has a derivative, while the KL in closed form has a slope."""
    logits = A.log().requires_grad_()
    q, p = PiecewiseConstant(logits), PiecewiseConstant(OTHER.log())
    constant = PiecewiseConstant(A.log())  # the density's parameters held: what is left runs through z
    z = q.icdf(MIDDLES)
    assert z.requires_grad and not (constant.log_prob(z) - p.log_prob(z)).requires_grad
    assert torch.autograd.grad(td.kl_divergence(q, p), logits)[0].abs().max() > 0.1


def model(posterior=None) -> LatentVariableModel:
    def make():
        prior = Piecewise(torch.randn(1, 4))
        q = Piecewise(MLP(3, (4,), 4), 4) if posterior is None else posterior
        return LatentVariableModel(prior, Bernoulli(MLP(1, (4,), 3)), q)

    return seeded(make)


X = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]], dtype=torch.float64)


def evidence(vae: LatentVariableModel) -> torch.Tensor:
    """log p(x), [B], by 4,000 nodes of equal weight, 1,000 in each bin."""
    z = MIDDLES.reshape(4000, 25).mean(1)[:, None, None].expand(-1, len(X), -1)
    draw = vae.score(X, z, torch.zeros(z.shape[:2]).double())
    return iwae(draw)


def test_the_bound_and_importance_sampling_against_quadrature():
    vae = model()
    torch.manual_seed(0)
    estimate = importance_log_likelihood(vae, X, num_samples=50_000)
    assert ((estimate.log_px - evidence(vae)).abs() < 4 * estimate.se + 1e-6).all()
    bound = analytic_kl(vae, X, num_samples=20_000)
    assert (bound < evidence(vae)).all()
    draw = vae.draw(X, 20_000)  # the bound with a sampled KL, whose value is right though its gradient is not
    assert z_scores(draw.log_w - bound, torch.zeros(2).double()).abs().max() < 4 * math.sqrt(2)


def test_gradients_of_the_bound_against_quadrature():
    """The closed-form KL's, with 200,000 samples, to 5 standard errors of the mean over ten parts of them."""
    vae = model()
    parameters = [*vae.posterior.parameters(), *vae.prior.parameters()]
    flat = lambda value: torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters)])  # noqa: E731
    nodes = MIDDLES.reshape(4000, 25).mean(1)[:, None, None].expand(-1, len(X), -1)
    q = vae.posterior(X)
    mass = q.log_prob(nodes).exp() / 4000  # of each node, [K, B]
    exact = flat(((mass * vae.log_likelihood(X, nodes)).sum(0) - td.kl_divergence(q, vae.prior())).sum())
    torch.manual_seed(0)
    parts = torch.stack([flat(analytic_kl(vae, X, 20_000).sum()) for _ in range(10)])
    scores = (parts.mean(0) - exact) / (parts.std(0) / math.sqrt(10) + 1e-7)
    assert scores.abs().max() < 5 and exact.abs().max() > 0.1, scores  # 24 t scores with 9 degrees of freedom


@pytest.mark.parametrize("estimator", [pathwise, stl])
def test_estimators_that_do_not_see_jumps_refuse_them(estimator):
    with pytest.raises(ValueError, match=r"needs densities without jumps, .* use analytic_kl"):
        estimator(model(), X)
    gaussian = DiagonalGaussian(MLP(3, (4,), 2))
    with pytest.raises(ValueError, match=r"needs densities without jumps, and p\(z\), Independent"):
        estimator(model(gaussian), X)


@pytest.mark.parametrize(
    "make", [lambda: DiagonalGaussian(MLP(3, (4,), 2)), lambda: FullCovarianceGaussian(MLP(3, (4,), 2), 1)]
)
def test_a_gaussian_q_is_infinitely_far(make):
    with pytest.raises(ValueError, match=r"q must lie in \[0, 1\] .* KL\(q \|\| p\) is infinite"):
        analytic_kl(model(make()), X)


def test_kl_latent_by_latent():
    vae = seeded(lambda: LatentVariableModel(Piecewise(torch.randn(3, 4)), None, Piecewise(MLP(3, (), 12), 4)))
    q, p = vae.posterior(X), vae.prior()
    torch.testing.assert_close(kl_per_latent(q, p).sum(-1), td.kl_divergence(q, p))
    with pytest.raises(NotImplementedError, match="needs the same bins in both, and they have 4 and 3"):
        td.kl_divergence(q, Piecewise(torch.zeros(3, 3))())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PiecewiseConstant(torch.zeros(3, 1)), r"logits must be \[..., K\] for at least two bins"),
        (lambda: Piecewise(MLP(3, (), 8)), "num_bins must be at least 2 where logits is a network, and is None"),
        (lambda: Piecewise(torch.zeros(4)), r"logits must be a network or a tensor of real numbers, \[L, K\]"),
        (lambda: Piecewise(torch.zeros(2, 4), 3), "num_bins must be that of logits, 4, and is 3"),
        (
            lambda: Piecewise(MLP(3, (), 8), 3)(torch.zeros(1, 3)),
            "logits must give a multiple of 3 outputs, and gives 8",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
