"""The von Mises distribution on the circle, with the distribution function that an implicit gradient needs."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE

# e^-k I0(k) sqrt(2 pi k) is a series in 1/k whose terms have the ratios (2n + 1)^2 / (8 (n + 1) k). From k = 30 on,
# sixteen of them reach rounding, and the derivative of its logarithm keeps the digits that I1/I0 - 1 loses.
_FROM, _NUM_TERMS = 30.0, 16
# From here on it is a Gaussian to eight digits, and the rejection sampler begins to cancel (at 1e16 it never ends).
_GAUSSIAN = 1e8


class VonMises(td.Distribution):
    r"""The von Mises distribution on the circle, with the CDF that its implicit gradient needs.

    .. math:: q(z) = \frac{e^{\kappa \cos(z - \mu)}}{2\pi I_0(\kappa)}, \qquad z \in [-\pi, \pi)

    ``Implicit(VonMises(loc, concentration))`` has reparameterised samples. The CDF starts at mu - pi and is integrated
    by a Gauss-Legendre rule between mu and z, which is accurate to rounding.

    Args:
        loc: mu, the mean direction in radians, [...].
        concentration: kappa, [...], above 0 and finite; the uniform distribution is the limit at 0, and is not in it.

    Raises:
        ValueError: a concentration is 0, negative or not finite, or a loc is not finite.

    References:
        Best & Fisher (1979) for the sampler, which is torch's; Figurnov, Mohamed & Mnih (2018), section 4.

    Example:
        >>> q = VonMises(torch.zeros(3), torch.tensor([0.1, 10.0, 1e6]))
        >>> q.sample((5,)).shape, q.cdf(torch.tensor(0.0))
        (torch.Size([5, 3]), tensor([0.5000, 0.5000, 0.5000]))
    """

    arg_constraints: ClassVar = {"loc": td.constraints.real, "concentration": td.constraints.positive}
    support = td.constraints.real
    _NUM_NODES = 100

    def __init__(self, loc: Tensor, concentration: Tensor):
        self.loc, self.concentration = torch.broadcast_tensors(torch.as_tensor(loc), torch.as_tensor(concentration))
        for name, value, good in (
            ("loc must be finite", self.loc, self.loc.isfinite()),
            ("concentration must be above 0 and finite", self.concentration, self._is_concentration()),
        ):
            if not bool(good.all()):
                raise ValueError(f"{name}, and has values such as {value[~good].flatten()[0]:.4g}")
        super().__init__(self.loc.shape, validate_args=False)

    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples in [-pi, pi), without a gradient."""
        with torch.no_grad():
            kappa = self.concentration.clamp(max=_GAUSSIAN)
            z = td.VonMises(self.loc, kappa, validate_args=False).sample(sample_shape)
            narrow = self.concentration > _GAUSSIAN
            if bool(narrow.any()):
                scale = self.concentration.double().rsqrt()
                angle = scale * torch.randn(z.shape, dtype=scale.dtype, device=z.device) + self.loc
                z = torch.where(narrow, (angle + math.pi) % (2 * math.pi) - math.pi, z).to(z)
            return z

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
        # cos - 1 has no digits near the mode, where a large kappa puts all of the mass; the squared sine has.
        return -2 * kappa * (angle / 2).sin().square() - _log_normaliser(kappa)

    def _is_concentration(self) -> Tensor:
        return (self.concentration > 0) & self.concentration.isfinite()


def _log_normaliser(kappa: Tensor) -> Tensor:
    """log(2 pi e^-k I0(k))."""
    near, far = kappa.clamp(max=_FROM), kappa.clamp(min=_FROM)
    series = torch.ones_like(far)
    for n in reversed(range(_NUM_TERMS)):
        series = 1 + series * (2 * n + 1) ** 2 / (8 * (n + 1) * far)
    return torch.where(
        kappa < _FROM,
        (2 * math.pi * torch.special.i0e(near)).log(),
        series.log() - (far / (2 * math.pi)).log() / 2,
    )
