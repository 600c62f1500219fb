"""The memory that a piece of work needs: the most that its tensors held at one time."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):
    """Watches the tensors that torch's operations make while it is open, and keeps the most bytes alive at one time.

    A storage counts once, however many views look at it, from the operation that returned it to the end of its last
    owner; the graph of a gradient is an owner. What an operation needs within itself and gives back before it returns
    is not seen, nor is memory that was there before. The count is the same on every device and in every run, which that
    of the operating system is not. Each operation takes longer while it is watched: do not time here.

    Attributes:
        bytes: the most that were alive at one time so far.
        alive: those that are alive now.

    Example:
        >>> import torch
        >>> with PeakMemory() as memory:
        ...     kept = torch.zeros(1000)  # 4,000 bytes
        ...     total = (kept + 1).sum()  # 4,000 more, and 4 for the sum
        >>> memory.bytes, memory.alive
        (8004, 4004)
    """

    def __init__(self):
        super().__init__()
        self.bytes = 0
        self.alive = 0
        self._seen: dict[int, weakref.ref] = {}
        self._open = False

    def __enter__(self) -> PeakMemory:
        self._open = True
        return super().__enter__()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)
        self._open = False

    def __torch_dispatch__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the operation, and count the storages that it was not given."""
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf, given)
        return result

    def _count(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        place = storage._cdata
        if place in given or ((known := self._seen.get(place)) is not None and known() is not None):
            return
        size = storage.nbytes()
        self._seen[place] = weakref.ref(storage)
        weakref.finalize(storage, self._gone, place, size).atexit = False
        self.alive += size
        self.bytes = max(self.bytes, self.alive)

    def _gone(self, place: int, size: int) -> None:
        if self._open:  # what outlives the watch is what was alive at its end
            self.alive -= size
