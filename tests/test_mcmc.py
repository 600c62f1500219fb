"""Kernels against known moments, the leapfrog rule's geometry, adaptation, and the diagnostics against formulas."""

import functools
import math
import warnings

import pytest
import torch
import torch.distributions as td

from vaecourse.exact import frozen_vae
from vaecourse.mcmc import (
    adapt,
    effective_sample_size,
    hmc,
    leapfrog,
    mala,
    r_hat,
    random_walk_metropolis,
    sample,
    with_gradient,
)
from vaecourse.mcmc.diagnostics import KINDS

COVARIANCE = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.0, 0.3], [0.0, 0.3, 2.0]]).double()
MEAN = torch.tensor([1.0, -2.0, 0.5]).double()
PRECISION = COVARIANCE.inverse()

KERNELS = {
    "random walk": lambda log_density, scale: random_walk_metropolis(log_density, 1.2 * scale),
    "MALA": lambda log_density, scale: mala(log_density, 0.9 * scale),
    "HMC": lambda log_density, scale: hmc(log_density, 0.35 * scale, 4),
}


def standard(z):
    return -0.5 * z.square().sum(-1)


def correlated(z):
    return -0.5 * ((z - MEAN) * ((z - MEAN) @ PRECISION)).sum(-1)


def skewed(z):
    """A density in one dimension with two modes of different width and weight: neither odd nor even, nor Gaussian."""
    z = z[..., 0]
    return -0.5 * (z**2 - 1.0) ** 2 + 0.5 * z


def wavy(z):
    """A density in two dimensions that is not Gaussian, with curvature everywhere."""
    return -0.5 * z.square().sum(-1) + (2 * z[..., 0] - z[..., 1]).sin()


def seed(number=0):
    return torch.Generator().manual_seed(number)


def run(kernel, dim, num_chains=100, num_steps=600, burn_in=100):
    """Draws [T, C, L] after a burn-in that is long against the autocorrelation, from an overdispersed start."""
    generator = seed(1)
    start = 2 * torch.randn(num_chains, dim, generator=generator, dtype=torch.float64)
    return sample(kernel, start, num_steps, generator=generator).position[burn_in:]


def errors_in_se(draws, expected):
    """Deviations of means from what is expected, in Monte-Carlo standard errors by the effective sample size."""
    flat = draws.reshape(-1, draws.shape[-1])
    return (flat.mean(0) - expected) / (flat.std(0) / effective_sample_size(draws, "mean").sqrt())


# ------------------------------------------------------------------------------------------------ exactness


@pytest.mark.parametrize("name", KERNELS)
def test_moments_of_a_correlated_gaussian(name):
    draws = run(KERNELS[name](correlated, 0.7), 3)
    row, column = torch.triu_indices(3, 3)
    centred = draws - MEAN
    products = centred[..., row] * centred[..., column]
    z = torch.cat([errors_in_se(draws, MEAN), errors_in_se(products, COVARIANCE[row, column])])
    assert z.abs().max() < 4  # nine of them: by chance with probability 6e-4


@pytest.mark.parametrize("name", KERNELS)
def test_a_density_in_one_dimension_against_quadrature(name):
    draws = run(KERNELS[name](skewed, 0.6), 1)
    grid = torch.linspace(-6, 6, 2001).double()
    mass = skewed(grid[:, None]).softmax(0)

    def statistics(z):
        return torch.stack([z, z**2, z**3, (z < -1).double(), (z < 0).double(), (z < 1).double()], -1)

    assert errors_in_se(statistics(draws[..., 0]), mass @ statistics(grid)).abs().max() < 4


def test_shape_of_chains_is_free():
    """Chains [S, B, L] are those [S B, L], and a model's posterior is sampled for a batch at once."""
    z = torch.randn(3, 4, 2, generator=seed(), dtype=torch.float64)
    for make in KERNELS.values():
        kernel = make(wavy, 1.0)
        together = sample(kernel, z, 5, generator=seed(2))
        flat = sample(kernel, z.flatten(0, 1), 5, generator=seed(2))
        torch.testing.assert_close(together.position.flatten(1, 2), flat.position)
        torch.testing.assert_close(together.info.log_ratio.flatten(1, 2), flat.info.log_ratio)
    model, x = frozen_vae(), torch.ones(4, 64).double()
    kernel = hmc(functools.partial(model.log_joint, x), 0.1, 3)
    positions, info = sample(kernel, z, 2, generator=seed())
    assert positions.shape == (2, 3, 4, 2) and info.accepted.shape == (2, 3, 4) and not positions.requires_grad


