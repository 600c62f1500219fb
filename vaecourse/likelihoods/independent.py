"""Likelihoods whose dimensions are independent given z: one parametric family a dimension."""

from __future__ import annotations

import math

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse import distributions
from vaecourse.distributions import Conditional, full_precision


class Bernoulli(Conditional):
    r"""Binary pixels, :math:`p(x|z) = \prod_j \mathrm{Bern}(x_j; \sigma(f_j(z)))`, for x in {0, 1}.

    Args:
        net: the decoder, from z [..., L] to logits [..., D].
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., L]."""
        return td.Independent(td.Bernoulli(logits=full_precision(self.net(c)), validate_args=False), 1)


class ContinuousBernoulli(Conditional):
    r"""Grey values in [0, 1] with the normaliser that the Bernoulli log-loss leaves out there.

    Args:
        net: the decoder, from z [..., L] to logits [..., D].

    References:
        Loaiza-Ganem & Cunningham (2019), The continuous Bernoulli, equation 2.
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., L]."""
        return td.Independent(distributions.ContinuousBernoulli(full_precision(self.net(c))), 1)


class Binomial(Conditional):
    r"""Counts, :math:`p(x|z) = \prod_j \mathrm{Bin}(x_j; n, \sigma(f_j(z)))`, for x in {0, ..., n}.

    Args:
        net: the decoder, from z [..., L] to logits [..., D].
        total_count: number n of trials of every dimension, 16 for the digits of scikit-learn.
    """

    def __init__(self, net: nn.Module, total_count: int):
        super().__init__()
        self.net = net
        self.total_count = total_count

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., L]."""
        return td.Independent(td.Binomial(self.total_count, logits=full_precision(self.net(c)), validate_args=False), 1)


class Gaussian(Conditional):
    r"""Real values with one noise level, :math:`p(x|z) = \mathcal N(x; f(z), \sigma^2 I)`.

    Args:
        net: the decoder, from z [..., L] to means [..., D].
        scale: the standard deviation sigma, in the data's units.
        learn_scale: fit sigma (through its logarithm) by maximum likelihood along with the network.
    """

    def __init__(self, net: nn.Module, scale: float = 1.0, learn_scale: bool = False):
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale must be above 0, and is {scale}")
        self.net = net
        log_scale = torch.tensor(float(scale)).log()
        if learn_scale:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., L]."""
        return td.Independent(td.Normal(full_precision(self.net(c)), self.log_scale.exp(), validate_args=False), 1)


class CategoricalPixels(Conditional):
    r"""Levels without an order, :math:`p(x|z) = \prod_j \mathrm{softmax}(f_j(z))_{x_j}`, for x in {0, ..., K - 1}.

    Each pixel has a free logit for every level, so that its distribution may have two humps, or a spike at 0.

    Args:
        net: the decoder, from z [..., L] to logits [..., D K], the K of the first pixel first.
        num_levels: number K of levels of every dimension, 17 for the counts of scikit-learn's digits.
    """

    def __init__(self, net: nn.Module, num_levels: int):
        super().__init__()
        if num_levels < 2:
            raise ValueError(f"num_levels must be at least 2, and is {num_levels}")
        self.net = net
        self.num_levels = num_levels

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., L]."""
        logits = full_precision(self.net(c))
        if logits.shape[-1] % self.num_levels:
            raise ValueError(f"net must give a multiple of {self.num_levels} outputs, and gives {logits.shape[-1]}")
        logits = logits.unflatten(-1, (-1, self.num_levels))
        return td.Independent(distributions.discrete.Levels(logits), 1)


class DiscretisedLogistic(Conditional):
    r"""Levels with an order, x in {0, ..., K - 1}: the areas under a logistic density, or under a mixture of M of them.

    An output of 0 is the middle level and -1 and 1 the lowest and the highest; those of M bells start side by side, so
    that they have something to be told apart by. A log-scale of 0 is an eighth of the levels.

    Args:
        net: the decoder, from z [..., L] to parameters [..., D P], those of the first pixel first: for one bell P = 2,
            location and log-scale; for M of them P = 3 M, their logits, then locations, then log-scales.
        num_levels: number K of levels of every dimension, 256 for bytes.
        num_components: number M of bells.

    References:
        Salimans et al. (2017), PixelCNN++, section 2.1.
    """

    def __init__(self, net: nn.Module, num_levels: int, num_components: int = 1):
        super().__init__()
        if num_levels < 2:
            raise ValueError(f"num_levels must be at least 2, and is {num_levels}")
        if num_components < 1:
            raise ValueError(f"num_components must be at least 1, and is {num_components}")
        self.net = net
        self.num_levels = num_levels
        self.num_components = num_components

    @property
    def num_outputs(self) -> int:
        """Number P of parameters of a dimension."""
        return 2 if self.num_components == 1 else 3 * self.num_components

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., L]."""
        outputs, size = full_precision(self.net(c)), self.num_components
        if outputs.shape[-1] % self.num_outputs:
            raise ValueError(f"net must give a multiple of {self.num_outputs} outputs, and gives {outputs.shape[-1]}")
        outputs = outputs.unflatten(-1, (-1, self.num_outputs))
        logits = outputs[..., :size] if size > 1 else None
        place, log_scale = outputs[..., -2 * size :].split(size, -1)
        half = (self.num_levels - 1) / 2
        apart = torch.linspace(-1, 1, size + 2, dtype=outputs.dtype, device=outputs.device)[1:-1]
        loc = half * (1 + place + apart)
        # Narrower than a thousandth of a level, and wider than any number of them, only rounding is left: 1 / s must
        # neither overflow nor vanish.
        log_scale = (log_scale + math.log(self.num_levels / 8)).clamp(-7, 30)
        return td.Independent(distributions.DiscretisedLogistic(loc, log_scale, self.num_levels, logits), 1)
