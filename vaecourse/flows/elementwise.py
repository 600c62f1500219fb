"""Increasing functions of one number, with parameters from a network: couplings and autoregressions consist of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGEST_LOG_SCALE = math.log(1000.0)


def bounded(log_scale: Tensor) -> Tensor:
    r"""A network's output as a log-scale, :math:`a / (1 + |a| / \log 1000)`, in (-log 1000, log 1000).

    Without a bound one step that goes too far makes exp(a) infinite, and the training is lost; and an inverse loses as
    many digits as the scale has, of the seven of float32 here at most three in each layer. About zero it is a itself;
    far out its slope falls as 1 / a^2, where that of tanh would vanish at once.
    """
    return log_scale / (1 + log_scale.abs() / LARGEST_LOG_SCALE)


class Elementwise(nn.Module, ABC):
    """An increasing function of each coordinate by itself, y_j = g(z_j; a_j), with P parameters for each."""

    num_parameters: int

    @abstractmethod
    def forward(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Map z [..., D], given parameters [..., P D]: D of the first kind, then D of the second, and so on.

        Returns:
            ``y`` and ``log dy/dz``, both [..., D].
        """

    @abstractmethod
    def inverse(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Map y [..., D] back: ``z`` and ``log dz/dy``, both [..., D]."""


class _Affine(Elementwise):
    """y = m + exp(s) z; what m and s are is left open."""

    @abstractmethod
    def shift_and_log_scale(self, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        """M and s, each [..., D], from P parameters [..., D]."""

    def forward(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled, then shifted."""
        shift, log_scale = self._of(parameters)
        return torch.addcmul(shift, log_scale.exp(), z), log_scale

    def inverse(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Shifted back, then scaled back."""
        shift, log_scale = self._of(parameters)
        log_slope = -log_scale
        return (y - shift) * log_slope.exp(), log_slope

    def _of(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self.shift_and_log_scale(*parameters.chunk(self.num_parameters, -1))


class Shift(_Affine):
    r"""A shift alone, :math:`y = z + m`: volume is kept, as in NICE.

    References:
        Dinh, Krueger & Bengio (2015), NICE, section 3.2.
    """

    num_parameters = 1

    def shift_and_log_scale(self, shift: Tensor) -> tuple[Tensor, Tensor]:
        """The shift, and zeros."""
        return shift, torch.zeros_like(shift)


class ShiftAndScale(_Affine):
    r"""A shift and a scale, :math:`y = m + e^s z`, with s bounded (see :func:`bounded`): real NVP, MAF.

    References:
        Dinh, Sohl-Dickstein & Bengio (2017), Real NVP, equation 7; Papamakarios, Pavlakou & Murray (2017), equation 4.
    """

    num_parameters = 2

    def shift_and_log_scale(self, shift: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        """The shift, and the bounded log-scale."""
        return shift, bounded(log_scale)


class Gate(_Affine):
    r"""A gate between the number and another, :math:`y = \sigma z + (1 - \sigma) m`, :math:`\sigma \in (0, 1)`: IAF.

    It forgets, as an LSTM does, and never widens: the base has to be as wide as the result. From zeros it starts at
    :math:`\sigma` = 0.88.

    References:
        Kingma et al. (2016), Improved variational inference with inverse autoregressive flow, equation 14.
    """

    num_parameters = 2

    def shift_and_log_scale(self, other: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the other number, and the logarithm of the gate."""
        gate = bounded(gate) + 2
        return torch.sigmoid(-gate) * other, F.logsigmoid(gate)
