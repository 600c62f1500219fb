"""Affine maps of independent noise of any kind: a Gaussian through its Cholesky factor, and its heavier kin."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
import torch.distributions as td
from torch import Tensor

ONE = torch.Size()  # the shape of a single sample


class Affine(td.Distribution):
    r"""An affine map of independent noise of any kind, :math:`z = m + C\epsilon`, with C lower triangular.

    .. math:: \log q(z) = \sum_l \log p_\epsilon\big([C^{-1}(z - m)]_l\big) - \sum_l \log C_{ll}

    With Gaussian noise this is the Gaussian through its Cholesky factor; Laplace, Student-t or logistic noise gives q
    other tails and corners.

    Args:
        base: the distribution of one noise coordinate, a scalar distribution with ``rsample``; its parameters are taken
            in the dtype of m and C, so that noise of float64 has all of its digits.
        loc: m, [..., L].
        scale_tril: C, [..., L, L], zero above a positive diagonal.

    Raises:
        ValueError: base is no scalar distribution with ``rsample``, the shapes or dtypes of m and C do not fit each
            other, or C is not lower triangular with a positive diagonal.

    References:
        Challis & Barber (2012), Affine independent variational inference.

    Example:
        >>> q = Affine(td.Laplace(0.0, 1.0), torch.zeros(5, 2), torch.eye(2))
        >>> q.rsample((3,)).shape, q.log_prob(torch.zeros(2)).shape
        (torch.Size([3, 5, 2]), torch.Size([5]))
    """

    has_rsample = True
    arg_constraints: ClassVar = {"loc": td.constraints.real_vector, "scale_tril": td.constraints.lower_cholesky}
    support = td.constraints.real_vector

    def __init__(self, base: td.Distribution, loc: Tensor, scale_tril: Tensor):
        if base.event_shape or base.batch_shape:
            raise ValueError(
                f"base must be one scalar distribution, and has shape {[*base.batch_shape, *base.event_shape]}"
            )
        if not base.has_rsample:
            raise ValueError(f"base must have rsample, and {type(base).__name__} has not")
        _check(loc, scale_tril)
        self.base = _in_dtype(base, loc.dtype)
        self.loc = loc
        self.scale_tril = scale_tril
        batch_shape = torch.broadcast_shapes(loc.shape[:-1], scale_tril.shape[:-2])
        super().__init__(batch_shape, loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """E z, [..., L]; not a number where the noise has no mean."""
        return self.loc + self.scale_tril.sum(-1) * self.base.mean

    @property
    def variance(self) -> Tensor:
        """The variance of each coordinate, [..., L]."""
        return self.scale_tril.square().sum(-1) * self.base.variance

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches m and C (and the base's parameters)."""
        noise = self.base.rsample(self._extended_shape(sample_shape)).to(self.loc.device)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats."""
        centred = (value - self.loc).unsqueeze(-1)
        noise = torch.linalg.solve_triangular(self.scale_tril, centred, upper=False).squeeze(-1)
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return self.base.log_prob(noise).sum(-1) - log_det


def _check(loc: Tensor, scale_tril: Tensor) -> None:
    size = loc.shape[-1] if loc.ndim else None
    if size is None or scale_tril.shape[-2:] != (size, size):
        raise ValueError(
            f"loc must be [..., L] and scale_tril [..., L, L]; got {list(loc.shape)} and {list(scale_tril.shape)}"
        )
    if not loc.is_floating_point() or loc.dtype != scale_tril.dtype:
        raise ValueError(f"loc and scale_tril must be floats of one dtype; got {loc.dtype} and {scale_tril.dtype}")
    # A solver reads the lower triangle only, and would give a density that is not that of the samples.
    if not bool((scale_tril.triu(1) == 0).all() & (scale_tril.diagonal(dim1=-2, dim2=-1) > 0).all()):
        raise ValueError("scale_tril must be zero above its diagonal and positive on it, and is not")


def _in_dtype(value: Any, dtype: torch.dtype, seen: dict[int, Any] | None = None) -> Any:
    """A distribution with its parameters, and those of the distributions and transforms inside it, in a dtype."""
    seen = {} if seen is None else seen
    if id(value) in seen:  # a transform and its inverse hold each other
        return seen[id(value)]
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if type(value) in (list, tuple):
        return type(value)(_in_dtype(part, dtype, seen) for part in value)
    if isinstance(value, (td.Distribution, td.Transform)):
        same = seen[id(value)] = copy.copy(value)
        same.__dict__ = {name: _in_dtype(part, dtype, seen) for name, part in value.__dict__.items()}
        return same
    return value
