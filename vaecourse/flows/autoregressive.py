"""Autoregressive bijectors: what is done to a coordinate depends on those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vaecourse.flows.bijector import Bijector
from vaecourse.flows.elementwise import Elementwise, ShiftAndScale
from vaecourse.flows.made import MADE


class Autoregressive(Bijector):
    r"""An inverse autoregressive step, :math:`y_j = g(z_j; f_j(z_{<j}, c))`, with f a masked network.

    All of z is there to be read: forward takes one pass, as a posterior's samples need it (IAF). Backwards z_j is known
    only after those before it, which takes L steps one after the other (together they are the arithmetic of about one
    pass: see :meth:`MADE.in_order`). A density estimator needs the other direction in one pass, and is the same map
    read backwards, ``Inverse(Autoregressive(...))`` (MAF): one pass for the density, L steps for a sample.

    A flow's own samples bring their density with them, ``rsample_and_log_prob``, in one pass a layer. The density of a
    foreign point has to be asked for backwards, L steps a layer.

    With :class:`ShiftAndScale` as g the next coordinate is Gaussian given those before; :class:`Gate` is what Kingma et
    al. use; with :class:`Sigmoids` it is a neural autoregressive flow, whose next coordinate may have several modes.
    Until it is trained it is the identity, because f starts at zero (but for a Gate; Sigmoids are near it). The first
    coordinate depends on nothing but the context: a stack reverses the order between its layers (:class:`Permutation`).

    Args:
        dim: number L of coordinates.
        hidden: sizes of the hidden layers of f, a :class:`MADE`.
        num_context: size C of the context that f reads; 0 for none.
        elementwise: g; a shift and a scale if None.
        activation: makes the nonlinearity of f.
        order: which coordinate comes first, which second, ..., each of 0..L-1 once; None for 0, 1, ..., L-1.

    References:
        Kingma et al. (2016), Improved variational inference with inverse autoregressive flow, section 4;
        Papamakarios, Pavlakou & Murray (2017), Masked autoregressive flow, sections 3.1 and 3.4;
        Huang, Krueger, Lacoste & Courville (2018), Neural autoregressive flows, section 3.

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
        order: Sequence[int] | None = None,
    ):
        super().__init__()
        self.elementwise = ShiftAndScale() if elementwise is None else elementwise
        self.net = MADE(dim, hidden, self.elementwise.num_parameters, num_context, activation, order).start_at_zero()

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All coordinates in one pass."""
        y, log_slope = self.elementwise.forward(z, self.net(z, c))
        return y, log_slope.sum(-1)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One coordinate after the other, with every unit of the network computed once, when all it reads is known."""
        shape = y.shape
        if c is not None:
            shape = torch.broadcast_shapes(shape, (*c.shape[:-1], 1))
            c = c.expand(*shape[:-1], -1).reshape(-1, c.shape[-1])
        values = y.expand(shape).reshape(-1, shape[-1])
        steps, known, found, log_det = self.net.in_order(c, len(values)), None, {}, 0.0
        for _ in range(shape[-1]):
            j, parameters = steps.send(known)
            found[j], log_slope = self.elementwise.inverse(values[:, j, None], parameters)
            known, log_det = found[j][:, 0], log_det + log_slope[:, 0]
        z = torch.cat([found[j] for j in range(shape[-1])], -1)
        return z.view(shape), log_det.view(shape[:-1])
