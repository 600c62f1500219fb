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
    def forward(self, *context: Tensor) -> td.Distribution:
        """The distribution given the context: none for a prior, z for a likelihood, x for a posterior, each [..., C].

        The second part of a :class:`~vaecourse.distributions.Chain` has two, what was drawn before it and the features
        of x; a q of each datum's own may want the number of the datum.
        """


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

    def forward(self, *context: Tensor) -> td.Distribution:
        """The inner conditional at the features of the context."""
        return self.conditional(self.net(*context))


def full_precision(outputs: Tensor) -> Tensor:
    """A network's outputs, as parameters of a distribution, in float32 at least.

    Under autocast networks compute in bfloat16, whose three digits are too few for a density.
    """
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
