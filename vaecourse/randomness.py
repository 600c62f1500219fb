"""Where randomness comes from: a seed for a while, and streams keyed by the seed and the place where they are used.

No generator of a training has a state that runs through it. Every use of randomness (the order of an epoch, the
binarisation of a shard, its samples of z) starts a stream of its own, keyed by the seed and by where it is used. So a
training goes on after a pause, or is shared out among processes, without a bit changing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's random state set by a seed, on the CPU and on one device, then given back.

    Example:
        >>> state = torch.get_rng_state()
        >>> with seeded(0, torch.device("cpu")):
        ...     noise = torch.randn(3)
        >>> torch.equal(torch.get_rng_state(), state)
        True
    """
    modules = [torch] if device.type == "cpu" else [torch, torch.get_device_module(device)]
    states = [module.get_rng_state() for module in modules]
    try:
        torch.manual_seed(seed)
        yield
    finally:
        for module, state in zip(modules, states):
            module.set_rng_state(state)


def key(seed: int, *place: str | int) -> int:
    """A seed for one use of randomness, such as ``key(0, "z", epoch, batch, shard)``; others share none of its bits."""
    text = "/".join(str(part) for part in (seed, *place))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1  # 63 bits: any generator's range


def seed_torch(device: torch.device, seed: int) -> None:
    """Set torch's own generators of the CPU and of one device; torch.manual_seed asks after all, and is slow."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def order(size: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """The order of the data in one epoch, int64 [size]; drawn on the CPU, so that every device has the same."""
    generator = torch.Generator().manual_seed(key(seed, "order", epoch))
    return torch.randperm(size, generator=generator).to(device)
