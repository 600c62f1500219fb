"""Autoregressive distributions: every dimension given those before it, in the order of the dimensions."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.conditional import Conditional

ONE = torch.Size()


class Autoregression(td.Distribution):
    r"""A product of conditionals, :math:`p(x|c) = \prod_j p(x_j \mid x_{<j}, c)`.

    The density takes one pass, because all of x is there to be read; a sample takes one pass for each dimension.

    Args:
        of_each: gives, from (x, c), all the conditionals at once, as independent dimensions with event
            shape [D]. What it says of dimension j may depend on those before j only; nothing here can check that.
        context: c, of shape [..., L]; its leading dimensions are the batch. None for none.
        num_dimensions: number D.

    References:
        Larochelle & Murray (2011), The neural autoregressive distribution estimator, equation 2.
    """

    arg_constraints: ClassVar = {}

    def __init__(self, of_each: Conditional, context: Tensor | None, num_dimensions: int):
        self.of_each = of_each
        self.context = context
        batch_shape = ONE if context is None else context.shape[:-1]
        super().__init__(batch_shape, torch.Size([num_dimensions]), validate_args=False)

    @property
    def support(self) -> td.constraints.Constraint:
        """The support of the conditionals."""
        return self._at(self._zeros(self.batch_shape)).support

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> Autoregression:
        """The same distribution for every place of a batch."""
        if self.context is None:
            raise ValueError("an autoregression without a context has no batch to expand")
        context = self.context.expand(*batch_shape, self.context.shape[-1])
        return Autoregression(self.of_each, context, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x|c) in nats, [...]."""
        return self._at(value).log_prob(value)

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples of shape [*sample_shape, ..., D], from the first dimension to the last."""
        x = self._zeros((*sample_shape, *self.batch_shape))
        for j in range(x.shape[-1]):
            x[..., j] = self._at(x).sample()[..., j]
        return x

    def _at(self, x: Tensor) -> td.Distribution:
        return self.of_each(x) if self.context is None else self.of_each(x, self.context)

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        if self.context is None:  # then it is as the first parameter is, if there is one
            like = next(self.of_each.parameters(), torch.empty(0))
        else:
            like = self.context
        return like.new_zeros(*shape, *self.event_shape)
