"""Score-function gradients of the importance-weighted bound, for latents that cannot be reparameterised."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from vaecourse.estimators.score_function import mean_of_others
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import iwae


def iwae_score_function(model: LatentVariableModel, x: Tensor, num_samples: int = 1) -> Tensor:
    r"""The plain score-function estimator of :math:`\nabla \mathcal L_k`: every sample is praised for the whole bound.

    .. math:: \sum_s \hat L\, \nabla \log q(z_s|x) + \sum_s \tilde w_s \nabla \log w_s, \qquad
              \hat L = \log \frac1k \sum_s w_s, \quad \tilde w_s = w_s / \sum_t w_t

    Args:
        model: any model; gradients never pass through its samples.
        x: data of shape [B, D].
        num_samples: number k of samples per datum.

    Returns:
        The importance-weighted bound, [B], in nats.

    References:
        Mnih & Rezende (2016), section 2.
    """
    draw = model.draw(x, num_samples, through="density")
    bound = iwae(draw)
    return with_gradient_of(bound, bound + (bound.detach() * draw.log_qz_x).sum(0))


def vimco(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 2,
    mean: Literal["geometric", "arithmetic"] = "geometric",
) -> Tensor:
    r"""VIMCO: each sample is praised only for what it adds to the bound that the other samples would have given.

    .. math:: \sum_s \big(\hat L - \hat L^{(-s)}\big)\, \nabla \log q(z_s|x) + \sum_s \tilde w_s \nabla \log w_s, \qquad
              \hat L^{(-s)} = \log \frac1k \Big(\sum_{t \ne s} w_t + \hat w_s\Big)

    where the missing weight is put down as the mean of the others. It does not know its own sample, so that the
    estimator is unbiased.

    Args:
        model: any model; gradients never pass through its samples.
        x: data of shape [B, D].
        num_samples: number k of samples per datum, at least 2.
        mean: how the missing weight is guessed, as the "geometric" or the "arithmetic" mean of the other weights.

    Returns:
        The importance-weighted bound, [B], in nats.

    References:
        Mnih & Rezende (2016), section 2.
    """
    draw = model.draw(x, num_samples, through="density")
    bound = iwae(draw)
    signal = bound.detach() - bound_without(draw.log_w.detach(), mean)  # [S, B]
    return with_gradient_of(bound, bound + (signal * draw.log_qz_x).sum(0))


def bound_without(log_w: Tensor, mean: Literal["geometric", "arithmetic"] = "geometric") -> Tensor:
    """For each of k samples the bound had its weight been the mean of the others, [k, B], from log-weights [k, B]."""
    num_samples = len(log_w)
    own = torch.eye(num_samples, dtype=torch.bool, device=log_w.device)[:, :, None]  # [k, k, 1]
    if mean == "geometric":
        guess = mean_of_others(log_w)
        others = torch.where(own, guess, log_w)  # row s: all weights, the s-th replaced
        return others.logsumexp(1) - math.log(num_samples)
    if mean == "arithmetic":  # the mean of all k is then the mean of the k - 1 others
        mean_of_others(log_w)  # refuses a single sample
        return log_w.expand(num_samples, -1, -1).masked_fill(own, -math.inf).logsumexp(1) - math.log(num_samples - 1)
    raise ValueError(f'mean must be "geometric" or "arithmetic", and is {mean!r}')
