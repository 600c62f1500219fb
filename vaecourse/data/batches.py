"""What a batch can be beside a plain tensor: a named tuple whose first part is x."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Data with labels, as `Dataset.with_labels` asks for them.

    Args:
        x: float32 [B, D], as the likelihood scores it.
        y: one-hot, float32 [B, C]; a row of zeros where the label is withheld.
    """

    x: Tensor
    y: Tensor


class IndexedBatch(NamedTuple):
    """Data with their places in the data set, as `Dataset.with_index` asks for them.

    Args:
        x: float32 [B, D], as the likelihood scores it.
        index: int64 [B], in 0..N-1.
    """

    x: Tensor
    index: Tensor


class LabelledIndexedBatch(NamedTuple):
    """Data with labels and places.

    Args:
        x: float32 [B, D], as the likelihood scores it.
        y: one-hot, float32 [B, C]; a row of zeros where the label is withheld.
        index: int64 [B], in 0..N-1.
    """

    x: Tensor
    y: Tensor
    index: Tensor


def batch_of(x: Tensor, y: Tensor | None, index: Tensor | None) -> Tensor | Batch | IndexedBatch | LabelledIndexedBatch:
    """The batch of what there is: x itself, or x with what goes with it."""
    if y is None:
        return x if index is None else IndexedBatch(x, index)
    return Batch(x, y) if index is None else LabelledIndexedBatch(x, y, index)
