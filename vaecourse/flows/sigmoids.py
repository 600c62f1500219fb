"""Sums of sigmoids: an increasing function of one number that can be as bent as one likes, for autoregressive flows."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vaecourse.flows.elementwise import Elementwise, bounded
from vaecourse.flows.root import solve_increasing

STEEPNESS = 2.0


class Sigmoids(Elementwise):
    r"""A mixture of K sigmoids, brought back to the line, :math:`y = \sigma^{-1}(\sum_k w_k\, \sigma(a_k z + b_k))`.

    With slopes :math:`a_k > 0` and weights :math:`w_k \ge 0` that sum to one it increases whatever a network says, and
    with enough sigmoids it comes near any increasing function: a scale is one number, this is a curve. Slopes stay
    within a factor of 1000 (see :func:`~vaecourse.flows.elementwise.bounded`). There is no inverse in closed form: the
    roots of the single :math:`y = a_k z + b_k` enclose the one wanted, and it is found by bisection, the gradient by
    the implicit function theorem.

    From zeros it starts near the identity (within 0.05 for \|z\| < 2 and K = 8), and not from K equal sigmoids, which
    would have equal gradients for ever: all of slope 2, with :math:`b_k` spread over the quantiles of the law of which
    the mixture of all such sigmoids is a sigmoid of slope 1.

    Args:
        num_sigmoids: K, at least 2 (one is a shift and a scale).

    Raises:
        ValueError: num_sigmoids is below 2.

    References:
        Huang, Krueger, Lacoste & Courville (2018), Neural autoregressive flows, equation 8; for the start Wang & Louis
        (2003), Matching conditional and marginal shapes in binary random intercept models, equation 3.
    """

    def __init__(self, num_sigmoids: int = 8):
        super().__init__()
        if num_sigmoids < 2:
            raise ValueError(f"num_sigmoids must be at least 2, and is {num_sigmoids}")
        self.num_sigmoids, self.num_parameters = num_sigmoids, 3 * num_sigmoids
        p = (torch.arange(num_sigmoids) + 0.5) / num_sigmoids
        ratio = (math.pi * p / STEEPNESS).sin() / (math.pi * (1 - p) / STEEPNESS).sin()
        self.register_buffer("start", STEEPNESS * ratio.log()[:, None], persistent=False)  # b, [K, 1]

    def forward(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Through all sigmoids at once; whatever is added up is added up in logarithms."""
        return self._curve(z, *self.curves_from(parameters))

    def inverse(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """By bisection between the least and the greatest of the roots of single sigmoids."""
        log_slope, shift, log_weight = self.curves_from(parameters)
        roots = ((y.unsqueeze(-2) - shift) * (-log_slope).exp()).detach()

        def curve(z: Tensor) -> tuple[Tensor, Tensor]:
            value, log_slope_at_z = self._curve(z, log_slope, shift, log_weight)
            return value - y, log_slope_at_z.exp()

        z = solve_increasing(curve, roots.amin(-2), roots.amax(-2))
        return z, -self._curve(z, log_slope, shift, log_weight)[1]

    def curves_from(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log a, b and log w, each [..., K, D], from what a network says, [..., 3 K D]."""
        log_slope, shift, logits = parameters.unflatten(-1, (3, self.num_sigmoids, -1)).unbind(-3)
        return bounded(log_slope) + math.log(STEEPNESS), shift + self.start, logits.log_softmax(-2)

    def _curve(self, z: Tensor, log_slope: Tensor, shift: Tensor, log_weight: Tensor) -> tuple[Tensor, Tensor]:
        u = torch.addcmul(shift, log_slope.exp(), z.unsqueeze(-2))
        above, below = F.logsigmoid(u), F.logsigmoid(-u)
        log_up, log_down = (log_weight + above).logsumexp(-2), (log_weight + below).logsumexp(-2)
        log_density = (log_weight + log_slope + above + below).logsumexp(-2)
        return log_up - log_down, log_density - log_up - log_down
