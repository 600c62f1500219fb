"""The three gaps where each is known in closed form: the linear-Gaussian model with an encoder that sees too little."""

import math
import warnings

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model
from torch import Tensor, nn

from vaecourse import data
from vaecourse.distributions import Conditional
from vaecourse.estimators import pathwise
from vaecourse.evaluation import GapLedger, LocalOptimumWarning, gap_ledger, refit_encoder
from vaecourse.exact import linear_gaussian_marginal
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import DiagonalGaussian

F64 = torch.float64


class FirstPixel(nn.Module):
    """An affine encoder that reads one coordinate of x alone: too small for a posterior that depends on all."""

    def __init__(self, num_latents: int):
        super().__init__()
        self.affine = nn.Linear(1, 2 * num_latents)

    def forward(self, x: Tensor) -> Tensor:
        return self.affine(x[..., :1])


def with_affine(weight: Tensor, bias: Tensor) -> Conditional:
    """The encoder of the first pixel whose means and log-scales are weight x_1 + bias, each [2L]."""
    encoder = DiagonalGaussian(FirstPixel(len(bias) // 2).to(bias.dtype))
    with torch.no_grad():
        encoder.net.affine.weight.copy_(weight[:, None])
        encoder.net.affine.bias.copy_(bias)
    return encoder


class Exact:
    """The linear-Gaussian model on some data, with its three gaps by algebra.

    KL(N(m, S) || N(mu, M^-1)) with S diagonal is (sum_l (M_ll S_ll - log S_ll) - log det M - L) / 2 and a part
    (m - mu)' M (m - mu) / 2. The first is least at S_ll = 1 / M_ll, whatever m is. The second is least at m = mu, and
    for m affine in x_1, summed over the data, at the regression of mu on x_1: all its outputs share the regressor, so
    that M does not weigh.
    """

    def __init__(self, num_data: int = 40):
        self.model = linear_gaussian_model(seed=7)
        with torch.no_grad():
            self.x = linear_gaussian_marginal(self.model).sample((num_data,))
            exact = self.model.posterior(self.x)
            self.mu, self.precision = exact.mean, exact.precision_matrix[0]
            self.log_px = linear_gaussian_marginal(self.model).log_prob(self.x)
        diagonal = self.precision.diagonal()
        self.gap_1 = 0.5 * (diagonal.log().sum() - torch.logdet(self.precision)).item()
        ones = torch.stack([self.x[:, 0], torch.ones_like(self.x[:, 0])], 1)
        self.coefficients = torch.linalg.lstsq(ones, self.mu).solution  # [2, L]
        self.gap_2 = self.quadratic(ones @ self.coefficients - self.mu)  # [N]
        flat = torch.zeros_like(diagonal)
        self.best = with_affine(
            torch.cat([self.coefficients[0], flat]), torch.cat([self.coefficients[1], -0.5 * diagonal.log()])
        )

    def model_posterior(self) -> td.MultivariateNormal:
        return td.MultivariateNormal(self.mu, precision_matrix=self.precision)

    def quadratic(self, error: Tensor) -> Tensor:
        return 0.5 * ((error @ self.precision) * error).sum(-1)

    def encoder(self, shift: float, log_factor: float) -> tuple[Conditional, Tensor]:
        """An encoder off the best by a shift of its means and a factor of its scales, and its whole KL, [N]."""
        diagonal, ones = self.precision.diagonal(), torch.ones(len(self.mu[0]), dtype=F64)
        weight = torch.cat([self.coefficients[0], 0 * ones])
        bias = torch.cat([self.coefficients[1] + shift, -0.5 * diagonal.log() + log_factor])
        error = self.x[:, :1] * self.coefficients[0] + self.coefficients[1] + shift - self.mu
        scales = len(ones) * 0.5 * (math.exp(2 * log_factor) - 1 - 2 * log_factor)
        return with_affine(weight, bias), self.gap_1 + self.quadratic(error) + scales


@pytest.fixture(scope="module")
def exact():
    with torch.random.fork_rng([], device_type="cpu"):
        torch.manual_seed(3)
        return Exact()


def test_three_gaps_against_algebra(exact):
    """Each datum's gaps within 5 standard errors, and 2e-4 nats more for the local search (test_per_datum)."""
    exact.model.posterior, kl = exact.encoder(shift=0.3, log_factor=0.4)
    ledger = gap_ledger(
        exact.model, exact.x, exact.log_px, num_samples=4000, num_steps=800, num_fitted=16, refitted=exact.best
    )
    assert list(ledger.bounds) == ["best diagonal q", "refitted encoder", "encoder"]
    noise = sum(ledger.noise.values())
    gap_2, gap_3 = exact.gap_2, kl - exact.gap_1 - exact.gap_2
    for found, truth in (
        (ledger.approximation_gap, exact.gap_1),
        (ledger.encoder_gap, gap_2),
        (ledger.training_gap, gap_3),
    ):
        assert ((found - truth).abs() < 5 * noise + 2e-3).all()
        error = (found - truth).mean().abs()  # errors share the noise's seed, not the samples: they average out
        assert error < 5 * noise.square().sum().sqrt() / len(noise) + 2e-3
    assert exact.gap_1 > 0.05 and gap_2.mean() > 0.1 and gap_3.mean() > 0.1  # each is something to find
    assert (gap_3 < 0).any() and gap_3.mean() > 0  # negative for some, not on average over the data of the refit


def test_the_identity_holds_with_the_exact_divergence(exact):
    """Bounds in closed form: the three gaps add up to the KL that algebra gives as a whole."""
    _, kl = exact.encoder(shift=0.3, log_factor=0.4)
    bounds = {"best": exact.log_px - exact.gap_1, "refitted": exact.log_px - exact.gap_1 - exact.gap_2}
    bounds["encoder"] = exact.log_px - kl
    ledger = GapLedger(exact.log_px, bounds, {name: torch.zeros_like(kl) for name in bounds}, refitted="refitted")
    assert ledger.identity_error() < 1e-12 and ledger.identity_error(kl) < 1e-12
    assert ledger.identity_error(kl + 0.01) == pytest.approx(0.01)
    assert list(ledger.three) == ["gap 1: family", "gap 2: encoder", "gap 3: training"]
    torch.testing.assert_close(sum(ledger.three.values()), ledger.gap)
    torch.testing.assert_close(ledger.amortisation_gap, ledger.encoder_gap + ledger.training_gap)


def test_refitting_finds_the_best_encoder_of_its_size(exact):
    """The regression, from the spoilt encoder and from fresh weights, whose ends agree; the model is left alone.

    The tolerance on the mean bound is chosen: a hundredth of the gap that the refit is to measure.
    """
    model = LatentVariableModel(exact.model.prior, exact.model.likelihood, exact.encoder(0.3, 0.4)[0]).float()
    before = [parameter.clone() for parameter in model.parameters()]
    train = data.from_tensors(exact.x.float(), protocol="real")
    fresh = lambda: DiagonalGaussian(FirstPixel(2))  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("error", LocalOptimumWarning)
        fit = refit_encoder(model, train, num_epochs=800, fresh=fresh, learning_rate=0.03, num_scored=1000)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert list(fit.bounds) == ["encoder", "refitted", "fresh 1"]
    q = fit.posterior.double()(exact.x)
    diagonal = exact.precision.diagonal()
    kl = td.kl_divergence(td.MultivariateNormal(q.mean, scale_tril=q.stddev.diag_embed()), exact.model_posterior())
    best = exact.gap_1 + exact.gap_2.mean()
    assert -1e-9 < kl.mean() - best < 0.01 * exact.gap_2.mean()
    torch.testing.assert_close(q.variance.mean(0), 1 / diagonal, rtol=0.05, atol=0)
    assert fit.bounds["encoder"] < fit.bounds["refitted"] - 0.1 and not q.mean.requires_grad
    model.double()


def test_disagreeing_refits_are_reported(exact):
    """A fresh encoder that learns nothing (its network is constant) ends far below the other."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.values = nn.Parameter(torch.tensor([3.0, -3.0, 1.0, 1.0]))

        def forward(self, x):
            return self.values.detach().expand(len(x), 4) + 0 * self.values

    model = LatentVariableModel(exact.model.prior, exact.model.likelihood, exact.encoder(0.3, 0.4)[0]).float()
    train = data.from_tensors(exact.x.float(), protocol="real")
    with pytest.warns(LocalOptimumWarning, match="the best of 2 fits ended .* nats above the next"):
        fit = refit_encoder(model, train, num_epochs=2, fresh=lambda: DiagonalGaussian(Constant()))
    assert fit.bounds["fresh 1"] < fit.bounds["refitted"]
    model.double()
    with pytest.raises(ValueError, match="model must have an encoder, and its posterior is None"):
        refit_encoder(LatentVariableModel(model.prior, model.likelihood), train, num_epochs=1)


def test_the_default_bound_of_a_refit_takes_four_samples(exact):
    model = LatentVariableModel(exact.model.prior, exact.model.likelihood, exact.encoder(0.3, 0.4)[0]).float()
    shapes = set()
    model.likelihood.register_forward_pre_hook(
        lambda module, given: shapes.add((torch.is_grad_enabled(), *given[0].shape))
    )
    train = data.from_tensors(exact.x.float(), protocol="real")
    refit_encoder(model, train, num_epochs=1, num_scored=7)
    assert (True, 4, 40, 2) in shapes and (False, 7, 40, 2) in shapes
    refit_encoder(model, train, num_epochs=1, bound=lambda m, x: pathwise(m, x, 3), num_scored=7)
    assert (True, 3, 40, 2) in shapes
    model.double()


def test_the_algebra_is_torchs(exact):
    """What the other tests lean on."""
    encoder, kl = exact.encoder(0.3, 0.4)
    q = encoder(exact.x)
    full = td.MultivariateNormal(q.mean, scale_tril=q.stddev.diag_embed())
    torch.testing.assert_close(td.kl_divergence(full, exact.model_posterior()), kl)
