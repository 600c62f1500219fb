"""Four posteriors over two latents that are hard in four ways: the ground on which samplers and families compete."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import Conditional
from vaecourse.model import LatentVariableModel
from vaecourse.priors import StandardNormal


class Measurement(Conditional):
    """One number x measured with noise, x | z ~ N(loc(z), scale(z)^2).

    Args:
        loc: from z [..., L] to the mean [..., 1].
        scale: from z [..., L] to the standard deviation of the noise [..., 1]; None for 1.
    """

    def __init__(self, loc: Callable[[Tensor], Tensor], scale: Callable[[Tensor], Tensor] | None = None):
        super().__init__()
        self.loc = loc
        self.scale = scale

    def forward(self, c: Tensor) -> td.Independent:
        """The distribution of x, event shape [1], given z of shape [..., L]."""
        loc = self.loc(c)
        scale = torch.ones_like(loc) if self.scale is None else self.scale(c)
        return td.Independent(td.Normal(loc, scale, validate_args=False), 1)


# x is measured in units of the noise, but for the funnel, whose noise is unknown.
_MEASUREMENTS = {
    "Gaussian": (2.0, Measurement(lambda z: 2 * z.sum(-1, keepdim=True))),
    "banana": (-3.0, Measurement(lambda z: 3 * (z[..., 1:] - z[..., :1].square()))),
    "two modes": (5.0, Measurement(lambda z: 2 * z.prod(-1, keepdim=True) + 0.2 * z.sum(-1, keepdim=True))),
    "funnel": (0.0, Measurement(lambda z: z[..., 1:], lambda z: z[..., :1].exp())),
}


def targets() -> dict[str, tuple[LatentVariableModel, Tensor]]:
    r"""Name to model and datum of four posteriors under the prior :math:`z \sim N(0, I)`, z of two dimensions.

    "Gaussian" has correlation (:math:`x = 2 (z_1 + z_2)` + noise), "banana" curvature
    (:math:`x = 3 (z_2 - z_1^2)` + noise), "two modes" of unequal weight
    (:math:`x = 2 z_1 z_2 + 0.2 (z_1 + z_2)` + noise), "funnel" a scale that changes (:math:`x = z_2` + noise of
    standard deviation :math:`e^{z_1}`). The noise is of standard deviation 1 elsewhere.

    Returns:
        Models without a posterior, and data of shape [1, 1], all float64.
    """
    prior = StandardNormal(2).double()
    return {
        name: (LatentVariableModel(prior, likelihood), torch.tensor([[x]], dtype=torch.float64))
        for name, (x, likelihood) in _MEASUREMENTS.items()
    }
