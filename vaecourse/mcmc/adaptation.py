"""Step sizes that find themselves: dual averaging on the acceptance probability."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse.mcmc.kernel import Info, Kernel, State, check_step_size, stack

# Hoffman & Gelman (2014), section 3.2.1: how far one step may move epsilon, how much the first steps count, and how
# fast the average forgets.
GAMMA, T0, KAPPA = 0.05, 10, 0.75


class Adaptation(NamedTuple):
    """A kernel with its step size found, and how it was found."""

    kernel: Kernel
    step_size: Tensor  # the shape of the first step size
    state: State  # where the chains are after the last step
    step_sizes: Tensor  # [T, ...], what was tried in each step
    info: Info  # of the T steps, every field with a leading T; their evaluations are part of the cost


@torch.no_grad()
def adapt(
    make_kernel: Callable[[Tensor], Kernel],
    position: Tensor,
    step_size: float | Tensor,
    num_steps: int = 500,
    *,
    target_acceptance: float,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Adaptation:
    r"""Run chains while dual averaging steers the acceptance probability to a target.

    .. math::
        \log \epsilon_{t+1} = \log(10\,\epsilon_1) - \frac{\sqrt t}{\gamma}\, \bar H_t, \qquad
        \bar H_t = \Big(1 - \tfrac{1}{t + t_0}\Big) \bar H_{t-1} + \tfrac{1}{t + t_0} (\delta - a_t)

    with a_t the acceptance probability of step t and delta its target. The step size found is the average of
    log epsilon with weights :math:`t^{-\kappa}`. A chain whose step size depends on its past does not keep its target
    invariant, so these steps are warm-up, and the kernel that is returned is fixed.

    Args:
        make_kernel: the kernel of a step size, e.g. ``lambda eps: hmc(log_density, eps, num_leapfrog=10)``.
        position: where the chains start, [..., L].
        step_size: where epsilon starts. Its shape says who shares one: a number is for all chains together, a
            tensor [B] gives each datum its own for chains [S, B], a tensor of shape [...] each chain. Chains that
            share one are steered by their mean acceptance, which can hide a chain that is stuck.
        num_steps: number T of steps.
        target_acceptance: delta, between 0 and 1: 0.651 for HMC, 0.574 for MALA and 0.234 for the random walk are
            best in many dimensions; 0.8 is safer where the curvature changes.
        generator: source of all randomness; None for torch's own.
        progress: show a bar over the steps.

    Returns:
        The fixed kernel, its step size, the chains' state and the history.

    Raises:
        ValueError: an argument is out of its range, or step_size does not broadcast to the chains.

    References:
        Hoffman & Gelman (2014), section 3.2 and algorithm 5.

    Example:
        >>> import torch
        >>> from vaecourse.mcmc import hmc
        >>> target = lambda z: -0.5 * (z / 10).square().sum(-1)  # a standard deviation of 10
        >>> warm = adapt(lambda eps: hmc(target, eps, 5), torch.zeros(20, 2), 1.0, 200, target_acceptance=0.8)
        >>> bool(5 < warm.step_size < 20)
        True
    """
    check_step_size(step_size)
    if not 0 < target_acceptance < 1:
        raise ValueError(f"target_acceptance must be between 0 and 1, and is {target_acceptance}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, and is {num_steps}")
    log_step = torch.as_tensor(step_size, dtype=position.dtype, device=position.device).log()
    _check_sharing(log_step.shape, position.shape[:-1])

    state = make_kernel(log_step.exp()).init(position)
    log_largest = log_step + math.log(10)  # the pull towards it favours long steps, which are cheap to try
    error, log_average = torch.zeros_like(log_step), torch.zeros_like(log_step)
    tried, infos = [], []
    for t in tqdm(range(1, num_steps + 1), disable=not progress, unit="step", leave=False):
        tried.append(log_step.exp())
        state, info = make_kernel(tried[-1]).step(state, generator)
        infos.append(info)
        error = error + (target_acceptance - _shared_mean(info.acceptance, log_step.shape) - error) / (t + T0)
        log_step = log_largest - math.sqrt(t) / GAMMA * error
        log_average = log_average + t**-KAPPA * (log_step - log_average)
    found = log_average.exp()
    return Adaptation(make_kernel(found), found, state, torch.stack(tried), stack(infos))


def _shared_mean(acceptance: Tensor, shape: torch.Size) -> Tensor:
    """The mean over the chains that share a step size, in the shape of the step size."""
    return acceptance.sum_to_size(shape) * (shape.numel() / acceptance.numel())


def _check_sharing(shape: torch.Size, chains: torch.Size) -> None:
    try:
        fits = torch.broadcast_shapes(shape, chains) == chains
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(f"step_size must broadcast to the chains, {list(chains)}; got shape {list(shape)}")
