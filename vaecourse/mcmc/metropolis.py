"""Metropolis-Hastings: accept or reject a proposal; with the random walk as the simplest proposal."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse.mcmc.kernel import (
    Info,
    Kernel,
    LogDensity,
    State,
    check_step_size,
    normal_like,
    per_chain,
    start,
    without_gradient,
)


def random_walk_metropolis(log_density: LogDensity, step_size: float | Tensor) -> Kernel:
    r"""Random-walk Metropolis: propose :math:`z' \sim N(z, \epsilon^2 I)`, accept with probability min(1, p(z')/p(z)).

    Args:
        log_density: maps positions [..., L] to the log-density of each chain [...], in nats up to a constant.
        step_size: standard deviation of the proposal; a tensor gives every chain its own and broadcasts to [...].

    Returns:
        The kernel; a step costs one density.

    Raises:
        ValueError: step_size is not positive.

    References:
        Metropolis et al. (1953); Roberts, Gelman & Gilks (1997) for the best acceptance, 0.234 in many dimensions and
        0.44 in one.

    Example:
        >>> import torch
        >>> kernel = random_walk_metropolis(lambda z: -0.5 * z.square().sum(-1), step_size=1.5)
        >>> state = kernel.init(torch.zeros(100, 2))  # a hundred chains in the plane
        >>> state, info = kernel.step(state)
        >>> state.position.shape, info.accepted.shape
        (torch.Size([100, 2]), torch.Size([100]))
    """
    check_step_size(step_size)

    def init(position: Tensor) -> State:
        return start(without_gradient, log_density, position)

    def step(state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        z = state.position
        proposal = without_gradient(log_density, z + per_chain(step_size, z) * normal_like(z, generator))
        # The walk is as likely to go back as forth, so that its density cancels in the ratio.
        return accept(state, proposal, proposal.log_density - state.log_density, generator, cost=(1, 0))

    return Kernel(init, step)


def accept(
    state: State, proposal: State, log_ratio: Tensor, generator: torch.Generator | None, cost: tuple[int, int]
) -> tuple[State, Info]:
    r"""Each chain moves to its proposal with probability min(1, ratio), and else stays.

    .. math:: \text{ratio} = \frac{p(z')\,q(z \mid z')}{p(z)\,q(z' \mid z)}

    Args:
        state: where the chains are.
        proposal: where they may go.
        log_ratio: logarithm of the ratio, [...]; one that is not a number counts as -inf, for a trajectory that
            has left the floating-point numbers has left the target's support.
        generator: source of the uniform numbers; None for torch's own.
        cost: how many densities, and gradients, the proposal took.

    Returns:
        The next state and the info of the step.
    """
    log_ratio = log_ratio.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    uniform = torch.rand(log_ratio.shape, dtype=log_ratio.dtype, device=log_ratio.device, generator=generator)
    accepted = uniform.log() < log_ratio  # [...]
    moved = accepted.unsqueeze(-1)  # [..., 1]
    chosen = State(
        position=torch.where(moved, proposal.position, state.position),
        log_density=torch.where(accepted, proposal.log_density, state.log_density),
        gradient=None if state.gradient is None else torch.where(moved, proposal.gradient, state.gradient),
    )
    return chosen, Info(log_ratio, accepted, proposal.position, *map(torch.tensor, cost))
