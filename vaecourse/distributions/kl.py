"""Kullback-Leibler divergences in closed form that torch lacks; importing the room registers them."""

from __future__ import annotations

import math

import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.piecewise import PiecewiseConstant


@td.register_kl(td.MultivariateNormal, td.Independent)
def _kl_multivariate_normal_independent(q: td.MultivariateNormal, p: td.Independent) -> Tensor:
    r"""KL(q || p) in nats of a full Gaussian from a diagonal one, which torch lacks; batch shapes broadcast."""
    if isinstance(p.base_dist, PiecewiseConstant):
        _kl_infinite(q, p)
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


@td.register_kl(PiecewiseConstant, PiecewiseConstant)
def _kl_piecewise_piecewise(q: PiecewiseConstant, p: PiecewiseConstant) -> Tensor:
    r"""KL(q || p) in nats, :math:`\sum_i q_i \log (q_i / p_i)` for equal bins: their widths cancel."""
    if q.num_bins != p.num_bins:
        raise NotImplementedError(
            f"KL(q || p) needs the same bins in both, and they have {q.num_bins} and {p.num_bins}"
        )
    return (q.probs * (q.logits - p.logits)).sum(-1)


@td.register_kl(PiecewiseConstant, td.Normal)
def _kl_piecewise_normal(q: PiecewiseConstant, p: td.Normal) -> Tensor:
    """KL(q || p) in nats from a Gaussian, which has mass where q has some."""
    distance = (q.variance + (q.mean - p.loc).square()) / p.scale.square()
    return 0.5 * (math.log(2 * math.pi) + distance) + p.scale.log() - q.entropy()


@td.register_kl(td.Normal, PiecewiseConstant)
@td.register_kl(td.Laplace, PiecewiseConstant)
@td.register_kl(td.StudentT, PiecewiseConstant)
def _kl_infinite(q: td.Distribution, p: td.Distribution) -> Tensor:
    """Refused: q has mass outside [0, 1], where p has none."""
    raise ValueError(
        f"q must lie in [0, 1] where the prior is piecewise constant there, and {type(q).__name__} does not: "
        "KL(q || p) is infinite; take a Piecewise q"
    )


def _diagonal_gaussian(distribution: td.Independent) -> td.Normal:
    if isinstance(distribution.base_dist, td.Normal) and distribution.reinterpreted_batch_ndims == 1:
        return distribution.base_dist
    raise NotImplementedError(f"no closed form for the KL between a Gaussian and {distribution}")
