"""The noise of the protocols: coin flips of ``dynamic`` and ``fixed``, and the place in its cell of ``dequantised``."""

import torch
from torch import Tensor


def noisy(x: Tensor, noise: Tensor, protocol: str, levels: int) -> Tensor:
    """A realisation of stored values.

    Args:
        x: float32 [B, D], the stored values, 0..levels.
        noise: float32 [B, D], uniform on [0, 1); it is used up.
        protocol: "dequantised", or else a binarisation.
        levels: the largest value.

    Returns:
        (x + u) / (levels + 1), float32 [B, D]; or ones with probability x / levels, bool [B, D].
    """
    if protocol == "dequantised":
        # u in steps of 2^-16: for values up to 255, x + u is then exact in float32 and always below x + 1.
        return noise.mul_(2**16).floor_().div_(2**16).add_(x).div_(levels + 1)
    # u * levels < x has probability x / levels; x = levels is then certain, because u < 1.
    return noise.mul_(levels).lt_(x)


def uniform(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform noise in [0, 1), shaped like x; on the CPU in steps of 2^-16.

    There one draw of the generator, which is most of what a batch costs, serves four pixels.
    """
    if x.device.type != "cpu":
        return torch.rand(x.shape, generator=generator, device=x.device)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    bits = draws.view(torch.int16)[: x.numel()].view(x.shape)
    return bits.float().add_(2**15).div_(2**16)
