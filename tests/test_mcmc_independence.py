"""Kernels with a proposal of their own, and mixtures of kernels: moments, the stuck chain, the generator."""

import math

import pytest
import torch
import torch.distributions as td
from cases import z_scores

from vaecourse.mcmc import hmc, independence, mala, mixed, random_walk_metropolis, sample

F64 = torch.float64


def gaussian(scale, dim=1, loc=0.0):
    return td.Independent(td.Normal(torch.full((dim,), loc, dtype=F64), scale), 1)


def two_modes(z):
    """0.4 N(-3, 1/2) + 0.6 N(3, 1/2), by their standard deviations."""
    parts = [td.Normal(m, 0.5).log_prob(z[..., 0]) + math.log(p) for m, p in ((-3.0, 0.4), (3.0, 0.6))]
    return torch.logaddexp(*parts)


def seed(number=0):
    return torch.Generator().manual_seed(number)


KERNELS = {
    "independence": lambda target, wide: independence(target, wide),
    "with HMC": lambda target, wide: mixed(
        [independence(target, wide, gradient=True), hmc(target, 0.3, 5)], [0.5, 0.5]
    ),
    "with a walk": lambda target, wide: mixed(
        [independence(target, wide), random_walk_metropolis(target, 0.8)], [0.3, 0.7]
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_both_modes_have_their_mass(name):
    """Four hundred chains, each looked at once, after 150 steps: independent draws of the target."""
    kernel = KERNELS[name](two_modes, gaussian(4.0))
    ends = sample(kernel, torch.full((400, 1), -3.0, dtype=F64), 150, generator=seed()).position[-1, :, 0]
    right = (ends > 0).double()
    assert abs(z_scores(right, 0.6)) < 4
    assert abs(z_scores(ends[ends > 0], 3.0)) < 4 and abs(z_scores(ends[ends < 0], -3.0)) < 4


def test_a_proposal_of_one_mode_is_stuck_and_looks_well():
    """Almost every proposal is accepted, and no chain ever sees the other mode."""
    kernel = independence(two_modes, gaussian(0.55, loc=3.0))
    positions, info = sample(kernel, torch.full((100, 1), 3.0, dtype=F64), 200, generator=seed())
    assert info.accepted.double().mean() > 0.85
    assert positions.min() > 0


def test_the_target_itself_is_always_accepted():
    target = gaussian(1.3, 2)
    info = sample(independence(target.log_prob, target), torch.zeros(50, 2, dtype=F64), 5, generator=seed()).info
    assert info.accepted.all()
    torch.testing.assert_close(info.log_ratio, torch.zeros(5, 50, dtype=F64), rtol=0, atol=1e-12)  # rounding


def test_a_proposal_for_each_datum():
    """Chains [S, B, L] with a proposal of batch [B]."""
    q = td.Independent(td.Normal(torch.tensor([[0.0], [100.0]], dtype=F64), 1.0), 1)
    kernel = independence(q.log_prob, q)
    positions = sample(kernel, torch.tensor([[0.0], [100.0]], dtype=F64).expand(30, 2, 1), 3, generator=seed()).position
    assert (positions[..., 0, :].abs() < 10).all() and ((positions[..., 1, :] - 100).abs() < 10).all()
    with pytest.raises(ValueError, match=r"ends with the proposal's batch, \[2\], and has shape \[30, 3, 1\]"):
        kernel.init(torch.zeros(30, 3, 1, dtype=F64))


def test_randomness_comes_from_the_generator():
    before = torch.get_rng_state()
    for make in KERNELS.values():
        kernel = make(two_modes, gaussian(4.0))
        runs = [sample(kernel, torch.zeros(9, 1, dtype=F64), 9, generator=seed(s)).position for s in (0, 0, 1)]
        assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_work_is_counted():
    fresh = independence(two_modes, gaussian(4.0), gradient=True)
    info = sample(
        mixed([fresh, hmc(two_modes, 0.3, 5)], [0.5, 0.5]), torch.zeros(3, 1, dtype=F64), 40, generator=seed()
    ).info
    assert set(info.num_gradients.tolist()) == {1, 5} and torch.equal(info.num_densities, info.num_gradients)


@pytest.mark.parametrize(
    ("kernels", "weights", "message"),
    [(1, [1.0], "at least two"), (2, [1.0], "got 2 and 1"), (2, [0.5, 0.6], "sum to one"), (2, [0.0, 1.0], "positive")],
)
def test_wrong_mixtures(kernels, weights, message):
    with pytest.raises(ValueError, match=message):
        mixed([mala(two_modes, 0.3)] * kernels, weights)
