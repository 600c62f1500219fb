"""What a kernel is: a value with ``init`` and ``step``, the state that continues, and the info that one plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

LogDensity = Callable[[Tensor], Tensor]  # [..., L] -> [...], in nats, up to a constant


class State(NamedTuple):
    """Where the chains are; the last dimension is the variable, all others are independent chains."""

    position: Tensor  # [..., L]
    log_density: Tensor  # [...], nats
    gradient: Tensor | None = None  # [..., L], of log_density; None where the kernel uses none


class Info(NamedTuple):
    """What happened in a step (with a leading dimension T where T steps are stacked)."""

    log_ratio: Tensor  # [...], log of the Metropolis-Hastings ratio; -inf where it was not a number
    accepted: Tensor  # [...], bool
    proposal: Tensor  # [..., L], accepted or not
    num_densities: Tensor  # [], evaluations of the density that every chain paid for
    num_gradients: Tensor  # [], how many of these came with the gradient

    @property
    def acceptance(self) -> Tensor:
        """The probability min(1, ratio) with which each proposal was to be accepted, [...]."""
        return self.log_ratio.clamp(max=0).exp()


class Kernel(NamedTuple):
    """A transition that leaves its target invariant.

    ``init(position)`` gives the state of chains at positions [..., L], for one evaluation of the density.
    ``step(state, generator=None)`` gives the next state and its info. Neither changes its argument.
    """

    init: Callable[[Tensor], State]
    step: Callable[..., tuple[State, Info]]


def without_gradient(log_density: LogDensity, position: Tensor) -> State:
    """The state at a position [..., L], for kernels that use the density alone."""
    with torch.no_grad():
        value = log_density(position)
    _check_density(value, position)
    return State(position.detach(), value)


def with_gradient(log_density: LogDensity, position: Tensor, differentiable: bool = False) -> State:
    """The state at a position [..., L] with the gradient of every chain's log-density.

    With ``differentiable`` the state keeps its graph: derivatives of the density and of its gradient can be taken, by
    the position and by whatever parameters the density has.
    """
    with torch.enable_grad():
        live = position if differentiable and position.requires_grad else position.detach().requires_grad_()
        value = log_density(live)
        _check_density(value, live)
        gradient = None
        if value.requires_grad:
            # Chains do not meet, so the gradient of the sum keeps them apart.
            (gradient,) = torch.autograd.grad(value.sum(), live, create_graph=differentiable, allow_unused=True)
        if gradient is None:
            raise ValueError("log_density must be differentiable in its argument, and its graph does not lead there")
    return State(position, value, gradient) if differentiable else State(position.detach(), value.detach(), gradient)


def start(evaluate: Callable[[LogDensity, Tensor], State], log_density: LogDensity, position: Tensor) -> State:
    """The first state of chains, which must lie where the density is positive.

    Raises:
        ValueError: positions are not floats [..., L], or log_density is not finite at one of them.
    """
    if not position.is_floating_point() or position.ndim == 0:
        raise ValueError(f"position must be floats of shape [..., L]; got {position.dtype}, {list(position.shape)}")
    state = evaluate(log_density, position)
    if not state.log_density.isfinite().all():
        bad = int((~state.log_density.isfinite()).sum())
        raise ValueError(f"log_density must be finite where chains start; of {state.log_density.numel()} {bad} are not")
    return state


def per_chain(step_size: float | Tensor, position: Tensor) -> Tensor:
    """A step size, one for all or one a chain, with a last dimension of one, to multiply positions [..., L]."""
    return torch.as_tensor(step_size, dtype=position.dtype, device=position.device).unsqueeze(-1)


def check_step_size(step_size: float | Tensor) -> None:
    """Refuse step sizes that are not positive."""
    if not (torch.as_tensor(step_size) > 0).all():
        raise ValueError(f"step_size must be positive, and is {step_size}")


def normal_like(position: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal noise of a position's shape, dtype and device."""
    return torch.randn(position.shape, dtype=position.dtype, device=position.device, generator=generator)


def stack(infos: Sequence[Info]) -> Info:
    """The infos of T steps as one, every field with a leading dimension T."""
    return Info(*map(torch.stack, zip(*infos)))


def _check_density(value: Tensor, position: Tensor) -> None:
    if value.shape != position.shape[:-1]:
        raise ValueError(
            f"log_density must give one number a chain, {list(position.shape[:-1])} for positions "
            f"{list(position.shape)}; got {list(value.shape)}"
        )
