"""Local inference: closed forms, quadrature, data that do not disturb each other, what it leaves alone."""

import copy
import math

import pytest
import torch
import torch.distributions as td
from cases import belief_net, in_chunks, linear_gaussian_model, neural_model, seeded
from torch import nn

from vaecourse.distributions import Chain, sample_and_log_prob
from vaecourse.estimators import pathwise
from vaecourse.exact import best_gaussian, gaussian_bound, linear_gaussian_marginal
from vaecourse.flows import Flow, Permutation
from vaecourse.inference import (
    Hamiltonian,
    LocalFit,
    PerDatum,
    diagonal,
    family_named,
    loc_and_scale_tril,
    optimise_posteriors,
)
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

F64 = torch.float64
X = torch.randn(6, 3, dtype=F64, generator=torch.Generator().manual_seed(1))


def conjugate():
    model = linear_gaussian_model()
    model.posterior = seeded(lambda: DiagonalGaussian(MLP(3, (), 4)))
    return model


@pytest.mark.parametrize("start", ["encoder", "prior"])
def test_full_gaussian_becomes_the_posterior(start):
    """In the linear-Gaussian model the best q is exact, and sticking the landing has no noise left there.

    What remains is the optimiser's: a gap is quadratic in the distance, and 1e-6 nats are 1e-3 standard deviations.
    """
    model = conjugate()
    fit = optimise_posteriors(model, X, "full", start=start, num_steps=800)
    exact = linear_gaussian_model().posterior(X)
    assert td.kl_divergence(fit.q, exact).max() < 1e-6


def test_diagonal_gaussian_takes_mean_and_inverse_precision():
    """The mean-field optimum of a Gaussian; its gradient keeps noise, so that the tolerance is a few per cent."""
    fit = optimise_posteriors(conjugate(), X, num_steps=800, num_samples=16)
    exact = linear_gaussian_model().posterior(X)
    torch.testing.assert_close(fit.q.mean, exact.mean.detach(), rtol=0, atol=0.03)
    variance = 1 / exact.precision_matrix.diagonal(dim1=-2, dim2=-1).detach()
    torch.testing.assert_close(fit.q.variance, variance, rtol=0.06, atol=0)


@pytest.mark.parametrize("family", ["diagonal", "full"])
def test_against_quadrature(family):
    """A neural decoder: the bound of the fitted q and that of the best Gaussian differ by at most 0.01 nats."""
    model = neural_model(num_latents=2)
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    fit = optimise_posteriors(model, x, family)
    best = best_gaussian(model, x, family=family)
    with torch.no_grad():
        low, high, encoder = (gaussian_bound(model, x, q) for q in (fit.q, best, model.posterior(x)))
    assert ((high - low).abs() < 0.01).all()
    assert (high - encoder > 0.05).any()  # there was something to find


def test_each_datum_stands_alone():
    """A neighbour that is hard to fit does not move the others: the noise is drawn per row, the same for both."""
    model, far = conjugate(), X.clone()
    far[-1] += 50
    fits = [optimise_posteriors(model, x, num_steps=50) for x in (X, far)]
    assert torch.equal(fits[0].q.mean[:-1], fits[1].q.mean[:-1])
    assert not torch.equal(fits[0].q.mean[-1], fits[1].q.mean[-1])


def test_model_and_random_state_are_left_alone():
    model = conjugate()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    fit = optimise_posteriors(model, X, num_steps=5)
    assert isinstance(fit, LocalFit) and fit.trace.shape == (5, 6)
    assert not fit.q.mean.requires_grad
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_steps_fall_along_a_cosine_and_the_trace_is_of_each_datum():
    """Up a constant slope Adam's steps have the length of the rate: 0.05 (1 + cos(pi t / T)) / 2, summed over t."""
    model, start = conjugate(), conjugate().posterior(X)
    slope = lambda local, x, num_samples: local.posterior.rows.sum(-1)  # noqa: E731
    fit = optimise_posteriors(model, X, estimator=slope, num_steps=8)
    moved = sum(0.05 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8))
    torch.testing.assert_close(fit.q.mean, start.mean.detach() + moved, rtol=0, atol=1e-6)
    torch.testing.assert_close(fit.trace[0], (start.mean + start.stddev.log()).sum(-1).detach())
    prior = optimise_posteriors(model, X, start="prior", estimator=slope, num_steps=1)  # from N(0, I)
    torch.testing.assert_close(prior.trace[0], torch.zeros(6, dtype=F64))


