"""Mixtures for each datum: the stratified bound against quadrature, and boosting on a posterior with two modes."""

import math

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, z_scores

from vaecourse import exact
from vaecourse.data import load
from vaecourse.distributions import log_prob
from vaecourse.inference import PerDatumMixture, boost, stratified
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import iwae

F64 = torch.float64
X = torch.randn(3, 3, dtype=F64, generator=torch.Generator().manual_seed(1))


def mixture(num_components=3):
    generator = torch.Generator().manual_seed(2)
    shape = 3, num_components, 2
    loc, scale = (torch.randn(shape, generator=generator, dtype=F64) for _ in range(2))
    return PerDatumMixture(loc, 0.5 + scale.abs(), torch.randn(shape[:2], generator=generator, dtype=F64))


def model_with(posterior):
    model = linear_gaussian_model()
    return LatentVariableModel(model.prior, model.likelihood, posterior)


def grid(half_width=9.0, n=161):
    axis = torch.linspace(-half_width, half_width, n, dtype=F64)
    return torch.cartesian_prod(axis, axis)[:, None], (axis[1] - axis[0]) ** 2


@pytest.mark.parametrize("through", ["both", "sample"])
def test_bound_and_gradient_against_quadrature(through):
    """Value and gradient by every parameter, weights included: z-scores over 120 draws, the largest of about forty."""
    posterior = mixture()
    model = model_with(posterior)
    z, cell = grid()
    q = posterior(X)
    log_q = q.log_prob(z)
    bound = (log_q.exp() * (model.log_joint(X, z) - log_q)).sum(0) * cell
    parameters = list(posterior.parameters())
    exact_slope = torch.cat([g.flatten() for g in torch.autograd.grad(bound.sum(), parameters)])
    torch.manual_seed(0)
    values, slopes = [], []
    for _ in range(120):
        value = stratified(model, X, 4, through=through)
        values.append(value.detach())
        slopes.append(torch.cat([g.flatten() for g in torch.autograd.grad(value.sum(), parameters)]))
    assert z_scores(torch.stack(values), bound.detach()).abs().max() < 4
    assert z_scores(torch.stack(slopes), exact_slope).abs().max() < 4.5


def test_importance_weights_of_a_stratified_draw_are_unbiased():
    model = model_with(mixture())
    log_px = linear_gaussian_model().draw(X, 1).log_w[0].detach()
    torch.manual_seed(0)
    with torch.no_grad():
        ratio = torch.stack([(stratified(model, X, 2, objective=iwae) - log_px).exp() for _ in range(600)])
    assert z_scores(ratio, 1.0).abs().max() < 4


def test_only_mixtures():
    with pytest.raises(ValueError, match="that is a mixture, and it is MultivariateNormal"):
        stratified(linear_gaussian_model(), X)


def test_first_component_is_the_best_diagonal_gaussian_and_more_are_no_worse():
    """The KL of the best diagonal Gaussian to N(m, S) is (sum log P_ll - log det P) / 2 with P the precision."""
    model = linear_gaussian_model()
    q = model.posterior(X)
    boosted = boost(model, X, td.Independent(td.Normal(q.mean, q.stddev), 1), 3, num_steps=400)
    z, cell = grid(6.0)
    kl = [(m.log_prob(z).exp() * (m.log_prob(z) - q.log_prob(z))).sum(0) * cell for m in boosted.mixtures]
    precision = q.precision_matrix.detach()
    factorised = 0.5 * (precision.diagonal(0, -2, -1).log().sum(-1) - torch.logdet(precision))
    assert ((kl[0] - factorised) < 0.03).all() and ((kl[0] - factorised) > -1e-6).all()  # chosen; the least there is
    assert (kl[2] < kl[0] + 1e-2).all()
    assert boosted.num_evaluations == 400 * 8 * (1 + 2 + 3) + 2 * 200


def test_a_second_mode_is_found():
    """Digit 217 has two: one Gaussian is at least -log of its mode's mass away, three of them are near."""
    vae = exact.frozen_vae()
    x = load("digits", "test", protocol="fixed").realise()[217:218].double()
    table = exact.quadrature(vae, x)
    boosted = boost(vae, x, vae.posterior(x), 3, num_steps=200)
    kl = [table.kl(m).item() for m in boosted.mixtures]
    assert kl[0] > 0.5 and kl[2] < 0.2
    again = boost(vae, x, vae.posterior(x), 1, num_steps=200)
    torch.testing.assert_close(
        log_prob(again.q, table.z[::50, None]), log_prob(boosted.mixtures[0], table.z[::50, None])
    )


@pytest.mark.parametrize("name", ["num_components", "num_steps", "num_candidates"])
def test_numbers_below_one(name):
    model = linear_gaussian_model()
    with pytest.raises(ValueError, match=f"{name} must be at least 1, and is 0"):
        boost(model, X, model.posterior(X), **{"num_components": 1, name: 0})


def test_number_of_data():
    with pytest.raises(ValueError, match="holds a q for each of 3 data, and was asked for 5"):
        mixture()(torch.zeros(5, 3))
    assert math.isclose(mixture()(X).mixture_distribution.probs.sum().item(), 3.0, rel_tol=1e-9)
