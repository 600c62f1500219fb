"""The gated PixelCNN one pixel after the other, with what was computed for the pixels before kept."""

from __future__ import annotations

from collections.abc import Generator

import torch
import torch.nn.functional as F
from torch import Tensor

from vaecourse.networks.gated_layer import GatedLayer, gate
from vaecourse.networks.pixels import PixelNetwork


class _Kept:
    """What one layer has read so far, padded as its convolutions want it, and its weights for a single pixel."""

    def __init__(self, layer: GatedLayer, num_in: int, planes: Tensor, num_images: int):
        height, width = planes.shape[-2:]
        self.layer = layer
        self.of_h, self.of_v = layer.conditions(planes)
        self.above = planes.new_zeros(num_images, num_in, height + layer.up, width + 2 * layer.aside)
        self.left = planes.new_zeros(num_images, width + layer.up, num_in)
        self.size = layer.up + (not layer.first)
        if layer.reads:
            weight = layer.horizontal.weight[:, :, 0]  # [2 channels, in, size]
            self.weight = weight.transpose(1, 2).flatten(1).T.contiguous()
        self.mix = layer.mix.weight[:, :, 0, 0].T.contiguous()

    def begin_row(self, row: int) -> Tensor | None:
        """The vertical stack's next row [N, channels, W], if a layer follows; the row is read by the pixels then."""
        over, above = self.of_h[:, :, row], 0.0
        if self.layer.reads:
            above = self.layer.vertical(self.above[:, :, row : row + self.size])  # [N, 2 channels, 1, W]
            over = over + self.layer.down(above)[:, :, 0]
        self.over = over.permute(2, 0, 1).contiguous()  # [W, N or 1, 2 channels]
        self.left.zero_()
        return None if self.layer.last else gate(above + self.of_v[:, :, row : row + 1])[:, :, 0]

    def pixel(self, column: int, h: Tensor | None = None) -> Tensor:
        """The horizontal stack at a pixel [N, channels], given it one layer below."""
        total = self.over[column]
        if self.layer.reads:
            total = torch.addmm(total, self.left[:, column : column + self.size].flatten(1), self.weight)
        g = torch.addmm(self.layer.mix.bias, gate(total), self.mix)
        return g if self.layer.first else h + g

    def keep_row(self, row: int, v: Tensor) -> None:
        width = v.shape[-1]
        self.above[:, :, row + self.layer.up, self.layer.aside : self.layer.aside + width] = v

    def keep_pixel(self, column: int, h: Tensor) -> None:
        self.left[:, column + self.layer.up] = h


def parameters_in_order(
    net: PixelNetwork, z: Tensor | None, num_images: int
) -> Generator[tuple[int, Tensor], Tensor, None]:
    """See :meth:`~vaecourse.networks.GatedPixelCNN.in_order`."""
    num_colours, height, width = net.image_shape
    planes, head = net.planes(z), _Head(net)
    sizes = [num_colours, *(layer.mix.out_channels for layer in net.layers)]
    kept = [_Kept(layer, size, planes, num_images) for layer, size in zip(net.layers, sizes)]
    for row in range(height):
        pixels = planes.new_zeros(num_images, num_colours, width)
        v = kept[0].begin_row(row)
        for layer in kept[1:]:
            layer.keep_row(row, v)
            v = layer.begin_row(row)
        for column in range(width):
            h = kept[0].pixel(column)
            for layer in kept[1:]:
                layer.keep_pixel(column, h)
                h = layer.pixel(column, h)
            head.read(h.expand(num_images, -1))
            for colour in range(num_colours):
                value = yield (colour * height + row) * width + column, head(colour, pixels[:, :, column])
                pixels[:, colour, column] = (value - net.half) / net.half
            kept[0].keep_pixel(column, pixels[:, :, column])
        kept[0].keep_row(row, pixels)


class _Head:
    """The head at one pixel, one colour at a time."""

    def __init__(self, net: PixelNetwork):
        num_colours = net.image_shape[0]
        self.hidden, self.hidden_bias = net.hidden.weight[:, :, 0, 0].T.contiguous(), net.hidden.bias
        self.out = net.out.weight[:, :, 0, 0].unflatten(0, (num_colours, -1)).mT.contiguous()  # [C, channels, P]
        self.out_bias = net.out.bias.view(num_colours, -1)
        self.colours = None
        if net.colours is not None:
            self.colours = (net.colours * net.before).unflatten(0, (num_colours, -1)).mT.contiguous()

    def read(self, h: Tensor) -> None:
        self.of_pixel = torch.addmm(self.hidden_bias, F.relu(h), self.hidden)

    def __call__(self, colour: int, pixel: Tensor) -> Tensor:
        """Parameters [N, P] of a colour, given those before it, [N, C] with zeros for what is not known yet."""
        size = self.out.shape[1]
        hidden, bias = self.of_pixel[:, colour * size : (colour + 1) * size], self.out_bias[colour]
        if self.colours is not None:
            seen = pixel @ self.colours[colour]
            hidden, bias = hidden + seen[:, :size], bias + seen[:, size:]
        return torch.addmm(bias, F.relu(hidden), self.out[colour])
