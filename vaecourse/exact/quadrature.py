"""Rung (c): a latent of one or two dimensions under any decoder, by the trapezoid rule on a grid."""

from __future__ import annotations

import copy
import math

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.exact.table import Table
from vaecourse.model import LatentVariableModel

_ELEMENTS = 2**22  # of the largest intermediate: 32 MiB in float64


@torch.no_grad()
def quadrature(model: LatentVariableModel, x: Tensor, num_points: int = 161, half_width: float = 8.0) -> Table:
    r"""log p(x) = log of the integral of p(x, z) over z, and the posterior, on a regular grid.

    For a smooth integrand that vanishes at the border the trapezoid rule converges faster than any power of the
    spacing h: a Gaussian posterior of standard deviation s is integrated with relative error
    :math:`2 e^{-2\pi^2 s^2/h^2}`, which is below 1e-8 once h <= s. Two values of ``num_points``
    show the error.

    Args:
        model: its prior and likelihood are used; z has one or two dimensions.
        x: data of shape [B, D].
        num_points: grid points per dimension, from -half_width to half_width.
        half_width: where the grid ends, in units of z; N(0, I) holds 1.2e-15 of its mass beyond 8.

    Returns:
        The :class:`Table` of the posterior on K = num_points^L nodes, with log p(x) in nats, in the model's dtype.

    Raises:
        ValueError: z has more than two dimensions.
    """
    z, log_cell = _grid(model, num_points, half_width, x)
    log_joint = torch.cat([_log_joint(model, nodes, x) for nodes in z.split(_nodes_at_once(x))])  # [K, B]
    log_px = log_joint.logsumexp(0) + log_cell
    return Table(z, log_joint + log_cell - log_px, log_px, log_cell)


@torch.no_grad()
def quadrature_log_px(model: LatentVariableModel, x: Tensor, num_points: int = 501, half_width: float = 8.0) -> Tensor:
    """log p(x) alone, of many data, by the rule of :func:`quadrature`: in float64, and without keeping the posterior.

    Args:
        model: as for :func:`quadrature`, of any dtype; it is not changed.
        x: data of shape [N, D].
        num_points: grid points per dimension.
        half_width: where the grid ends, in units of z.

    Returns:
        log p(x) in nats, [N], float64.
    """
    model, x = copy.deepcopy(model).double(), x.double()
    z, log_cell = _grid(model, num_points, half_width, x)
    log_px = x.new_full((len(x),), -math.inf)
    for nodes in z.split(_nodes_at_once(x)):
        log_px = torch.logaddexp(log_px, _log_joint(model, nodes, x).logsumexp(0))
    return log_px + log_cell


def _grid(model: LatentVariableModel, num_points: int, half_width: float, x: Tensor) -> tuple[Tensor, float]:
    """Nodes [num_points^L, L] in the dtype of x, and the log of a cell's volume."""
    dim = model.prior().event_shape[0]
    if dim > 2:
        raise ValueError(f"quadrature works for 1 or 2 latent dimensions, and this model has {dim}")
    axis = torch.linspace(-half_width, half_width, num_points, dtype=x.dtype, device=x.device)
    return torch.cartesian_prod(*[axis] * dim).reshape(-1, dim), dim * math.log(2 * half_width / (num_points - 1))


def _nodes_at_once(x: Tensor) -> int:
    return max(1, _ELEMENTS // max(x.shape))


def _log_joint(model: LatentVariableModel, nodes: Tensor, x: Tensor) -> Tensor:
    """log p(x_b, z_k) for every pair, [K, B]."""
    return model.prior().log_prob(nodes)[:, None] + _log_likelihood(model.likelihood(nodes[:, None, :]), x)


def _log_likelihood(px_z: td.Distribution, x: Tensor) -> Tensor:
    """log p(x_b | z_k) for every pair, [K, B], of a likelihood with batch shape [K, 1]."""
    base = getattr(px_z, "base_dist", None)
    if isinstance(base, (td.Bernoulli, td.Binomial)):
        # An exponential family in its natural parameter: log p(x|z) - log p(0|z) is linear in the logits, so that all
        # pairs are one matrix product; what depends on x alone is read off at logits zero.
        zero = torch.zeros_like(x[:1])
        at_zero = td.Independent(type(base)(**_count(base), logits=torch.zeros_like(x), validate_args=False), 1)
        log_base_measure = at_zero.log_prob(x) - at_zero.log_prob(zero)  # [B]
        return px_z.log_prob(zero) + base.logits[:, 0] @ x.T + log_base_measure
    chunk = max(1, _ELEMENTS // (px_z.batch_shape[0] * x.shape[1]))
    return torch.cat([px_z.log_prob(part) for part in x.split(chunk)], 1)


def _count(base: td.Distribution) -> dict[str, Tensor]:
    return {"total_count": base.total_count.flatten()[0]} if isinstance(base, td.Binomial) else {}