def test_mala_is_hmc_of_one_leapfrog_step():
    z = torch.randn(50, 2, generator=seed(), dtype=torch.float64)
    langevin = sample(mala(wavy, 0.9), z, 20, generator=seed(3))
    hamiltonian = sample(hmc(wavy, 0.9, 1), z, 20, generator=seed(3))
    torch.testing.assert_close(langevin.position, hamiltonian.position, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(langevin.info.log_ratio, hamiltonian.info.log_ratio, rtol=1e-9, atol=1e-10)
    assert 0 < langevin.info.accepted.double().mean() < 1


def test_each_chain_may_have_its_step_size():
    z = torch.randn(2, 3, generator=seed(), dtype=torch.float64)
    sizes = torch.tensor([0.2, 0.7]).double()
    for make in KERNELS.values():
        both = make(standard, sizes).step(make(standard, sizes).init(z), seed(4))[1].proposal
        for row, size in enumerate(sizes.tolist()):
            one = make(standard, size).step(make(standard, size).init(z), seed(4))[1].proposal
            torch.testing.assert_close(both[row], one[row])


def test_work_is_counted():
    """Against a density that counts its own calls: every chain's evaluations, less the one of init."""
    calls = 0

    def counted(z):
        nonlocal calls
        calls += 1
        return standard(z)

    for kernel, gradients in [
        (random_walk_metropolis(counted, 0.5), 0),
        (mala(counted, 0.5), 1),
        (hmc(counted, 0.5, 7), 7),
    ]:
        calls = 0
        info = sample(kernel, torch.zeros(5, 2), 10).info
        assert info.num_densities.sum() == calls - 1
        assert info.num_gradients.tolist() == [gradients] * 10


def test_randomness_comes_from_the_generator():
    before = torch.get_rng_state()
    for make in KERNELS.values():
        first, again, other = (
            sample(make(wavy, 1.0), torch.zeros(9, 2), 9, generator=seed(s)).position for s in (0, 0, 1)
        )
        assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_info_describes_the_step():
    kernel = random_walk_metropolis(wavy, 1.5)
    state = kernel.init(torch.zeros(500, 2).double())
    after, info = kernel.step(state, seed())
    torch.testing.assert_close(info.log_ratio, wavy(info.proposal) - wavy(state.position))
    torch.testing.assert_close(info.acceptance, info.log_ratio.exp().clamp(max=1))
    assert torch.equal(after.position, torch.where(info.accepted[:, None], info.proposal, state.position))
    torch.testing.assert_close(after.log_density, wavy(after.position))


def test_a_proposal_outside_the_support_is_rejected():
    """A half-line, and a density that is not a number beyond it: the chain's law is the exponential's."""

    def exponential(z):
        return torch.where(z[..., 0] > 0, -z[..., 0], z[..., 0].log())  # the logarithm of a negative number

    draws = sample(
        random_walk_metropolis(exponential, 2.0), torch.ones(200, 1).double(), 400, generator=seed()
    ).position
    assert draws.min() > 0
    assert errors_in_se(torch.cat([draws, draws**2], -1)[50:], torch.tensor([1.0, 2.0])).abs().max() < 4


@pytest.mark.parametrize("make", [mala, functools.partial(hmc, num_leapfrog=2)])
def test_a_trajectory_that_overflows_is_rejected(make):
    kernel = make(lambda z: -(z[..., 0] ** 4), 1e30)
    state = kernel.init(torch.ones(3, 1))
    after, info = kernel.step(state, seed())
    assert torch.equal(after.position, state.position) and not info.accepted.any()
    assert torch.equal(info.acceptance, torch.zeros(3))


def test_single_precision_stays_single():
    for make in KERNELS.values():
        positions, info = sample(make(standard, torch.tensor(0.5, dtype=torch.float64)), torch.zeros(4, 2), 3)
        assert positions.dtype == info.log_ratio.dtype == torch.float32


# ------------------------------------------------------------------------------------------------ leapfrog


def trajectory(z, r, num_steps=12, step_size=0.3):
    state, r = leapfrog(wavy, hmc(wavy, 1.0, 1).init(z), r, step_size, num_steps)
    return state.position, r


def phase_points(num):
    return torch.randn(2, num, 2, generator=seed(5), dtype=torch.float64)


def test_leapfrog_is_reversible():
    z, r = phase_points(50)
    far, momentum = trajectory(z, r)
    back, reversed_momentum = trajectory(far, -momentum)
    assert (far - z).norm(dim=-1).median() > 0.5
    torch.testing.assert_close(
        back, z, rtol=0, atol=1e-11
    )  # rounding: 24 steps, each of some 1e-15, and what grows of it
    torch.testing.assert_close(-reversed_momentum, r, rtol=0, atol=1e-11)


def test_leapfrog_keeps_volume():
    """The Jacobian of (z, r) -> (z', r') by central differences has determinant one."""
    step = 1e-5
    offsets = step * torch.cat([torch.eye(4), -torch.eye(4)]).double()  # [8, 4]
    for z, r in zip(*phase_points(5)):
        start = torch.cat([z, r]) + offsets
        end = torch.cat(trajectory(start[:, :2], start[:, 2:]), -1)
        jacobian = (end[:4] - end[4:]).T / (2 * step)
        assert jacobian.diagonal().sub(1).abs().max() > 0.1  # far from the identity
        # Truncation is of order step^2 times third derivatives, rounding 1e-15 / step: 1e-8 with growth over 12 steps.
        assert abs(torch.linalg.det(jacobian).item() - 1) < 1e-6


def test_energy_error_of_leapfrog_is_of_second_order():
    """Over a fixed time, half the step size leaves a quarter of the error: of the first order it would be half."""

    def energy_error(num_steps):
        z, r = phase_points(200)
        end, momentum = trajectory(z, r, num_steps, 2.0 / num_steps)
        return (wavy(end) + standard(momentum) - wavy(z) - standard(r)).square().mean().sqrt()

    order = math.log2(energy_error(40) / energy_error(80))
    assert abs(order - 2) < 0.05  # the next term of the expansion is smaller by (0.05)^2 times the fourth derivatives


def test_hmc_returns_after_a_whole_period():
    """The trap that the docstring names: trajectories of length 2 pi on a standard Gaussian barely mix."""

    def bulk(length):
        kernel = hmc(standard, length / 40, 40)
        draws = sample(kernel, torch.randn(4, 1, generator=seed(), dtype=torch.float64), 200, generator=seed()).position
        return effective_sample_size(draws).item()

    assert bulk(2 * math.pi) < 50 < 400 < bulk(math.pi / 2)


# ------------------------------------------------------------------------------------------------ adaptation


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (random_walk_metropolis, 0.3),
        (mala, 0.574),
        (lambda log_density, eps: hmc(log_density, eps, 5), 0.8),
    ],
)
@pytest.mark.parametrize("start", [1e-3, 30.0])
def test_acceptance_reaches_its_target(make, target, start):
    made = functools.partial(make, correlated)
    z = torch.zeros(100, 3).double()
    warm = adapt(made, z, start, 300, target_acceptance=target, generator=seed())
    after = sample(warm.kernel, warm.state.position, 200, generator=seed(1)).info.acceptance.mean()
    # An average of log epsilon over 300 steps of 100 chains is good to some per cent, and acceptance moves by less.
    assert abs(after - target) < 0.04
    assert warm.step_size.shape == () and warm.step_sizes.shape == (300,) and warm.info.acceptance.shape == (300, 100)


