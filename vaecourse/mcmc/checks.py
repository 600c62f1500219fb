"""Is the sampler right: tests of a transition against a model that can be simulated, exact for any number of steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse.distributions import Conditional

Transition = Callable[[Tensor, Tensor], Tensor]  # z [N, L], x [N, D] -> z [N, L]
Statistics = Callable[[Tensor, Tensor], Tensor]  # z [N, L], x [N, D] -> [N, G]


class JointTest(NamedTuple):
    """The result of :func:`geweke`."""

    z_scores: Tensor  # [G], standard normal for a correct transition
    p_value: float  # of the largest of them, times G (Bonferroni)


class Calibration(NamedTuple):
    """The result of :func:`simulation_based_calibration`."""

    ranks: Tensor  # [N, G], each uniform on 0..num_draws for a correct transition
    p_values: Tensor  # [G], chi-square tests of uniformity
    p_value: float  # the least of them, times G (Bonferroni)


def moments(z: Tensor, x: Tensor) -> Tensor:
    """First and second moments of the joint variable (z, x), [N, G] with G = M (M + 3) / 2 for M = L + D."""
    joint = torch.cat([z, x.to(z)], -1)
    row, column = torch.triu_indices(joint.shape[-1], joint.shape[-1], device=z.device)
    return torch.cat([joint, joint[..., row] * joint[..., column]], -1)


@torch.no_grad()
def geweke(
    prior: Conditional,
    likelihood: Conditional,
    transition: Transition,
    *,
    num_chains: int = 10_000,
    num_steps: int = 20,
    statistics: Statistics = moments,
    progress: bool = False,
) -> JointTest:
    r"""Geweke's joint distribution test: two simulators of p(z, x) must agree in every expectation.

    The first draws z from the prior and x from the likelihood. The second alternates the likelihood, x given z, with
    the transition, z given x; if the transition keeps p(z|x) invariant, this keeps p(z, x) invariant. Each of the
    ``num_chains`` chains starts at an exact draw, so that the means over its steps are independent between chains
    and have the right expectation at once: no warm-up and no estimate of autocorrelation enters the z-scores.

    A transition that does not move passes. Invariance is tested, not mixing.

    Args:
        prior: p(z), with samples [L].
        likelihood: p(x|z), with samples [D].
        transition: moves z [C, L] given x [C, D], each row for itself, without changing p(z|x).
        num_chains: number C of independent chains.
        num_steps: steps a chain; more find smaller faults.
        statistics: the functions whose expectations are compared, [C, G]; their variances must exist.
        progress: show a bar over the steps.

    Returns:
        A z-score for each statistic, and the p-value of the largest. Randomness is torch's own:
        ``torch.manual_seed``.

    Raises:
        ValueError: a number is out of range, or a statistic is not finite.

    References:
        Geweke (2004), Getting it right, theorem 1 and equation 3.

    Example:
        >>> import torch
        >>> from vaecourse.likelihoods import Gaussian
        >>> from vaecourse.mcmc import mala
        >>> from vaecourse.priors import StandardNormal
        >>> prior, likelihood = StandardNormal(1), Gaussian(torch.nn.Identity(), 1.0)
        >>> def transition(z, x):
        ...     kernel = mala(lambda z: prior().log_prob(z) + likelihood(z).log_prob(x), step_size=0.8)
        ...     return kernel.step(kernel.init(z))[0].position
        >>> _ = torch.manual_seed(0)
        >>> geweke(prior, likelihood, transition, num_chains=500).p_value > 0.001
        True
    """
    _check_at_least(num_chains=(num_chains, 2), num_steps=(num_steps, 1))
    z, x = _joint_sample(prior, likelihood, num_chains)
    difference = 0.0
    for _ in tqdm(range(num_steps), disable=not progress, unit="step", leave=False):
        z = transition(z, x)
        x = likelihood(z).sample()
        difference = difference + statistics(z, x) - statistics(*_joint_sample(prior, likelihood, num_chains))
    difference = difference.cpu().double() / num_steps  # [C, G], rows independent, mean zero
    if not difference.isfinite().all():
        raise ValueError("a statistic is not finite: the transition has left the numbers, or the statistic overflows")
    mean, error = difference.mean(0), difference.std(0) / math.sqrt(num_chains)
    z_scores = torch.where(mean == 0, 0, mean / error)  # a statistic that never varies says nothing
    p_values = torch.special.erfc(z_scores.abs() / math.sqrt(2))
    return JointTest(z_scores, _bonferroni(p_values))


@torch.no_grad()
def simulation_based_calibration(
    prior: Conditional,
    likelihood: Conditional,
    transition: Transition,
    *,
    num_simulations: int = 10_000,
    num_draws: int = 15,
    statistics: Statistics | None = None,
    progress: bool = False,
) -> Calibration:
    r"""Simulation-based calibration: the truth's rank among draws from its posterior is uniform.

    Each simulation draws a truth z from the prior and x from the likelihood, and ranks the truth among ``num_draws``
    draws given x. Independent posterior draws would do; the draws of a chain depend on each other and on where it
    started. The chain therefore runs *through* the truth: it is put at a uniformly chosen place of a run, and
    the rest is filled in by going forward and, as a reversible chain may, backward from it. Then the truth is
    one of num_draws + 1 exchangeable places whatever the mixing, and the rank is exactly uniform. Ties, which
    rejected proposals leave, are broken at random.

    A transition that does not move passes. One that ignores x can pass on z alone, which is why the log-likelihood is
    ranked as well.

    Args:
        prior: p(z), with samples [L].
        likelihood: p(x|z), with samples [D].
        transition: moves z [N, L] given x [N, D], each row for itself, reversible with respect to p(z|x). All kernels
            of this package are, and so are several steps of one of them; two different kernels in turn are not.
        num_simulations: number N of simulations.
        num_draws: draws each truth is ranked among; ranks have num_draws + 1 values.
        statistics: what is ranked, [N, G]; by default every coordinate of z, then log p(x|z).
        progress: show a bar over the draws.

    Returns:
        The ranks, a chi-square p-value for each statistic, and the p-value of the least. Randomness is torch's own:
        ``torch.manual_seed``.

    Raises:
        ValueError: a number is out of range, or a statistic is not a number.

    References:
        Talts, Betancourt, Simpson, Vehtari & Gelman (2018), theorem 1; Gandy & Scott (2020), section 2.2, for the
        truth's random place in a reversible chain; Modrák et al. (2023) for ranking the log-likelihood.
    """
    # The chi-square law needs counts that are not small: five a bin, by the usual rule.
    _check_at_least(num_draws=(num_draws, 1), num_simulations=(num_simulations, 5 * (num_draws + 1)))
    statistics = statistics or (lambda z, x: torch.cat([z, likelihood(z).log_prob(x).unsqueeze(-1)], -1))
    truth, x = _joint_sample(prior, likelihood, num_simulations)
    of_truth = statistics(truth, x)  # [N, G]
    # Where the chain has stayed at the truth, a transition that works in another variable still returns exp(log z),
    # an ulp away, and ulps have no random order: what is as close as that is a tie.
    rounding = torch.finfo(of_truth.dtype).eps ** 0.5 * of_truth.std(0)  # [G]
    place = torch.randint(num_draws + 1, (num_simulations, 1), device=truth.device)  # draws that come before the truth
    below, ties = torch.zeros_like(of_truth), torch.zeros_like(of_truth)
    z = truth
    for t in tqdm(range(num_draws), disable=not progress, unit="draw", leave=False):
        z = transition(torch.where(place == t, truth, z), x)  # those before it done, start again from the truth
        of_draw = statistics(z, x)
        if of_draw.isnan().any() or not of_truth.isfinite().all():
            raise ValueError("a statistic is not a number (or infinite at the truth), and has no rank")
        tied = (of_draw - of_truth).abs() <= rounding
        below += (of_draw < of_truth) & ~tied
        ties += tied
    ranks = (below + torch.floor(torch.rand_like(ties) * (ties + 1))).long().cpu()
    p_values = torch.stack([_uniformity(column, num_draws + 1) for column in ranks.T])
    return Calibration(ranks, p_values, _bonferroni(p_values))


def _joint_sample(prior: Conditional, likelihood: Conditional, num: int) -> tuple[Tensor, Tensor]:
    z = prior().sample((num,))
    return z, likelihood(z).sample()


def _uniformity(ranks: Tensor, num_bins: int) -> Tensor:
    """p-value of the chi-square test that ranks [N] are uniform on 0..num_bins - 1."""
    expected = len(ranks) / num_bins
    chi_square = (ranks.bincount(minlength=num_bins).double() - expected).square().sum() / expected
    degrees = torch.tensor(num_bins - 1.0, dtype=torch.float64)
    return torch.special.gammaincc(degrees / 2, chi_square / 2)


def _bonferroni(p_values: Tensor) -> float:
    return min(1.0, p_values.min().item() * len(p_values))


def _check_at_least(**given: tuple[int, int]) -> None:
    for name, (value, least) in given.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, and is {value}")