def test_trace_rises_from_the_start():
    model = conjugate()
    trace = optimise_posteriors(model, X, num_steps=300, num_samples=32).trace.mean(1)
    assert trace[-50:].mean() > trace[:1].mean() + 0.1
    assert (trace < linear_gaussian_marginal(model).log_prob(X).mean() + 0.5).all()


def test_chunks_and_other_estimators():
    model = conjugate()
    whole, parts = (optimise_posteriors(in_chunks(model, c), X, num_steps=20).q.mean for c in (None, 7))
    torch.testing.assert_close(whole, parts, rtol=1e-9, atol=1e-9)
    pairs = []
    model.likelihood.register_forward_pre_hook(lambda module, given: pairs.append(given[0].shape[:-1].numel()))
    optimise_posteriors(in_chunks(model, 7), X, num_steps=1)
    assert max(pairs) <= 7
    other = optimise_posteriors(model, X, estimator=pathwise, num_steps=400).q
    torch.testing.assert_close(other.mean, optimise_posteriors(model, X, num_steps=400).q.mean, rtol=0, atol=0.1)


@pytest.mark.parametrize("family", ["diagonal", "full"])
def test_start_is_taken_over(family):
    scale_tril = torch.tensor([[[0.5, 0.0], [0.3, 2.0]]], dtype=F64).expand(4, 2, 2)
    q = td.MultivariateNormal(torch.arange(8, dtype=F64).reshape(4, 2), scale_tril=scale_tril)
    made = family_named(family)(q)()
    torch.testing.assert_close(made.mean, q.mean)
    torch.testing.assert_close(made.variance, q.variance)
    if family == "full":
        torch.testing.assert_close(made.covariance_matrix, q.covariance_matrix)
    loc, root = loc_and_scale_tril(made)
    z, log_q = sample_and_log_prob(made, (3,))
    again = td.MultivariateNormal(loc, scale_tril=root).log_prob(z)
    torch.testing.assert_close(log_q, again)


def test_per_datum_is_a_posterior_for_its_data():
    posterior = diagonal(conjugate().posterior(X))
    model = conjugate()
    assert LatentVariableModel(model.prior, model.likelihood, posterior).draw(X, 4).log_w.shape == (4, 6)
    with pytest.raises(ValueError, match="a q for each of 6 data, and was asked for 2"):
        posterior(X[:2])
    assert isinstance(posterior, PerDatum)
    some = torch.tensor([4, 1, 4])
    assert torch.equal(posterior(X[some], some).mean, posterior().mean[some])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"family": "flow"}, 'family must be "diagonal", "full" or a function of the start, and is \'flow\''),
        ({"start": "posterior"}, 'start must be "encoder", "prior" or a distribution, and is \'posterior\''),
        ({"num_steps": 0}, "num_steps must be above 0, and is 0"),
        ({"num_samples": 0}, "num_samples must be above 0, and is 0"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0, and is -1.0"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        optimise_posteriors(conjugate(), X, **arguments)


def test_discrete_latents_are_refused():
    with pytest.raises(ValueError, match="needs real latents"):
        optimise_posteriors(belief_net(), torch.ones(2, 4, dtype=F64), num_steps=2)


@pytest.mark.parametrize("start", ["encoder", "prior"])
def test_a_start_without_moments_is_refused(start):
    """A chain and a flow have no mean in closed form."""
    model = neural_model(num_latents=2)
    chain = Chain(StandardNormal(1), DiagonalGaussian(nn.Linear(1, 2)), (1, 1)).double()
    model.prior, model.posterior = chain, Flow(model.posterior, Permutation(2))
    with pytest.raises(
        ValueError, match=r"start must have a mean and a variance for a Gaussian q, and .*Distribution has"
    ):
        optimise_posteriors(model, torch.ones(3, 3, dtype=torch.float64), start=start, num_steps=2)


def test_frozen_parameters_of_a_posterior_stay():
    """A posterior may hold the model's own decoder, as one with leapfrog steps does; frozen, it is not fitted."""
    model = conjugate()
    model.likelihood.requires_grad_(False)
    joint = LatentVariableModel(model.prior, model.likelihood)
    q = Hamiltonian(seeded(lambda: DiagonalGaussian(MLP(3, (), 4))).to(X), joint, 1).double()
    before = copy.deepcopy(q.state_dict())
    optimise_posteriors(model, X, lambda start: q, estimator=pathwise, num_steps=2, num_samples=2)
    for name, value in q.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("joint."), name
