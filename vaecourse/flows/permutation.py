"""Permutations: which coordinate stands where, so that the next bijector treats them in another order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaecourse.flows.bijector import Bijector


class Permutation(Bijector):
    r"""A fixed order of the coordinates, :math:`y_l = z_{\pi(l)}`; its determinant is one.

    Args:
        order: pi, each of 0..L-1 once; an int L for the reversal, which an autoregressive stack uses.

    Example:
        >>> Permutation(3).forward_and_log_det(torch.tensor([1.0, 2.0, 3.0]))
        (tensor([3., 2., 1.]), tensor(0.))
    """

    def __init__(self, order: int | Sequence[int]):
        super().__init__()
        order = torch.arange(order).flip(0) if isinstance(order, int) else torch.as_tensor(order)
        if not torch.equal(order.sort().values, torch.arange(len(order))):
            raise ValueError(f"order must hold each of 0..{len(order) - 1} once, and is {order.tolist()}")
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The coordinates in the new order, and zeros."""
        return z.index_select(-1, self.order), z.new_zeros(z.shape[:-1])

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The coordinates in the old order, and zeros."""
        return y.index_select(-1, self.back), y.new_zeros(y.shape[:-1])
