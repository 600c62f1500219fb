"""Geweke's test and simulation-based calibration: correct kernels pass, and every planted fault is found."""

import functools

import pytest
import torch
import torch.distributions as td
from scipy import stats
from torch import nn

from vaecourse.distributions import Conditional
from vaecourse.likelihoods import Gaussian
from vaecourse.mcmc import (
    geweke,
    hamiltonian,
    hmc,
    langevin,
    mala,
    metropolis,
    r_hat,
    random_walk_metropolis,
    simulation_based_calibration,
)
from vaecourse.priors import Fixed, StandardNormal

PASSES, FOUND = 1e-3, 1e-6  # a correct kernel's p-value lies above the first, by seeds that are fixed


class Wave(nn.Module):
    """A mean whose level sets are curved, so that posteriors bend: [.., 2] -> [.., 1].

    Its slopes are bounded, so that even a chain that climbs the energy stays within the floating-point numbers.
    """

    def forward(self, z):
        return z[..., :1] + (2 * z[..., 1:]).sin()


class NormalOfScale(Conditional):
    """Four observations with mean zero and the standard deviation z > 0: [.., 1] -> event [4]."""

    def forward(self, c=None):
        return td.Independent(td.Normal(torch.zeros(4).double(), c.expand(*c.shape[:-1], 4), validate_args=False), 1)


CURVED = StandardNormal(2).double(), Gaussian(Wave(), 0.5).double()
POSITIVE = Fixed(td.Independent(td.Gamma(torch.tensor([3.0]).double(), 2.0), 1)), NormalOfScale()

KERNELS = {
    "random walk": functools.partial(random_walk_metropolis, step_size=0.8),
    "MALA": functools.partial(mala, step_size=0.6),
    "HMC": functools.partial(hmc, step_size=0.4, num_leapfrog=3),
}


def curved(make_kernel):
    """The transition of a kernel on the posterior of the curved model."""
    prior, likelihood = CURVED

    def transition(z, x):
        kernel = make_kernel(lambda z: prior().log_prob(z) + likelihood(z).log_prob(x))
        return kernel.step(kernel.init(z))[0].position

    return transition


def positive(make_kernel, jacobian=True):
    """The transition of a kernel that moves u = log z, whose density is p(z, x) dz/du = p(z, x) z."""
    prior, likelihood = POSITIVE

    def transition(z, x):
        def log_density(u):
            log_joint = prior().log_prob(u.exp()) + likelihood(u.exp()).log_prob(x)
            return log_joint + u.sum(-1) if jacobian else log_joint

        kernel = make_kernel(log_density)
        return kernel.step(kernel.init(z.log()))[0].position.exp()

    return transition


# ------------------------------------------------------------------------------------------------ faults


correct_accept = metropolis.accept


def accept_worse(state, proposal, log_ratio, generator, cost):
    return correct_accept(state, proposal, -log_ratio, generator, cost)


def leapfrog_without_last_kick(log_density, state, momentum, step_size, num_steps):
    """Each step pushes the momentum before the move, by half a step, and not after it."""
    for _ in range(num_steps):
        momentum = momentum + 0.5 * step_size * state.gradient
        state = hamiltonian.with_gradient(log_density, state.position + step_size * momentum)
    return state, momentum


def euler(log_density, state, momentum, step_size, num_steps):
    """Position and momentum move at once, by whole steps: the volume of phase space grows."""
    for _ in range(num_steps):
        position = state.position + step_size * momentum
        momentum = momentum + step_size * state.gradient
        state = hamiltonian.with_gradient(log_density, position)
    return state, momentum


FAULTS = {
    "random walk, flipped sign": ("random walk", metropolis, "accept", accept_worse),
    "MALA, flipped sign": ("MALA", langevin, "accept", accept_worse),
    "HMC, flipped sign": ("HMC", hamiltonian, "accept", accept_worse),
    "MALA, proposal taken for symmetric": ("MALA", langevin, "_log_proposal", lambda to, state, eps: 0.0),
    "HMC, missing half step": ("HMC", hamiltonian, "leapfrog", leapfrog_without_last_kick),
    "HMC, Euler's rule": ("HMC", hamiltonian, "leapfrog", euler),
    "HMC, energy without momentum": ("HMC", hamiltonian, "_energy", lambda state, momentum: -state.log_density),
}


