"""Gradient ascent as a posterior, HMC on top of q, and the KL of samples: each against a case with a closed form."""

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, neural_model, z_scores

from vaecourse import exact
from vaecourse.data import load
from vaecourse.estimators import pathwise
from vaecourse.exact import kl_of_samples
from vaecourse.inference import HMCOnTop, gradient_flow
from vaecourse.objectives import elbo

F64 = torch.float64
X = torch.randn(3, 3, dtype=F64, generator=torch.Generator().manual_seed(1))


def wide(num_data=3):
    return td.Independent(td.Normal(torch.zeros(num_data, 2, dtype=F64), 1.5), 1)


# ------------------------------------------------------------------------------------------------ gradient flow


def test_on_a_quadratic_the_exact_log_det_is_the_gaussians_density():
    """z_T = m* + (I - a P)^T (z_0 - m*): a Gaussian, whose density each draw must carry."""
    model, a, T = linear_gaussian_model(), 0.02, 12
    torch.manual_seed(0)
    with torch.no_grad():
        posterior = model.posterior(X)
    draw = gradient_flow(model, X, wide(), T, a, num_samples=50, log_det="exact")[-1]
    shrink = torch.linalg.matrix_power(torch.eye(2, dtype=F64) - a * posterior.precision_matrix[0], T)
    mean = posterior.mean + (0 - posterior.mean) @ shrink
    q_T = td.MultivariateNormal(mean, scale_tril=torch.linalg.cholesky(1.5**2 * shrink @ shrink.T))
    torch.testing.assert_close(draw.log_qz_x, q_T.log_prob(draw.z), rtol=0, atol=1e-8)  # rounding over twelve steps


def test_the_probe_has_its_expectation():
    """Of one step: sum over eigenvalues of -a l - a^2 l^2, below the log-determinant."""
    model, a = linear_gaussian_model(), 0.03
    with torch.no_grad():
        eigenvalues = torch.linalg.eigvalsh(model.posterior(X).precision_matrix[0])
    torch.manual_seed(0)
    before, after = gradient_flow(model, X, wide(), 1, a, num_samples=20_000)
    lost = before.log_qz_x - after.log_qz_x
    expected = (-a * eigenvalues - (a * eigenvalues) ** 2).sum()
    assert z_scores(lost, expected).abs().max() < 4
    assert (a * eigenvalues).max() < 0.68 and expected < (1 - a * eigenvalues).log().sum()


def test_the_draws_bound_log_px_and_no_step_is_the_start():
    model = linear_gaussian_model()
    log_px = model.draw(X, 1).log_w[0].detach()
    torch.manual_seed(0)
    draws = gradient_flow(model, X, wide(), 30, 0.02, num_samples=500)
    assert len(draws) == 31 and not draws[-1].z.requires_grad
    bounds = torch.stack([elbo(draw) for draw in draws])
    assert (bounds < log_px).all() and (bounds.max(0).values > bounds[0] + 1).all()
    torch.testing.assert_close(draws[0].log_qz_x, wide().log_prob(draws[0].z))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": -1}, "num_steps must be at least 0, and is -1"),
        ({"step_size": 0.0}, "step_size must be positive, and is 0.0"),
        ({"log_det": "both"}, 'log_det must be "probe" or "exact", and is \'both\''),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        gradient_flow(linear_gaussian_model(), X, wide(), **dict(num_steps=1, step_size=0.1) | options)


# ------------------------------------------------------------------------------------------------ HMC on top of q


def test_value_is_the_bound_and_the_encoders_gradient_the_pathwise_one():
    model, estimator = neural_model(), HMCOnTop(2)
    x = model.sample(5)
    gradients = []
    for bound in (pathwise, estimator):
        torch.manual_seed(0)
        value = bound(model, x, 3)
        gradients.append((value.detach(), *torch.autograd.grad(value.sum(), list(model.posterior.parameters()))))
    for mine, theirs in zip(*gradients):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)  # rounding


