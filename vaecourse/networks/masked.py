"""Masked convolutions, and the stack of them that was the first PixelCNN, with its blind spot."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse.networks.pixels import PixelNetwork


class MaskedConv2d(nn.Conv2d):
    """A convolution that reads what comes before a pixel: the rows above it, and of its own row what is to the left.

    Args:
        kind: "A" leaves the pixel itself out, as the first layer must; "B" reads it, since what a later layer finds
            there has been made of the pixels before.
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: odd, so that there is a middle.

    References:
        van den Oord, Kalchbrenner & Kavukcuoglu (2016), Pixel recurrent neural networks, section 3.4.

    Example:
        >>> MaskedConv2d("A", 1, 1, 3).mask.int()
        tensor([[1, 1, 1],
                [1, 0, 0],
                [0, 0, 0]], dtype=torch.int32)
    """

    def __init__(self, kind: Literal["A", "B"], in_channels: int, out_channels: int, kernel_size: int):
        if kind not in ("A", "B"):
            raise ValueError(f'kind must be "A" or "B", and is {kind!r}')
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, and is {kernel_size}")
        middle = kernel_size // 2
        super().__init__(in_channels, out_channels, kernel_size, padding=middle)
        place = torch.arange(kernel_size**2).view(kernel_size, kernel_size)
        self.register_buffer("mask", place < kernel_size**2 // 2 + (kind == "B"))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, in, H, W] to [N, out, H, W]."""
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class MaskedPixelCNN(PixelNetwork):
    """Masked convolutions one after the other, the first of kind A, the others of kind B, with residual connections.

    However many there are, a pixel stays blind to a wedge of those before it, up and to the right: each layer goes
    further to the right only with a row up. :class:`~vaecourse.networks.GatedPixelCNN` has no such wedge.

    Args:
        image_shape: (C, H, W).
        channels: number of feature maps.
        num_layers: number of masked convolutions, from 1.
        kernel_size: of each, odd.
        **of_pixels: num_outputs, num_levels, decoder and num_planes, as in :class:`~vaecourse.networks.PixelNetwork`.

    References:
        van den Oord, Kalchbrenner & Kavukcuoglu (2016), Pixel recurrent neural networks, section 3.5.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], channels: int, num_layers: int, kernel_size: int = 3, **of_pixels
    ):
        super().__init__(image_shape, channels, **of_pixels)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, and is {num_layers}")
        sizes = [(("A", image_shape[0]) if layer == 0 else ("B", channels)) for layer in range(num_layers)]
        self.layers = nn.ModuleList(MaskedConv2d(kind, num_in, channels, kernel_size) for kind, num_in in sizes)
        self.conditions = nn.ModuleList(nn.Conv2d(len(self.plane), channels, 1) for _ in sizes)

    def features(self, images: Tensor, planes: Tensor) -> Tensor:
        """Maps [N, channels, H, W]."""
        h = images
        for number, (layer, condition) in enumerate(zip(self.layers, self.conditions)):
            g = F.relu(layer(h) + condition(planes))
            h = g if number == 0 else h + g
        return h
