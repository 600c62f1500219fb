"""What a distribution of several latents says of each of them alone, where they are independent."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.sampling import full_precision_arithmetic


def kl_per_latent(q: td.Distribution, p: td.Distribution) -> Tensor:
    r"""KL(q || p) in closed form, latent by latent, where the latents of both are independent.

    .. math:: \mathrm{KL}(q(z) \,\|\, p(z)) = \sum_l \mathrm{KL}(q(z_l) \,\|\, p(z_l))

    Args:
        q: an ``Independent(..., 1)`` with batch shape [B] and event shape [L], such as a diagonal Gaussian.
        p: another, whose batch shape broadcasts against [B].

    Returns:
        One KL per datum and latent, [B, L], in nats.

    Raises:
        ValueError: the latents of one are not known to be independent, the numbers of latents differ, or torch has no
            closed form for a single latent.

    Example:
        >>> import torch
        >>> q = td.Independent(td.Normal(torch.tensor([[1.0, 0.0]]), torch.ones(1, 2)), 1)
        >>> p = td.Independent(td.Normal(torch.zeros(2), torch.ones(2)), 1)
        >>> kl_per_latent(q, p)
        tensor([[0.5000, 0.0000]])
    """
    for name, distribution in (("q(z|x)", q), ("p(z)", p)):
        one_each = isinstance(distribution, td.Independent) and distribution.reinterpreted_batch_ndims == 1
        if not one_each or distribution.base_dist.event_shape:
            raise ValueError(
                f"a KL for each latent needs latents that are independent, as in Independent(Normal(...), 1), and "
                f"{name} is {_name(distribution)}"
            )
    if q.event_shape != p.event_shape:
        raise ValueError(f"q(z|x) has {q.event_shape[0]} latents and p(z) has {p.event_shape[0]}")
    shape = torch.broadcast_shapes(q.batch_shape, p.batch_shape) + q.event_shape  # [B, L]
    try:
        with full_precision_arithmetic(q, p):
            kl = td.kl_divergence(_expanded(q.base_dist, shape), _expanded(p.base_dist, shape))
    except NotImplementedError:
        raise ValueError(f"torch knows no KL of {_name(q)} from {_name(p)} in closed form") from None
    return kl.expand(shape)


def _expanded(distribution: td.Distribution, shape: torch.Size) -> td.Distribution:
    """With this batch shape, if it can: not every KL of torch broadcasts, that of two Bernoullis does not."""
    try:
        return distribution.expand(shape)
    except NotImplementedError:
        return distribution


def _name(distribution: td.Distribution) -> str:
    if isinstance(distribution, td.Independent):
        base = type(distribution.base_dist).__name__
        return f"Independent({base}, {distribution.reinterpreted_batch_ndims})"
    return type(distribution).__name__
