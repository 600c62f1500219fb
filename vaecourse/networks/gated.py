"""The gated PixelCNN of two stacks: all the pixels before one reach it, within a reach that can be set."""

from __future__ import annotations

from collections.abc import Generator

from torch import Tensor, nn

from vaecourse.networks.gated_layer import GatedLayer
from vaecourse.networks.in_order import parameters_in_order
from vaecourse.networks.pixels import PixelNetwork


class GatedPixelCNN(PixelNetwork):
    r"""A vertical stack reads the rows above a pixel, a horizontal one the pixels to its left and the vertical stack.

    In a layer, with a and b the convolutions of the two stacks and c the planes that z became,

    .. math::
        v' = g(a(v) + c_v), \qquad h' = h + W g(b(h) + U a(v) + c_h), \qquad g(s, t) = \tanh(s)\, \sigma(t)

    so that z stands in every gate. The first layer leaves the pixel's own row out of a, and the pixel itself out of b.

    Each layer widens what a pixel sees by half a kernel, on every side that is open to it, and the first one by a row
    and a column to the left more; no layer goes beyond ``reach``. Layers that have no more to widen are pointwise.

    Args:
        image_shape: (C, H, W).
        channels: number of feature maps of each stack.
        num_layers: number of layers, from 1.
        kernel_size: how wide a layer's convolution is, odd.
        reach: how many rows up, and columns to the left and to the right, a pixel sees at most; 0 for none, which is a
            decoder of independent pixels. None for as far as the layers go.
        **of_pixels: num_outputs, num_levels, decoder and num_planes, as in :class:`~vaecourse.networks.PixelNetwork`.

    Raises:
        ValueError: reach is below 0, larger than the image, or further than the layers go.

    References:
        van den Oord et al. (2016), Conditional image generation with PixelCNN decoders, sections 2.1 to 2.3;
        Chen et al. (2017), Variational lossy autoencoder, section 3.1, for the reach.

    Example:
        >>> import torch
        >>> net = GatedPixelCNN((1, 8, 8), channels=8, num_layers=3, decoder=nn.Linear(2, 4 * 64))
        >>> net(torch.zeros(5, 64), torch.zeros(10, 5, 2)).shape
        torch.Size([10, 5, 64])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: int,
        num_layers: int,
        kernel_size: int = 3,
        reach: int | None = None,
        **of_pixels,
    ):
        super().__init__(image_shape, channels, **of_pixels)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, and is {num_layers}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, and is {kernel_size}")
        half, largest = kernel_size // 2, max(image_shape[1:]) - 1
        if reach is not None and not 0 <= reach <= largest:
            raise ValueError(f"reach must be from 0 to {largest}, the pixels beside the first one, and is {reach}")
        if reach is not None and reach > num_layers * half:
            raise ValueError(
                f"reach must be at most {num_layers * half}, as far as {num_layers} layers of kernel_size "
                f"{kernel_size} go, and is {reach}"
            )
        rows, sides = (num_layers * half + 1, num_layers * half) if reach is None else (reach, reach)  # still to see
        layers = []
        for number in range(num_layers):
            up, aside = min(half + (number == 0), rows), min(half, sides)
            rows, sides = rows - up, sides - aside
            size = image_shape[0] if number == 0 else channels
            last = number == num_layers - 1
            layers.append(GatedLayer(size, channels, len(self.plane), up, aside, number == 0, last))
        self.layers = nn.ModuleList(layers)

    def features(self, images: Tensor, planes: Tensor) -> Tensor:
        """Maps [N, channels, H, W] of the horizontal stack; of one image where nothing is read and no z given."""
        v = h = images
        for layer in self.layers:
            v, h = layer(v, h, planes)
        return h

    def in_order(self, z: Tensor | None, num_images: int) -> Generator[tuple[int, Tensor], Tensor, None]:
        """The same parameters one dimension at a time, for which each feature is computed once.

        A row of the vertical stack is computed when its row of pixels begins; the horizontal stack and the head take
        the pixels one by one. What a pixel costs depends on the layers, not on the size of the image.

        Args:
            z: latents [N, L], or None.
            num_images: number N.

        Yields:
            The number j of a dimension and its parameters [N, P]; it is to be sent the values x_j, [N].
        """
        return parameters_in_order(self, z, num_images)
