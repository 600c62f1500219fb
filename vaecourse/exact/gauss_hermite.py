"""Rung (c) under a Gaussian q: its bound by Gauss-Hermite quadrature, and the Gaussian whose bound is the highest."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import frozen
from vaecourse.inference import Family, family_named, loc_and_scale_tril
from vaecourse.model import Draw, LatentVariableModel


def gauss_hermite(order: int, dim: int = 2, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    r"""Nodes and weights for expectations under N(0, I): :math:`E f(\epsilon) \approx \sum_k w_k f(\epsilon_k)`.

    Exact for polynomials of degree at most 2 order - 1 in each coordinate.

    Args:
        order: points per dimension.
        dim: number L of dimensions.
        dtype: of both tensors.

    Returns:
        Nodes [K, L] and weights [K] that sum to one, K = order^L.

    Example:
        >>> nodes, weights = gauss_hermite(3, dim=1)
        >>> round(float(weights @ nodes[:, 0] ** 4), 6)
        3.0
    """
    if order < 1 or dim < 1:
        raise ValueError(f"order and dim must be at least 1, and are {order} and {dim}")
    node, weight = (torch.from_numpy(part).to(dtype) for part in np.polynomial.hermite_e.hermegauss(order))
    weight = weight / weight.sum()
    nodes = torch.cartesian_prod(*[node] * dim).reshape(-1, dim)
    return nodes, torch.cartesian_prod(*[weight] * dim).reshape(-1, dim).prod(-1)


def draw_at_nodes(model: LatentVariableModel, x: Tensor, q: td.Distribution, nodes: Tensor) -> Draw:
    r"""The draw whose samples are the nodes moved to a Gaussian q, :math:`z = m + C \epsilon_k`; differentiable.

    Args:
        model: its prior and likelihood are used.
        x: data of shape [B, D].
        q: a Gaussian with batch shape [B], diagonal or full.
        nodes: [K, L].

    Returns:
        A :class:`~vaecourse.model.Draw` with S = K; its ``log_mass`` are the logarithms of the weights, [K, 1].
    """
    loc, scale_tril = loc_and_scale_tril(q)
    z = loc + (scale_tril @ nodes.to(loc)[:, None, :, None]).squeeze(-1)  # [K, B, L]
    return model.score(x, z, q.log_prob(z))


def gaussian_bound(
    model: LatentVariableModel,
    x: Tensor,
    q: td.Distribution | None = None,
    order: int = 32,
) -> Tensor:
    """The evidence lower bound of a Gaussian q without Monte-Carlo noise, and by autograd its gradient.

    The error falls geometrically with the order; two orders show it.

    Args:
        model: its latent has one or two dimensions (the cost is order to the power of L).
        x: data of shape [B, D].
        q: a Gaussian with batch shape [B]; None for the model's posterior.
        order: quadrature points per dimension.

    Returns:
        The bound, [B], in nats.
    """
    q = model.posterior(x) if q is None else q
    nodes, weights = gauss_hermite(order, q.event_shape[0], x.dtype)
    return weights.to(x) @ draw_at_nodes(model, x, q, nodes).log_w


def best_gaussian(
    model: LatentVariableModel,
    x: Tensor,
    start: td.Distribution | None = None,
    family: Family = "diagonal",
    order: int = 20,
    max_iterations: int = 150,
) -> td.Distribution:
    """The Gaussian with the highest bound for each datum: quadrature makes the bound a smooth function to climb.

    Args:
        model: its latent has one or two dimensions; it is not changed.
        x: data of shape [B, D], preferably float64.
        start: where to begin, batch shape [B]; None for the model's posterior.
        family: of Gaussians, "diagonal" or "full".
        order: quadrature points per dimension.
        max_iterations: of L-BFGS with a line search, which climbs the sum over the data.

    Returns:
        The best q of each datum, batch shape [B], without a gradient.
    """
    with torch.no_grad():
        posterior = family_named(family)(model.posterior(x) if start is None else start)
    optimiser = torch.optim.LBFGS(
        [posterior.rows], max_iter=max_iterations, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        value = -gaussian_bound(model, x, posterior(), order).sum()
        (posterior.rows.grad,) = torch.autograd.grad(value, [posterior.rows])
        return value

    optimiser.step(loss)
    return frozen(posterior())
