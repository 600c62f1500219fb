"""The von Mises distribution on the circle, with the distribution function that an implicit gradient needs."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE


class VonMises(td.Distribution):
    r"""The von Mises distribution on the circle, with the CDF that its implicit gradient needs.

    .. math:: q(z) = \frac{e^{\kappa \cos(z - \mu)}}{2\pi I_0(\kappa)}, \qquad z \in [-\pi, \pi)

    ``Implicit(VonMises(loc, concentration))`` has reparameterised samples. The CDF starts at mu - pi and is integrated
    by a Gauss-Legendre rule between mu and z, which is accurate to rounding.

    Args:
        loc: mu, the mean direction in radians.
        concentration: kappa, above 0.

    References:
        Best & Fisher (1979) for the sampler, which is torch's; Figurnov, Mohamed & Mnih (2018), section 4.
    """

    arg_constraints: ClassVar = {"loc": td.constraints.real, "concentration": td.constraints.positive}
    support = td.constraints.real
    _NUM_NODES = 100

    def __init__(self, loc: Tensor, concentration: Tensor):
        self.loc, self.concentration = torch.broadcast_tensors(torch.as_tensor(loc), torch.as_tensor(concentration))
        super().__init__(self.loc.shape, validate_args=False)

    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples in [-pi, pi), without a gradient."""
        with torch.no_grad():
            return td.VonMises(self.loc, self.concentration, validate_args=False).sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats, periodic in z."""
        return self._log_density(value - self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of the arc from mu - pi to z, differentiable in both parameters."""
        angle = value - self.loc
        angle = angle - 2 * math.pi * ((angle + math.pi) / (2 * math.pi)).floor().detach()  # in [-pi, pi)
        node, weight = (torch.from_numpy(part).to(angle) for part in np.polynomial.legendre.leggauss(self._NUM_NODES))
        # Beyond 12 standard deviations there is no mass left: the nodes stay where the density is.
        reach = (12 / self.concentration.detach().sqrt()).clamp(max=math.pi)
        end = torch.where(angle.abs() < reach, angle, angle.sign() * reach)
        points = end[..., None] * (node + 1) / 2  # from 0 to the end
        density = self._log_density(points, self.concentration[..., None]).exp()
        return 0.5 + (density @ weight) * end / 2

    def _log_density(self, angle: Tensor, concentration: Tensor | None = None) -> Tensor:
        kappa = self.concentration if concentration is None else concentration
        # i0e(k) = e^-k I0(k), so that nothing overflows.
        return kappa * (angle.cos() - 1) - (2 * math.pi * torch.special.i0e(kappa)).log()
