"""One layer of the gated PixelCNN: what its two stacks read, and the gate through which both go."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GatedLayer(nn.Module):
    """One layer of the two stacks.

    Args:
        num_in: maps that it reads.
        channels: maps of each stack that it makes.
        num_planes: planes that z became.
        up: how many rows above a pixel, and columns to its left, it reads.
        aside: how many columns to either side of it, in the rows above.
        first: whether it leaves out the pixel's row (vertical stack) and the pixel (horizontal stack).
        last: whether no layer follows, which would read the vertical stack.
    """

    def __init__(self, num_in: int, channels: int, num_planes: int, up: int, aside: int, first: bool, last: bool):
        super().__init__()
        self.up, self.aside, self.first, self.last = up, aside, first, last
        size = up + (not first)
        self.reads = size > 0
        if self.reads:
            self.vertical = nn.Conv2d(num_in, 2 * channels, (size, 2 * aside + 1))
            self.horizontal = nn.Conv2d(num_in, 2 * channels, (1, size), bias=False)  # down has one
            self.down = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.condition = nn.Conv2d(num_planes, (2 if last else 4) * channels, 1)

    def forward(self, v: Tensor, h: Tensor, planes: Tensor) -> tuple[Tensor, Tensor]:
        """The two stacks' next maps, each [N, channels, H, W]."""
        above = left = 0.0
        of_h, of_v = self.conditions(planes)
        if self.reads:
            height, width = v.shape[-2:]
            above = self.vertical(F.pad(v, (self.aside, self.aside, self.up, 0)))[..., :height, :]
            left = self.horizontal(F.pad(h, (self.up, 0)))[..., :width] + self.down(above)
        g = self.mix(gate(left + of_h))
        return v if self.last else gate(above + of_v), g if self.first else h + g

    def conditions(self, planes: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the gates of the horizontal and of the vertical stack are given of z."""
        c = self.condition(planes)
        return (c, None) if self.last else c.chunk(2, 1)


def gate(maps: Tensor) -> Tensor:
    """tanh of the first half of the maps [N, 2 channels, ...] times the logistic function of the other half."""
    s, t = maps.chunk(2, 1)
    return torch.tanh(s) * torch.sigmoid(t)
