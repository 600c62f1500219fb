"""The Metropolis-adjusted Langevin algorithm: a step of gradient ascent plus noise, then accept or reject."""

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


def mala(log_density: LogDensity, step_size: float | Tensor) -> Kernel:
    r"""MALA: a Metropolis-Hastings kernel whose proposal drifts uphill.

    .. math:: q(z' \mid z) = N\!\left(z';\, z + \tfrac{\epsilon^2}{2} \nabla \log p(z),\, \epsilon^2 I\right)

    The gradient there differs from the gradient here, so q is not symmetric and stays in the ratio. With the same
    step size and noise this is Hamiltonian Monte Carlo of one leapfrog step.

    Args:
        log_density: maps positions [..., L] to the log-density of each chain [...], in nats up to a constant.
        step_size: standard deviation epsilon of the noise; a tensor gives every chain its own.

    Returns:
        The kernel; a step costs one density with its gradient.

    Raises:
        ValueError: step_size is not positive.

    References:
        Roberts & Tweedie (1996); Roberts & Rosenthal (1998) for the best acceptance, 0.574.

    Example:
        >>> import torch
        >>> kernel = mala(lambda z: -0.5 * z.square().sum(-1), step_size=1.0)
        >>> state, info = kernel.step(kernel.init(torch.zeros(100, 2)))
        >>> info.num_gradients
        tensor(1)
    """
    check_step_size(step_size)

    def init(position: Tensor) -> State:
        return start(with_gradient, log_density, position)

    def step(state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        z = state.position
        eps = per_chain(step_size, z)
        proposal = with_gradient(log_density, _uphill(state, eps) + eps * normal_like(z, generator))
        log_ratio = (
            proposal.log_density
            - state.log_density
            + _log_proposal(state.position, proposal, eps)  # log q(z | z')
            - _log_proposal(proposal.position, state, eps)  # log q(z' | z)
        )
        return accept(state, proposal, log_ratio, generator, cost=(1, 1))

    return Kernel(init, step)


def _uphill(state: State, eps: Tensor) -> Tensor:
    """Mean of the proposal, [..., L]."""
    return state.position + 0.5 * eps.square() * state.gradient


def _log_proposal(to: Tensor, state: State, eps: Tensor) -> Tensor:
    """log q(to | state) in nats, [...], without the constant that cancels in the ratio."""
    return -0.5 * ((to - _uphill(state, eps)) / eps).square().sum(-1)
