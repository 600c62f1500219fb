"""The four hard posteriors in two dimensions, and the errors of what is said of their probabilities."""

import math

import pytest
import torch
import torch.distributions as td

from vaecourse import exact


@pytest.fixture(scope="module")
def targets():
    return exact.targets()


@pytest.fixture(scope="module")
def tables(targets):
    return {name: exact.quadrature(*target, 601, half_width=6.0) for name, target in targets.items()}


def test_gaussian_target_has_its_closed_form(targets, tables):
    _, x = targets["Gaussian"]
    precision = torch.eye(2) + 4 * torch.ones(2, 2)  # prior and measurement
    posterior = td.MultivariateNormal(
        torch.linalg.solve(precision, 4 * torch.ones(2)).double(), precision_matrix=precision.double()
    )
    assert tables["Gaussian"].kl(posterior.expand((1,))).abs().item() < 1e-6
    assert tables["Gaussian"].log_px.item() == pytest.approx(td.Normal(0.0, 3.0).log_prob(x).item(), abs=1e-6)


def test_densities_are_prior_times_measurement(targets):
    z = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z1, z2 = z.unbind(-1)
    likelihood = {
        "Gaussian": td.Normal(2 * (z1 + z2), 1.0).log_prob(torch.tensor(2.0)),
        "banana": td.Normal(3 * (z2 - z1**2), 1.0).log_prob(torch.tensor(-3.0)),
        "two modes": td.Normal(2 * z1 * z2 + 0.2 * (z1 + z2), 1.0).log_prob(torch.tensor(5.0)),
        "funnel": td.Normal(z2, z1.exp()).log_prob(torch.tensor(0.0)),
    }
    prior = td.Normal(torch.zeros((), dtype=torch.float64), 1.0).log_prob(z).sum(-1)
    assert likelihood.keys() == targets.keys()
    for name, (model, x) in targets.items():
        torch.testing.assert_close(model.log_joint(x, z), prior + likelihood[name])


def test_deciles_are_those_of_the_marginals(tables):
    events = exact.Deciles.of(tables["Gaussian"])
    marginal = td.Normal(torch.full((2,), 4 / 9, dtype=torch.float64), math.sqrt(5 / 9))
    torch.testing.assert_close(marginal.cdf(events.threshold), events.probability, rtol=0, atol=1e-4)
    tenths = torch.arange(1, 10, dtype=torch.float64)[:, None] / 10
    assert (events.probability - tenths).abs().max() < 0.01  # half a cell of the grid
    assert events.variance == pytest.approx(0.1833, abs=1e-3)  # the mean of p (1 - p) at the deciles


def test_deciles_tell_the_latents_apart(tables):
    events = exact.Deciles.of(tables["banana"])
    mass = tables["banana"].log_mass[:, 0].exp()
    for latent in (0, 1):
        below = tables["banana"].z[:, latent, None] <= events.threshold[:, latent]
        torch.testing.assert_close(mass @ below.double(), events.probability[:, latent])


def test_error_of_draws_is_that_of_their_shares(tables):
    events = exact.Deciles.of(tables["funnel"])
    draws = torch.randn(40, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    errors = events.error_of_draws(draws)
    assert errors.shape == (3,)
    share = torch.stack([(draws[:, 1] <= t).double().mean(0) for t in events.threshold])
    torch.testing.assert_close(errors[1], (share - events.probability).square().mean())
    torch.testing.assert_close(events.error_of_draws(draws, torch.full((40, 3), 7.0).double()), errors)


def test_weights_correct_draws_from_the_prior(targets, tables):
    model, x = targets["banana"]
    events = exact.Deciles.of(tables["banana"])
    draws = torch.randn(4000, 20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    log_weight = model.log_joint(x, draws) + 0.5 * draws.square().sum(-1)
    assert events.error_of_draws(draws, log_weight).mean() < 0.03 * events.error_of_draws(draws).mean()


def test_error_of_gaussian_is_that_of_many_draws(tables):
    events = exact.Deciles.of(tables["two modes"])
    root = torch.tensor([[0.7, 0.0], [0.5, 1.2]], dtype=torch.float64)
    q = td.MultivariateNormal(torch.tensor([[0.3, -0.4]], dtype=torch.float64), scale_tril=root)
    noise = torch.randn(400_000, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    draws = q.mean + noise @ root.T
    torch.testing.assert_close(events.error_of_gaussian(q), events.error_of_draws(draws), rtol=0, atol=1e-3)


def test_deciles_need_one_datum(targets):
    model, x = targets["Gaussian"]
    with pytest.raises(ValueError, match="table must be of one datum, and is of 2"):
        exact.Deciles.of(exact.quadrature(model, x.expand(2, 1), 61))
