"""One step's gradient of the mean bound: in which precision, compiled or not, by how many shards and processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaecourse.data import Dataset
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seed_torch
from vaecourse.training.machinery.compilation import compiled
from vaecourse.training.machinery.diagnosis import first_non_finite, largest_gradient
from vaecourse.training.machinery.interrupts import Interrupt
from vaecourse.training.machinery.processes import Processes
from vaecourse.training.machinery.vector import Vector

Bound = Callable[..., Tensor]  # (model, *batch, **annealed) -> [B] in nats


def parts_of(batch: Tensor | tuple[Tensor, ...], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """A batch as a tuple whose first part is x; real numbers in the model's type, indices as they are."""
    parts = batch if isinstance(batch, tuple) else (batch,)
    return tuple(part.to(dtype) if part.is_floating_point() else part for part in parts)


class Summary(NamedTuple):
    """What a step tells: the bound summed over the batch, the norm of the gradient of its mean."""

    bound: float
    gradient_norm: float
    interrupted: bool


class Objective(nn.Module):
    """The bound of a batch's data as training evaluates it: under autocast, and with what is annealed.

    Args:
        model: the model.
        bound: what is maximised.
        device: where.
        precision: "fp32" or "bf16".
    """

    def __init__(self, model: LatentVariableModel, bound: Bound, device: torch.device, precision: str):
        super().__init__()
        self.model = model
        self.bound = bound
        self.device = device
        self.precision = precision

    def forward(self, batch: tuple[Tensor, ...], annealed: dict[str, Tensor]) -> Tensor:
        """The bound of each datum, [B], in nats."""
        with self._autocast():
            values = self.bound(self.model, *batch, **annealed)
        if not isinstance(values, Tensor) or values.shape != batch[0].shape[:1]:
            got, size = list(values.shape) if isinstance(values, Tensor) else type(values).__name__, len(batch[0])
            raise ValueError(f"bound must return one number per datum, of shape [{size}], and returns {got}")
        return values

    def _autocast(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()


class Gradient:
    """The gradient of the mean bound over a batch, left in the vector's ``gradient``.

    Args:
        objective: what is maximised.
        train: the data, on the device.
        vector: the parameters that are trained.
        seed: of the protocol's randomness and of the samples of z.
        num_shards: into how many parts a batch is cut; each has its own noise, and is in memory on its own.
        processes: who shares the work.
    """

    def __init__(
        self,
        objective: Objective,
        train: Dataset,
        vector: Vector,
        seed: int,
        num_shards: int,
        processes: Processes,
    ):
        self.objective = objective
        self.evaluate = self._evaluate
        self.train = train
        self.vector = vector
        self.seed = seed
        self.num_shards = num_shards
        self.processes = processes
        self.generator = torch.Generator(objective.device)

    def compile(self) -> None:
        """Let torch.compile fuse the forward and the backward pass."""
        self.evaluate = compiled(self.objective, self.vector)

    def _evaluate(self, batch: tuple[Tensor, ...], annealed: dict[str, Tensor], size: int) -> Tensor:
        """The values of a shard, [B]; the gradient of its part of the loss is added up in the vector."""
        values = self.objective(batch, annealed)
        if not values.requires_grad:
            raise ValueError("bound must have a gradient by the trained parameters, and returns numbers without one")
        (-values.sum() / size).backward()
        return values.detach()

    def __call__(
        self, index: Tensor, epoch: int, batch: int, annealed: dict[str, Tensor], interrupt: Interrupt
    ) -> Summary:
        """Compute it for the data of ``index``, int64 [B].

        Raises:
            FloatingPointError: the bound or its gradient is infinite or not a number; nothing was updated.
        """
        gradient = self.vector.gradient.zero_()
        shards = self.processes.share([shard for shard in index.tensor_split(self.num_shards) if len(shard)])
        total = torch.zeros((), dtype=gradient.dtype, device=index.device)
        for number, shard in shards:
            parts = self._noisy(shard, epoch, batch, number)
            total += self.evaluate(parts, annealed, len(index)).sum()
        total, interrupted = self._sum_over_processes(total, interrupt.requested)
        bound, norm = torch.stack((total, torch.linalg.vector_norm(gradient))).tolist()  # one transfer from the device
        if not (math.isfinite(bound) and math.isfinite(norm)):
            place = self._diagnose(shards, epoch, batch, annealed)
            raise FloatingPointError(f"epoch {epoch}, batch {batch + 1}: the bound is {bound / len(index):g} {place}")
        return Summary(bound, norm, interrupted)

    def _noisy(self, shard: Tensor, epoch: int, batch: int, number: int) -> tuple[Tensor, ...]:
        """The shard's data as the likelihood scores them; torch is then at the start of the shard's own noise."""
        self.generator.manual_seed(key(self.seed, "x", epoch, batch, number))
        parts = parts_of(self.train.batch(shard, self.generator), self.vector.value.dtype)
        seed_torch(shard.device, key(self.seed, "z", epoch, batch, number))
        return parts

    def _sum_over_processes(self, total: Tensor, interrupted: bool) -> tuple[Tensor, bool]:
        if self.processes.size > 1:
            flag = torch.tensor(float(interrupted), device=total.device)
            self.processes.sum([self.vector.gradient, total, flag])
            interrupted = bool(flag)
        return total, interrupted

    def _diagnose(self, shards: list[tuple[int, Tensor]], epoch: int, batch: int, annealed: dict[str, Tensor]) -> str:
        """Say where it began, by taking the same step again and looking at every tensor on the way."""
        for number, shard in shards:
            parts = self._noisy(shard, epoch, batch, number)
            evaluate = partial(self.objective, annealed=annealed)
            if place := first_non_finite(evaluate, self.objective.model, parts):
                return f"and began at {place}"
        if bool(self.vector.gradient.isfinite().all()):
            parameters = {name.removeprefix("model."): p for name, p in self.objective.named_parameters()}
            return f"and the norm of its gradient overflows: {largest_gradient(parameters)}"
        return "and began in another process" if self.processes.size > 1 else "where a second evaluation is finite"
