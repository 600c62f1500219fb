"""MADE: one network for all conditionals of a chain rule, whose masks say what each may read."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Generator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse.distributions import full_precision
from vaecourse.flows.conditioner import Conditioner, MaskedLinear, check_context


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
            ``torch.randperm(D).tolist()``. An order that was given is part of the state dict and comes back with it, so
            that weights trained in one order never run in another.

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
        self.register_buffer("place", torch.tensor(self.order).argsort(), persistent=order is not None)
        lowest = -1 if num_context else 0
        self.degrees = [_spread(size, lowest, max(dim - 2, lowest)) for size in hidden]
        self.num_outputs = num_outputs
        self.net = Conditioner([MaskedLinear(mask) for mask in self._masks()], num_context, activation)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """The outputs [..., P D] for x [..., D] and c [..., C]: D of the first kind, then D of the second, ..."""
        return self.net(x, c)

    def in_order(self, c: Tensor | None, num_data: int) -> Generator[tuple[int, Tensor], Tensor, None]:
        """The outputs of one input after the other, for which every unit is computed once, when all it reads is known.

        What becomes known is added to all that may read it, and also to units of a lower degree: those are behind us,
        and so no mask is needed. From the first input to the last it is the arithmetic of a single pass.

        Args:
            c: contexts [N, C], or None.
            num_data: number N.

        Yields:
            The number j of an input and its outputs [N, P]; it is to be sent the values x_j, [N].
        """
        first, *others = self.net.layers
        sums = [layer.bias.expand(num_data, -1) for layer in self.net.layers]  # what each unit has been told so far
        if self.net.context is not None:
            check_context(c, self.net.context.in_features)
            sums[0] = sums[0] + self.net.context(c)
        begins = [0] * len(others)
        for place, j in enumerate(self.order):
            for k, layer in enumerate(others):  # the units that have been told all by the inputs before j
                begin, end = begins[k], bisect.bisect_left(self.degrees[k], place)
                if begin < end:
                    told = F.linear(self.net.activation(sums[k][:, begin:end]), layer.weight[:, begin:end])
                    sums[k + 1], begins[k] = sums[k + 1] + told, end
            value = yield j, full_precision(sums[-1].unflatten(-1, (self.num_outputs, -1))[..., j])
            sums[0] = sums[0] + value[:, None] * first.weight[:, j]

    def start_at_zero(self) -> MADE:
        """As of :class:`Conditioner`."""
        self.net.start_at_zero()
        return self

    def _masks(self) -> list[Tensor]:
        """Of each layer, bool [O, I]."""
        degrees = [self.place, *(torch.tensor(degrees, device=self.place.device) for degrees in self.degrees)]
        masks = [later[:, None] >= earlier for earlier, later in itertools.pairwise(degrees)]
        return [*masks, self.place.repeat(self.num_outputs)[:, None] > degrees[-1]]

    def _load_from_state_dict(self, *arguments) -> None:
        """The order that was loaded gets its masks."""
        super()._load_from_state_dict(*arguments)
        if not self.place.is_meta:
            self.order = self.place.argsort().tolist()
        for layer, mask in zip(self.net.layers, self._masks()):
            layer.mask.copy_(mask)


def _spread(size: int, lowest: int, highest: int) -> list[int]:
    """So many degrees, rising: as many of each, or, where they are too few for that, evenly from end to end."""
    number = highest - lowest + 1
    if size >= number:
        return [lowest + unit * number // size for unit in range(size)]
    return [lowest + unit * (number - 1) // max(size - 1, 1) for unit in range(size)]
