"""Four densities in the plane that are known but for a constant, and the constant: ground on which flows compete."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Energy(NamedTuple):
    r"""A density by its energy, :math:`p(z) = e^{-U(z)} / Z`.

    Args:
        energy: U, from z [..., 2] to [...], in nats.
        log_normaliser: log Z, in nats, which a method that is given U alone does not know.
    """

    energy: Callable[[Tensor], Tensor]
    log_normaliser: float

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z), normalised, [...]."""
        return -self.energy(z) - self.log_normaliser


def energies() -> dict[str, Energy]:
    r"""The energies U1 to U4 of Rezende & Mohamed, by name: a ring with two modes, a wave, and two waves that fork.

    .. math::
        U_1 &= \tfrac12 \Big(\frac{\|z\| - 2}{0.4}\Big)^2
               - \log\big(e^{-\frac12 ((z_1 - 2) / 0.6)^2} + e^{-\frac12 ((z_1 + 2) / 0.6)^2}\big) \\
        U_2 &= \tfrac12 \Big(\frac{z_2 - w_1}{0.4}\Big)^2 \\
        U_3 &= -\log\big(e^{-\frac12 ((z_2 - w_1) / 0.35)^2} + e^{-\frac12 ((z_2 - w_1 + w_2) / 0.35)^2}\big) \\
        U_4 &= -\log\big(e^{-\frac12 ((z_2 - w_1) / 0.4)^2} + e^{-\frac12 ((z_2 - w_1 + w_3) / 0.35)^2}\big)

    with :math:`w_1 = \sin(\pi z_1 / 2)`, :math:`w_2 = 3 e^{-\frac12 ((z_1 - 1) / 0.6)^2}` and
    :math:`w_3 = 3 \sigma((z_1 - 1) / 0.3)`. As they stand, the last three do not say where z_1 ends, and have no
    normaliser: a wall, :math:`2 \max(|z_1| - 4, 0)^2`, is added to them.

    Returns:
        Their :class:`Energy`, with log Z by the trapezoid rule. U2 to U4 are Gaussians in z_2, with a Z in closed form,
        which the rule meets to 14 digits.

    References:
        Rezende & Mohamed (2015), Variational inference with normalizing flows, table 1.

    Example:
        >>> ring = energies()["U1"]
        >>> round(ring.log_normaliser, 6), round(ring.log_prob(torch.tensor([2.0, 0.0])).item(), 4)
        (1.877502, -1.8775)
    """
    return {name: Energy(energy, log_normaliser(energy)) for name, energy in _ENERGIES.items()}


@torch.no_grad()
def log_normaliser(energy: Callable[[Tensor], Tensor], num_points: int = 401, half_width: float = 10.0) -> float:
    """log Z of an energy in the plane by the trapezoid rule, in nats.

    Args:
        energy: U, from z [..., 2] to [...].
        num_points: along each axis, from -half_width to half_width.
        half_width: where the grid ends; exp(-U) has to vanish there, and two values show whether it does. Where it has
            bends (a wall at 4), there should be nodes.
    """
    axis = torch.linspace(-half_width, half_width, num_points, dtype=torch.float64)
    cell = 2 * half_width / (num_points - 1)
    return (-energy(torch.cartesian_prod(axis, axis))).logsumexp(0).item() + 2 * math.log(cell)


def _ring(z: Tensor) -> Tensor:
    sides = [_log_bump(z[..., 0], centre, 0.6) for centre in (2.0, -2.0)]
    return -_log_bump(torch.linalg.vector_norm(z, dim=-1), 2.0, 0.4) - torch.logaddexp(*sides)


def _wave(z: Tensor) -> Tensor:
    return -_log_bump(z[..., 1], _w1(z), 0.4) + _wall(z)


def _fork_that_joins(z: Tensor) -> Tensor:
    w2 = 3 * _log_bump(z[..., 0], 1.0, 0.6).exp()
    return _two_branches(z, 0.35, w2) + _wall(z)


def _fork(z: Tensor) -> Tensor:
    w3 = 3 * torch.sigmoid((z[..., 0] - 1) / 0.3)
    return _two_branches(z, 0.4, w3) + _wall(z)


def _two_branches(z: Tensor, width: float, apart: Tensor) -> Tensor:
    w1 = _w1(z)
    return -torch.logaddexp(_log_bump(z[..., 1], w1, width), _log_bump(z[..., 1], w1 - apart, 0.35))


def _w1(z: Tensor) -> Tensor:
    return torch.sin(math.pi * z[..., 0] / 2)


def _wall(z: Tensor) -> Tensor:
    return 2 * F.relu(z[..., 0].abs() - 4).square()


def _log_bump(value: Tensor, centre: Tensor | float, width: float) -> Tensor:
    return -0.5 * ((value - centre) / width).square()


_ENERGIES = {"U1": _ring, "U2": _wave, "U3": _fork_that_joins, "U4": _fork}
