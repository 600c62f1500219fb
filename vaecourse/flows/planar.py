"""Planar flows: the space is stretched or squeezed across one plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vaecourse.flows.amortised import Amortised, check_width
from vaecourse.flows.bijector import Bijector
from vaecourse.flows.root import solve_increasing

LOWEST_SLOPE = 1e-3
_ONE = math.log(math.expm1(1.0))  # where softplus is one


def above_minus_one(x: Tensor) -> Tensor:
    """An increasing function with values above -0.999, zero at zero: how far a layer that must not fold may go.

    It is Rezende & Mohamed's log(1 + e^x) - 1, moved so that nothing is asked for where nothing is given, and kept off
    -1, where space would be squeezed flat: an inverse loses as many digits as the slope has zeros, here three at most.
    """
    return (1 - LOWEST_SLOPE) * (F.softplus(x + _ONE) - 1)


class Planar(Bijector):
    r"""A planar step, :math:`y = z + \hat u \tanh(w^\top z + b)`: everything moves along u, by how far it is across w.

    The Jacobian is the identity plus a matrix of rank one, and its determinant a product of two vectors,

    .. math:: \det \frac{\partial y}{\partial z} = 1 + \tanh'(w^\top z + b)\; w^\top \hat u.

    Along w the map is the function :math:`a \mapsto a + w^\top \hat u \tanh(a + b)` of one number, which increases if
    :math:`w^\top \hat u > -1`. No parameters break that: of u the part along w is replaced by
    :func:`above_minus_one` of it,

    .. math:: \hat u = u + \big(m(w^\top u) - w^\top u\big) \frac{w}{\|w\|^2}.

    With m(0) = 0 the correction is never longer than u. With the paper's m(0) = -0.31 it grows as 1 / |w| where a w
    passes through zero. Both reach the same maps.

    The inverse is the root of that function, by :func:`~vaecourse.flows.root.solve_increasing`. Because one number
    says how far everything moves, one layer bends space across one direction: with many latents it takes many layers.
    It starts as the identity, u = 0, with a random w.

    Args:
        dim: number L of coordinates.
        num_context: size C of a context that u, w and b depend on, as on an encoder's features; 0 for none.
        hidden: sizes of the hidden layers between the context and them.

    References:
        Rezende & Mohamed (2015), Variational inference with normalizing flows, section 4.1 and appendix A.1.

    Example:
        >>> layer = Planar(4, num_context=3)
        >>> y, log_det = layer.forward_and_log_det(torch.randn(5, 10, 4), torch.randn(10, 3))
        >>> y.shape, log_det.shape
        (torch.Size([5, 10, 4]), torch.Size([5, 10]))
    """

    def __init__(self, dim: int, num_context: int = 0, hidden: Sequence[int] = ()):
        super().__init__()
        start = {"u": torch.zeros(dim), "w": torch.randn(dim) / math.sqrt(dim), "b": torch.zeros(1)}
        self.dim = dim
        self.parameters_at = Amortised(start, num_context, hidden)

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Along u, by the hyperbolic tangent of the distance across w."""
        check_width(z, self.dim)
        u, w, b, wu = self._of(c)
        h = torch.tanh((w * z).sum(-1, keepdim=True) + b)
        return torch.addcmul(z, u, h), _log_slope(h, wu).squeeze(-1)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The distance first, as the root of one increasing function of one number; then along u, back."""
        check_width(y, self.dim)
        u, w, b, wu = self._of(c)
        image = (w * y).sum(-1, keepdim=True)

        def excess(a: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(a + b)
            return a + wu * h - image, 1 + wu * (1 - h.square())

        h = torch.tanh(solve_increasing(excess, (image - wu.abs()).detach(), (image + wu.abs()).detach()) + b)
        return y - u * h, -_log_slope(h, wu).squeeze(-1)

    def _of(self, c: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """u-hat, w, b and their product w u-hat, [..., L], [..., L], [..., 1] and [..., 1]."""
        u, w, b = self.parameters_at(c)
        along = (w * u).sum(-1, keepdim=True)
        wu = above_minus_one(along)
        square = w.square().sum(-1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
        return u + (wu - along) * w / square, w, b, wu


def _log_slope(h: Tensor, wu: Tensor) -> Tensor:
    """log(1 + tanh' wu), where h is the tanh."""
    return torch.log1p((1 - h.square()) * wu)
