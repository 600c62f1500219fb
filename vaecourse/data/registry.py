"""The registry: what is known of each data set before any file is read."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_REGISTRY = Path(__file__).with_name("registry.toml")


@dataclass(frozen=True)
class Entry:
    """One data set's line in `registry.toml`; the fields are described there."""

    name: str
    title: str
    image_shape: tuple[int, int]
    levels: int
    protocols: tuple[str, ...]
    splits: dict[str, int]
    split_seed: int
    licence: str
    origin: str
    checksums: str
    test: str | None = None
    mirrors: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


@cache
def registry() -> dict[str, Entry]:
    """Every entry by name, in the order of the file."""
    tables = tomllib.loads(_REGISTRY.read_text(encoding="utf-8"))
    entries = {}
    for name, table in tables.items():
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
        entries[name] = Entry(name, **fields)
    return entries


def names() -> list[str]:
    """The data sets that `load` knows.

    Example:
        >>> names()
        ['digits', 'mnist']
    """
    return list(registry())
