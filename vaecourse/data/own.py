"""`from_tensors`: from tensors or arrays of your own to a data set with its protocol named."""

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaecourse.data.dataset import PROTOCOLS, Dataset

_FRACTIONS = ("dynamic", "fixed", "intensity")  # protocols under which x / levels may be given in place of x


def from_tensors(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray | None = None,
    *,
    protocol: str,
    name: str = "own",
    split: str = "train",
    image_shape: tuple[int, ...] | None = None,
    levels: int | None = None,
    num_classes: int | None = None,
) -> Dataset:
    """Make a data set of data of your own: a copy, checked, with its protocol named.

    What x has to hold, and how it is stored, is up to the protocol (see `Dataset` for what each means):

    - ``real``: any finite numbers, stored as float32; continuous features, for a Gaussian likelihood. Standardise them
      yourself: a density in other units is another density.
    - ``binomial``, ``integer`` and ``dequantised``: whole numbers 0..levels of any dtype, stored as uint8.
    - ``dynamic``, ``fixed`` and ``intensity``: the same; or, without levels, floats in [0, 1], which are the
      probabilities or intensities themselves and stay float32 (8-bit images that were divided by 255 are such).

    Args:
        x: numbers or bools, [N, D] or [N, *image_shape]; N and D at least 1.
        y: labels 0..C-1, whole numbers [N]; None if there are none.
        protocol: one of those above.
        name: what figures and tables call the data.
        split: "train", "valid" or "test".
        image_shape: height and width, of colour images channels, height and width; None: the shape of x without N (and
            without a single channel).
        levels: the largest value that a pixel can have, 1..255: 255 for 8-bit images, 1 for binary ones. Never guessed
            from the data, except that bools have 1.
        num_classes: number C of labels; None: the largest one and one. State it where a split may lack a class.

    Returns:
        The data, on the device of x.

    Raises:
        TypeError: if x or y is no tensor or array of numbers.
        ValueError: if something else is not as above; the sentence names the argument.

    Example:
        >>> x = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.0, 1.0]])
        >>> from_tensors(x, protocol="real", name="wine")
        Dataset(wine, real numbers, train; 2 data, D = 3)
        >>> images = np.zeros((10, 28, 28), dtype=np.uint8)
        >>> from_tensors(images, protocol="dynamic", name="sketches", levels=255)
        Dataset(sketches, dynamic binarisation, train; 10 images 28x28)
    """
    for parameter, value, allowed in (("protocol", protocol, PROTOCOLS), ("split", split, ("train", "valid", "test"))):
        if value not in allowed:
            raise ValueError(f"{parameter} must be one of {', '.join(allowed)}; got {value!r}")
    if not (isinstance(name, str) and name):
        raise ValueError(f"name must be a word or more; got {name!r}")
    x = _tensor("x", x)
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(f"x must have shape [N, D] or [N, *image_shape], none of them 0; got {list(x.shape)}")
    shape = _image_shape(x, image_shape)
    x = x.reshape(len(x), -1)
    if protocol == "real":
        if levels is not None:
            raise ValueError(f"levels must be None under protocol real, whose x has no largest value; got {levels!r}")
        stored = _real(x)
    else:
        levels, fractions = _levels(x, protocol, levels)
        stored = _stored(x, protocol, levels, fractions)
    labels, num_classes = _labels(y, num_classes, len(x))
    return Dataset(stored, labels.to(x.device), name, split, protocol, shape, levels, num_classes)


def _tensor(parameter: str, value: Any) -> Tensor:
    """A copy of a tensor or an array, of a dtype that torch computes with."""
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray) and value.dtype.kind in "biuf":
        size = value.dtype.itemsize  # torch lacks some of NumPy's dtypes, orders and strides: wider ones hold them
        unsigned = {1: np.uint8, 8: np.float64}.get(size, np.int64)
        wide = {"b": np.bool_, "i": np.int64, "u": unsigned, "f": np.float32 if size <= 4 else np.float64}
        return torch.from_numpy(np.array(value, dtype=wide[value.dtype.kind], order="C"))
    if isinstance(value, Tensor) and value.layout == torch.strided and not (value.is_complex() or value.is_quantized):
        return value.detach().clone()
    what = f"{type(value).__name__}{f' of {value.dtype}' if isinstance(value, Tensor | np.ndarray) else ''}"
    raise TypeError(f"{parameter} must be a dense tensor or NumPy array of real numbers or bools; got {what}")


