"""Conditional distributions: what fills a model's slots."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.distributions as td
from torch import Tensor, nn


class Conditional(nn.Module, ABC):
    r"""A conditional distribution :math:`p(\cdot \mid c)`: the only base class of the three slots.

    Calling it with a context gives a ``torch.distributions.Distribution`` whose event is the whole variable, so that
    its ``log_prob`` is already summed over pixels or latents.

    Example:
        >>> import torch
        >>> from vaecourse.priors import StandardNormal
        >>> StandardNormal(3)().log_prob(torch.zeros(5, 3)).shape
        torch.Size([5])
    """

    @abstractmethod
    def forward(self, c: Tensor | None = None) -> td.Distribution:
        """The distribution given context ``c`` of shape [..., C], or without one for a prior."""


class Given(Conditional):
    """A conditional that reads its context through a network, which other slots may share.

    Args:
        net: maps the context [..., C] to the features [..., H] that ``conditional`` is conditioned on.
        conditional: the conditional distribution given those features.
    """

    def __init__(self, net: nn.Module, conditional: Conditional):
        super().__init__()
        self.net = net
        self.conditional = conditional

    def forward(self, c: Tensor | None = None) -> td.Distribution:
        """The inner conditional at the features of ``c``."""
        return self.conditional(self.net(c))


def full_precision(outputs: Tensor) -> Tensor:
    """A network's outputs, as parameters of a distribution, in float32 at least.

    Under autocast networks compute in bfloat16, whose three digits are too few for a density.
    """
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
