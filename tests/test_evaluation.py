"""Evaluation: importance sampling against exact answers, its law whatever the chunks, and how it runs."""

import math

import pytest
import torch
from cases import all_tuples, linear_gaussian_model, neural_model, two_state, z_scores
from torch import nn

from vaecourse.estimators import pathwise
from vaecourse.evaluation import importance_log_likelihood, mean_bound
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal, quadrature
from vaecourse.objectives import iwae

F64 = torch.float64
CHUNKS = [1, 2, 3, 4, 7, 100_000]


@pytest.mark.parametrize("chunk_size", CHUNKS)
def test_exact_proposal_has_no_error(chunk_size):
    """With q = p(z|x) every weight is p(x): the answer is exact and every sample counts."""
    model, x = linear_gaussian_model(), torch.randn(5, 3, dtype=F64)
    estimate = importance_log_likelihood(model, x, num_samples=7, chunk_size=chunk_size)
    torch.testing.assert_close(
        estimate.log_px, linear_gaussian_marginal(model).log_prob(x).detach(), rtol=0, atol=1e-10
    )
    torch.testing.assert_close(estimate.ess, torch.full((5,), 7.0, dtype=F64), rtol=0, atol=1e-9)


@pytest.fixture(scope="module", params=CHUNKS)
def two_state_estimates(request):
    """3 samples for each of 20,000 copies of x = 1, whatever the chunk size."""
    chunk_size = request.param
    num_data = 20_000 if chunk_size > 1000 else 1000
    torch.manual_seed(0)
    return importance_log_likelihood(two_state(), torch.ones(num_data, 1, dtype=F64), 3, chunk_size)


def test_unbiased_in_the_weight(two_state_estimates):
    """E p^(x) = p(x) = 0.4: one z-score, above 4 with probability 6e-5."""
    assert z_scores(two_state_estimates.log_px.exp(), torch.tensor(0.4, dtype=F64)).abs() < 4


def test_law_does_not_depend_on_the_chunks(two_state_estimates):
    """Its expectation is L_3, and it takes the four values that three weights of 0.6 or 0.2 can have."""
    draw, mass = all_tuples(two_state(), 3)
    assert z_scores(two_state_estimates.log_px, (mass * iwae(draw)).sum()).abs() < 4
    values = [math.log((0.6 * i + 0.2 * (3 - i)) / 3) for i in range(4)]
    distance = (two_state_estimates.log_px[:, None] - torch.tensor(values, dtype=F64)).abs()
    assert distance.min(1).values.max() < 1e-12
    frequencies = (distance < 1e-12).double()
    expected = torch.tensor([1, 3, 3, 1], dtype=F64) / 8
    assert z_scores(frequencies, expected).abs().max() < 4


def test_effective_sample_size_by_hand(two_state_estimates):
    """(sum w)^2 / sum w^2 of the same weights."""
    for i in range(4):
        weights = torch.tensor([0.6] * i + [0.2] * (3 - i), dtype=F64)
        here = (two_state_estimates.log_px - weights.mean().log()).abs() < 1e-12
        assert here.any()
        expected = weights.sum() ** 2 / weights.square().sum()
        torch.testing.assert_close(two_state_estimates.ess[here], expected.expand(int(here.sum())))


def test_converges_to_the_evidence():
    """10,000 samples of a poor q: the error is a delta-method standard error, sqrt((M / ess - 1) / M)."""
    model = neural_model()
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    torch.manual_seed(0)
    estimate = importance_log_likelihood(model, x, 10_000)
    assert (estimate.ess < 9_900).any() and (estimate.ess > 100).all()
    se = ((10_000 / estimate.ess - 1) / 10_000).sqrt()
    assert ((estimate.log_px - quadrature(model, x).log_px).abs() < 4 * se + 1e-9).all()


def test_single_precision_weights_are_summed_in_double():
    model, x = linear_gaussian_model(), torch.randn(5, 3, dtype=F64)
    estimate = importance_log_likelihood(model.float(), x.float(), 50, 7)
    assert estimate.log_px.dtype == estimate.ess.dtype == F64
    # Each log-weight has float32's rounding of sums of size 10, about 1e-6 relative.
    exact = linear_gaussian_marginal(model.double()).log_prob(x).detach()
    torch.testing.assert_close(estimate.log_px, exact, rtol=1e-5, atol=1e-4)


