"""Kullback-Leibler divergences in closed form that torch lacks; importing the room registers them."""

from __future__ import annotations

import math

import torch.distributions as td
from torch import Tensor


@td.register_kl(td.MultivariateNormal, td.Independent)
def _kl_multivariate_normal_independent(q: td.MultivariateNormal, p: td.Independent) -> Tensor:
    r"""KL(q || p) in nats of a full Gaussian from a diagonal one, which torch lacks; batch shapes broadcast."""
    base = _diagonal_gaussian(p)
    scale_tril = q.scale_tril / base.scale.unsqueeze(-1)  # both in units of p's scale
    distance = ((q.loc - base.loc) / base.scale).square().sum(-1)
    log_det = scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return 0.5 * (scale_tril.square().sum((-2, -1)) + distance - q.event_shape[0]) - log_det


@td.register_kl(td.Independent, td.MultivariateNormal)
def _kl_independent_multivariate_normal(q: td.Independent, p: td.MultivariateNormal) -> Tensor:
    """KL(q || p) in nats of a diagonal Gaussian from a full one."""
    base = _diagonal_gaussian(q)
    return td.kl_divergence(td.MultivariateNormal(base.loc, scale_tril=base.scale.diag_embed(), validate_args=False), p)


@td.register_kl(td.StudentT, td.Normal)
def _kl_student_t_normal(q: td.StudentT, p: td.Normal) -> Tensor:
    """KL(q || p) in nats of a Student t from a Gaussian, infinite up to two degrees of freedom."""
    distance = ((q.loc - p.loc) / p.scale).square()
    variance = q.scale.square() * q.df / (q.df - 2).clamp(min=0)
    cross_entropy = 0.5 * (math.log(2 * math.pi) + variance / p.scale.square() + distance) + p.scale.log()
    return cross_entropy - q.entropy()


def _diagonal_gaussian(distribution: td.Independent) -> td.Normal:
    if isinstance(distribution.base_dist, td.Normal) and distribution.reinterpreted_batch_ndims == 1:
        return distribution.base_dist
    raise NotImplementedError(f"no closed form for the KL between a Gaussian and {distribution}")