def test_step_sizes_may_differ_by_datum():
    """Two targets, of standard deviation 1 and 10, for 50 chains each: the step sizes found are as 1 to 10."""
    scale = torch.tensor([1.0, 10.0]).double()[:, None]

    def log_density(z):  # [S, 2, L]
        return standard(z / scale)

    warm = adapt(
        lambda eps: hmc(log_density, eps, 4),
        scale * torch.randn(50, 2, 3, generator=seed(), dtype=torch.float64),
        torch.ones(2),
        400,
        target_acceptance=0.8,
        generator=seed(1),
    )
    assert warm.step_size.shape == (2,) and warm.step_sizes.shape == (400, 2)
    assert abs(math.log(warm.step_size[1] / warm.step_size[0] / 10)) < 0.1  # each is good to some per cent
    info = sample(warm.kernel, warm.state.position, 100, generator=seed(2)).info
    assert (info.acceptance.mean((0, 1)) - 0.8).abs().max() < 0.04


def test_dual_averaging_is_that_of_the_paper():
    """The recursion of Hoffman & Gelman's algorithm 5, written out for one chain, on the acceptances of the run."""
    warm = adapt(
        lambda eps: random_walk_metropolis(standard, eps), torch.zeros(1, 2).double(), 0.5, 50, target_acceptance=0.4
    )
    mean_error, log_average = 0.0, 0.0
    for m in range(1, 51):
        mean_error = (1 - 1 / (m + 10)) * mean_error + (0.4 - warm.info.acceptance[m - 1].item()) / (m + 10)
        log_step = math.log(10 * 0.5) - math.sqrt(m) / 0.05 * mean_error
        log_average = m**-0.75 * log_step + (1 - m**-0.75) * log_average
        if m < 50:
            assert warm.step_sizes[m].item() == pytest.approx(math.exp(log_step), rel=1e-9)
    assert warm.step_size.item() == pytest.approx(math.exp(log_average), rel=1e-9)


