"""What every network over pixels in an order has: units, planes made of z, and a head that takes colours in turn."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PixelNetwork(nn.Module, ABC):
    """From an image and z to the parameters of every pixel, which may depend on the pixels before it and on z.

    The order is that of reading: rows from the top, in each from the left; of a pixel, one colour after the other. The
    pixels before it reach a pixel through :meth:`features`, the colours before it through the head: a hidden layer for
    each colour, which sees the features and those colours.

    Args:
        image_shape: (C, H, W); data are [..., C H W], flattened in this order.
        channels: number of feature maps.
        num_outputs: number P of parameters of each dimension: 1 for a Bernoulli, K for K free logits, and so on.
        num_levels: number of values 0, 1, ... that a dimension has; the network reads them as -1 to 1.
        decoder: from z [..., L] to planes [..., E H W] that every layer reads; None for a network that ignores z.
        num_planes: number E of planes. What no z decides of them, one number for each place, is learned.

    References:
        van den Oord et al. (2016), Conditional image generation with PixelCNN decoders, section 2.3, for the planes.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: int,
        num_outputs: int = 1,
        num_levels: int = 2,
        decoder: nn.Module | None = None,
        num_planes: int = 4,
    ):
        super().__init__()
        if len(image_shape) != 3 or min(image_shape) < 1:
            raise ValueError(f"image_shape must be (channels, height, width), each from 1, and is {image_shape}")
        if num_levels < 2:
            raise ValueError(f"num_levels must be at least 2, and is {num_levels}")
        self.image_shape = tuple(image_shape)
        self.num_outputs = num_outputs
        self.half = (num_levels - 1) / 2
        self.decoder = decoder
        num_colours = image_shape[0]
        self.plane = nn.Parameter(torch.zeros(num_planes, *image_shape[1:]))
        self.hidden = nn.Conv2d(channels, num_colours * channels, 1)
        self.out = nn.Conv2d(num_colours * channels, num_colours * num_outputs, 1, groups=num_colours)
        # Colours reach the hidden units and, past them, the outputs: those of colour c see the c colours before.
        width = channels + num_outputs
        before = torch.arange(num_colours)[:, None] > torch.arange(num_colours)
        self.register_buffer("before", before.repeat_interleave(width, 0))  # [C (channels + P), C]
        self.colours = nn.Parameter(torch.zeros(num_colours * width, num_colours)) if num_colours > 1 else None

    @property
    def order(self) -> list[int]:
        """The dimensions in the order in which they depend on each other."""
        num_colours, *place = self.image_shape
        return torch.arange(num_colours * math.prod(place)).view(num_colours, -1).T.flatten().tolist()

    @abstractmethod
    def features(self, images: Tensor, planes: Tensor) -> Tensor:
        """Maps [N, channels, H, W] from images [N, C, H, W] between -1 and 1 and planes [N or 1, E, H, W].

        Those of a pixel may depend on the pixels before it, and on all the planes.
        """

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Parameters [..., D P], the P of the first dimension first, from x [..., D] and z [..., L]."""
        self._check(x, z)
        lead = x.shape[:-1] if z is None else torch.broadcast_shapes(x.shape[:-1], z.shape[:-1])
        if self.decoder is None:  # then z says how many are wanted, and no more
            return self._from(x, None).expand(*lead, -1)
        return self._from(x.expand(*lead, -1), z.expand(*lead, -1))

    def _from(self, x: Tensor, z: Tensor | None) -> Tensor:
        """Parameters [..., D P], for x and z with the same leading dimensions."""
        images = (x.reshape(-1, *self.image_shape) - self.half) / self.half
        planes = self.planes(None if z is None else z.reshape(-1, z.shape[-1]))
        h = self.features(images, planes)
        parameters = self._head(h.expand(len(images), *h.shape[1:]), images)  # [N, C, P, H, W]
        return parameters.permute(0, 1, 3, 4, 2).reshape(*x.shape[:-1], -1)

    def planes(self, z: Tensor | None) -> Tensor:
        """What every layer reads of z [N, L]: [N, E, H, W], or without z [1, E, H, W]."""
        if z is None or self.decoder is None:
            return self.plane[None]
        made = self.decoder(z)
        if made.shape[-1] != self.plane.numel():
            raise ValueError(
                f"decoder must give {self.plane.numel()} outputs, {len(self.plane)} planes of "
                f"{' x '.join(map(str, self.plane.shape[1:]))}, and gives {made.shape[-1]}"
            )
        return self.plane + made.view(-1, *self.plane.shape)

    def _head(self, h: Tensor, images: Tensor) -> Tensor:
        hidden, num_colours = self.hidden(F.relu(h)), self.image_shape[0]
        if self.colours is None:
            return self.out(F.relu(hidden)).unsqueeze(1)
        shape = (num_colours, -1, *self.image_shape[1:])
        seen = F.conv2d(images, (self.colours * self.before)[..., None, None]).unflatten(1, shape[:2])
        to_hidden, to_out = seen.split((seen.shape[2] - self.num_outputs, self.num_outputs), 2)
        return self.out(F.relu(hidden + to_hidden.flatten(1, 2))).unflatten(1, shape[:2]) + to_out

    def _check(self, x: Tensor, z: Tensor | None) -> None:
        if x.shape[-1] != math.prod(self.image_shape):
            raise ValueError(
                f"x must have {math.prod(self.image_shape)} dimensions, those of image_shape {self.image_shape}, and "
                f"has {x.shape[-1]}"
            )
        if z is None and self.decoder is not None:
            raise ValueError("z must be given, since there is a decoder")