# ------------------------------------------------------------------------------------------------ the tests

# Enough for the subtlest fault (a missing half step, most of which the accept step repairs) at p < 1e-6 in both.
TESTS = {
    "Geweke": functools.partial(geweke, num_chains=20_000),
    "SBC": functools.partial(simulation_based_calibration, num_simulations=50_000),
}


@pytest.fixture(autouse=True)
def one_thread():
    """A step is too small to share: on a busy machine a second thread makes it ten times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=TESTS)
def p_value(request):
    """The p-value that a test gives a transition, with a fixed seed."""

    def run(model, transition, seed=0):
        with torch.random.fork_rng([], device_type="cpu"):
            torch.manual_seed(seed)
            return TESTS[request.param](*model, transition).p_value

    return run


@pytest.mark.parametrize("name", KERNELS)
def test_correct_kernels_pass(name, p_value):
    assert p_value(CURVED, curved(KERNELS[name])) > PASSES


@pytest.mark.parametrize("name", KERNELS)
def test_a_log_scale_passes_with_its_jacobian_only(name, p_value):
    assert p_value(POSITIVE, positive(KERNELS[name])) > PASSES
    assert p_value(POSITIVE, positive(KERNELS[name], jacobian=False)) < FOUND


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(fault, p_value, monkeypatch):
    kernel, module, name, wrong = FAULTS[fault]
    assert hasattr(module, name)
    monkeypatch.setattr(module, name, wrong)
    assert p_value(CURVED, curved(KERNELS[kernel])) < FOUND


def test_z_scores_are_those_of_the_differences():
    """Written out for three steps with the same random numbers: a mean over its standard error, no more and no less."""
    prior, likelihood = CURVED

    def joint():
        z = prior().sample((400,))
        return z, likelihood(z).sample()

    def five(z, x):
        return torch.cat([z, x, z.square()], -1)

    torch.manual_seed(2)
    z, x = joint()
    total = 0.0
    for _ in range(3):
        z = 0.9 * z
        x = likelihood(z).sample()
        total = total + five(z, x) - five(*joint())
    expected = total.mean(0) / (total.std(0) / 20)  # the root of 400 chains; a mean over steps cancels
    torch.manual_seed(2)
    result = geweke(*CURVED, lambda z, x: 0.9 * z, num_chains=400, num_steps=3, statistics=five)
    torch.testing.assert_close(result.z_scores, expected.detach())


def test_p_values_are_those_of_their_statistics():
    """Two-sided normal tails for Geweke's test, and Bonferroni's factor, the number of statistics, for both."""
    torch.manual_seed(1)
    joint = geweke(*CURVED, curved(KERNELS["MALA"]), num_chains=500)
    assert joint.p_value == pytest.approx(
        min(1.0, len(joint.z_scores) * 2 * stats.norm.sf(joint.z_scores.abs().max().item())), rel=1e-9
    )
    wrong = geweke(*CURVED, lambda z, x: z + 0.02, num_chains=500)  # small, so that the factor is not cut at 1
    expected = len(wrong.z_scores) * 2 * stats.norm.sf(wrong.z_scores.abs().max().item())
    assert expected < 0.5 and wrong.p_value == pytest.approx(expected, rel=1e-9)
    ranked = simulation_based_calibration(*CURVED, lambda z, x: z + 0.02, num_simulations=500)
    assert ranked.p_value == pytest.approx(min(1.0, 3 * ranked.p_values.min().item()), rel=1e-9)
    assert 3 * ranked.p_values.min() < 1


def test_ranks_of_a_kernel_that_ignores_the_data():
    """It draws z from the prior, averages over data to the right law, and is found by the log-likelihood alone."""
    prior, likelihood = CURVED
    torch.manual_seed(0)
    result = simulation_based_calibration(prior, likelihood, lambda z, x: prior().sample(z.shape[:1]))
    assert result.p_values[:2].min() > PASSES
    assert result.p_values[2] < FOUND


def test_draws_an_ulp_from_the_truth_are_ties():
    torch.manual_seed(0)
    result = simulation_based_calibration(*POSITIVE, lambda z, x: z * (1 + 1e-15))
    assert result.p_value > PASSES


def test_a_kernel_that_does_not_move_is_invariant():
    """What the tests cannot see; R-hat can."""
    torch.manual_seed(0)
    assert geweke(*CURVED, lambda z, x: z).p_value > PASSES
    calibration = simulation_based_calibration(*CURVED, lambda z, x: z)
    assert calibration.p_value > PASSES
    still = torch.randn(1, 4, 2).expand(20, 4, 2) + 1e-3 * torch.randn(20, 4, 2)
    assert r_hat(still).min() > 2


def test_p_values_are_uniform():
    """The tests themselves: over many seeds the z-scores have variance one, and the p-values are uniform."""
    transition = curved(KERNELS["MALA"])
    torch.manual_seed(0)
    z_scores = torch.stack([geweke(*CURVED, transition, num_chains=1000, num_steps=5).z_scores for _ in range(100)])
    # A mean of 100 squared z-scores has standard deviation sqrt(2 / 100); nine dependent ones, at 4 of these.
    assert (z_scores.square().mean(0) - 1).abs().max() < 4 * (2 / 100) ** 0.5
    assert z_scores.mean(0).abs().max() < 4 / 100**0.5
    calibrations = [
        simulation_based_calibration(*CURVED, transition, num_simulations=1000, num_draws=7).p_values
        for _ in range(100)
    ]
    p_values = torch.stack(calibrations).sort(0).values  # [100, 3]
    distance = (p_values - (torch.arange(100.0).double()[:, None] + 0.5) / 100).abs().max()
    assert (
        distance < 0.22
    )  # Kolmogorov-Smirnov: exceeded by a true law with probability 2 exp(-2 * 100 * 0.22^2) = 1e-4


def test_ranks_are_those_of_independent_draws():
    """With exact posterior draws in place of a chain: z and the noise of x = z + noise are both N(0, 1)."""
    prior, likelihood = StandardNormal(1).double(), Gaussian(nn.Identity(), 1.0).double()
    torch.manual_seed(0)
    exact = simulation_based_calibration(prior, likelihood, lambda z, x: x / 2 + 0.5**0.5 * torch.randn_like(z))
    wide = simulation_based_calibration(prior, likelihood, lambda z, x: x / 2 + 0.6**0.5 * torch.randn_like(z))
    assert exact.ranks.shape == (10_000, 2) and exact.ranks.min() == 0 and exact.ranks.max() == 15
    assert exact.p_value > PASSES
    for result in (exact, wide):
        expected = [stats.chisquare(column.bincount(minlength=16)).pvalue for column in result.ranks.T]
        assert result.p_values.tolist() == pytest.approx(expected, rel=1e-6)
    counts = wide.ranks[:, 0].bincount().double()
    assert wide.p_value < FOUND and counts[7:9].mean() > counts[[0, 15]].mean()  # too wide: the truth is central


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: geweke(*CURVED, lambda z, x: z, num_chains=1), "num_chains must be at least 2, and is 1"),
        (lambda: geweke(*CURVED, lambda z, x: z, num_steps=0), "num_steps must be at least 1, and is 0"),
        (lambda: geweke(*CURVED, lambda z, x: z / 0), "a statistic is not finite"),
        (
            lambda: simulation_based_calibration(*CURVED, lambda z, x: z, num_simulations=79),
            "num_simulations must be at least 80, and is 79",
        ),
        (
            lambda: simulation_based_calibration(*CURVED, lambda z, x: z, num_draws=0),
            "num_draws must be at least 1, and is 0",
        ),
        (lambda: simulation_based_calibration(*CURVED, lambda z, x: z * torch.nan), "a statistic is not a number"),
    ],
)
def test_bad_input_is_refused(run, message):
    with pytest.raises(ValueError, match=message):
        run()