# ------------------------------------------------------------------------------------------------ diagnostics


def split_r_hat(z):
    """The root of the pooled over the within-chain variance, of draws [T, C] with each chain cut in half."""
    halves = torch.cat(z.chunk(2), 1)  # [T / 2, 2 C]
    n = len(halves)
    within, between = halves.var(0).mean(), n * halves.mean(0).var()
    return (((n - 1) / n * within + between / n) / within).sqrt()


def normal_ranks(z):
    ranks = z.flatten().argsort().argsort().reshape(z.shape) + 1.0
    return td.Normal(0.0, 1.0).icdf((ranks.double() - 0.375) / (z.numel() + 0.25))


@pytest.mark.parametrize("shift, scale", [(0.0, 1.0), (1.5, 1.0), (0.0, 4.0)])
def test_r_hat_is_that_of_the_paper(shift, scale):
    z = torch.randn(100, 4, generator=seed(), dtype=torch.float64)
    z[:, 0] = shift + scale * z[:, 0]  # one chain elsewhere, or wider
    expected = max(split_r_hat(normal_ranks(z)), split_r_hat(normal_ranks((z - z.median()).abs())))
    assert abs(r_hat(z[..., None]).item() - expected) < 0.01  # the median of an even number of draws differs a little
    assert (r_hat(z[..., None]).item() > 1.03) == (shift != 0 or scale != 1)


def autoregression(rho, num_steps, num_chains):
    """z' = rho z + noise with unit variance, [T, C]."""
    noise = torch.randn(num_steps, num_chains, generator=seed(6), dtype=torch.float64)
    z = torch.empty_like(noise)
    z[0] = noise[0]
    for t in range(1, len(z)):
        z[t] = rho * z[t - 1] + math.sqrt(1 - rho**2) * noise[t]
    return z


def test_effective_sample_size_of_an_autoregression():
    r"""z' = rho z + noise has autocorrelation rho^k, so that T C draws are worth (1 - rho) / (1 + rho) of them."""
    for rho in (0.0, 0.5, 0.9, -0.5):
        z = autoregression(rho, 2000, 8)
        expected = z.numel() * (1 - rho) / (1 + rho)
        for kind in ("mean", "bulk"):
            # The estimate's own error: about sqrt(4 M / N) for a window of M ~ 5 / (1 - rho) lags.
            tolerance = 4 * math.sqrt(4 * 5 / (1 - rho) / z.numel())
            assert effective_sample_size(z[..., None], kind).item() == pytest.approx(expected, rel=tolerance)
        assert effective_sample_size(z[..., None], "tail").item() > 0


def test_bulk_effective_sample_size_is_that_of_the_mean_of_normal_ranks():
    """Tails of a Cauchy's weight change the one by far and the other, which reads ranks, not at all."""
    z = autoregression(0.9, 1000, 4)
    ranks = torch.stack([normal_ranks(z)], -1)
    expected = effective_sample_size(ranks, "mean").item()
    heavy = z.sinh() ** 5
    assert effective_sample_size(heavy[..., None], "bulk").item() == pytest.approx(expected, rel=1e-6)
    assert abs(effective_sample_size(heavy[..., None], "mean").item() / expected - 1) > 0.2


