"""The learning rate as a function of the step: nothing to remember, so nothing to save."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Schedule = Callable[[int, int], float]  # (step, number of steps) -> factor of the learning rate


def cosine(step: int, num_steps: int) -> float:
    """A factor that falls from 1 to 0 over the training (Loshchilov & Hutter, 2017, equation 5)."""
    return (1 + math.cos(math.pi * step / num_steps)) / 2


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
