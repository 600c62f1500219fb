"""Autoregressive bijectors: what is done to a coordinate depends on those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vaecourse.flows.bijector import Bijector
from vaecourse.flows.conditioner import MADE
from vaecourse.flows.elementwise import Elementwise, ShiftAndScale


class Autoregressive(Bijector):
    r"""An inverse autoregressive step, :math:`y_j = g(z_j; f_j(z_{<j}, c))`, with f a masked network.

    All of z is there to be read: forward takes one pass, as a posterior's samples need it (IAF). Backwards z_j is known
    only after those before it, which takes L passes. A density estimator needs the other direction in one pass, and is
    the same map read backwards, ``Inverse(Autoregressive(...))`` (MAF): one pass for the density, L for a sample.

    It is the identity until it is trained (but for a :class:`Gate`), because f starts at zero. The first coordinate
    depends on nothing but the context: a stack reverses the order between its layers (:class:`Permutation`).

    Args:
        dim: number L of coordinates.
        hidden: sizes of the hidden layers of f, a :class:`MADE`.
        num_context: size C of the context that f reads; 0 for none.
        elementwise: g; a shift and a scale if None. :class:`Gate` is what Kingma et al. use.
        activation: makes the nonlinearity of f.

    References:
        Kingma et al. (2016), Improved variational inference with inverse autoregressive flow, section 4;
        Papamakarios, Pavlakou & Murray (2017), Masked autoregressive flow, sections 3.1 and 3.4.

    Example:
        >>> layer = Autoregressive(4, (16,))
        >>> z = torch.randn(5, 4)
        >>> y, log_det = layer.forward_and_log_det(z)
        >>> torch.allclose(layer.inverse_and_log_det(y)[0], z)
        True
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int],
        num_context: int = 0,
        elementwise: Elementwise | None = None,
        activation: Callable[[], nn.Module] = nn.Tanh,
    ):
        super().__init__()
        self.elementwise = ShiftAndScale() if elementwise is None else elementwise
        self.net = MADE(dim, hidden, self.elementwise.num_parameters, num_context, activation).start_at_zero()

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All coordinates in one pass."""
        y, log_slope = self.elementwise.forward(z, self.net(z, c))
        return y, log_slope.sum(-1)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """In as many passes as there are coordinates: each makes one more of them right."""
        z = torch.zeros_like(y)
        for _ in range(y.shape[-1]):
            z, log_slope = self.elementwise.inverse(y, self.net(z, c))
        return z, log_slope.sum(-1)
