"""Estimates of log p(x): what they say of their own error, against ArviZ, repetition and weights known by hand."""

import math

import pytest
import torch
from arviz_stats.base import array_stats
from cases import linear_gaussian_model, two_state, z_scores
from methods import METHODS
from torch import nn

from vaecourse.evaluation import importance_log_likelihood
from vaecourse.evaluation.estimate import RunningWeights, from_log_weights
from vaecourse.evaluation.pareto import tail_size
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal
from vaecourse.likelihoods import Gaussian
from vaecourse.posteriors import Scaled, StudentT

F64 = torch.float64


def log_weights(num_samples, num_data=20, seed=0):
    """Of N(0, s^2) as the proposal for N(0, 1), with s^2 from 0.13 (k = 0.87) to 2 (k = -1)."""
    noise = torch.randn(num_samples, num_data, dtype=F64, generator=torch.Generator().manual_seed(seed))
    return 0.5 * (1 - torch.linspace(0.13, 2, num_data, dtype=F64)) * noise.square()


@pytest.mark.parametrize("num_samples", [25, 100, 225, 226, 1000, 20_000])
def test_khat_against_arviz(num_samples):
    log_w = log_weights(num_samples)
    expected = [float(array_stats.psislw(-column.numpy())[1]) for column in log_w.T]  # it takes -log w
    khat = from_log_weights(log_w, 1).khat
    torch.testing.assert_close(khat, torch.tensor(expected, dtype=F64), rtol=1e-8, atol=1e-9)


def test_khat_is_the_tail_index():
    """k = 1 - s^2, on average over data; 300 in the tail of 10,000 and its prior blur it by less than 0.1."""
    for variance in (0.25, 0.5, 0.8):
        noise = torch.randn(10_000, 100, dtype=F64, generator=torch.Generator().manual_seed(1))
        khat = from_log_weights(0.5 * (1 - variance) * noise.square(), 1).khat
        assert abs(khat.mean() - (1 - variance)) < 0.1


@pytest.mark.parametrize("log_w", [log_weights(24), torch.full((100, 3), -7.0, dtype=F64), torch.zeros(1, 2)])
def test_khat_of_no_tail_is_not_a_number(log_w):
    assert from_log_weights(log_w, 1).khat.isnan().all()


def test_khat_of_rounding_errors_is_not_a_number():
    """An exact proposal: weights differ by rounding, in float32 by many roundings of float64."""
    for dtype in (torch.float32, F64):
        estimate = importance_log_likelihood(linear_gaussian_model().to(dtype), torch.randn(5, 3, dtype=dtype), 400)
        assert estimate.khat.isnan().all()


def test_khat_of_a_finite_model_is_not_a_number():
    """Two different weights, one of which fills the tail."""
    assert importance_log_likelihood(two_state(), torch.ones(5, 1, dtype=F64), 100).khat.isnan().all()


def test_weights_by_hand():
    """Weights 1, 2, 3: mean 2, standard deviation 1, so a relative standard error of 1 / (2 sqrt 3); ess 36 / 14."""
    log_w = torch.tensor([1.0, 2.0, 3.0], dtype=F64).log()[:, None] - 2000
    estimate = from_log_weights(log_w, 7)
    assert estimate.log_px.item() == pytest.approx(math.log(2) - 2000, abs=1e-10)
    assert estimate.se.item() == pytest.approx(1 / (2 * math.sqrt(3)), rel=1e-9)
    assert estimate.ess.item() == pytest.approx(36 / 14, rel=1e-9)
    assert estimate.num_evaluations == 7


def test_se_of_one_weight_is_not_a_number():
    assert from_log_weights(torch.zeros(1, 2), 1).se.isnan().all()


def test_se_is_the_spread_over_repetitions():
    """Of 4,000 estimates from 500 mild weights, whose standard deviation is known to 1 / sqrt(2 * 4000)."""
    model = linear_gaussian(torch.ones(1, 1, dtype=F64), torch.zeros(1, dtype=F64), 1.0)
    torch.manual_seed(0)
    x = torch.full((4000, 1), 0.7, dtype=F64)
    estimate = importance_log_likelihood(model, x, 500, 500_000, proposal=Scaled(model.posterior, 1.3))
    spread = estimate.log_px.std()
    assert abs(estimate.se.mean() / spread - 1) < 5 / math.sqrt(2 * 4000)


