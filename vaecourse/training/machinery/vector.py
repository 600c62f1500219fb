"""The trained parameters as one vector: one step of the optimiser, one norm, one average and one all-reduce."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ALIGNMENT = 16  # numbers; every parameter begins at a multiple of 64 bytes, which kernels prefer


class Vector:
    """All parameters in one tensor, and their gradients in another; the parameters become views of it.

    A step then costs a few operations whatever the number of layers: for small networks an optimiser's bookkeeping per
    parameter takes longer than its arithmetic.

    Args:
        parameters: what is trained, all of one type and on one device.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]):
        kinds = {(parameter.dtype, parameter.device) for parameter in parameters}
        if len(kinds) != 1:
            found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
            raise ValueError(f"model must have trainable parameters of one type, all on one device, and has {found}")
        self.parameters = list(parameters)
        self.starts, size = [], 0
        for parameter in self.parameters:
            self.starts.append(size)
            size += math.ceil(parameter.numel() / ALIGNMENT) * ALIGNMENT
        self.value = nn.Parameter(self.parameters[0].new_zeros(size))
        self.value.grad = torch.zeros_like(self.value)
        for parameter, start in zip(self.parameters, self.starts):
            part = slice(start, start + parameter.numel())
            view = self.value.detach()[part].view_as(parameter)
            parameter.data = view.copy_(parameter.detach())
            parameter.grad = self.value.grad[part].view_as(parameter)

    def groups(self, names: Sequence[str], rates: Mapping[str, float]) -> list[dict]:
        """The vector cut into an optimiser's groups, each a run of neighbours with one learning rate, as views of it.

        Args:
            names: the names of the parameters, in their order.
            rates: what a name begins with to its learning rate; of several, the longest counts.
        """
        runs: list[tuple[float, int, int]] = []
        for name, start, end in zip(names, self.starts, [*self.starts[1:], len(self.value)]):
            rate = rates[max((prefix for prefix in rates if name.startswith(prefix)), key=len)]
            if runs and runs[-1][0] == rate:
                start = runs.pop()[1]
            runs.append((rate, start, end))
        if len(runs) == 1:
            return [{"params": [self.value], "lr": runs[0][0]}]
        groups = []
        for rate, start, end in runs:
            part = nn.Parameter(self.value.detach()[start:end])
            part.grad = self.value.grad[start:end]
            groups.append({"params": [part], "lr": rate})
        return groups

    @property
    def gradient(self) -> Tensor:
        """The gradients of all parameters, as the backward pass adds them up."""
        return self.value.grad

    def flat(self, tensors: Iterable[Tensor]) -> Tensor:
        """One tensor for each parameter, in their order and shapes, as a vector laid out like this one."""
        return torch.cat([F.pad(tensor.reshape(-1), (0, -tensor.numel() % ALIGNMENT)) for tensor in tensors])

    @contextmanager
    def released(self) -> Iterator[None]:
        """After the block the parameters have memory of their own again, and no gradients."""
        try:
            yield
        finally:
            for parameter in self.parameters:
                parameter.data = parameter.detach().clone()
                parameter.grad = None


class Average:
    """An exponential moving average of a vector over steps (Polyak & Juditsky, 1992, with a memory that fades).

    Args:
        vector: what is averaged.
        decay: the weight of the past, such as 0.999; at step t it is at most (1 + t) / (10 + t), so that the initial
            values are soon forgotten. None for no average: then it is the vector itself.
    """

    def __init__(self, vector: Vector, decay: float | None):
        self.current = vector.value.detach()
        self.decay = decay
        self.value: Tensor | None = None if decay is None else self.current.clone()

    def update(self, step: int) -> None:
        """Take in the values after step t = 0, 1, ..."""
        if self.value is not None:
            self.value.lerp_(self.current, 1 - min(self.decay, (1 + step) / (10 + step)))

    def keep(self) -> None:
        """Leave the parameters with their averages as values."""
        if self.value is not None:
            self.current.copy_(self.value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the parameters have their averages as values."""
        before = self.current.clone()
        self.keep()
        try:
            yield
        finally:
            self.current.copy_(before)
