"""Radial flows: the space is stretched or squeezed about one point."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vaecourse.flows.amortised import Amortised, check_width
from vaecourse.flows.bijector import Bijector
from vaecourse.flows.planar import above_minus_one

SMALLEST_ALPHA = 1e-3


class Radial(Bijector):
    r"""A radial step, :math:`y = z + \frac{\beta}{\alpha + r} (z - z_0)` with :math:`r = \|z - z_0\|`.

    Directions from the centre are kept, distances go from r to :math:`r + \beta r / (\alpha + r)`, which increases if
    :math:`\beta > -\alpha`. No parameters break that: :math:`\beta = \alpha\, m(b)` with :func:`above_minus_one` as m.
    A small sphere is stretched once along r and L - 1 times across:

    .. math:: \det \frac{\partial y}{\partial z} = \Big(1 + \frac{\beta}{\alpha + r}\Big)^{L-1}
              \Big(1 + \frac{\alpha \beta}{(\alpha + r)^2}\Big).

    The inverse is the root of a scalar equation, here a quadratic one with a single positive root. It starts as the
    identity, b = 0, about a random centre.

    Args:
        dim: number L of coordinates.
        num_context: size C of a context that the centre, alpha and beta depend on, as on an encoder's features; 0 for
            none.
        hidden: sizes of the hidden layers between the context and them.

    References:
        Rezende & Mohamed (2015), Variational inference with normalizing flows, section 4.1 and appendix A.2.

    Example:
        >>> layer = Radial(2)
        >>> y, log_det = layer.forward_and_log_det(torch.randn(5, 2))
        >>> y.shape, log_det.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(self, dim: int, num_context: int = 0, hidden: Sequence[int] = ()):
        super().__init__()
        start = {"centre": torch.randn(dim), "a": torch.full((1,), 0.54), "b": torch.zeros(1)}  # alpha is about 1
        self.dim = dim
        self.parameters_at = Amortised(start, num_context, hidden)

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Away from the centre, or towards it."""
        check_width(z, self.dim)
        centre, alpha, beta = self._of(c)
        offset = z - centre
        h = 1 / (alpha + torch.linalg.vector_norm(offset, dim=-1, keepdim=True))
        return torch.addcmul(z, beta * h, offset), self._log_det(h, alpha, beta)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""The distance first, :math:`r^2 + (\alpha + \beta - s)\, r - \alpha s = 0` for that of the image, s."""
        check_width(y, self.dim)
        centre, alpha, beta = self._of(c)
        offset = y - centre
        s = torch.linalg.vector_norm(offset, dim=-1, keepdim=True).clamp_min(torch.finfo(y.dtype).tiny)
        p = alpha + beta - s
        root = (p.square() + 4 * alpha * s).sqrt()
        # Whichever of the two has no difference of large numbers; neither divides by zero in the branch not taken.
        r = torch.where(p > 0, 2 * alpha * s / (p.abs() + root), (root + p.abs()) / 2)
        return centre + r / s * offset, -self._log_det(1 / (alpha + r), alpha, beta)

    def _log_det(self, h: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        across = beta * h
        log_across, log_along = torch.log1p(across), torch.log1p(across * (alpha * h))
        return torch.add(log_along, log_across, alpha=self.dim - 1).squeeze(-1)

    def _of(self, c: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The centre [..., L], alpha and beta, each [..., 1]."""
        centre, a, b = self.parameters_at(c)
        alpha = F.softplus(a) + SMALLEST_ALPHA
        return centre, alpha, alpha * above_minus_one(b)
