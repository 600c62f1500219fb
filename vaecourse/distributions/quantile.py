"""Quantiles, by which samples are functions of uniform noise that can be given again."""

from __future__ import annotations

import torch.distributions as td
from torch import Tensor


def quantile(distribution: td.Distribution, u: Tensor) -> Tensor:
    """The smallest value x with P(X <= x) > u, of each number by itself: a sample, where u is uniform on [0, 1).

    Of a distribution on finitely many levels, which can enumerate them, by their probabilities summed up in float64; of
    any other by its ``icdf``.

    Args:
        distribution: of numbers, [...], or of independent ones as one event.
        u: noise, of a shape that broadcasts against the numbers.

    Returns:
        x, of the dtype of u.

    Example:
        >>> import torch
        >>> quantile(td.Bernoulli(torch.tensor(0.3)), torch.tensor([0.0, 0.69, 0.71]))
        tensor([0., 0., 1.])
    """
    while isinstance(distribution, td.Independent):
        distribution = distribution.base_dist
    if not distribution.has_enumerate_support:
        return distribution.icdf(u)
    levels = distribution.enumerate_support(expand=False)  # [K, 1, ...]
    below = distribution.log_prob(levels[:-1]).double().exp().cumsum(0)  # P(X <= x) of all levels but the last
    return levels[0].to(u.dtype) + (u[..., None] >= below.movedim(0, -1)).sum(-1)
