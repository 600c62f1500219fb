"""Couplings: one part of the coordinates stays, and says what is done to each of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from vaecourse.flows.bijector import Bijector
from vaecourse.flows.conditioner import fully_connected
from vaecourse.flows.elementwise import Elementwise, ShiftAndScale


class Coupling(Bijector):
    r"""A coupling layer, :math:`y_a = z_a,\; y_b = g(z_b; f(z_a, c))`, with f a network and g increasing.

    The Jacobian is triangular, and both directions take one pass. With a shift and a scale as g it is real NVP, with a
    shift alone NICE. It is the identity until it is trained (but for a :class:`Gate`), because f starts at zero: a
    stack begins as its base, however deep it is.

    Args:
        dim: number L of coordinates, at least 2.
        hidden: sizes of the hidden layers of f.
        num_context: size C of the context that f reads; 0 for none.
        moves: which part is z_b, the "first" L // 2 coordinates or the others, the "second" part. A stack alternates.
        elementwise: g.
        activation: makes the nonlinearity of f.

    Raises:
        ValueError: dim is below 2, or moves is neither.

    References:
        Dinh, Krueger & Bengio (2015), NICE, section 3.1; Dinh, Sohl-Dickstein & Bengio (2017), Real NVP, section 3.3.

    Example:
        >>> layer = Coupling(4, (16,), num_context=3)
        >>> y, log_det = layer.forward_and_log_det(torch.randn(5, 10, 4), torch.randn(10, 3))
        >>> y.shape, log_det.shape
        (torch.Size([5, 10, 4]), torch.Size([5, 10]))
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int],
        num_context: int = 0,
        moves: Literal["first", "second"] = "second",
        elementwise: Elementwise | None = None,
        activation: Callable[[], nn.Module] = nn.Tanh,
    ):
        super().__init__()
        if dim < 2:
            raise ValueError(f"dim must be at least 2, one coordinate that stays and one that moves, and is {dim}")
        if moves not in ("first", "second"):
            raise ValueError(f'moves must be "first" or "second", and is {moves!r}')
        self.elementwise = ShiftAndScale() if elementwise is None else elementwise
        self.first_moves = moves == "first"
        self.sizes = dim // 2, dim - dim // 2
        moved, kept = self.sizes if self.first_moves else self.sizes[::-1]
        num_outputs = self.elementwise.num_parameters * moved
        self.net = fully_connected(kept, hidden, num_outputs, num_context, activation).start_at_zero()

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Move z_b as z_a and the context say."""
        return self._with_the_others_kept(self.elementwise.forward, z, c)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Move y_b back: y_a is what z_a was."""
        return self._with_the_others_kept(self.elementwise.inverse, y, c)

    def _with_the_others_kept(
        self, move: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], value: Tensor, c: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        first, second = value.split(self.sizes, -1)
        kept, moved = (second, first) if self.first_moves else (first, second)
        moved, log_slope = move(moved, self.net(kept, c))
        kept = kept.expand(*moved.shape[:-1], -1)  # a context may have more places than the value
        parts = (moved, kept) if self.first_moves else (kept, moved)
        return torch.cat(parts, -1), log_slope.sum(-1)
