"""The parameters of a bijector, which a network may move with the context: one flow for all data, or one for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vaecourse.flows.conditioner import check_context, fully_connected


class Amortised(nn.Module):
    r"""Named vectors of parameters, :math:`\theta + f(c)`, with a network f that starts at zero; theta alone without.

    Args:
        start: the numbers at the start by name, each [P_i].
        num_context: size C of the context that f reads; 0 for parameters that are the same everywhere.
        hidden: sizes of the hidden layers of f; none for a linear map, as behind an encoder that has hidden layers.
    """

    def __init__(self, start: dict[str, Tensor], num_context: int = 0, hidden: Sequence[int] = ()):
        super().__init__()
        for name, value in start.items():
            self.register_parameter(name, nn.Parameter(value))
        self.sizes = {name: len(value) for name, value in start.items()}
        self.num_context = num_context
        total = sum(self.sizes.values())
        self.net = fully_connected(num_context, hidden, total).start_at_zero() if num_context else None

    def forward(self, c: Tensor | None = None) -> list[Tensor]:
        """The vectors in their order, each [..., P_i], for a context c [..., C]; of shape [P_i] if none is read.

        Raises:
            ValueError: there is no context, or it is of another width.
        """
        own = [getattr(self, name) for name in self.sizes]
        if self.net is None:
            return own
        check_context(c, self.num_context)
        moved = self.net(c).split(list(self.sizes.values()), -1)
        return [value + by for value, by in zip(own, moved)]


def check_width(value: Tensor, dim: int) -> None:
    """Refuse a value whose last dimension is not the bijector's: it might broadcast, to something else."""
    if value.shape[-1:] != torch.Size([dim]):
        raise ValueError(f"a value must have {dim} coordinates in its last dimension, and is of shape {[*value.shape]}")