@pytest.mark.parametrize("chunk_size", [1, 3, 10, 64, 10_000])
def test_chunks_change_nothing(chunk_size):
    log_w = log_weights(1500)
    weights = RunningWeights(1500)
    for part in log_w.split(chunk_size):
        weights.add(part)
        assert sum(map(len, weights.largest)) <= max(2 * (tail_size(1500) + 1), len(part) + tail_size(1500) + 1)
    for chunked, whole in zip(weights.estimate(3), from_log_weights(log_w, 3)):
        torch.testing.assert_close(chunked, whole, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------------------------------ proposals


def test_tails_of_proposals():
    """On a Gaussian posterior: lighter tails have k = 1 - f^2, a Student t bounded weights, the right one no tail."""
    model = linear_gaussian(torch.ones(1, 1, dtype=F64), torch.zeros(1, dtype=F64), 1.0)
    x = torch.linspace(-2, 2, 100, dtype=F64)[:, None]
    exact = linear_gaussian_marginal(model).log_prob(x).detach()
    encoder = nn.Linear(1, 2, dtype=F64)  # to the posterior's mean x / 2 and standard deviation sqrt(1/2)
    encoder.weight.data = torch.tensor([[0.5], [0.0]], dtype=F64)
    encoder.bias.data = torch.tensor([0.0, -math.log(2) / 2], dtype=F64)
    torch.manual_seed(0)
    light = importance_log_likelihood(model, x, 10_000, 100_000, proposal=Scaled(model.posterior, 0.6))
    assert abs(light.khat.mean() - (1 - 0.36)) < 0.1
    heavy = importance_log_likelihood(model, x, 10_000, 100_000, proposal=StudentT(encoder, 5.0))
    assert (heavy.khat < 0.2).all() and (heavy.se < 0.01).all()
    assert z_scores((heavy.log_px - exact) / heavy.se, torch.zeros(1)).abs() < 4
    assert importance_log_likelihood(model, x, 1000).khat.isnan().all()


def test_a_distribution_is_no_proposal():
    model, x = linear_gaussian_model(), torch.zeros(2, 3, dtype=F64)
    with pytest.raises(ValueError, match=r"proposal must be a conditional, q\(z\|x\) as a function of x, and is"):
        importance_log_likelihood(model, x, 5, proposal=model.posterior(x))


def test_a_proposal_without_density_is_refused():
    torch.manual_seed(0)
    model = METHODS["adversarial"]().model
    with pytest.raises(ValueError, match="the proposal must have a density, and Pushed has none"):
        importance_log_likelihood(model, torch.zeros(2, 64), 5)


# ------------------------------------------------------------------------------------------------ no numbers


@pytest.mark.parametrize(("value", "what"), [(math.nan, "not a number"), (math.inf, "infinite")])
@pytest.mark.parametrize("chunk_size", [1, 4, 100])
def test_a_weight_that_is_no_number_is_named(value, what, chunk_size):
    """Averaged, it would be the answer of its datum, or of all."""

    class Faulty(Gaussian):
        def forward(self, c):
            px_z = super().forward(c)
            right = px_z.log_prob
            px_z.log_prob = lambda x: right(x) + torch.where(x[:, 0] == 3, value, 0.0)
            return px_z

    model = linear_gaussian_model()
    model.likelihood = Faulty(model.likelihood.net, 0.8).double()
    x = torch.arange(5, dtype=F64)[:, None].expand(-1, 3)
    with pytest.raises(ValueError, match=f"^log_w of datum 3 is {what}: look for what"):
        importance_log_likelihood(model, x, 4, chunk_size)


def test_weights_of_zero_count():
    """A sample where the joint density vanishes is a sample."""
    log_w = torch.tensor([[0.0, -math.inf], [-math.inf, -math.inf]], dtype=F64)
    estimate = from_log_weights(log_w, 2)
    assert estimate.log_px[0] == pytest.approx(-math.log(2)) and estimate.log_px[1] == -math.inf
    assert estimate.ess[0] == pytest.approx(1)
