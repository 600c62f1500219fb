"""The registry: what is known of each data set before any file is read."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_REGISTRY = Path(__file__).with_name("registry.toml")
UNVERIFIED = "unverified"  # in place of a checksum that nobody publishes


@dataclass(frozen=True)
class File:
    """A published file, as far as it is known.

    Args:
        checksum: "sha256:..."; None if nobody publishes one.
        size: in bytes.
        max_size: bytes that no version of it can have more of, where the size is not published.
        content: "sha256:..." of what it holds once it is decompressed, for a copy in another form.
    """

    checksum: str | None
    size: int | None = None
    max_size: int = 500_000_000
    content: str | None = None

    @property
    def limit(self) -> int:
        """The number of bytes beyond which something is not this file."""
        return self.max_size if self.size is None else self.size


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
    elsewhere: tuple[str, ...] = ()
    bundle: str | None = None
    files: dict[str, File] = field(default_factory=dict)


@cache
def registry() -> dict[str, Entry]:
    """Every entry by name, in the order of the file."""
    return read_entries(_REGISTRY.read_text(encoding="utf-8"))


def read_entries(text: str) -> dict[str, Entry]:
    """The entries of a text in the form of `registry.toml`, by name."""
    entries = {}
    for name, table in tomllib.loads(text).items():
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
        fields["files"] = {file: _file(**known) for file, known in table.get("files", {}).items()}
        entries[name] = Entry(name, **fields)
    return entries


def _file(checksum: str, **known: Any) -> File:
    return File(None if checksum == UNVERIFIED else checksum, **known)


def names() -> list[str]:
    """The data sets that `load` knows.

    Example:
        >>> names()
        ['digits', 'patches', 'mnist', 'fashion-mnist', 'kmnist', 'omniglot', 'cifar10', 'freyfaces']
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
