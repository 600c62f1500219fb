"""The processes that share a training: one, or as many as torchrun started.

The batch is cut into shards, each with noise of its own, and every process takes the gradient of its shards. One
all-reduce of the gradient, which is one vector, then makes the step the same everywhere. This is what torch's
DistributedDataParallel does, without its wrapper: the models of the course are so small that there is nothing to gain
from sending the gradient in buckets while the backward pass still runs, and parameters that a bound leaves out need no
special case.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process among all that train one model."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """The processes that torchrun started, or this one alone."""
        if not dist.is_available() or int(os.environ.get("WORLD_SIZE", 1)) == 1:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group(dist.get_default_backend_for_device(device.type))
            atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), dist.get_world_size())

    @staticmethod
    def own_device(device: torch.device) -> torch.device:
        """The accelerator that is this process's own, where torchrun gave it a number."""
        if device.type == "cpu" or device.index is not None or "LOCAL_RANK" not in os.environ:
            return device
        return torch.device(device.type, int(os.environ["LOCAL_RANK"]))

    def num_shards(self, wanted: int | None) -> int:
        """How many parts a batch is cut into: as many as wanted, or one for each process.

        Raises:
            ValueError: the processes cannot share them out evenly.
        """
        if wanted is not None and wanted % self.size:
            raise ValueError(f"num_shards must be a multiple of the {self.size} processes, and is {wanted}")
        return self.size if wanted is None else wanted

    @property
    def is_first(self) -> bool:
        """Whether this process shows the progress and writes the files."""
        return self.rank == 0

    def share(self, parts: Sequence) -> list[tuple[int, Tensor]]:
        """The parts, numbered, that are this process's work."""
        return list(enumerate(parts))[self.rank :: self.size]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes; the same bits on all of them."""
        if self.size > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def agree(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the first process's."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), 0)

    def union(self, names: list[str]) -> list[str]:
        """The names that any of the processes has, in the same order on all of them."""
        if self.size == 1:
            return names
        everyones: list[list[str]] = [[] for _ in range(self.size)]
        dist.all_gather_object(everyones, names)
        return list(dict.fromkeys(name for each in everyones for name in each))

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            dist.barrier()
