"""`load`: from a name to a data set in memory."""

from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor

from vaecourse.data.dataset import Dataset
from vaecourse.data.files import locate
from vaecourse.data.parsers import PARSERS
from vaecourse.data.registry import registry
from vaecourse.data.splits import stratified_split


def load(
    name: str,
    split: str = "train",
    protocol: str | None = None,
    device: torch.device | str = "cpu",
) -> Dataset:
    """Load one split of a data set under a named protocol.

    Files are looked for in `$VAECOURSE_DATA` and in the project's data/ folder, then downloaded; they are
    verified each time they are read, and kept in memory, so that a second load costs a copy.

    Args:
        name: a name of `data.names()`.
        split: "train", "valid" or "test".
        protocol: "binomial", "dynamic", "fixed" or "intensity" (see `Dataset`); None: the set's default.
        device: where the data are to lie.

    Returns:
        The data, on the device, as stored (uint8).

    Raises:
        ValueError: for an unknown name, split or protocol, or a file that is not the published one.
        FileNotFoundError: if files are neither at hand nor to be downloaded.

    Example:
        >>> load("digits", split="test")
        Dataset(digits, binomial counts 0..16, test; 300 images 8x8)
    """
    _check("name", name, registry())
    entry = registry()[name]
    _check(f"split of {name}", split, ("train", "valid", "test"))
    protocol = entry.protocols[0] if protocol is None else protocol
    _check(f"protocol of {name}", protocol, entry.protocols)
    x, y = _splits(name)[split]
    # A copy, so that whoever writes into a data set does not change what the next load returns.
    x, y = x.to(device, copy=True), y.to(device, copy=True)
    return Dataset(x, y, name, split, protocol, entry.image_shape, entry.levels)


def _check(parameter: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{parameter} must be one of {', '.join(allowed)}; got {value!r}")


@cache
def _splits(name: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Every split of a data set, parsed once a process."""
    entry = registry()[name]
    parts = PARSERS[name](locate(entry))
    x, y = parts["train"]
    indices = stratified_split(y, entry.splits, entry.split_seed)
    splits = {split: (x[index], y[index]) for split, index in indices.items()}
    splits |= {split: part for split, part in parts.items() if split not in splits}
    return {split: (torch.tensor(x), torch.tensor(y)) for split, (x, y) in splits.items()}
