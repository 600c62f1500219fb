"""Seeded randomness for a while: what runs inside has its own noise, and the caller's random state stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