def _image_shape(x: Tensor, image_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    given = tuple(x.shape[1:])
    if image_shape is None:
        return given[1:] if len(given) == 3 and given[0] == 1 else given
    try:
        shape = tuple(int(size) for size in image_shape)
    except (TypeError, ValueError):
        shape = ()
    if not shape or min(shape) < 1 or prod(shape) != prod(given):
        raise ValueError(
            f"image_shape must be sizes whose product is the number of values of a datum, {prod(given)}; "
            f"got {image_shape!r}"
        )
    return shape


def _refuse(x: Tensor, bad: Tensor, sentence: str, advice: str = "") -> None:
    """Name the first of the values that are bad, and its place."""
    if bad.any():
        row, column = bad.nonzero()[0].tolist()
        raise ValueError(f"{sentence}; got {x[row, column].item():g} at [{row}, {column}]{advice}")


def _real(x: Tensor) -> Tensor:
    stored = x.float()
    _refuse(x, ~stored.isfinite(), "x must hold finite numbers within the range of float32")
    return stored


def _levels(x: Tensor, protocol: str, levels: int | None) -> tuple[int, bool]:
    """The largest value, and whether x is given as a fraction of it."""
    if levels is None and x.dtype == torch.bool:
        return 1, False
    if levels is None and x.is_floating_point() and protocol in _FRACTIONS:
        return 1, True
    if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= 255:
        raise ValueError(
            f"levels must be the largest value that a pixel can have, 1..255, under protocol {protocol} "
            f"(255 for 8-bit images, 1 for binary ones); got {levels!r}"
        )
    return levels, False


def _stored(x: Tensor, protocol: str, levels: int, fractions: bool) -> Tensor:
    """What a data set stores of x: uint8, or float32 if it holds fractions that are neither 0 nor 1."""
    values = x.short() if x.dtype in (torch.bool, torch.int8) else x  # int8 would compare with 255 as with -1
    outside = ~((values >= 0) & (values <= levels))  # NaN is outside
    if fractions:
        advice = ": whole numbers need levels, the largest value that a pixel can have"
        _refuse(values, outside, f"x must lie in [0, 1] under protocol {protocol} without levels", advice)
        return values.float() if (values != values.round()).any() else values.to(torch.uint8)
    odd = outside | (values != values.round()) if values.is_floating_point() else outside
    _refuse(values, odd, f"x must hold whole numbers 0..{levels} under protocol {protocol}")
    return values.to(torch.uint8)


def _labels(y: Tensor | np.ndarray | None, num_classes: int | None, size: int) -> tuple[Tensor, int]:
    """Labels int64 [N], and their number C of classes; zeros and 0 if there are none."""
    if num_classes is not None and (isinstance(num_classes, bool) or not isinstance(num_classes, int)):
        raise ValueError(f"num_classes must be None or a whole number; got {num_classes!r}")
    if y is None:
        if num_classes:
            raise ValueError(f"num_classes must be None without labels y; got {num_classes}")
        return torch.zeros(size, dtype=torch.int64), 0
    labels = _tensor("y", y)
    if labels.shape != (size,):
        raise ValueError(
            f"y must hold one label a datum, shape [{size}]; got {list(labels.shape)}"
            f"{' (of one-hot rows, y.argmax(1) is that)' if labels.ndim == 2 else ''}"
        )
    if labels.is_floating_point() and not (labels == labels.round()).all():
        raise ValueError("y must hold whole numbers, the labels 0..C-1; got fractions")
    lowest, largest = int(labels.min()), int(labels.max())
    if lowest < 0 or largest >= (num_classes if num_classes is not None else largest + 1):
        allowed = "0..C-1" if num_classes is None else f"0..{num_classes - 1}"
        raise ValueError(f"y must hold labels {allowed}; got {lowest}..{largest}")
    return labels.long(), largest + 1 if num_classes is None else num_classes
