"""Free bits: the bound in which the first nats of every latent cost the same whether they are used or not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaecourse.distributions import full_precision_arithmetic, kl_per_latent
from vaecourse.estimators.pathwise import reparameterised_q
from vaecourse.model import LatentVariableModel


def free_bits(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    free: float | Tensor = 0.5,
    groups: Sequence[int] | None = None,
) -> Tensor:
    r"""The bound whose KL, of every group of latents and averaged over the batch, is charged at no less than a floor.

    .. math:: \frac1B \sum_b E_q[\log p(x_b|z)]
              - \sum_j \max\Big(\lambda,\; \frac1B \sum_b \mathrm{KL}(q(z_j|x_b) \,\|\, p(z_j))\Big)

    Only the reconstruction term is sampled. The floor acts on an average, so that a datum's number depends on those
    beside it: in a group whose average is at the floor or above, every datum is charged its own KL, in one below it
    :math:`\lambda`. The mean over the batch is then the equation, value and gradient: below the floor the KL of the
    group has no gradient, neither towards the prior nor away from it, and the encoder can use the group's first nats
    for nothing.

    The mean over the batch is never above that of :func:`analytic_kl` under the same noise, and falls short of it by at
    most :math:`\lambda` for every group; a single datum's number may be above its bound. "The batch" is what one call
    sees: in :func:`~vaecourse.training.fit` a shard of the batch in training, 1,000 data in validation.

    Args:
        model: a model whose q(z|x) and p(z) have independent latents, with a KL that torch knows.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        free: the floor :math:`\lambda` of each group, in nats, at least 0; 0 gives :func:`analytic_kl`.
        groups: sizes of the groups, of consecutive latents, such as ``(2, 6)``; None for every latent alone.

    Returns:
        One number per datum, [B], in nats.

    Raises:
        ValueError: q or p has no KL for each latent, free is below 0, or the groups do not add up to the latents.

    References:
        Kingma et al. (2016), Improved variational inference with inverse autoregressive flow, equation 15.

    Example:
        >>> from functools import partial
        >>> floor = partial(free_bits, free=0.25)  # for fit(model, floor, train, ...)
    """
    _check_free(free)
    q, pz = reparameterised_q(model, x, num_samples, "free_bits"), model.prior()
    kl = kl_per_latent(q, pz)  # [B, L]
    if groups is not None:
        kl = torch.stack([part.sum(-1) for part in kl.split(_checked_sizes(groups, kl.shape[-1]), -1)], -1)
    charged = torch.where(kl.mean(0) < free, free, kl)  # [B, G]
    with full_precision_arithmetic(q, pz):
        z = q.rsample((num_samples,))  # [S, B, L]
    return model.log_likelihood(x, z).mean(0) - charged.sum(-1)


def _check_free(free: float | Tensor) -> None:
    if isinstance(free, Tensor):
        if free.ndim:
            raise ValueError(f"free must be one number of nats for all groups, and has shape {list(free.shape)}")
    elif not free >= 0:  # of a tensor, which may lie on a GPU, the value is not asked
        raise ValueError(f"free must be at least 0 nats, and is {free}")


def _checked_sizes(groups: Sequence[int], num_latents: int) -> list[int]:
    sizes = list(groups)
    if sum(sizes) != num_latents or any(size < 1 for size in sizes):
        raise ValueError(f"groups must be sizes, each at least 1, that add up to {num_latents} latents; got {groups}")
    return sizes
