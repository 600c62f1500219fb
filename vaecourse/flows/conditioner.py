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
        saved: whether the state dict holds the mask, as it must where the mask is a draw.
    """

    def __init__(self, mask: Tensor, saved: bool = False):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=saved)

    def forward(self, x: Tensor) -> Tensor:
        """Input [..., I] to output [..., O]."""
        return F.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    r"""A network of D inputs with P outputs for each, those of input j from the inputs before j only.

    Every unit has a degree, which is how far it may look: one of degree d reads units of degree up to d, and the
    outputs of an input of degree d read those below d. An input's degree is its place in the order, from 0 to D - 1.
    The degrees of hidden units are spread evenly from 0 to D - 2. With a context they begin at -1, with units that read
    the context alone: it is all that the outputs of the first input can depend on.

    Args:
        dim: number D of inputs.
        hidden: sizes of the hidden layers.
        num_outputs: number P of outputs for each input.
        num_context: size C of a context that all outputs read; 0 for none.
        activation: makes the nonlinearity after each hidden layer.
        order: which input comes first, which second, ..., each of 0..D-1 once; None for 0, 1, ..., D-1. A random one is
            ``torch.randperm(D).tolist()``. Masks of a given order are part of the state dict, so that weights trained
            in one order never run in another.

    Raises:
        ValueError: order does not hold each of 0..D-1 once.

    References:
        Germain, Gregor, Murray & Larochelle (2015), MADE, equations 10 and 13 and section 4.2.

    Example:
        >>> made = MADE(3, (16,), num_outputs=2)
        >>> jacobian = torch.autograd.functional.jacobian(made, torch.randn(3))
        >>> (jacobian != 0).int()[:3]  # the first output of each input
        tensor([[0, 0, 0],
                [1, 0, 0],
                [1, 1, 0]], dtype=torch.int32)
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int],
        num_outputs: int = 1,
        num_context: int = 0,
        activation: Callable[[], nn.Module] = nn.Tanh,
        order: Sequence[int] | None = None,
    ):
        super().__init__()
        self.order = list(range(dim)) if order is None else [int(j) for j in order]
        if sorted(self.order) != list(range(dim)):
            raise ValueError(f"order must hold each of 0..{dim - 1} once, and is {self.order}")
        place = torch.tensor(self.order).argsort()
        lowest = -1 if num_context else 0
        degrees = [place, *(_spread(size, lowest, max(dim - 2, lowest)) for size in hidden)]
        masks = [later[:, None] >= earlier for earlier, later in itertools.pairwise(degrees)]
        masks.append(place.repeat(num_outputs)[:, None] > degrees[-1])
        self.net = Conditioner([MaskedLinear(mask, order is not None) for mask in masks], num_context, activation)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """The outputs [..., P D] for x [..., D] and c [..., C]: D of the first kind, then D of the second, ..."""
        return self.net(x, c)

    def start_at_zero(self) -> MADE:
        """As of :class:`Conditioner`."""
        self.net.start_at_zero()
        return self


def _spread(size: int, lowest: int, highest: int) -> Tensor:
    """So many degrees, int64 [size]: as many of each, or, where they are too few for that, evenly from end to end."""
    number = highest - lowest + 1
    if size >= number:
        return lowest + torch.arange(size) * number // size
    return lowest + torch.arange(size) * (number - 1) // max(size - 1, 1)