def test_weights_beyond_floating_point():
    """A datum of 10,000 nats: exp of a weight is zero in any precision, its logarithm is not."""
    model = linear_gaussian_model()
    x = torch.full((1, 3), 300.0, dtype=F64)
    log_px = linear_gaussian_marginal(model).log_prob(x).detach()
    assert log_px < -10_000
    torch.testing.assert_close(importance_log_likelihood(model, x, 8, 3).log_px, log_px, rtol=1e-10, atol=0)


class Spy(nn.Module):
    """A posterior that notes how it is called."""

    def __init__(self, posterior):
        super().__init__()
        self.posterior, self.seen = posterior, []

    def forward(self, c=None):
        self.seen.append((len(c), torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return self.posterior(c)


@pytest.mark.parametrize("chunk_size", [2, 5, 12, 1000])
def test_one_q_for_all_chunks_and_never_inference_mode(chunk_size):
    """Every datum meets the encoder once, under no_grad: a q may need gradients of its own inside."""
    model = neural_model()
    model.posterior = spy = Spy(model.posterior)
    importance_log_likelihood(model, torch.ones(7, 3, dtype=F64), 5, chunk_size)
    assert sum(size for size, *_ in spy.seen) == 7
    assert {modes for _, *modes in map(tuple, spy.seen) for modes in [tuple(modes)]} == {(False, False)}


def test_chunks_bound_what_is_decoded_at_once():
    model = neural_model()
    sizes = []
    model.likelihood.register_forward_pre_hook(lambda module, args: sizes.append(args[0].shape[:-1].numel()))
    for num_samples, chunk_size in ((10, 3), (3, 10), (7, 7)):
        sizes.clear()
        importance_log_likelihood(model, torch.ones(7, 3, dtype=F64), num_samples, chunk_size)
        assert max(sizes) <= chunk_size and sum(sizes[1:]) == 7 * num_samples  # the first checks the support


@pytest.mark.parametrize("bad", [{"num_samples": 0}, {"num_samples": -3}, {"chunk_size": 0}])
def test_bad_arguments(bad):
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=f"{name} must be at least 1, and is {value}"):
        importance_log_likelihood(neural_model(), torch.ones(2, 3, dtype=F64), **bad)


def test_data_outside_the_support_are_refused():
    with pytest.raises(ValueError, match=r"Bernoulli on 0 and 1, and has values such as 0\.5"):
        importance_log_likelihood(neural_model(), torch.full((2, 3), 0.5, dtype=F64))


def test_mean_bound():
    """Mean and standard error over data, whatever the batches."""
    values = torch.tensor([1.0, 2.0, 4.0, 9.0], dtype=F64)
    model = linear_gaussian(torch.ones(1, 1, dtype=F64), torch.zeros(1, dtype=F64), 1.0)
    for batch_size in (1, 3, 4, 10):
        mean, se = mean_bound(model, lambda model, x: x[:, 0], values[:, None], batch_size)
        assert mean == pytest.approx(4.0, abs=1e-12)
        assert se == pytest.approx(math.sqrt(((values - 4) ** 2).sum().item() / 3 / 4), abs=1e-12)


@pytest.mark.parametrize("evaluate", [importance_log_likelihood, lambda model, x: mean_bound(model, pathwise, x)])
def test_data_without_a_batch_axis_or_a_density_are_refused(evaluate):
    """One datum without its batch axis would be taken for a batch of pixels, and give a number for each."""
    model = neural_model()
    with pytest.raises(ValueError, match=r"x must be \[B, D\] with a batch axis, x\[None\] for one datum; got \[3\]"):
        evaluate(model, torch.ones(3, dtype=F64))
    with pytest.raises(ValueError, match=r"Bernoulli on 0 and 1, and has values such as 0\.5"):
        evaluate(model, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.5, 1.0]], dtype=F64))


def test_checking_uses_no_noise_of_the_callers():
    model, x = neural_model(), torch.ones(2, 3, dtype=F64)
    before = torch.get_rng_state()
    mean_bound(model, lambda model, x: x[:, 0], x)
    assert torch.equal(torch.get_rng_state(), before)
