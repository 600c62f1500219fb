"""The coders of everyday at their strongest settings: gzip, bz2, xz, PNG and lossless WebP, in bytes of their files."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import PIL.Image
from torch import Tensor


def _xz(data: bytes) -> bytes:
    """Without a checksum; presets 5, 9 and 9e, of which each wins somewhere, as they are and for unaligned bytes."""
    presets = 5, 9, 9 | lzma.PRESET_EXTREME
    contexts = {"pb": 2, "lc": 3}, {"pb": 0, "lc": 3}, {"pb": 0, "lc": 0}
    size = max(4096, len(data))  # of the dictionary: no larger than it can be of use
    files = (
        lzma.compress(data, check=lzma.CHECK_NONE, filters=[one | {"id": lzma.FILTER_LZMA2, "dict_size": size}])
        for one in ({"preset": preset, **context} for preset in presets for context in contexts)
    )
    return min(files, key=len)


_OF_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 9, mtime=0),
    "bz2": lambda data: bz2.compress(data, 9),
    "xz": _xz,
}
_LARGEST_SIDE = 16383  # of a WebP picture


def everyday_sizes(images: Tensor) -> pd.DataFrame:
    """Bytes of the files that hold a set of images: one file for all, and one file for each.

    Every coder gets every arrangement below, and the shortest file counts: binary images as one bit or one byte a
    pixel, others as bytes; for PNG and WebP the set as a column of images or as a mosaic. PNG gets each of zlib's five
    strategies, with and without Pillow's own optimisation, which often makes small files longer. What a decoder would
    have to be told besides (the shape, the arrangement) is not counted. The images of MNIST's test set take minutes.

    Args:
        images: whole numbers from 0 to 255, [N, H, W].

    Returns:
        One row for each coder, "raw" first; columns "one file", "a file each" (N files together) in bytes.

    Raises:
        ValueError: images have other values or another shape.

    Example:
        >>> import torch
        >>> sizes = everyday_sizes(torch.ones(20, 8, 8))
        >>> sizes.loc["raw"].tolist()
        [160, 160]
    """
    if images.ndim != 3 or not images.numel():
        raise ValueError(f"images must be one or more of shape [N, H, W], and have shape {list(images.shape)}")
    pixels = images.cpu().numpy()
    if not ((pixels >= 0) & (pixels <= 255) & (pixels == np.floor(pixels))).all():
        raise ValueError("images must hold whole numbers from 0 to 255")
    pixels = pixels.astype(np.uint8)
    coders = {"raw": _raw} | {name: _shortest_of(coder) for name, coder in _OF_BYTES.items()}
    coders |= {"PNG": _png, "WebP, lossless": _webp}
    rows = {name: (size(pixels), sum(size(image[None]) for image in pixels)) for name, size in coders.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["one file", "a file each"])


def _raw(pixels: np.ndarray) -> int:
    return min(map(len, _as_bytes(pixels)))


def _shortest_of(coder: Callable[[bytes], bytes]) -> Callable[[np.ndarray], int]:
    return lambda pixels: min(len(coder(data)) for data in _as_bytes(pixels))


def _as_bytes(pixels: np.ndarray) -> list[bytes]:
    packed = [np.packbits(pixels).tobytes()] if pixels.max() <= 1 else []
    return [*packed, pixels.tobytes()]


def _png(pixels: np.ndarray) -> int:
    files = []
    for picture in _pictures(pixels):
        for strategy, optimize in itertools.product(range(5), (False, True)):
            file = io.BytesIO()
            picture.save(file, "PNG", optimize=optimize, compress_level=9, compress_type=strategy)
            files.append(file.tell())
    return min(files)


def _webp(pixels: np.ndarray) -> int:
    files = []
    for picture in _pictures(pixels):
        if max(picture.size) <= _LARGEST_SIDE:
            file = io.BytesIO()
            picture.convert("RGB").save(file, "WebP", lossless=True, quality=100, method=6)
            files.append(file.tell())
    return min(files)


def _pictures(pixels: np.ndarray) -> list[PIL.Image.Image]:
    """The set as a column, and as a mosaic that is about square, its last row filled up with blanks."""
    number, height, width = pixels.shape
    columns = math.ceil(math.sqrt(number))
    rows = -(-number // columns)
    blanks = np.zeros((rows * columns - number, height, width), np.uint8)
    mosaic = np.concatenate([pixels, blanks]).reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    arrangements = [mosaic.reshape(rows * height, columns * width)]
    if number > 1:
        arrangements.append(pixels.reshape(-1, width))
    if pixels.max() <= 1:  # one bit a pixel
        return [PIL.Image.fromarray(picture * np.uint8(255)).convert("1") for picture in arrangements]
    return [PIL.Image.fromarray(picture) for picture in arrangements]
