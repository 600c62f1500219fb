"""The registry: what is known of each data set before any file is read."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_REGISTRY = Path(__file__).with_name("registry.toml")
UNVERIFIED = "unverified"  # in place of a checksum that nobody publishes


@dataclass(frozen=True)
class File:
    """A published file: its checksum ("sha256:...", or None if nobody publishes one) and its size in bytes."""

    checksum: str | None
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """One data set's part of `registry.toml`; the fields are described there."""

    name: str
    title: str
    image_shape: tuple[int, ...]
    levels: int
    classes: int
    protocols: tuple[str, ...]
    splits: dict[str, int]
    split: str
    split_seed: int
    licence: str
    origin: str
    checksums: str
    mirrors: tuple[str, ...] = ()
    files: dict[str, File] = field(default_factory=dict)


@cache
def registry() -> dict[str, Entry]:
    """Every entry by name, in the order of the file."""
    tables = tomllib.loads(_REGISTRY.read_text(encoding="utf-8"))
    entries = {}
    for name, table in tables.items():
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
        fields["files"] = {file: _file(**known) for file, known in table.get("files", {}).items()}
        entries[name] = Entry(name, **fields)
    return entries


def _file(checksum: str, size: int | None = None) -> File:
    return File(None if checksum == UNVERIFIED else checksum, size)


def names() -> list[str]:
    """The data sets that `load` knows.

    Example:
        >>> names()
        ['digits', 'mnist', 'fashion-mnist', 'kmnist', 'omniglot', 'cifar10', 'freyfaces']
    """
    return list(registry())


def find_entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises:
        ValueError: if there is none.
    """
    if name not in registry():
        raise ValueError(f"name must be one of {', '.join(registry())}; got {name!r}")
    return registry()[name]
