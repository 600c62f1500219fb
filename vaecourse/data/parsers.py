"""One parser a data set: from its published files to integer images and labels."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Arrays(NamedTuple):
    """A published part of a data set, in the order of its file."""

    x: np.ndarray  # uint8 [N, D]
    y: np.ndarray  # int64 [N]


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes.

    The format: two zero bytes, the type (8 is unsigned byte), the number of dimensions, one big-endian 32-bit
    size a dimension, then the values, last dimension fastest.

    Args:
        path: the .gz file.

    Returns:
        uint8 array of the shape that the file states.

    Raises:
        ValueError: if the file is no gzip file, no IDX file of bytes, or shorter or longer than it states.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, gzip.zlib.error) as error:
        raise ValueError(f"{path} is not a complete gzip file ({error})") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes: it starts with {content[:4].hex(' ')}")
    num_dimensions = content[3]
    header = 4 + 4 * num_dimensions
    if num_dimensions == 0 or len(content) < header:
        raise ValueError(f"{path} ends within its header, which states {num_dimensions} dimensions")
    shape = np.frombuffer(content, dtype=">u4", count=num_dimensions, offset=4).astype(np.int64)
    if len(content) - header != shape.prod():
        size = "x".join(str(n) for n in shape)
        raise ValueError(f"{path} states {size} = {shape.prod()} values but holds {len(content) - header}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(tuple(shape))


def digits(files: dict[str, Path]) -> dict[str, Arrays]:
    """The 1,797 digits that scikit-learn carries, pixel values 0..16."""
    from sklearn.datasets import load_digits  # slow to import, and only this set needs it

    x, y = load_digits(return_X_y=True)
    return {"train": Arrays(x.astype(np.uint8), y.astype(np.int64))}


def mnist(files: dict[str, Path]) -> dict[str, Arrays]:
    """The published training and test parts, pixel values 0..255."""

    def part(prefix: str) -> Arrays:
        images = read_idx(files[f"{prefix}-images-idx3-ubyte.gz"])
        labels = read_idx(files[f"{prefix}-labels-idx1-ubyte.gz"])
        return Arrays(images.reshape(len(images), -1), labels.astype(np.int64))

    return {"train": part("train"), "test": part("t10k")}


PARSERS: dict[str, Callable[[dict[str, Path]], dict[str, Arrays]]] = {"digits": digits, "mnist": mnist}
