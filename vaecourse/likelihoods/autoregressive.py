"""The likelihood whose dimensions come one after the other, each given those before it and z."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from vaecourse import distributions
from vaecourse.distributions import Conditional, Given


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
        >>> from vaecourse.likelihoods import Bernoulli
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
