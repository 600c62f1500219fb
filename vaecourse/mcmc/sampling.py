"""Running chains: a kernel, applied over and over, with every position kept."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse.mcmc.kernel import Info, Kernel, stack


class Samples(NamedTuple):
    """What T steps gave; neighbours in time are dependent."""

    position: Tensor  # [T, ..., L], after each step
    info: Info  # every field with a leading T


@torch.no_grad()
def sample(
    kernel: Kernel,
    position: Tensor,
    num_steps: int,
    *,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Samples:
    """Run chains from given positions.

    Nothing is thrown away: slice off what came before the chains forgot where they started.

    Args:
        kernel: the transition.
        position: where the chains start, [..., L]; [C, L] for what the diagnostics take.
        num_steps: number T of steps.
        generator: source of all randomness, on the device of ``position``; None for torch's own.
        progress: show a bar over the steps.

    Returns:
        Positions [T, ..., L] and the stacked infos; ``info.num_gradients.cumsum(0)`` is the work up to each step,
        less the one evaluation of ``init``.

    Raises:
        ValueError: num_steps is below 1, or the kernel refuses the positions.

    Example:
        >>> import torch
        >>> from vaecourse.mcmc import hmc
        >>> kernel = hmc(lambda z: -0.5 * z.square().sum(-1), step_size=0.5, num_leapfrog=3)
        >>> positions, info = sample(kernel, torch.zeros(4, 2), num_steps=50)
        >>> positions.shape, int(info.num_gradients.sum())
        (torch.Size([50, 4, 2]), 150)
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, and is {num_steps}")
    state = kernel.init(position)
    positions, infos = [], []
    for _ in tqdm(range(num_steps), disable=not progress, unit="step", leave=False):
        state, info = kernel.step(state, generator)
        positions.append(state.position)
        infos.append(info)
    return Samples(torch.stack(positions), stack(infos))