def test_tail_effective_sample_size_is_that_of_the_5_and_95_per_cent_quantiles():
    """The lesser of the two for the indicators of lying below them; those of other quantiles differ by far more."""
    z = autoregression(0.9, 2000, 8)
    z = torch.where(z < 0, z, 3 * z)  # unlike tails
    below = torch.stack([(z <= z.quantile(level)).double() for level in (0.05, 0.95, 0.25)], -1)
    low, high, other = effective_sample_size(below, "mean").tolist()
    tail = effective_sample_size(z[..., None], "tail").item()
    assert tail == pytest.approx(min(low, high), rel=0.02)
    assert abs(other / tail - 1) > 0.1


@pytest.mark.parametrize("where", ["in one place", "each in its own", "at a large number"])
@pytest.mark.parametrize("diagnostic", ["R-hat", *KINDS])
def test_chains_that_never_move_have_no_diagnostic(diagnostic, where):
    """All stuck, and one stuck coordinate beside one that moves, whose number is the one it has alone."""
    call = r_hat if diagnostic == "R-hat" else functools.partial(effective_sample_size, kind=diagnostic)
    stuck = torch.zeros(100, 4, dtype=torch.float64)
    stuck += {"in one place": 0.0, "each in its own": torch.arange(4), "at a large number": 1e8}[where]
    name = "R-hat" if diagnostic == "R-hat" else "effective sample size"
    with pytest.warns(UserWarning, match=f"1 of 1 variables never move in any of the 4 chains: their {name} is NaN"):
        assert call(stuck[..., None]).isnan().tolist() == [True]
    with pytest.warns(UserWarning, match="1 of 1 variables never"):
        assert call(stuck).isnan()
    moving = torch.randn(100, 4, generator=seed(), dtype=torch.float64)
    with pytest.warns(UserWarning, match="1 of 2 variables never move"):
        both = call(torch.stack([moving, stuck], -1))
    assert both[1].isnan() and both[0] == call(moving) and both[0].isfinite()


def test_a_kernel_that_rejects_everything_has_no_effective_sample_size():
    """A step size far too long: 200 draws of nothing are worth nothing, and not 800."""
    positions, info = sample(random_walk_metropolis(standard, 1e6), torch.zeros(4, 2).double(), 200, generator=seed())
    assert not info.accepted.any()
    with pytest.warns(UserWarning, match="2 of 2 variables never move"):
        assert effective_sample_size(positions).isnan().all()


def test_one_chain_that_never_moves_shows_in_r_hat():
    z = torch.randn(100, 4, generator=seed(), dtype=torch.float64)
    z[:, 0] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert r_hat(z) > 1.1
        assert effective_sample_size(z).isfinite()


@pytest.mark.parametrize("name", KERNELS)
def test_each_position_belongs_to_its_info(name):
    """positions[t] is where step t led: its proposal where it was accepted, and else positions[t - 1]."""
    start = torch.randn(30, 2, generator=seed(), dtype=torch.float64)
    positions, info = sample(KERNELS[name](wavy, 1.5), start, 12, generator=seed(1))
    before = torch.cat([start[None], positions[:-1]])
    assert torch.equal(positions, torch.where(info.accepted[..., None], info.proposal, before))
    assert 0.1 < info.accepted.double().mean() < 0.97  # both happen
    assert not torch.equal(info.proposal[1:], info.proposal[:-1]) and positions.shape == (12, 30, 2)
    if name == "random walk":
        torch.testing.assert_close(info.log_ratio, wavy(info.proposal) - wavy(before))


def test_each_step_size_belongs_to_its_info():
    """step_sizes[t] is what step t tried, and the state is where the last step led."""
    scale = torch.tensor([1e-3, 2.0]).double()
    moves = []

    def make(eps):
        kernel = random_walk_metropolis(wavy, eps)

        def step(state, generator=None):
            moves.append((eps.clone(), state.position))
            return kernel.step(state, generator)

        return kernel._replace(step=step)

    warm = adapt(make, torch.zeros(2, 2).double(), scale, 20, target_acceptance=0.4, generator=seed())
    tried, before = (torch.stack(part) for part in zip(*moves))
    assert torch.equal(warm.step_sizes, tried)
    after = torch.where(warm.info.accepted[..., None], warm.info.proposal, before)
    assert torch.equal(after[:-1], before[1:]) and torch.equal(after[-1], warm.state.position)
    torch.testing.assert_close(warm.state.log_density, wavy(warm.state.position))
    torch.testing.assert_close(warm.step_sizes[0], scale)


