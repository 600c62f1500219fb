"""Where the randomness of a training comes from: a pure function of the seed and of the place in the training.

No generator has a state that runs through the training. Every use of randomness (the order of an epoch, the
binarisation of a shard, its samples of z) starts a stream of its own, keyed by the seed and by where it is used. So a
training goes on after a pause, or is shared out among processes, without a bit changing.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


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
