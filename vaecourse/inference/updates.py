"""Updates: how the parameters of one datum's q move, given the slope of its bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vaecourse.distributions import full_precision
from vaecourse.networks import MLP


class Ascent(nn.Module):
    r"""A step along the slope, :math:`\lambda \leftarrow \lambda + \eta\, \nabla_\lambda \mathcal L`.

    Near the top of the bound, with curvature :math:`-M`, a step multiplies the distance from it by
    :math:`I - \eta M`: it converges for :math:`\eta < 2 / m` with m the largest eigenvalue of M, and runs away above.

    Args:
        rate: eta, above 0; or one for each step, [T] or [T, P], of which later steps use the last row.
        learn: make eta a parameter (by its logarithm) that is trained along with the encoder.
        max_norm: scale the slope of a datum down to this length where it is longer, nats per unit; None for never.

    References:
        Kim et al. (2018), algorithm 1.
    """

    def __init__(self, rate: float | Tensor, learn: bool = False, max_norm: float | None = None):
        super().__init__()
        rates = torch.as_tensor(rate, dtype=torch.get_default_dtype())
        if rates.ndim > 2 or not bool(((rates > 0) & rates.isfinite()).all()):
            raise ValueError(f"rate must be above 0 and finite, a number, [T] or [T, P], and is {rate}")
        if max_norm is not None and not max_norm > 0:
            raise ValueError(f"max_norm must be above 0, or None, and is {max_norm}")
        rates = rates.reshape(len(rates) if rates.ndim else 1, -1)  # [T, 1] or [T, P]
        if learn:
            self.log_rate = nn.Parameter(rates.log())
        else:
            self.register_buffer("fixed", rates)
        self.max_norm = max_norm

    def forward(self, parameters: Tensor, slope: Tensor, memory: int | None = None) -> tuple[Tensor, int]:
        """Parameters [B, P] after a step along the slope [B, P], and how many steps have been made."""
        step = memory or 0
        if self.max_norm is not None:
            norm = slope.square().sum(-1, keepdim=True).clamp_min(torch.finfo(slope.dtype).tiny).sqrt()
            slope = slope * (self.max_norm / norm).clamp(max=1)
        return parameters + self.rate[min(step, len(self.rate) - 1)] * slope, step + 1

    @property
    def rate(self) -> Tensor:
        """eta by step, [T, 1] or [T, P]."""
        return self.log_rate.exp() if hasattr(self, "log_rate") else self.fixed


class AdamAscent(nn.Module):
    r"""Adam's step for each coordinate: its first step has the length eta *whatever the size of the slope*.

    .. math:: \lambda \leftarrow \lambda + \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}, \qquad
              \hat m, \hat v \text{ running means of } g \text{ and } g^2

    Args:
        rate: eta, above 0, in the units of the parameters.
        betas: decay of the running means, each in [0, 1).
        eps: added to the root.

    References:
        Kingma & Ba (2015), algorithm 1.
    """

    def __init__(self, rate: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        super().__init__()
        if not 0 < rate < math.inf:
            raise ValueError(f"rate must be above 0 and finite, and is {rate}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least 0 and below 1, and are {betas}")
        self.rate, self.betas, self.eps = rate, betas, eps

    def forward(self, parameters: Tensor, slope: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """Parameters [B, P] after a step for the slope [B, P], and the running means."""
        step, mean, square = memory or (0, torch.zeros_like(slope), torch.zeros_like(slope))
        step, (first, second) = step + 1, self.betas
        mean = first * mean + (1 - first) * slope
        square = second * square + (1 - second) * slope.square()
        root = (square / (1 - second**step)).clamp_min(torch.finfo(slope.dtype).tiny).sqrt()  # 0 has no derivative
        return parameters + self.rate * mean / (1 - first**step) / (root + self.eps), (step, mean, square)


class LearnedUpdate(nn.Module):
    r"""An update that a network has learned: it reads the parameters and their slope, and proposes a gated move.

    .. math:: \lambda \leftarrow \lambda + \sigma(a) \odot b, \qquad
              (a, b) = f_\omega\big(\lambda,\; \mathrm{sign}(g) \log(1 + |g|)\big)

    Slopes span orders of magnitude, and the logarithm brings them to the scale of the parameters. The last layer begins
    at zero, so that the first move is none.

    Args:
        num_parameters: P, of one datum's q: 2L for a diagonal Gaussian.
        hidden: sizes of the hidden layers of f.

    References:
        Marino, Yue & Mandt (2018), section 4 (there with other inputs and a gate between old and new); Andrychowicz et
        al. (2016), appendix A, for the logarithm.
    """

    def __init__(self, num_parameters: int, hidden: Sequence[int] = (32, 32)):
        super().__init__()
        if num_parameters < 1:
            raise ValueError(f"num_parameters must be at least 1, and is {num_parameters}")
        self.net = MLP(2 * num_parameters, hidden, 2 * num_parameters)
        nn.init.zeros_(self.net.layers[-1].weight)
        nn.init.zeros_(self.net.layers[-1].bias)
        self.num_parameters = num_parameters

    def forward(self, parameters: Tensor, slope: Tensor, memory: None = None) -> tuple[Tensor, None]:
        """Parameters [B, P] after the move for the slope [B, P]; nothing is remembered."""
        if parameters.shape[-1] != self.num_parameters:
            raise ValueError(
                f"num_parameters must be the encoder's number of outputs, {parameters.shape[-1]}, "
                f"and is {self.num_parameters}"
            )
        size = slope.sign() * slope.abs().log1p()
        gate, move = full_precision(self.net(torch.cat([parameters, size], -1))).chunk(2, -1)
        return parameters + gate.sigmoid() * move, None
