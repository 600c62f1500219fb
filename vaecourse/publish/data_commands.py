"""The command line of the data sets: ``vaecourse data list``, ``get``, ``verify`` and ``add``."""

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from vaecourse.publish.chapters import UsageError
from vaecourse.publish.commands import plain_errors

# The data sets themselves need PyTorch: they are imported inside the commands, so that --help comes at once.


@click.group()
def data() -> None:
    """Say which data sets are at hand, fetch them, verify them, or add files brought from elsewhere."""


_consent = click.option(
    "--accept-unverified", is_flag=True, help="Consent to a file whose checksum nobody publishes; asked for once."
)


def _data_errors(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Turn what can go wrong with data into sentences: a wrong request is one, files not to be had exit with 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> int | None:
        from vaecourse.data import DataUnavailableError

        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(message, file=sys.stderr)
            try:
                return command(*args, **kwargs)
            except ValueError as error:
                raise UsageError(f"{error}.") from error
            except DataUnavailableError as error:
                print(f"{error}.", file=sys.stderr)
                return 1

    return run


@data.command("list")
@plain_errors
@_data_errors
def data_list() -> None:
    """List the data sets: whether they are here, their size on disk, licence and title."""
    from vaecourse.data.files import state
    from vaecourse.data.registry import registry

    for entry in registry().values():
        sizes = [file.size for file in entry.files.values()]
        size = "" if not sizes else "?" if None in sizes else f"{sum(sizes) / 1e6:.1f} MB"
        print(f"{entry.name:14} {state(entry):12} {size:>9}  {entry.title}; licence: {entry.licence}")


@data.command("get")
@click.argument("name")
@_consent
@plain_errors
@_data_errors
def data_get(name: str, accept_unverified: bool) -> None:
    """Fetch a data set, unless it is here, and verify it."""
    from vaecourse.data.files import locate
    from vaecourse.data.registry import find_entry

    paths = locate(find_entry(name), accept_unverified)
    print("\n".join(map(str, paths.values())) if paths else f"{name} is embedded: there is nothing to fetch.")


@data.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@plain_errors
@_data_errors
def data_verify(names: tuple[str, ...]) -> int:
    """Verify every file at hand, or those of the sets named; exit with 1 if one is damaged or a named set lacks one."""
    from vaecourse.data.cache import copies
    from vaecourse.data.registry import find_entry, registry

    bad, looked_at = 0, 0
    for entry in [find_entry(name) for name in names] or registry().values():
        if names and not entry.files:
            print(f"{'embedded':10} {entry.name}")
        for file in entry.files:
            found = list(copies(entry, file))
            for path, state, why in found:
                print(f"{state:10} {path}{f' {why}' if state == 'other' else ''}")
            looked_at += len(found)
            missing = all(state == "other" for _, state, _ in found)
            if names and missing:
                print(f"{'missing':10} {entry.name}: {file}")
            bad += any(state == "damaged" for _, state, _ in found) or (bool(names) and missing)
    if not (names or looked_at):
        print("No file of a data set has been downloaded yet: there is nothing to verify.")
    return int(bad > 0)


@data.command("add")
@click.argument("name")
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), required=True,
              help="A file of the set, or a folder that holds its files.")  # fmt: skip
@_consent
@plain_errors
@_data_errors
def data_add(name: str, source: Path, accept_unverified: bool) -> None:
    """Verify files brought from elsewhere and copy them to where the course looks for them."""
    from vaecourse.data.files import add
    from vaecourse.data.registry import find_entry

    print("\n".join(map(str, add(find_entry(name), source, accept_unverified))))
