"""The linear VAE at its optimum: stationary, as good as the model says, pPCA, and reverse water-filling."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import z_scores
from scipy.optimize import minimize
from test_exact import linear_gaussian_elbo

from vaecourse import data
from vaecourse.em import ProbabilisticPCA
from vaecourse.estimators import analytic_kl
from vaecourse.exact import linear_gaussian_marginal, linear_vae
from vaecourse.posteriors import DiagonalGaussian

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)
SETTINGS = [(0.1, 0.7, 6), (1.0, 0.7, 6), (1.0, 0.7, 2), (3.0, 0.7, 6), (0.4, 1.3, 3), (100.0, 1.0, 4)]
every_setting = pytest.mark.parametrize(("beta", "scale", "num_latents"), SETTINGS)


def random_covariance(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=generator, dtype=F64)
    return root @ torch.diag(torch.linspace(1.5, 0.1, size, dtype=F64)) @ root.T / size


def data_with_covariance(covariance, num_data, mean=0.0):
    """Data whose sample mean and covariance (over N) are these, to rounding."""
    x = torch.randn(num_data, len(covariance), dtype=F64, generator=torch.Generator().manual_seed(1))
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x / num_data), x.T, upper=False).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def case(beta, scale, num_latents):
    covariance, mean = random_covariance(6), torch.arange(6, dtype=F64)
    best = linear_vae(covariance, num_latents, beta, scale, mean)
    return best, best.model(), data_with_covariance(covariance, 50, mean)


def beta_bound(model, x, beta):
    """E_q log p(x|z) - beta KL in closed form, [B]: the bound, with the rest of the KL taken off."""
    q = model.posterior(x)
    return linear_gaussian_elbo(model, x, q) + (1 - beta) * td.kl_divergence(q, model.prior())


@every_setting
def test_the_gradient_is_zero(beta, scale, num_latents):
    """By autograd, for every parameter of both networks, on data with exactly this covariance."""
    _, model, x = case(beta, scale, num_latents)
    parameters = [*model.likelihood.net.parameters(), *model.posterior.net.parameters()]
    gradient = torch.autograd.grad(beta_bound(model, x, beta).mean(), parameters)
    assert max(part.abs().max() for part in gradient) < 1e-9 * max(1, beta)


@every_setting
def test_it_is_a_maximum(beta, scale, num_latents):
    """No small step in a random direction of all parameters goes up: not a saddle, as every smaller set of PCs is."""
    best, _, x = case(beta, scale, num_latents)
    torch.manual_seed(0)
    for _ in range(100):
        near = best.model()
        with torch.no_grad():
            for parameter in near.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
            assert beta_bound(near, x, beta).mean() < best.bound


def test_a_latent_on_a_lesser_direction_is_a_saddle():
    """The test before can fail: with the second direction in place of the first the gradient is zero too."""
    best, _, x = case(1.0, 0.7, 1)
    worse = linear_vae(
        best.eigenvectors[:, 1:] * best.eigenvalues[1:] @ best.eigenvectors[:, 1:].T, 1, 1.0, 0.7
    ).model()
    with torch.no_grad():
        worse.likelihood.net.bias.copy_(best.mean)
        worse.posterior.net.bias[0] = -worse.posterior.net.weight[0] @ best.mean
    parameters = list(worse.parameters())
    gradient = torch.autograd.grad(beta_bound(worse, x, 1.0).mean(), parameters)
    assert max(part.abs().max() for part in gradient) < 1e-9
    at = beta_bound(worse, x, 1.0).mean()
    with torch.no_grad():
        worse.likelihood.net.weight.add_(0.05 * best.eigenvectors[:, :1])
        worse.posterior.net.weight[:1].add_(0.05 * best.eigenvectors[:, :1].T)
        worse.posterior.net.bias[:1].sub_(0.05 * best.eigenvectors[:, 0] @ best.mean)
    assert beta_bound(worse, x, 1.0).mean() > at


@every_setting
def test_every_number_is_the_models(beta, scale, num_latents):
    best, model, x = case(beta, scale, num_latents)
    q = model.posterior(x)
    kl = td.kl_divergence(q.base_dist, model.prior().base_dist).mean(0)  # [L]
    torch.testing.assert_close(kl, best.rates[:num_latents], **EXACT)
    assert (best.rates[num_latents:] == 0).all() and best.rate == pytest.approx(kl.sum().item(), abs=1e-10)
    elbo = linear_gaussian_elbo(model, x, q).mean().item()
    assert best.elbo == pytest.approx(elbo, abs=1e-10)
    assert best.distortion == pytest.approx(-elbo - kl.sum().item(), abs=1e-10)
    assert best.bound == pytest.approx(beta_bound(model, x, beta).mean().item(), abs=1e-9)
    assert best.log_px == pytest.approx(linear_gaussian_marginal(model).log_prob(x).mean().item(), abs=1e-10)
    error = (x - model.likelihood.net(q.mean)) @ best.eigenvectors  # and what the spread of q adds to it
    spread = (best.eigenvectors.T @ model.likelihood.net.weight).square() @ q.variance[0]
    torch.testing.assert_close(error.square().mean(0) + spread, best.squared_errors, **EXACT)
    assert int(best.active.sum()) == min(num_latents, int((best.eigenvalues > beta * scale**2).sum()))


def test_the_sampled_bound_agrees():
    """One z-score, below 4, of the mean over 50 data in 2,000 runs of analytic_kl as training uses it."""
    best, model, _ = case(2.0, 0.5, 6)
    x = data_with_covariance(random_covariance(6), 50, best.mean)
    with torch.no_grad():
        torch.manual_seed(0)
        values = torch.stack([analytic_kl(model, x, 1, beta=2.0).mean() for _ in range(2000)])
    assert z_scores(values, torch.tensor(best.bound, dtype=F64)).abs() < 4


def test_with_the_best_scale_and_beta_one_it_is_ppca():
    """On the counts of the digits: sigma^2 is the mean of the eigenvalues left out, and the bound is tight."""
    x = data.load("digits", "valid").realise().double()
    ppca = ProbabilisticPCA.closed_form(x, 5)
    best = linear_vae(torch.cov(x.T, correction=0), 5, 1.0, math.sqrt(ppca.variance.item()), x.mean(0))
    weight = best.model().likelihood.net.weight
    torch.testing.assert_close(weight @ weight.T, ppca.weight @ ppca.weight.T, rtol=0, atol=1e-8)
    assert best.log_px == pytest.approx(ppca.log_likelihood(x).mean().item(), abs=1e-8)
    assert best.elbo == pytest.approx(best.log_px, abs=1e-9) == pytest.approx(best.bound, abs=1e-9)
    for factor in (0.99, 1.01):
        other = linear_vae(torch.cov(x.T, correction=0), 5, 1.0, factor * best.scale, x.mean(0))
        assert other.log_px < best.log_px


@pytest.mark.parametrize("beta", [0.05, 0.3, 1.0])
def test_no_code_has_a_smaller_error_at_this_rate(beta):
    """The rate-distortion function of the Gaussian (Cover & Thomas, 10.3.3) by a solver that knows nothing of water."""
    best = linear_vae(random_covariance(5), 5, beta, 0.9)
    log_variances, budget = best.eigenvalues.log().numpy(), best.squared_errors.sum().item()
    solved = minimize(
        lambda log_error: 0.5 * np.sum(log_variances - log_error),
        log_variances + np.log(budget / best.eigenvalues.sum().item()),
        jac=lambda log_error: np.full(5, -0.5),
        bounds=[(None, high) for high in log_variances],
        constraints={"type": "ineq", "fun": lambda e: budget - np.exp(e).sum(), "jac": lambda e: -np.exp(e)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert solved.success and best.rate == pytest.approx(solved.fun, abs=1e-6)
    np.testing.assert_allclose(best.squared_errors.numpy(), np.exp(solved.x), atol=1e-5)


def test_beta_and_sigma_are_one_knob():
    """Rates and squared errors see their product only; likelihoods tell them apart."""
    one, other = (linear_vae(random_covariance(6), 6, beta, scale) for beta, scale in ((1.0, 0.8), (4.0, 0.4)))
    torch.testing.assert_close(one.rates, other.rates, **EXACT)
    torch.testing.assert_close(one.squared_errors, other.squared_errors, **EXACT)
    assert one.rate > 1 and abs(one.log_px - other.log_px) > 0.5


def test_the_staircase():
    """A latent dies exactly where its eigenvalue goes under, and with all of them dead x is noise around the mean."""
    eigenvalues = torch.tensor([0.5, 4.0, 1.0], dtype=F64)
    steps = {0.3: 3, 0.499: 3, 0.5: 2, 0.501: 2, 0.999: 2, 1.0: 1, 3.99: 1, 4.0: 0, 9.0: 0}
    for beta, number in steps.items():
        best = linear_vae(eigenvalues, 3, beta, 1.0)
        assert int(best.active.sum()) == number and torch.equal(best.active, best.eigenvalues > beta)
        assert int((best.rates > 0).sum()) == number
    assert best.rate == 0 and best.elbo == best.log_px
    assert best.log_px == pytest.approx(-0.5 * (5.5 + 3 * math.log(2 * math.pi)), abs=1e-12)
    weight = linear_vae(eigenvalues, 1, 1.0, 1.0).model().likelihood.net.weight
    torch.testing.assert_close(weight.abs(), torch.tensor([[0.0], [math.sqrt(3)], [0.0]], dtype=F64))


def test_the_model_trains_on():
    """It is one of the package: trainable, and its log-scales are the same for every x."""
    best, model, x = case(0.3, 0.7, 4)
    assert isinstance(model.posterior, DiagonalGaussian) and all(p.requires_grad for p in model.parameters())
    scale = model.posterior(x).base_dist.scale
    torch.testing.assert_close(scale, (best.water_level / best.eigenvalues[:4]).sqrt().clamp(max=1).expand(50, 4))
    assert model.draw(x, 3).log_w.shape == (3, 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0.0}, "beta must be a number above 0, and is 0.0"),
        ({"beta": math.nan}, "beta must be a number above 0, and is nan"),
        ({"scale": -1.0}, "scale must be a number above 0, and is -1.0"),
        ({"scale": math.inf}, "scale must be a number above 0, and is inf"),
        ({"num_latents": 0}, r"num_latents must be in 1\.\.3, the dimensions of the data, and is 0"),
        ({"num_latents": 4}, r"num_latents must be in 1\.\.3, the dimensions of the data, and is 4"),
        ({"mean": torch.zeros(2)}, r"mean must have shape \[3\], and has \[2\]"),
        ({"mean": torch.full((3,), torch.nan)}, r"mean must be finite, and holds a NaN"),
        (
            {"covariance": torch.ones(3, 2)},
            r"covariance must be \[D, D\], or its eigenvalues \[D\], and has shape \[3, 2",
        ),
        ({"covariance": torch.ones(3, 3).triu()}, "covariance must be symmetric, and is not"),
        ({"covariance": torch.tensor([1.0, 0.5, -0.5])}, "covariance must have no eigenvalue below 0, and has -0.5"),
        (
            {"covariance": torch.tensor([1.0, 0.5, torch.nan])},
            "covariance must be finite, and holds a NaN or an infinity",
        ),
        ({"covariance": torch.tensor([1, 2, 3])}, "covariance must hold real numbers, and is of type torch.int64"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        linear_vae(**{"covariance": torch.ones(3), "num_latents": 2, **arguments})


def test_a_covariance_of_pixels_that_never_vary_is_one():
    """Eigenvalues that should be zero come out as -1e-16 times the largest."""
    best = linear_vae(torch.cov(data.load("digits", "valid").realise().double().T), 64)
    assert best.eigenvalues[-1] >= 0 and not best.active[-1] and math.isfinite(best.log_px)
