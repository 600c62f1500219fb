"""What changes in the course of a training by plan: functions of the step, so that there is nothing to remember."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Schedule = Callable[[int, int], float]  # (step, number of steps) -> a factor, or a value


def cosine(step: int, num_steps: int) -> float:
    """A factor that falls from 1 to 0 over the training (Loshchilov & Hutter, 2017, equation 5)."""
    return (1 + math.cos(math.pi * step / num_steps)) / 2


@dataclass(frozen=True)
class ramp:
    """A weight that rises from ``start`` to 1 over the first ``length`` steps, and then stays: a warm-up of the KL.

    Args:
        length: number of steps, above 0.
        start: the first value.

    References:
        Bowman et al. (2016), section 3.1; Sønderby et al. (2016), section 2.3.

    Example:
        >>> [ramp(4)(step, 100) for step in (0, 1, 4, 50)]
        [0.0, 0.25, 1.0, 1.0]
    """

    length: int
    start: float = 0.0

    def __post_init__(self) -> None:
        if not self.length > 0:
            raise ValueError(f"length must be above 0, and is {self.length}")

    def __call__(self, step: int, num_steps: int) -> float:
        """The weight at a step."""
        return self.start + (1 - self.start) * min(1.0, step / self.length)


class Annealed:
    """The values that are handed to the bound by keyword, step after step.

    Args:
        functions: name to ``(step, num_steps) -> value``.
        num_steps: of the whole training.
        like: whose type and device the values get.
    """

    def __init__(self, functions: Mapping[str, Schedule] | None, num_steps: int, like: Tensor):
        self.functions = dict(functions or {})
        self.num_steps = num_steps
        self.like = like

    def at(self, step: int) -> dict[str, Tensor]:
        """The values of one step, scalars: tensors, so that a compiled bound is not compiled again for each.

        Raises:
            ValueError: a function gives something else than one number.
        """
        values = {name: function(step, self.num_steps) for name, function in self.functions.items()}
        return {name: self._scalar(name, value, step) for name, value in values.items()}

    def at_the_end(self) -> dict[str, Tensor]:
        """Those of the last step: validation uses them from the first epoch on."""
        return self.at(self.num_steps - 1)

    def _scalar(self, name: str, value: Any, step: int) -> Tensor:
        try:
            # In its type at once: by way of float32 it would lose digits.
            number = torch.as_tensor(value, dtype=self.like.dtype, device=self.like.device)
            good = number.ndim == 0 and (isinstance(value, Tensor) or math.isfinite(value))  # a GPU is not asked
        except (TypeError, ValueError, RuntimeError):
            good = False
        if not good:
            given = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise ValueError(f"anneal must give one finite number at every step; {name!r} is {given} at step {step}")
        return number


class LearningRates:
    """The rates of an optimiser's parameter groups in the course of a training.

    Args:
        optimiser: whose rates are set; as they are now, they are the largest.
        schedule: None for constant rates, "cosine", or a function (step, num_steps) -> factor.
        num_steps: of the whole training.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, schedule: str | Schedule | None, num_steps: int):
        self.optimiser = optimiser
        self.schedule = cosine if schedule == "cosine" else schedule
        self.num_steps = num_steps
        self.largest = [group["lr"] for group in optimiser.param_groups]

    def set(self, step: int) -> None:
        """Set them for step 0, 1, ..., num_steps - 1."""
        if self.schedule is not None:
            factor = self.schedule(step, self.num_steps)
            for group, rate in zip(self.optimiser.param_groups, self.largest):
                group["lr"] = rate * factor
