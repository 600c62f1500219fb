"""The networks inside bijectors: from some coordinates, and a context, to the parameters of others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse.distributions import full_precision


class Conditioner(nn.Module):
    """Linear layers with a nonlinearity between them, the first of which is joined by one that reads a context.

    The context is read once for each datum, not once for each sample of it.

    Args:
        layers: one or more, from the input to the output.
        num_context: size C of the context; 0 for a network that reads none.
        activation: makes the nonlinearity.
    """

    def __init__(
        self, layers: Sequence[nn.Linear], num_context: int = 0, activation: Callable[[], nn.Module] = nn.Tanh
    ):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.context = nn.Linear(num_context, layers[0].out_features, bias=False) if num_context else None
        self.activation = activation()

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The output [..., O] for z [..., I] and c [..., C], whose batch shapes broadcast."""
        first, *others = self.layers
        hidden = first(z)
        if self.context is not None:
            check_context(c, self.context.in_features)
            hidden = hidden + self.context(c)
        for layer in others:
            hidden = layer(self.activation(hidden))
        return full_precision(hidden)

    def start_at_zero(self) -> Conditioner:
        """Let all outputs be zero, whatever is read, until training says otherwise. Returns the network itself."""
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)
        return self


def check_context(c: Tensor | None, num_context: int) -> None:
    """Refuse a context that is not there, or of another width than the network reads.

    Raises:
        ValueError: c is None, or not [..., C].
    """
    if c is None or c.shape[-1:] != torch.Size([num_context]):
        given = "None" if c is None else f"of shape {list(c.shape)}"
        raise ValueError(f"c must be a context of {num_context} numbers, and is {given}")


def fully_connected(
    num_inputs: int,
    hidden: Sequence[int],
    num_outputs: int,
    num_context: int = 0,
    activation: Callable[[], nn.Module] = nn.Tanh,
) -> Conditioner:
    """A conditioner of which every output reads every input."""
    sizes = itertools.pairwise((num_inputs, *hidden, num_outputs))
    return Conditioner([nn.Linear(*size) for size in sizes], num_context, activation)


class MaskedLinear(nn.Linear):
    """A linear layer with some of its weights held at zero.

    Args:
        mask: which weights are there, bool [O, I].
    """

    def __init__(self, mask: Tensor):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Input [..., I] to output [..., O]."""
        return F.linear(x, self.weight * self.mask, self.bias)
