"""`load`: from a name to a data set in memory."""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor

from vaecourse.data.cache import DataUnavailableError
from vaecourse.data.dataset import Dataset
from vaecourse.data.files import locate
from vaecourse.data.parsers import cut_sizes, parse
from vaecourse.data.registry import Entry, find_entry
from vaecourse.data.splits import SPLITS

_EMBEDDED = "digits"
_in_memory: dict[str, dict[str, tuple[Tensor, Tensor]]] = {}  # the splits of each set, parsed once a process


def load(
    name: str,
    split: str = "train",
    protocol: str | None = None,
    device: torch.device | str = "cpu",
    *,
    fallback: str | None = None,
    accept_unverified: bool = False,
) -> Dataset:
    """Load one split of a data set under a named protocol.

    Files are looked for in `$VAECOURSE_DATA`, then in the project's data/ folder, then downloaded; they are verified
    each time they are read, and kept in memory, so that a second load costs a copy. In either folder they may lie in a
    subfolder of the set's name or where other libraries keep them, and IDX files in another form (see the datasheets).

    Args:
        name: a name of `data.names()`.
        split: "train", "valid" or "test".
        protocol: "binomial", "dynamic", "fixed", "integer", "dequantised" or "intensity", as far as the set offers it
            (see `Dataset`); None: the set's default.
        device: where the data are to lie.
        fallback: "digits" to get the embedded digits, with a warning, if the files are not to be had (under the same
            protocol if they offer it, else under their default).
        accept_unverified: consent to files whose checksum nobody publishes; asked for once, because the SHA-256 of
            what was accepted is remembered.

    Returns:
        The data, on the device, as stored (uint8).

    Raises:
        ValueError: for an unknown name, split or protocol, or where consent is missing.
        DataUnavailableError: if files are neither at hand nor to be downloaded, or cannot be stored (a
            FileNotFoundError).

    Example:
        >>> load("digits", split="test")
        Dataset(digits, binomial counts 0..16, test; 300 images 8x8)
    """
    entry = find_entry(name)
    _check(f"split of {name}", split, entry.splits)
    protocol = entry.protocols[0] if protocol is None else protocol
    _check(f"protocol of {name}", protocol, entry.protocols)
    _check("fallback", fallback, (None, _EMBEDDED))
    try:
        x, y = _splits(entry, accept_unverified)[split]
    except DataUnavailableError as error:
        if fallback is None:
            raise
        warnings.warn(f"the embedded digits are used in place of {name}: {error}", stacklevel=2)
        offered = find_entry(_EMBEDDED).protocols
        return load(_EMBEDDED, split, protocol if protocol in offered else None, device)
    # A copy, so that whoever writes into a data set does not change what the next load returns.
    x, y = x.to(device, copy=True), y.to(device, copy=True)
    return Dataset(x, y, name, split, protocol, entry.image_shape, entry.levels, entry.classes)


def _check(parameter: str, value: str | None, allowed: Iterable[str | None]) -> None:
    if value not in allowed:
        raise ValueError(f"{parameter} must be one of {', '.join(map(str, allowed))}; got {value!r}")


def _splits(entry: Entry, accept_unverified: bool) -> dict[str, tuple[Tensor, Tensor]]:
    """Every split of a data set."""
    if entry.name not in _in_memory:
        parts = parse(entry, locate(entry, accept_unverified))
        x, y = parts["train"]
        indices = SPLITS[entry.split](y, cut_sizes(entry, parts), entry.split_seed)
        splits = {split: (x[index], y[index]) for split, index in indices.items()}
        splits |= {split: part for split, part in parts.items() if split not in splits}
        _in_memory[entry.name] = {split: (torch.tensor(x), torch.tensor(y)) for split, (x, y) in splits.items()}
    return _in_memory[entry.name]
