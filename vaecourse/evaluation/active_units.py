"""Active units: which latents tell the data apart, and how many nats each of them carries."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import kl_per_latent
from vaecourse.evaluation.refusals import check_finite, check_parameters, checked_prior
from vaecourse.model import LatentVariableModel


class ActiveUnits(NamedTuple):
    """Two measures of every latent's use: how far its mean moves with x, and what it costs."""

    variance: Tensor  # [L], of the posterior mean over data, in squared units of z
    active: Tensor  # [L], bool: variance above the threshold
    rate: Tensor  # [L], nats: the KL of each latent averaged over data; NaN where kl_per_latent has none

    @property
    def number(self) -> int:
        """How many latents are active."""
        return int(self.active.sum())


@torch.no_grad()
def active_units(
    model: LatentVariableModel,
    x: Tensor,
    threshold: float = 0.01,
    batch_size: int = 1000,
    num_samples: int | None = None,
) -> ActiveUnits:
    r"""The latents whose posterior mean varies over the data by more than a threshold.

    .. math:: A_l = \mathrm{Var}_x\big(E_{q(z|x)}[z_l]\big) > 0.01

    The threshold is a convention, and a low one: a latent of a linear VAE at its optimum with variance A has the rate
    :math:`-\frac12 \log(1 - A)`, which at 0.01 is 0.005 nats. "Active" then says that a latent is not dead, and the
    rate says whether it is used. A variance is in units of z: where the decoder's first weights are large, a latent of
    small variance may carry much, and the other way round.

    A q whose mean has no closed form, such as a chain of layers, is sampled: the variance is then the covariance over
    data of the means of two halves of the samples, which has no bias, however few they are (and may come out below 0).

    Args:
        model: a model whose q(z|x) has a mean, or can be sampled.
        x: data of shape [N, D], at least two.
        threshold: the least variance of an active latent, 0.01 by convention.
        batch_size: how many data are encoded at once; it bounds the memory.
        num_samples: samples per datum, an even number, for a q without a mean; None to refuse one.

    Returns:
        An :class:`ActiveUnits`, float64 on the CPU.

    Raises:
        ValueError: q has no mean, or one that is not finite; threshold is below 0; there are fewer than two data, or
            some to which the likelihood gives no density.

    References:
        Burda, Grosse & Salakhutdinov (2016), section 5.

    Example:
        >>> from vaecourse.exact import frozen_vae
        >>> units = active_units(frozen_vae(), torch.eye(64).double())
        >>> units.number, units.variance.shape
        (2, torch.Size([2]))
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be at least 0, and is {threshold}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, and is {batch_size}")
    if num_samples is not None and (num_samples < 2 or num_samples % 2):
        raise ValueError(f"num_samples must be an even number, at least 2, or None, and is {num_samples}")
    if len(x) < 2:
        raise ValueError(f"x must hold at least two data, or nothing varies; got {list(x.shape)}")
    pz = checked_prior(model, x)
    check_parameters(pz, "p(z)", model)
    means, rates = [], []
    for part in x.split(batch_size):
        q = model.qz_x(part)
        check_parameters(q, "q(z|x)", model)
        means.append(_halves(q, num_samples).cpu().double())
        try:
            rates.append(kl_per_latent(q, pz).cpu().double())
        except ValueError:
            rates.append(torch.full_like(means[-1][0], math.nan))
    one, other = torch.cat(means, 1)  # [N, L] each
    check_finite(one, "the mean of q(z|x)", model)
    variance = ((one - one.mean(0)) * (other - other.mean(0))).sum(0) / (len(x) - 1)
    return ActiveUnits(variance, variance > threshold, torch.cat(rates).mean(0))


def _halves(q: td.Distribution, num_samples: int | None) -> Tensor:
    """The mean of q, twice: the same one, or two that do not share their noise, [2, B, L]."""
    try:
        return torch.stack([q.mean, q.mean])
    except NotImplementedError:
        if num_samples is None:
            raise ValueError(
                f"active_units needs a q(z|x) with a mean, and {type(q).__name__} has none: num_samples estimates it"
            ) from None
    return q.sample((2, num_samples // 2)).mean(1)
