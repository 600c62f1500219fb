"""Hamiltonian Monte Carlo: a random momentum, a trajectory by the leapfrog rule, then accept or reject."""

from __future__ import annotations

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
    with_gradient,
)
from vaecourse.mcmc.metropolis import accept


def hmc(log_density: LogDensity, step_size: float | Tensor, num_leapfrog: int) -> Kernel:
    r"""Hamiltonian Monte Carlo on the joint density of position and momentum.

    .. math:: p(z, r) \propto e^{-H(z, r)}, \qquad H(z, r) = -\log p(z) + \tfrac12 r^\top r

    A step draws r from N(0, I), follows H for ``num_leapfrog`` leapfrog steps, and accepts with probability
    :math:`\min(1, e^{H(z, r) - H(z', r')})`. The mass is the identity: for another, rescale the target's variable.

    Args:
        log_density: maps positions [..., L] to the log-density of each chain [...], in nats up to a constant.
        step_size: epsilon of the leapfrog rule; a tensor gives every chain its own.
        num_leapfrog: leapfrog steps a trajectory; its length is epsilon times this. At a whole period of a direction
            of the target (:math:`2 \pi \sigma` for a Gaussian) the chain returns to where it was and does not mix.

    Returns:
        The kernel; a step costs ``num_leapfrog`` densities with their gradients.

    Raises:
        ValueError: step_size is not positive, or num_leapfrog is below 1.

    References:
        Duane et al. (1987); Neal (2011), section 3; Beskos et al. (2013) for the best acceptance, 0.651.

    Example:
        >>> import torch
        >>> kernel = hmc(lambda z: -0.5 * z.square().sum(-1), step_size=0.5, num_leapfrog=3)
        >>> state, info = kernel.step(kernel.init(torch.zeros(100, 2)))
        >>> bool(info.acceptance.mean() > 0.9)
        True
    """
    check_step_size(step_size)
    if num_leapfrog < 1:
        raise ValueError(f"num_leapfrog must be at least 1, and is {num_leapfrog}")

    def init(position: Tensor) -> State:
        return start(with_gradient, log_density, position)

    def step(state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        momentum = normal_like(state.position, generator)
        proposal, end = leapfrog(log_density, state, momentum, step_size, num_leapfrog)
        # Volume is kept, and with its momentum reversed a trajectory leads back: nothing else enters the ratio.
        log_ratio = _energy(state, momentum) - _energy(proposal, end)
        return accept(state, proposal, log_ratio, generator, cost=(num_leapfrog, num_leapfrog))

    return Kernel(init, step)


def leapfrog(
    log_density: LogDensity,
    state: State,
    momentum: Tensor,
    step_size: float | Tensor,
    num_steps: int,
    differentiable: bool = False,
) -> tuple[State, Tensor]:
    r"""Follow Hamilton's equations, :math:`\dot z = r` and :math:`\dot r = \nabla \log p(z)`, by the leapfrog rule.

    Args:
        log_density: maps positions [..., L] to log-densities [...].
        state: where the trajectory starts, with its gradient (``kernel.init(position)``).
        momentum: r at the start, [..., L].
        step_size: epsilon, one for all or one a chain.
        num_steps: how many leapfrog steps; the error of the energy is of order epsilon^2 however many.
        differentiable: keep the graph, so that a trajectory can be a part of a posterior that is trained; ``state`` is
            then best made by ``with_gradient(log_density, position, differentiable=True)``.

    Returns:
        The state and the momentum at the end.
    """
    eps = per_chain(step_size, state.position)
    for _ in range(num_steps):
        momentum = momentum + 0.5 * eps * state.gradient
        state = with_gradient(log_density, state.position + eps * momentum, differentiable)
        momentum = momentum + 0.5 * eps * state.gradient
    return state, momentum


def _energy(state: State, momentum: Tensor) -> Tensor:
    """H(z, r) in nats, [...]."""
    return 0.5 * momentum.square().sum(-1) - state.log_density
