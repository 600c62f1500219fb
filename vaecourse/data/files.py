"""Obtaining a data set's files: found or downloaded, and never handed on before they are verified."""

import gzip
import hashlib
import os
import shutil
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

from vaecourse.data.cache import (
    DataUnavailableError,
    cache_folder,
    checksum_of,
    copies,
    examine,
    folders_in,
    kind_of,
    known_checksum,
    now,
    readers_folder,
    remember,
    unusable,
    writing,
)
from vaecourse.data.forms import idx_content, is_idx, names_of
from vaecourse.data.mirrors import fetch
from vaecourse.data.parsers import parse
from vaecourse.data.registry import Entry


def locate(entry: Entry, accept_unverified: bool = False) -> dict[str, Path]:
    """Return the path of each of a data set's files, verified, downloading those of which no intact copy is at hand.

    A damaged file of the course's own cache is replaced. One in a folder of the reader's is left as it is, and
    another copy is found or fetched; either way a warning says so, and likewise where $VAECOURSE_DATA names no folder
    that can be read.

    Args:
        entry: the data set.
        accept_unverified: consent to a file whose checksum nobody publishes. It is asked for once: the SHA-256 of
            the file that was accepted is remembered, and from then on stands for the published one.

    Raises:
        ValueError: if that consent is missing.
        DataUnavailableError: if a file is neither at hand nor to be had from a mirror, or cannot be stored.
    """
    _require_consent(entry, accept_unverified)
    reader = readers_folder()
    if entry.files and reader is not None and (why := unusable(reader)):
        warnings.warn(f"VAECOURSE_DATA={reader} {why}: nothing is looked for there", stacklevel=4)
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
    for path, state, why in copies(entry, file):
        if state == "intact" or (state == "unverified" and _accept(entry, file, path)):
            return path
        if path.parent == cache_folder(entry.name) and path.name == file:
            warnings.warn(f"{path} is damaged: it is fetched again", stacklevel=5)
        elif state != "other":  # the others had another name: they say why if nothing else is found
            why = why or "is not the published file"
            warnings.warn(f"{path} {why}: it is left as it is, and not used", stacklevel=5)
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
        if checksum is not None and (copy := examine(entry, file, path)) and copy.state == "intact":
            return path
        known = replace(entry.files[file], checksum=checksum)
        try:
            staged = fetch(entry.mirrors, file, known, incoming, inspect=partial(_inspect, entry, file))
        except DataUnavailableError as error:
            raise DataUnavailableError(
                f"{entry.name} could not be downloaded ({error}): try again later, or name a folder that holds "
                f"{', '.join(entry.files)} in VAECOURSE_DATA or in `vaecourse data add {entry.name} --from FOLDER`"
                f"{now(entry)}"
            ) from error
        if checksum is None:
            remember(entry, file, staged, incoming)
        os.replace(staged, path)
    return path


def add(entry: Entry, source: Path, accept_unverified: bool = False) -> list[Path]:
    """Copy a data set's files into the cache, all or none, once they are verified.

    Args:
        entry: the data set.
        source: one of its files, or a folder that holds those which the cache lacks, there or where `load` would look
            below it. The only file of a set may have any name. IDX files may be uncompressed or gzipped anew, or
            stand in keras' mnist.npz: they are verified by their content, and stored gzipped.
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
            _stage(entry, file, path, incoming)
        for file in offered:
            os.replace(incoming / file, cache_folder(entry.name) / file)
    return [cache_folder(entry.name) / file for file in offered]


def _stage(entry: Entry, file: str, path: Path, incoming: Path) -> None:
    """Copy an offered file into the folder of what is incoming, under its published name, and verify it there."""
    known = entry.files[file]
    if path.stat().st_size > known.limit and not is_idx(file):
        raise ValueError(f"{path} is not the file of {entry.name}: it has more than {known.limit:,} bytes")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from error
    checksum = known_checksum(entry, file)
    found = checksum_of(path, checksum or "sha256:")
    if checksum is None or found == checksum:
        staged = Path(shutil.copyfile(path, incoming / file))
        if checksum is None:
            _inspect(entry, file, staged)
            remember(entry, file, staged, incoming)
        elif checksum_of(staged, checksum) != checksum:
            raise ValueError(f"{path} changed while it was copied; nothing was added")
        return
    published = "published" if known.checksum else "accepted before"
    why = f"its checksum is {found[:19]}..., the one {published} is {checksum[:19]}..."
    if is_idx(file) and known.content is None:
        why += ", and nobody publishes one of its content, by which another form could be verified"
    elif is_idx(file):
        try:
            content = idx_content(path, file)
        except ValueError as error:
            why = str(error)
        else:
            if f"sha256:{hashlib.sha256(content).hexdigest()}" == known.content:
                (incoming / file).write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
                return
    raise ValueError(f"{path} is not the file of {entry.name}: {why}; nothing was added")


def _offered(entry: Entry, source: Path) -> dict[str, Path]:
    """Which file of the set each offered file is."""
    kind = kind_of(source)
    if kind == "file":
        if len(entry.files) == 1:
            return {next(iter(entry.files)): source}
        found = {file: source for file in entry.files if source.name in names_of(entry, file)}
        if not found and source.suffix == ".npz" and entry.bundle:
            found = dict.fromkeys(entry.files, source)
        if not found:
            names = " or ".join([*entry.files, *([entry.bundle] if entry.bundle else [])])
            raise ValueError(f"a file of {entry.name} is named {names}; got {source.name}")
        return found
    if why := unusable(source):
        raise ValueError(f"{source} {why.removesuffix(', not a folder')}: name a file or a folder to add from")
    found, reasons = {}, []
    for file in entry.files:
        paths = (folder / name for folder in folders_in(source, entry) for name in names_of(entry, file))
        there = [copy for copy in (examine(entry, file, path) for path in paths) if copy]
        # A whole one if there is one; else one whose error says what is wrong with it.
        there.sort(key=lambda copy: ["intact", "unverified", "damaged", "other"].index(copy.state))
        if there and kind_of(there[0].path) == "file":
            found[file] = there[0].path
        reasons += [f"{copy.path} {copy.why}" for copy in there if copy.state in ("damaged", "other")]
    held = [file for file in entry.files if any(copy.state == "intact" for copy in copies(entry, file))]
    missing = [file for file in entry.files if file not in found and file not in held]
    if missing or not found:
        because = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
        raise ValueError(f"{source} lacks {', '.join(missing or entry.files)}{because}")
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
