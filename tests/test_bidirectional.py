"""The sandwich: expectations by enumeration, unbiased on both sides, and as narrow as is promised."""

import importlib
import math

import pytest
import torch
from cases import linear_gaussian_model, neural_model, two_state, unadjusted, z_scores

from vaecourse import mcmc
from vaecourse.evaluation import adapt_path, bidirectional
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal
from vaecourse.posteriors import Scaled

F64 = torch.float64
ONE = torch.ones(())


def states(num_data):
    """x = 1 so many times, with z in the shares of the exact posterior, 3/4 and 1/4."""
    z = torch.eye(2, dtype=F64).repeat_interleave(torch.tensor([3 * num_data // 4, num_data // 4]), 0)
    return torch.ones(num_data, 1, dtype=F64), z


# Over z and the samples: sums of log weights 0.6 and 0.2 (and, of two, of log 0.4), times their probabilities.
EXPECTED = {1: (-1.060132, -0.785479), 2: (-0.988211, -0.850885)}


@pytest.mark.parametrize("num_chains", EXPECTED)
def test_two_state_model_by_enumeration(num_chains):
    """log p = -0.916291 between the two; four z-scores in all, one above 4 with probability 3e-4."""
    data = states(20_000)
    sandwich = bidirectional(two_state(), data, num_steps=1, num_chains=num_chains)
    lower, upper = EXPECTED[num_chains]
    assert z_scores(sandwich.lower.log_px, torch.tensor(lower, dtype=F64)).abs() < 4
    if num_chains == 1:  # nothing is drawn
        assert sandwich.upper.log_px.mean().item() == pytest.approx(upper, abs=1e-6)
    assert z_scores(sandwich.upper.log_px, torch.tensor(upper, dtype=F64)).abs() < 4
    assert lower < math.log(0.4) < upper
    assert sandwich.x is data[0] and sandwich.z is data[1]


def wide(num_data_dims=4, num_latents=3):
    """A linear-Gaussian model with a q that is too wide."""
    model = linear_gaussian_model(num_data_dims, num_latents)
    model.posterior = Scaled(model.posterior, 1.5)
    return model


@pytest.mark.parametrize("num_steps", [1, 5])
@pytest.mark.parametrize("start", ["prior", "posterior"])
@pytest.mark.parametrize("make_kernel", [None, mcmc.random_walk_metropolis])
def test_unbiased_on_both_sides(make_kernel, start, num_steps):
    """E p^ / p = 1 from below and E p / p^ = 1 from above, with kernels that mix badly; and the order in the mean."""
    # From the prior, weights have a variance where the posterior is not much narrower.
    model = wide() if start == "posterior" else linear_gaussian_model(2, 1, scale=1.5)
    options = dict(start=start, make_kernel=make_kernel, num_leapfrog=3, step_sizes=0.9)
    sandwich = bidirectional(model, 4000, num_steps, 3, **options, chunk_size=100_000)
    truth = linear_gaussian_marginal(model).log_prob(sandwich.x).detach()
    below, above = sandwich.lower.log_px - truth, truth - sandwich.upper.log_px
    for side in (below, above):
        assert z_scores(side.exp(), ONE).abs() < 5
        assert side.exp().std() / math.sqrt(4000) < 0.1
        assert side.mean() < -3 * side.std() / math.sqrt(4000)  # strictly: neither is exact here
        for excess in (0.5, 1.0, 2.0):
            share = (side > excess).double()
            assert share.mean() <= math.exp(-excess) + 4 * share.std() / math.sqrt(4000)


def test_the_test_of_bias_can_fail():
    """Kernels that keep no density, for they accept whatever is proposed: both sides are off."""

    model = linear_gaussian_model(2, 1, scale=1.5)
    sandwich = bidirectional(model, 4000, 5, 3, make_kernel=unadjusted(mcmc.random_walk_metropolis), step_sizes=0.9)
    truth = linear_gaussian_marginal(model).log_prob(sandwich.x).detach()
    assert z_scores((sandwich.lower.log_px - truth).exp(), ONE).abs() > 5
    assert z_scores(truth - sandwich.upper.log_px, 0 * ONE) > 5  # below, on average: no upper bound


def test_a_z_that_did_not_make_x_gives_no_upper_bound():
    model = linear_gaussian_model(2, 1, scale=0.5)
    right = bidirectional(model, 2000, 3, 3, step_sizes=0.1)
    truth = linear_gaussian_marginal(model).log_prob(right.x).detach()
    wrong = bidirectional(model, (right.x, right.z.flip(0)), 3, 3, step_sizes=0.1)
    assert z_scores(right.upper.log_px - truth, 0 * ONE) > 5 and z_scores(truth - wrong.upper.log_px, 0 * ONE) > 5


@pytest.mark.parametrize(("num_latents", "noise", "divisor", "num_steps"), [(2, 0.7, 1, 20), (10, 1.0, 2, 100)])
def test_narrow_at_a_quick_budget(num_latents, noise, divisor, num_steps):
    """Width at most 0.1 nat, from the prior, on 48 simulated data in two seconds; log p inside, within its noise."""
    generator = torch.Generator().manual_seed(0)
    num_dims = {2: 8, 10: 20}[num_latents]
    weight = torch.randn(num_dims, num_latents, generator=generator).double() / divisor
    model = linear_gaussian(weight, torch.zeros(num_dims, dtype=F64), noise)
    sandwich = bidirectional(model, 48, num_steps, 64, num_leapfrog=5)
    truth = linear_gaussian_marginal(model).log_prob(sandwich.x).detach()
    width = sandwich.width
    assert 0 < width.mean() and width.mean() + 2 * width.std() / math.sqrt(48) < 0.1
    for outside in (sandwich.lower.log_px - truth, truth - sandwich.upper.log_px):
        assert outside.mean() < 4 * outside.std() / math.sqrt(48)
    assert (sandwich.lower.se < 1).all() and sandwich.lower.khat.isfinite().all()


def test_both_sides_share_all_chains_but_one(monkeypatch):
    module, seen = importlib.import_module("vaecourse.evaluation.ais"), []
    right = module.from_log_weights
    monkeypatch.setattr(module, "from_log_weights", lambda log_w, cost: seen.append(log_w) or right(log_w, cost))
    few, many = (bidirectional(wide(), 200, 4, num, step_sizes=0.7, num_leapfrog=3) for num in (2, 5))
    assert torch.equal(few.x, many.x) and torch.equal(few.z, many.z)
    for lower, upper in zip(seen[::2], seen[1::2]):
        assert torch.equal(lower[1:], upper[1:]) and not (lower[0] == upper[0]).any()


def test_data_and_chains_come_from_the_seed():
    model = neural_model()
    state = torch.get_rng_state()
    first, second = (bidirectional(model, 5, 3, 4, seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(2)
    again = bidirectional(model, 5, 3, 4)
    assert torch.equal(again.x, first.x) and torch.equal(again.upper.log_px, first.upper.log_px)
    assert not torch.equal(first.z, second.z)
    assert first.x.shape == (5, 3) and first.z.shape == (5, 1)
    assert not first.upper.log_px.requires_grad


def test_own_data_and_step_sizes():
    """The same x and z, and step sizes found before: the same sandwich, less what finding them cost."""
    model = neural_model()
    whole = bidirectional(model, 5, 4, 6, num_leapfrog=2)
    found = adapt_path(model, whole.x, 4, num_leapfrog=2)
    given = bidirectional(model, (whole.x, whole.z), 4, 6, num_leapfrog=2, step_sizes=found.step_sizes)
    assert torch.equal(whole.lower.log_px, given.lower.log_px) and torch.equal(whole.upper.log_px, given.upper.log_px)
    assert whole.lower.num_evaluations == given.lower.num_evaluations + found.num_evaluations
    assert given.lower.num_evaluations == given.upper.num_evaluations == 6 * (3 * 3 + 1)


@pytest.mark.parametrize("chunk_size", [2, 9])
def test_chunks_bound_memory(chunk_size):
    model = neural_model()
    sizes = []
    model.likelihood.register_forward_pre_hook(lambda module, args: sizes.append(args[0].shape[:-1].numel()))
    bidirectional(model, 1, 3, 5, step_sizes=0.5, chunk_size=chunk_size)
    assert max(sizes) <= chunk_size


def test_discrete_latents_need_one_step():
    with pytest.raises(ValueError, match="hmc needs a continuous z, and that of OneHotCategorical is discrete"):
        bidirectional(two_state(), 3, 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (0, "how many to simulate, from 1, or a pair .* and is 0"),
        (True, "how many to simulate, from 1, or a pair .* and is True"),
        (torch.zeros(4, 3), r"how many to simulate, from 1, or a pair .* and is a tensor \[4, 3\]"),
        ((torch.zeros(4, 3), torch.zeros(3, 1)), "data must be x and z of the same length, and have 4 and 3"),
    ],
)
def test_refusals(data, message):
    with pytest.raises(ValueError, match=message):
        bidirectional(neural_model(), data)


def test_a_word_that_is_no_option():
    with pytest.raises(TypeError, match="temperature"):
        bidirectional(neural_model(), 3, temperature=1.0)
