"""Obtaining a data set's files: found or downloaded, and never handed on before they are verified."""

import os
import shutil
import warnings
from functools import partial
from pathlib import Path

from vaecourse.data.cache import (
    DataUnavailableError,
    cache_folder,
    checksum_of,
    copies,
    known_checksum,
    remember,
    writing,
)
from vaecourse.data.mirrors import fetch
from vaecourse.data.parsers import parse
from vaecourse.data.registry import Entry, File


def locate(entry: Entry, accept_unverified: bool = False) -> dict[str, Path]:
    """Return the path of each of a data set's files, verified, downloading those of which no intact copy is at hand.

    A damaged file of the course's own cache is replaced. One in a folder of the reader's is left as it is, and
    another copy is found or fetched; either way a warning says so.

    Args:
        entry: the data set.
        accept_unverified: consent to a file whose checksum nobody publishes. It is asked for once: the SHA-256 of
            the file that was accepted is remembered, and from then on stands for the published one.

    Raises:
        ValueError: if that consent is missing.
        DataUnavailableError: if a file is neither at hand nor to be had from a mirror, or cannot be stored.
    """
    _require_consent(entry, accept_unverified)
    return {file: _find(entry, file) or _download(entry, file) for file in entry.files}


def _require_consent(entry: Entry, given: bool) -> None:
    unknown = [file for file in entry.files if known_checksum(entry, file) is None]
    if unknown and not given:
        raise ValueError(
            f"{entry.name} needs your consent: nobody publishes a checksum of {', '.join(unknown)}, so that it cannot "
            f"be verified; give it once by accept_unverified=True, or by --accept-unverified on the command line"
        )


def _find(entry: Entry, file: str) -> Path | None:
    """The first intact copy at hand; copies that are not are named in warnings."""
    for path, state in copies(entry, file):
        if state == "intact" or (state == "unverified" and _accept(entry, file, path)):
            return path
        if path.parent == cache_folder(entry.name):
            warnings.warn(f"{path} is damaged: it is fetched again", stacklevel=4)
        else:
            warnings.warn(f"{path} is not the published file: it is left as it is, and not used", stacklevel=4)
    return None


def _inspect(entry: Entry, file: str, path: Path) -> None:
    """In place of a checksum: raise a ValueError unless the file parses to what the entry describes."""
    if known_checksum(entry, file) is None:
        parse(entry, {file: path})


def _accept(entry: Entry, file: str, path: Path) -> bool:
    """Whether a file of the reader's that nobody can verify is what the entry describes; if so, it is remembered."""
    try:
        _inspect(entry, file, path)
    except ValueError:
        return False
    try:
        with writing(entry.name) as incoming:
            if known_checksum(entry, file) is None:
                remember(entry, file, path, incoming)
            return known_checksum(entry, file) == checksum_of(path)
    except DataUnavailableError as error:
        warnings.warn(f"the SHA-256 of {path} could not be remembered: {error}", stacklevel=5)
        return True


def _download(entry: Entry, file: str) -> Path:
    """Fetch a file into the cache; of many processes one does, and the others find it there."""
    path = cache_folder(entry.name) / file
    with writing(entry.name) as incoming:
        checksum = known_checksum(entry, file)  # another process may have brought the file, or its checksum
        if checksum is not None and checksum_of(path, checksum) == checksum:
            return path
        known = File(checksum, entry.files[file].size)
        try:
            staged = fetch(entry.mirrors, file, known, incoming, inspect=partial(_inspect, entry, file))
        except DataUnavailableError as error:
            raise DataUnavailableError(
                f"{entry.name} could not be downloaded ({error}): try again later, or name a folder that holds "
                f"{', '.join(entry.files)} in VAECOURSE_DATA or in `vaecourse data add {entry.name} --from FOLDER`"
            ) from error
        if checksum is None:
            remember(entry, file, staged, incoming)
        os.replace(staged, path)
    return path


def add(entry: Entry, source: Path, accept_unverified: bool = False) -> list[Path]:
    """Copy a data set's files into the cache, all or none, once they are verified.

    Args:
        entry: the data set.
        source: one of its files, or a folder that holds those which the cache lacks (or a subfolder of the set's
            name does). The only file of a set may have any name.
        accept_unverified: as in `locate`.

    Returns:
        The files in the cache.

    Raises:
        ValueError: if a file is missing there, or is not the published one.
        DataUnavailableError: if the cache cannot be written.
    """
    if not entry.files:
        raise ValueError(f"{entry.name} is embedded: it has no files to add")
    offered = _offered(entry, source)
    _require_consent(entry, accept_unverified)
    with writing(entry.name) as incoming:
        for file, path in offered.items():
            staged = Path(shutil.copyfile(path, incoming / file))
            checksum = known_checksum(entry, file)
            if checksum is None:
                _inspect(entry, file, staged)
                remember(entry, file, staged, incoming)
            elif (found := checksum_of(staged, checksum)) != checksum:
                known = "published" if entry.files[file].checksum else "accepted before"
                raise ValueError(
                    f"{path} is not the file of {entry.name}: its checksum is {found[:19]}..., "
                    f"the one {known} is {checksum[:19]}...; nothing was added"
                )
        for file in offered:
            os.replace(incoming / file, cache_folder(entry.name) / file)
    return [cache_folder(entry.name) / file for file in offered]


def _offered(entry: Entry, source: Path) -> dict[str, Path]:
    """Which file of the set each offered file is."""
    if source.is_file():
        if len(entry.files) == 1:
            return {next(iter(entry.files)): source}
        if source.name not in entry.files:
            raise ValueError(f"a file of {entry.name} is named {' or '.join(entry.files)}; got {source.name}")
        return {source.name: source}
    found = {
        file: folder / file
        for file in entry.files
        for folder in (source, source / entry.name)
        if (folder / file).is_file()
    }
    held = [file for file in entry.files if any(copy.state == "intact" for copy in copies(entry, file))]
    missing = [file for file in entry.files if file not in found and file not in held]
    if missing or not found:
        raise ValueError(f"{source} lacks {', '.join(missing or entry.files)}")
    return found


def state(entry: Entry) -> str:
    """How a data set stands: "embedded", "here", "damaged", "unverified", "partly here" or "not here".

    Damaged: of some file there is no intact copy but a wrong one. Unverified: a file lies at hand to which nobody
    has consented.
    """
    if not entry.files:
        return "embedded"
    best = []
    for file in entry.files:
        states = {copy.state for copy in copies(entry, file)}
        best.append(next((each for each in ("intact", "unverified", "damaged") if each in states), "missing"))
    for each in ("damaged", "unverified"):
        if each in best:
            return each
    return {0: "here", len(best): "not here"}.get(best.count("missing"), "partly here")