def test_the_progress_bar_changes_nothing(capsys):
    quiet, shown = (
        sample(mala(wavy, 0.5), torch.zeros(3, 2), 4, generator=seed(), progress=p).position for p in (False, True)
    )
    assert torch.equal(quiet, shown)


def test_diagnostics_take_any_shape():
    z = torch.randn(50, 4, 3, 2, generator=seed())
    assert r_hat(z).shape == effective_sample_size(z, "tail").shape == (3, 2)
    torch.testing.assert_close(r_hat(z)[1, 0], r_hat(z[:, :, 1, 0]), check_dtype=False)
    assert r_hat(z).dtype == torch.float64


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_walk_metropolis(standard, 0.0), "step_size must be positive, and is 0.0"),
        (lambda: mala(standard, math.nan), "step_size must be positive, and is nan"),
        (lambda: hmc(standard, torch.tensor([0.1, -0.1]), 3), "step_size must be positive"),
        (lambda: hmc(standard, 0.1, 0), "num_leapfrog must be at least 1, and is 0"),
        (lambda: sample(mala(standard, 0.1), torch.zeros(2, 2), 0), "num_steps must be at least 1, and is 0"),
        (lambda: mala(standard, 0.1).init(torch.zeros(2, 2).long()), "position must be floats"),
        (lambda: mala(standard, 0.1).init(torch.tensor(0.0)), "position must be floats of shape"),
        (lambda: mala(lambda z: z, 0.1).init(torch.zeros(3, 2)), r"one number a chain, \[3\] .* got \[3, 2\]"),
        (lambda: mala(lambda z: z.detach().sum(-1), 0.1).init(torch.zeros(3, 2)), "must be differentiable"),
        (lambda: mala(lambda z: z.log().sum(-1), 0.1).init(torch.zeros(3, 2)), "of 3 3 are not"),
        (
            lambda: adapt(lambda eps: mala(standard, eps), torch.zeros(3, 2), 1.0, target_acceptance=1.0),
            "between 0 and 1",
        ),
        (
            lambda: adapt(lambda eps: mala(standard, eps), torch.zeros(3, 2), torch.ones(2), target_acceptance=0.5),
            r"step_size must broadcast to the chains, \[3\]; got shape \[2\]",
        ),
        (
            lambda: adapt(lambda eps: mala(standard, eps), torch.zeros(3, 2), 1.0, 0, target_acceptance=0.5),
            "num_steps must be at least 1",
        ),
        (lambda: r_hat(torch.zeros(10, 1, 2)), r"at least 4 steps and 2 chains; got \[10, 1, 2\]"),
        (lambda: r_hat(torch.full((10, 2), math.nan)), "positions must be finite; 20 of the values are not"),
        (
            lambda: effective_sample_size(torch.zeros(10, 2), "all"),
            "kind must be one of bulk, tail, mean, and is 'all'",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_trajectory_can_be_differentiated():
    """By its start and by a parameter of the density, against finite differences; and it is the same trajectory."""
    momentum = torch.tensor([[0.3, -1.1]], dtype=torch.float64)

    def end(start, width):
        density = lambda z: wavy(z / width)  # noqa: E731
        state, last = leapfrog(density, with_gradient(density, start, True), momentum, 0.2, 3, differentiable=True)
        return torch.cat([state.position, last, state.log_density[:, None]], -1)

    start = torch.tensor([[0.4, 0.7]], dtype=torch.float64, requires_grad=True)
    width = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(end, (start, width))
    density = lambda z: wavy(z / width)  # noqa: E731
    plain, last = leapfrog(density, with_gradient(density, start), momentum, 0.2, 3)
    assert not plain.position.requires_grad
    torch.testing.assert_close(end(start, width)[:, :4], torch.cat([plain.position, last], -1), rtol=0, atol=1e-14)
