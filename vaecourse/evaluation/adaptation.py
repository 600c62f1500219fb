"""Step sizes for annealed chains, found on a run of their own: one for each temperature and datum."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse.evaluation.annealing import (
    MakeKernel,
    Path,
    Schedule,
    Start,
    Tempered,
    hmc_kernels,
    temperatures,
)
from vaecourse.evaluation.refusals import checked_prior
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded

CHAINS = 8  # a datum
FIRST, WARM_UP = 0.1, 30  # the first step size of all, and how many steps bring it to what the first temperature needs
STEPS = 200  # in all, at least: a short path has several at each temperature
GAIN = 1.0  # how far the logarithm of epsilon moves for an acceptance that is off by one


class PathAdaptation(NamedTuple):
    """Step sizes along a path, and how they were found."""

    step_sizes: Tensor  # [T - 1, B], of the kernels at beta_1 to beta_(T-1)
    acceptance: Tensor  # [T - 1, B], the mean acceptance probability at each, on the way there
    num_evaluations: int  # of the decoder that each datum cost


@torch.no_grad()
def adapt_path(
    model: LatentVariableModel,
    x: Tensor,
    num_steps: int = 100,
    *,
    start: Start = "prior",
    schedule: Schedule = "sigmoid",
    num_leapfrog: int = 10,
    make_kernel: MakeKernel | None = None,
    target_acceptance: float = 0.8,
    seed: int = 0,
    chunk_size: int = 2000,
    progress: bool = False,
) -> PathAdaptation:
    r"""Step sizes for :func:`ais`: eight chains of each datum walk the path, and steer them as they go.

    .. math:: \log \epsilon \leftarrow \log \epsilon + \bar a - \delta

    with :math:`\bar a` the mean acceptance probability of a step over the chains and :math:`\delta` its target. Along
    the path the best epsilon changes slowly; each temperature starts with that of the last. These chains choose their
    steps by where they have been, so that no weight of theirs would be unbiased: they have none. What they found is a
    constant for any other run, whatever its seed.

    Args:
        model: the model.
        x: data of shape [B, D].
        num_steps: number T of steps, as of the run that the step sizes are for; so are start, schedule, num_leapfrog
            and make_kernel.
        start: what q0 is.
        schedule: the inverse temperatures.
        num_leapfrog: leapfrog steps of a Hamiltonian trajectory.
        make_kernel: another kernel for ``(log_density, step_size)``.
        target_acceptance: delta, between 0 and 1: 0.65 is best for HMC in many dimensions, 0.57 for MALA; 0.8 is safer
            in few, where one step too long for the narrowest direction stops the chain.
        seed: of these chains; they share no randomness with those of ``ais`` of the same seed.
        chunk_size: how many (chain, datum) pairs are moved at once.
        progress: show a bar over the steps.

    Returns:
        The :class:`PathAdaptation`.

    Raises:
        ValueError: as :func:`ais`.

    References:
        Wu, Burda, Salakhutdinov & Grosse (2017), whose step sizes are tuned on preliminary runs as well.

    Example:
        >>> from vaecourse.exact import frozen_vae
        >>> found = adapt_path(frozen_vae(), torch.zeros(3, 64).double(), num_steps=10)
        >>> found.step_sizes.shape, bool((found.step_sizes[-1] < found.step_sizes[0]).all())
        (torch.Size([9, 3]), True)
    """
    if not 0 < target_acceptance < 1:
        raise ValueError(f"target_acceptance must be between 0 and 1, and is {target_acceptance}")
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, and is {chunk_size}")
    inner = temperatures(schedule, num_steps)[1:-1].tolist()
    pz = checked_prior(model, x)
    if not inner:
        return PathAdaptation(torch.zeros(0, len(x)), torch.zeros(0, len(x)), 0)
    make_kernel = make_kernel or hmc_kernels(pz, num_leapfrog)
    parts = x.split(max(1, chunk_size // CHAINS))
    found = []
    with (
        seeded(key(seed, "step sizes"), x.device),
        tqdm(total=len(parts) * len(inner), disable=not progress, unit="temperature", leave=False) as bar,
    ):
        for first, part in zip(range(0, len(x), len(parts[0])), parts):
            path = Path(model, part, start, pz, first)
            found.append(_adapt(path, inner, make_kernel, target_acceptance, min(CHAINS, chunk_size), bar))
    step_sizes, acceptance, costs = zip(*found)
    return PathAdaptation(torch.cat(step_sizes, 1), torch.cat(acceptance, 1), max(costs))


def _adapt(path: Path, inner: list[float], make_kernel: MakeKernel, target: float, num_chains: int, bar: tqdm):
    """Step sizes and acceptance of some data, each [T - 1, b], and the evaluations that each of these cost."""
    z, _ = path.draw(num_chains)
    log_step = torch.full((len(path.x),), math.log(FIRST), dtype=z.dtype, device=z.device)
    step_sizes, acceptances, cost = [], [], 0
    for place, beta in enumerate(inner):
        density = Tempered(path, beta)
        repeats = max(-(-STEPS // len(inner)), WARM_UP if place == 0 else 1)
        state = density.start(make_kernel(density, log_step.exp()), z)
        tried, accepted = [], []
        for _ in range(repeats):
            tried.append(log_step)
            state, info = make_kernel(density, log_step.exp()).step(state)
            accepted.append(info.acceptance.mean(0))
            log_step = log_step + GAIN * (accepted[-1] - target)
            cost += int(info.num_densities)
        late = slice(repeats // 2, None)  # the first half is on its way
        step_sizes.append(torch.stack(tried[late]).mean(0).exp())
        acceptances.append(torch.stack(accepted[late]).mean(0))
        z = state.position
        cost += 1
        bar.update()
    return torch.stack(step_sizes), torch.stack(acceptances), num_chains * cost
