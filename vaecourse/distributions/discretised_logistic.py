"""The discretised logistic: levels with an order, whose probabilities are areas under a bell, or under several."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor

ONE = torch.Size()


class DiscretisedLogistic(td.Distribution):
    r"""Levels x in {0, ..., K - 1}, each with what a logistic density puts within half a level of it.

    The levels 0 and K - 1 have the tails as well, so that the K probabilities sum to one. With
    :math:`a = (x + \frac12 - \mu) / s` and :math:`b = (x - \frac12 - \mu) / s`, a level in between has

    .. math:: \log p(x) = \log(\sigma(a) - \sigma(b)) = \log \sigma(a) + \log \sigma(-b) + \log(1 - e^{-1/s})

    whose terms keep their digits where the two :math:`\sigma` agree to all of theirs. A mixture of M such bells may
    have several humps.

    Args:
        loc: the locations mu, [..., M], in levels.
        log_scale: the logarithms of the scales s in levels, [..., M].
        num_levels: number K.
        logits: of the M bells, [..., M]; None for equal weights.

    References:
        Kingma et al. (2016), Improving variational inference with inverse autoregressive flow, appendix C;
        Salimans et al. (2017), PixelCNN++, section 2.1.

    Example:
        >>> p = DiscretisedLogistic(torch.tensor([2.0]), torch.tensor([0.0]), num_levels=5)
        >>> p.log_prob(torch.arange(5.0)).exp()
        tensor([0.1824, 0.1951, 0.2449, 0.1951, 0.1824])
    """

    arg_constraints: ClassVar = {}
    has_enumerate_support = True

    def __init__(self, loc: Tensor, log_scale: Tensor, num_levels: int, logits: Tensor | None = None):
        if num_levels < 2:
            raise ValueError(f"num_levels must be at least 2, and is {num_levels}")
        self.loc, self.log_scale = torch.broadcast_tensors(loc, log_scale)
        self.logits = torch.zeros_like(self.loc) if logits is None else logits.expand(self.loc.shape)
        self.num_levels = num_levels
        super().__init__(self.loc.shape[:-1], validate_args=False)

    @property
    def support(self) -> td.constraints.Constraint:
        """The whole numbers from 0 to K - 1."""
        return td.constraints.integer_interval(0, self.num_levels - 1)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> DiscretisedLogistic:
        """The same distribution for every place of a batch."""
        parts = (part.expand(*batch_shape, -1) for part in (self.loc, self.log_scale, self.logits))
        loc, log_scale, logits = parts
        return DiscretisedLogistic(loc, log_scale, self.num_levels, logits)

    @property
    def mean(self) -> Tensor:
        """E x = sum over k = 1, ..., K - 1 of P(X >= k), [...]."""
        edges = torch.arange(1, self.num_levels, dtype=self.loc.dtype, device=self.loc.device) - 0.5
        above = torch.sigmoid((self.loc[..., None] - edges) * (-self.log_scale[..., None]).exp()).sum(-1)
        return (self.logits.softmax(-1) * above).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x) in nats, [...]; minus infinity of what is no level."""
        x, inverse = value[..., None], (-self.log_scale).exp()
        up, down = (x + 0.5 - self.loc) * inverse, (self.loc - x + 0.5) * inverse  # a and -b
        below = torch.where(x >= self.num_levels - 1, 0.0, F.logsigmoid(up))
        above = torch.where(x <= 0, 0.0, F.logsigmoid(down))
        edge = (x <= 0) | (x >= self.num_levels - 1)
        log_p = below + above + torch.where(edge, 0.0, torch.log(-torch.expm1(-inverse)))
        if self.loc.shape[-1] > 1:
            log_p = torch.logsumexp(self.logits.log_softmax(-1) + log_p, -1)
        else:
            log_p = log_p[..., 0]
        return torch.where(self.support.check(value), log_p, torch.where(value.isnan(), math.nan, -math.inf))

    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Levels, of the dtype of the locations: a bell, a number that follows it, rounded."""
        with torch.no_grad():
            shape = (*sample_shape, *self.loc.shape)
            uniform = torch.rand(2, *shape, dtype=self.loc.dtype, device=self.loc.device)
            uniform = uniform.clamp(torch.finfo(uniform.dtype).tiny, 1 - torch.finfo(uniform.dtype).eps / 2)
            bell = (self.logits - (-uniform[0].log()).log()).argmax(-1, keepdim=True)  # with the Gumbel's noise
            noise = torch.logit(uniform[1].gather(-1, bell))
            loc, log_scale = (part.expand(shape).gather(-1, bell) for part in (self.loc, self.log_scale))
            return (loc + log_scale.exp() * noise).round().clamp(0, self.num_levels - 1)[..., 0]

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All levels, [K, ...]."""
        levels = torch.arange(self.num_levels, dtype=self.loc.dtype, device=self.loc.device)
        levels = levels.view(-1, *(1,) * len(self.batch_shape))
        return levels.expand(-1, *self.batch_shape) if expand else levels
