"""The exponential moving average of the parameters (Polyak & Juditsky, 1992, with a memory that fades)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """An average of parameters over steps; without a decay it is the parameters themselves.

    Args:
        parameters: what is averaged.
        decay: the weight of the past, such as 0.999; at step t it is at most (1 + t) / (10 + t), so that the initial
            values are soon forgotten. None for no average.
    """

    def __init__(self, parameters: list[nn.Parameter], decay: float | None):
        self.parameters = parameters
        self.decay = decay
        self.values: list[Tensor] = [] if decay is None else [p.detach().clone() for p in parameters]

    def update(self, step: int) -> None:
        """Take in the parameters after step t = 0, 1, ..."""
        if self.decay is not None:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the parameters have their averages as values."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def keep(self) -> None:
        """Leave the parameters with their averages as values."""
        self._exchange()
        self.values = []

    @torch.no_grad()
    def _exchange(self) -> None:
        for parameter, value in zip(self.parameters, self.values):
            parameter.data, value.data = value.data, parameter.data
