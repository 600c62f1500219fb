"""Autoregressive distributions: every dimension given those before it, in the order of the dimensions."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.conditional import Conditional
from vaecourse.distributions.quantile import quantile

ONE = torch.Size()


class Autoregression(td.Distribution):
    r"""A product of conditionals, :math:`p(x|c) = \prod_j p(x_j \mid x_{<j}, c)`.

    The density takes one pass, because all of x is there to be read; a sample takes one pass for each dimension, unless
    the network can compute the dimensions in order, keeping what it has (a method ``in_order`` as that of
    :class:`~vaecourse.networks.GatedPixelCNN`). A network whose order is not that of the dimensions says so in an
    attribute ``order``.

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
        if self._net_in_order() is not None:
            return self.quantile(torch.rand_like(x))
        for j in self._order():
            x[..., j] = self._at(x).sample()[..., j]
        return x

    @torch.no_grad()
    def quantile(self, u: Tensor, cached: bool = True) -> Tensor:
        """The x in which each x_j is the quantile of u_j given those before it: samples, where u is uniform.

        Args:
            u: noise on [0, 1), of shape [..., *batch_shape, D].
            cached: let a network that can compute each dimension from what it kept of those before do so; where it
                cannot, or is not to, it runs once for each dimension on all of x. Both give the same x, unless a u_j
                lies within rounding of a boundary between two values.

        Returns:
            x, of the shape of u.

        Raises:
            ValueError: u is not of such a shape.
        """
        wanted = self.batch_shape + self.event_shape
        if u.shape[-len(wanted) :] != wanted:
            raise ValueError(f"u must be of shape [..., {', '.join(map(str, wanted))}], and is {list(u.shape)}")
        net = self._net_in_order() if cached else None
        if net is not None:
            return self._quantile_in_order(net, u.reshape(-1, u.shape[-1])).reshape(u.shape)
        x = torch.zeros_like(u)
        for j in self._order():
            x[..., j] = quantile(self._at(x), u)[..., j]
        return x

    def _quantile_in_order(self, net: torch.nn.Module, u: Tensor) -> Tensor:
        context = self.context
        if context is not None:
            lead = len(u) // max(1, self.batch_shape.numel())
            context = context.reshape(-1, context.shape[-1]).repeat(lead, 1)
        x = torch.empty_like(u)
        steps, sent = net.in_order(context, len(u)), None
        for _ in range(u.shape[-1]):
            j, parameters = steps.send(sent)
            sent = quantile(self.of_each.conditional(parameters), u[:, j, None])[:, 0]
            x[:, j] = sent
        return x

    def _net_in_order(self) -> torch.nn.Module | None:
        net = getattr(self.of_each, "net", None)
        return net if hasattr(net, "in_order") else None

    def _order(self) -> list[int] | range:
        return getattr(getattr(self.of_each, "net", None), "order", range(*self.event_shape))

    def _at(self, x: Tensor) -> td.Distribution:
        return self.of_each(x) if self.context is None else self.of_each(x, self.context)

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        if self.context is None:  # then it is as the first parameter is, if there is one
            like = next(self.of_each.parameters(), torch.empty(0))
        else:
            like = self.context
        return like.new_zeros(*shape, *self.event_shape)