def test_long_chains_give_the_decoder_the_gradient_of_the_evidence():
    """In the linear-Gaussian model, from a q that is far off: E of d/d theta log p(x, z) under the posterior."""
    model = linear_gaussian_model()
    parameters = list(model.likelihood.parameters())
    torch.manual_seed(0)
    z = model.posterior(X).sample((50_000,))
    target = torch.autograd.grad(model.log_joint(X, z).mean(0).sum(), parameters[0])[0]
    estimator, slopes = HMCOnTop(30, num_leapfrog=6, step_size=0.2).eval(), []
    before = estimator.log_step.item()
    for _ in range(40):
        moved = estimator.refined(model, X, wide().sample((50,)))
        slopes.append(torch.autograd.grad(model.log_joint(X, moved).mean(0).sum(), parameters[0])[0])
    assert estimator.log_step.item() == before
    assert z_scores(torch.stack(slopes), target).abs().max() < 4.5  # the target's own error is a sixth of these


def test_no_gradient_no_chain():
    model, estimator = neural_model(), HMCOnTop(2)
    step = estimator.log_step.clone()
    with torch.no_grad():
        assert estimator(model, model.sample(4), 2).shape == (4,)
    assert torch.equal(estimator.log_step, step) and HMCOnTop(2, 5).num_evaluations == 13
    for options, message in (({"num_steps": 0}, "num_steps must be at least 1"), ({"step_size": -1}, "positive")):
        with pytest.raises(ValueError, match=message):
            HMCOnTop(**{"num_steps": 1} | options)


# ------------------------------------------------------------------------------------------------ the KL of samples


@pytest.fixture(scope="module")
def table():
    vae = exact.frozen_vae()
    return exact.quadrature(vae, load("digits", "test", protocol="fixed").realise()[:4].double(), num_points=321)


def test_against_densities_that_are_known(table):
    """Gaussians about the posterior: the KL of their own histogram, by quadrature within its cells."""
    mean = table.expectation(table.z[:, None])
    sd = (table.expectation(table.z[:, None] ** 2) - mean**2).sqrt()
    cell = torch.arange(321) // 3
    cell = (cell[:, None] * 107 + cell).flatten()  # of each node, 107 along an axis

    def histogram(log_mass):
        return log_mass.new_zeros(107**2, 4).index_add_(0, cell, log_mass.exp())

    p = histogram(table.log_mass)
    for factor in (0.8, 1.3):
        q = td.Independent(td.Normal(mean, factor * sd), 1)
        mass = histogram(q.log_prob(table.z[:, None]) + table.log_cell)
        exact_kl = torch.where(mass > 0, mass * (mass.log() - p.log()), 0.0).sum(0)
        torch.manual_seed(0)
        estimate = kl_of_samples(table, q.sample((100_000,)))
        # Four standard errors of a mean of log q / p, and the rule's error within a cell.
        torch.testing.assert_close(estimate, exact_kl, rtol=0.02, atol=0.01)
        assert (exact_kl <= table.kl(q) + 1e-6).all()  # cells see less than densities


def test_samples_of_the_posterior_itself(table):
    """What is left is less than what the correction takes off, (cells in use - 1) / 2n."""
    generator = torch.Generator().manual_seed(0)
    nodes = torch.multinomial(table.log_mass.exp().T, 50_000, replacement=True, generator=generator)  # [B, S]
    kl = kl_of_samples(table, table.z[nodes].movedim(1, 0))
    in_use = torch.tensor([len((row // 321 // 3 * 107 + row % 321 // 3).unique()) for row in nodes])
    assert (kl.abs() < (in_use - 1) / (2 * 50_000)).all()


def test_arguments_of_kl_of_samples(table):
    with pytest.raises(ValueError, match="nodes_per_cell must be odd, and is 2"):
        kl_of_samples(table, torch.zeros(5, 4, 2), 2)
    with pytest.raises(ValueError, match=r"z must be \[S, 4, 2\], samples for the table's data, and is \[5, 3, 2\]"):
        kl_of_samples(table, torch.zeros(5, 3, 2))
