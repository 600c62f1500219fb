"""Likelihoods p(x|z): a network gives the parameters, the distribution gives the nats, summed over the D dimensions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse import distributions
from vaecourse.distributions import Conditional, Given, full_precision


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


class Autoregressive(Conditional):
    r"""Pixels in an order, :math:`p(x|z) = \prod_j p(x_j \mid x_{<j}, z)`: a decoder that sees what it drew so far.

    Args:
        net: from (x, z), of shapes [..., D] and [..., L], to parameters of every pixel [..., D]; those of pixel j may
            depend on the pixels before j only.
        of_each: makes the distribution of the pixels, given a network that gives it those parameters: ``Bernoulli``, or
            a function such as ``lambda net: Binomial(net, 16)``.
        num_pixels: number D.

    References:
        van den Oord, Kalchbrenner & Kavukcuoglu (2016), Pixel recurrent neural networks, equation 1.

    Example:
        >>> import torch
        >>> class Neighbour(nn.Module):
        ...     def forward(self, x, z):
        ...         return nn.functional.pad(4 * x[..., :-1] - 2, (1, 0)) + z  # as the pixel before, probably
        >>> Autoregressive(Neighbour(), Bernoulli, 3)(torch.zeros(1)).log_prob(torch.ones(3)).exp()
        tensor(0.3879)
    """

    def __init__(self, net: nn.Module, of_each: Callable[[nn.Module], Conditional], num_pixels: int):
        super().__init__()
        self.pixels = Given(net, of_each(nn.Identity()))
        self.num_pixels = num_pixels

    def forward(self, c: Tensor | None = None) -> distributions.Autoregression:
        """The distribution of x, event shape [D], given z of shape [..., L]; None for a net that takes x alone."""
        return distributions.Autoregression(self.pixels, c, self.num_pixels)


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


def check_support(px_z: td.Distribution, x: Tensor) -> None:
    """Refuse data that the likelihood gives no density: nats of such a pair mean nothing.

    Every datum given is looked at, and every pixel of it; the message names the first value that lies outside.

    Args:
        px_z: the likelihood at some z, of batch shape [1] or [].
        x: data [B, D] as they will be scored, of any dtype.

    Raises:
        ValueError: x has no batch axis or another number of dimensions, or a value of it lies outside the support, is
            infinite or not a number.

    Example:
        >>> import torch
        >>> px_z = Bernoulli(torch.nn.Identity())(torch.zeros(1, 3))
        >>> check_support(px_z, torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.7]]))
        Traceback (most recent call last):
        ValueError: x must lie in the support of the likelihood, Bernoulli on 0 and 1, and has values such as 0.7: ...
    """
    if x.ndim < 2:
        raise ValueError(f"x must be [B, D] with a batch axis, x[None] for one datum; got {list(x.shape)}")
    if px_z.event_shape != x.shape[-1:]:
        scored = px_z.event_shape[0] if len(px_z.event_shape) == 1 else list(px_z.event_shape)
        raise ValueError(f"x has {x.shape[-1]} dimensions, and the likelihood scores {scored}")
    base = px_z.base_dist if isinstance(px_z, td.Independent) else px_z
    support = _of_one_value(px_z.support)
    for part in x.reshape(-1, x.shape[-1]).split(8192):  # the masks of a whole data set would be as large as it is
        inside = support.check(part)  # [b, D], or [b] where the support is not that of each value
        if support.event_dim == 0 and bool((inside & part.isfinite()).all()):
            continue
        if support.event_dim > 0 and bool(inside.all() and part.isfinite().all()):
            continue
        raise ValueError(
            f"x must lie in the support of the likelihood, {type(base).__name__} on {_in_words(support)}, and has "
            f"values such as {_first_outside(support, inside, part)}: choose the data's protocol and the likelihood "
            f"together"
        )


def _of_one_value(support: td.constraints.Constraint) -> td.constraints.Constraint:
    """The support of each value, for all but the constraints that tie the values of a datum to each other."""
    while hasattr(support, "base_constraint"):  # of independent values, and of a mixture's components
        support = support.base_constraint
    return support


def _first_outside(support: td.constraints.Constraint, inside: Tensor, x: Tensor) -> str:
    if support.event_dim == 0:
        return f"{x[~(inside & x.isfinite())][0]:.4g}"
    if not x.isfinite().all():
        return f"{x[~x.isfinite()][0]:.4g}"
    values = ", ".join(f"{value:.4g}" for value in x[~inside][0, :8].tolist())
    return f"({values}{', ...' if x.shape[-1] > 8 else ''})"


def _in_words(support: td.constraints.Constraint) -> str:
    name = type(support).__name__.strip("_")
    name = {"Boolean": "0 and 1", "IntegerInterval": "the integers", "Interval": "the interval"}.get(name, name)
    if not hasattr(support, "upper_bound"):
        return name
    low, high = (torch.as_tensor(bound).max().item() for bound in (support.lower_bound, support.upper_bound))
    return f"{name} {low:g}..{high:g}"
