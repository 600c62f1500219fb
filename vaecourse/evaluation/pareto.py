"""The tail of importance weights: how heavy it is, by a generalised Pareto distribution fitted to the largest."""

from __future__ import annotations

import math

import torch
from torch import Tensor

FEWEST = 5  # weights in the tail, below which nothing is fitted
# Zhang & Stephens (2009), section 2: the prior of the scale; Vehtari et al. (2024), appendix C: that of the shape, as
# if ten more weights had said 0.5.
PRIOR_SPACING, PRIOR_WEIGHT, PRIOR_SHAPE = 3, 10, 0.5


def tail_size(num_samples: int) -> int:
    """How many of the largest weights count as the tail: a fifth, and of more than 225 three times the square root."""
    return int(3 * math.sqrt(num_samples)) if num_samples > 225 else num_samples // 5


def pareto_khat(largest: Tensor, num_samples: int, precision: float = torch.finfo(torch.float64).eps) -> Tensor:
    r"""The shape k of the generalised Pareto distribution fitted to the largest of M importance weights.

    Weights have finite moments up to order 1/k: below 0.5 a variance, below 1 a mean. In practice an estimate from them
    is to be trusted while k-hat is below about :math:`\min(1 - 1/\log_{10} M,\; 0.7)`. It is itself estimated from the
    weights that were seen: no k-hat knows of a mode that no sample fell into.

    Args:
        largest: logarithms of the :func:`tail_size` largest weights and the next one, [K + 1, B], in any order.
        num_samples: how many weights M there were.
        precision: relative rounding error of the log-weights; a tail that is no wider is none.

    Returns:
        k-hat, [B]; not a number where the tail has fewer than five weights (M below 25) or is no tail (all its weights
        are equal, or at least a quarter tie with the largest outside it, as in a finite model).

    References:
        Zhang & Stephens (2009); Vehtari, Simpson, Gelman, Yao & Gabry (2024), section 3 and appendix C.

    Example:
        >>> noise = torch.randn(10_000, 1, generator=torch.Generator().manual_seed(0)).double()
        >>> log_w = 0.5 * (1 - 0.4) * noise.square()  # N(0, 0.4) as the proposal for N(0, 1), whose k is 1 - 0.4
        >>> khat = pareto_khat(log_w.topk(tail_size(10_000) + 1, 0).values, 10_000)
        >>> bool((khat - 0.6).abs() < 0.2)
        True
    """
    size = tail_size(num_samples)
    if size < FEWEST:
        return largest.new_full(largest.shape[1:], math.nan)
    ordered = largest.sort(0).values  # [K + 1, B], rising
    scaled = (ordered - ordered[-1]).exp()
    excess = scaled[1:] - scaled[0]  # [K, B]
    khat = _shape(excess)
    rounding = 16 * precision * ordered[-1].abs().clamp(min=1)
    tied = ~(ordered[-1] - ordered[1] > rounding)  # not a number where every weight is zero
    return torch.where(tied | ~khat.isfinite(), math.nan, khat)


def _shape(excess: Tensor) -> Tensor:
    """The posterior mean of the shape given exceedances [K, B], rising along K."""
    size = len(excess)
    num_nodes = 30 + int(math.sqrt(size))
    nodes = torch.arange(1, num_nodes + 1, dtype=excess.dtype, device=excess.device)[:, None]
    quartile = excess[int(size / 4 + 0.5) - 1]
    # theta = -k / sigma on a grid that covers its prior, [G, B]
    theta = 1 / excess[-1] + (1 - (num_nodes / (nodes - 0.5)).sqrt()) / (PRIOR_SPACING * quartile)
    shape = torch.log1p(-theta[:, None] * excess).mean(1)  # [G, B], the most likely one at each theta
    log_likelihood = size * ((-theta / shape).log() - shape - 1)
    mass = log_likelihood.softmax(0)
    mass = torch.where(mass < 10 * torch.finfo(mass.dtype).eps, 0.0, mass)
    theta = (theta * mass).sum(0) / mass.sum(0)
    shape = torch.log1p(-theta * excess).mean(0)
    return (size * shape + PRIOR_WEIGHT * PRIOR_SHAPE) / (size + PRIOR_WEIGHT)
