"""A flow for each datum: copies of one stack of bijectors, with parameters of their own, run side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch.distributions as td
from torch import Tensor, nn
from torch.func import functional_call, vmap

from vaecourse.distributions import Conditional
from vaecourse.flows import Bijector, Flow, FlowDistribution
from vaecourse.inference.per_datum import diagonal


class PerDatumBijector(Bijector):
    r"""One bijector per datum, :math:`y_b = f(z_b; \psi_b, c_b)`: B copies of it, each with parameters of its own.

    Args:
        bijector: what is copied; it is not changed.
        num_data: number B of copies.
        context: what the copies read, [B, C], held constant; None where they read none.

    Example:
        >>> import torch
        >>> from vaecourse.flows import Coupling
        >>> copies = PerDatumBijector(Coupling(4, (8,)), num_data=10)
        >>> y, log_det = copies.forward_and_log_det(torch.randn(5, 10, 4))
        >>> y.shape, log_det.shape
        (torch.Size([5, 10, 4]), torch.Size([5, 10]))
    """

    def __init__(self, bijector: Bijector, num_data: int, context: Tensor | None = None):
        super().__init__()
        if context is not None and len(context) != num_data:
            raise ValueError(f"context must have {num_data} rows, one per datum, and has {len(context)}")
        named = dict(bijector.named_parameters())
        rows = [parameter.detach().expand(num_data, *parameter.shape).clone() for parameter in named.values()]
        self.rows = nn.ParameterList(rows)
        self.register_buffer("context", None if context is None else context.detach(), persistent=False)
        self.num_data = num_data
        # In a tuple, so that its own parameters, which are never read, do not count as parameters of this module.
        self.template = (_Either(copy.deepcopy(bijector).requires_grad_(False)),)
        self.names = tuple(f"bijector.{name}" for name in named)

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map z [..., B, L], each datum's part by its own copy; the context given here is not looked at."""
        return self._each("forward_and_log_det", z)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map y [..., B, L] back."""
        return self._each("inverse_and_log_det", y)

    def _each(self, direction: str, value: Tensor) -> tuple[Tensor, Tensor]:
        if value.shape[-2] != self.num_data:
            raise ValueError(f"there is a copy for each of {self.num_data} data, and a value for {value.shape[-2]}")
        (template,) = self.template

        def one(rows: dict[str, Tensor], value: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
            return functional_call(template, rows, (direction, value, context))

        axes = (0, value.dim() - 2, None if self.context is None else 0)
        out = (value.dim() - 2, value.dim() - 2)
        return vmap(one, axes, out)(dict(zip(self.names, self.rows)), value, self.context)


class _Either(nn.Module):
    """A bijector as a module that is called with the direction: functional_call knows no other methods."""

    def __init__(self, bijector: Bijector):
        super().__init__()
        self.bijector = bijector

    def forward(self, direction: str, value: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return getattr(self.bijector, direction)(value, context)


def flow_family(bijectors: Sequence[Bijector], name: str = "flow") -> Callable[[td.Distribution], Conditional]:
    """The family of a diagonal Gaussian and a flow upon it, for :func:`~vaecourse.inference.optimise_posteriors`.

    Started at a Gaussian, every datum gets a copy of the bijectors; where they start as the identity, as couplings do,
    the flow begins as that Gaussian, and what it gains is its own. Started at a flow, an encoder's say, every datum
    gets a copy of that flow in place of them, at its own context, and begins as the encoder's q.

    Args:
        bijectors: from the base to the variable, such as ``real_nvp(dim, (16,), 4)``; they are not changed.
        name: of the family, as a ledger's row calls it.

    Returns:
        A function from the start, batch shape [B], to a conditional all of whose parameters have a row for each datum.
    """

    def family(start: td.Distribution) -> Flow:
        base, stack, context = start, bijectors, None
        if isinstance(start, FlowDistribution):
            base, stack, context = start.base, start.bijectors, start.context
        rows = diagonal(base)
        device = rows.rows.device
        copies = (PerDatumBijector(one, len(rows.rows), context).to(device, rows.rows.dtype) for one in stack)
        return Flow(rows, *copies)

    family.__name__ = name
    return family
