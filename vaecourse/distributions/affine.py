"""Affine maps of independent noise of any kind: a Gaussian through its Cholesky factor, and its heavier kin."""

from __future__ import annotations

from typing import ClassVar

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
        base: the distribution of one noise coordinate, a scalar distribution with ``rsample``.
        loc: m, [..., L].
        scale_tril: C, [..., L, L], with a positive diagonal.

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
        self.base = base
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
        noise = self.base.rsample(self._extended_shape(sample_shape)).to(self.loc)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats."""
        centred = (value - self.loc).unsqueeze(-1)
        noise = torch.linalg.solve_triangular(self.scale_tril, centred, upper=False).squeeze(-1)
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return self.base.log_prob(noise).sum(-1) - log_det
