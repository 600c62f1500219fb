"""Densities with steps: K equal bins of [0, 1], each with a mass of its own."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse.distributions.affine import ONE
from vaecourse.distributions.conditional import Conditional, full_precision


class PiecewiseConstant(td.Distribution):
    r"""A histogram as a density, :math:`p(z) = K a_i / \sum_j a_j` on the i-th of K equal bins of [0, 1].

    Its normaliser, moments and KL are sums over bins, and a sample is a uniform number through the inverse of the
    distribution function, which is piecewise linear and has a gradient in a. The density has none along z: it is flat,
    and then it jumps. A sampled KL therefore tells the parameters nothing through z, while the one in closed form does.

    Args:
        logits: log a, up to a constant for each scalar, [..., K].

    References:
        Serban et al. (2017), Piecewise latent variables for neural variational text processing, section 4.1.

    Example:
        >>> p = PiecewiseConstant(torch.tensor([1.0, 3.0, 2.0, 2.0]).log())
        >>> p.log_prob(torch.tensor(0.4)).exp(), p.mean, p.icdf(torch.tensor(0.3))
        (tensor(1.5000), tensor(0.5312), tensor(0.3667))
    """

    arg_constraints: ClassVar = {}
    support = td.constraints.unit_interval
    has_rsample = True
    has_jumps = True

    def __init__(self, logits: Tensor):
        if logits.ndim < 1 or logits.shape[-1] < 2:
            raise ValueError(f"logits must be [..., K] for at least two bins, and has shape {list(logits.shape)}")
        self.logits = logits.log_softmax(-1)
        super().__init__(logits.shape[:-1], validate_args=False)

    @property
    def num_bins(self) -> int:
        """Number K of bins."""
        return self.logits.shape[-1]

    @property
    def probs(self) -> Tensor:
        """The mass of each bin, [..., K]."""
        return self.logits.exp()

    @property
    def mean(self) -> Tensor:
        """The mean of z, [...]."""
        return self.probs @ self._centres()

    @property
    def variance(self) -> Tensor:
        """The variance of z, [...]: that of the bins' centres, and that within a bin."""
        second = self.probs @ self._centres().square() + 1 / (12 * self.num_bins**2)
        return second - self.mean.square()

    def entropy(self) -> Tensor:
        """The differential entropy in nats, [...]: 0 where all bins weigh the same, and never above."""
        return -(self.probs * self.logits).sum(-1) - math.log(self.num_bins)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> PiecewiseConstant:
        """The same distribution at every place of a batch."""
        return PiecewiseConstant(self.logits.expand(*batch_shape, -1))

    def cdf(self, value: Tensor) -> Tensor:
        """The mass below a value, [...]."""
        scaled = value.clamp(0, 1) * self.num_bins
        bin_ = scaled.detach().long().clamp(max=self.num_bins - 1)
        mass, below = self._at(bin_)
        return below + (scaled - bin_) * mass

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile of u in [0, 1], [...]; its gradient reaches the logits."""
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        above = self.probs.cumsum(-1).detach().expand(*shape, -1)
        bin_ = (value.expand(shape)[..., None] > above).sum(-1).clamp(max=self.num_bins - 1)
        mass, below = self._at(bin_)
        within = (value - below) / mass.clamp(min=torch.finfo(mass.dtype).tiny)
        within = within + (within.clamp(0, 1) - within).detach()  # rounding may lead into a neighbour
        return (bin_ + within) / self.num_bins

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches the logits."""
        shape = self._extended_shape(torch.Size(sample_shape))
        return self.icdf(torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(z) in nats; minus infinity outside [0, 1]."""
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        bin_ = (value.clamp(0, 1) * self.num_bins).long().clamp(max=self.num_bins - 1).expand(shape)
        log_mass = self.logits.expand(*shape, -1).gather(-1, bin_[..., None]).squeeze(-1)
        return torch.where((value < 0) | (value > 1), -math.inf, log_mass + math.log(self.num_bins))

    def _centres(self) -> Tensor:
        bins = torch.arange(self.num_bins, dtype=self.logits.dtype, device=self.logits.device)
        return (bins + 0.5) / self.num_bins

    def _at(self, bin_: Tensor) -> tuple[Tensor, Tensor]:
        """The mass of a bin and the mass below it, each of the bin's shape [...]."""
        mass = self.probs
        below = F.pad(mass.cumsum(-1)[..., :-1], (1, 0))
        shape = torch.broadcast_shapes(bin_.shape, self.batch_shape)
        bin_ = bin_.expand(shape)[..., None]
        mass, below = (part.expand(*shape, -1).gather(-1, bin_).squeeze(-1) for part in (mass, below))
        return mass, below


class Piecewise(Conditional):
    r"""Independent latents on [0, 1] whose densities are histograms, :math:`p(z|c) = \prod_l p_l(z_l; a_l)`.

    Args:
        logits: log a, either a network from the context [..., C] to [..., L K], the bins of the first latent first, as
            for a posterior, or a tensor [L, K] from which they are learned, as for a prior.
        num_bins: number K of bins of every latent; for a tensor it may be left out.

    Raises:
        ValueError: logits is neither, or the number of bins does not fit it.

    References:
        Serban et al. (2017), section 4.1.

    Example:
        >>> prior, posterior = Piecewise(torch.zeros(2, 5)), Piecewise(nn.Linear(64, 2 * 5), num_bins=5)
        >>> td.kl_divergence(posterior(torch.zeros(3, 64)), prior()).shape
        torch.Size([3])
    """

    def __init__(self, logits: nn.Module | Tensor, num_bins: int | None = None):
        super().__init__()
        if isinstance(logits, nn.Module):
            if num_bins is None or num_bins < 2:
                raise ValueError(f"num_bins must be at least 2 where logits is a network, and is {num_bins}")
            self.logits, self.num_bins = logits, num_bins
            return
        if not (isinstance(logits, Tensor) and logits.is_floating_point() and logits.ndim == 2 and logits.shape[1] > 1):
            raise ValueError(f"logits must be a network or a tensor of real numbers, [L, K], and is {logits!r}")
        if num_bins not in (None, logits.shape[1]):
            raise ValueError(f"num_bins must be that of logits, {logits.shape[1]}, and is {num_bins}")
        self.logits, self.num_bins = nn.Parameter(logits.clone()), logits.shape[1]

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution with event shape [L], and the context's batch shape."""
        if not isinstance(self.logits, nn.Module):
            logits = self.logits if c is None else self.logits.expand(*c.shape[:-1], -1, -1)
            return td.Independent(PiecewiseConstant(logits), 1)
        outputs = full_precision(self.logits(c))
        if outputs.shape[-1] % self.num_bins:
            raise ValueError(f"logits must give a multiple of {self.num_bins} outputs, and gives {outputs.shape[-1]}")
        return td.Independent(PiecewiseConstant(outputs.unflatten(-1, (-1, self.num_bins))), 1)
