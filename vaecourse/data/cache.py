"""Where files lie: folders of the reader's, which are only read, and the course's own cache, which it mends."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import pooch
from filelock import FileLock, Timeout

from vaecourse.data.registry import Entry, registry


class DataUnavailableError(FileNotFoundError):
    """A file of a data set is neither at hand nor to be had; the message says what was tried and what helps."""


class Copy(NamedTuple):
    """A file of a data set on disk, and what its checksum says of it."""

    path: Path
    state: Literal["intact", "damaged", "unverified"]  # unverified: no checksum is known


def project_folder() -> Path | None:
    """The project's data/ folder, or None where the package is installed without its project."""
    root = Path(__file__).resolve().parents[2]
    return root / "data" if (root / "pyproject.toml").is_file() else None


def cache_folder(name: str) -> Path:
    """The folder that the course writes a data set's files to, in the project's data/ or else the user's cache."""
    return (project_folder() or Path(pooch.os_cache("vaecourse"))) / name


def search_folders(name: str) -> list[Path]:
    """Where files of a data set may lie, in the order of search.

    These are the subfolder of that name in `$VAECOURSE_DATA` and that folder itself, if the variable is set, then
    the cache and the folder above it.
    """
    bases = [cache_folder(name).parent]
    if os.environ.get("VAECOURSE_DATA"):
        bases.insert(0, Path(os.environ["VAECOURSE_DATA"]).expanduser())
    return [folder for base in bases for folder in (base / name, base)]


def copies(entry: Entry, file: str) -> Iterator[Copy]:
    """The copies of a file that are at hand, in the order of search; the file of another set is no copy."""
    checksum = known_checksum(entry, file)
    others = {other.checksum for each in registry().values() if each != entry for other in each.files.values()} - {None}
    for path in (folder / file for folder in search_folders(entry.name)):
        if not path.is_file():
            continue
        found = checksum_of(path, checksum or "sha256:")
        if checksum is None:
            yield Copy(path, "damaged" if found is None else "unverified")
        elif found == checksum:
            yield Copy(path, "intact")
        elif found not in others:
            yield Copy(path, "damaged")


def checksum_of(path: Path, like: str = "sha256:") -> str | None:
    """A file's checksum by the algorithm of another one and in its form; None, which equals none, if unreadable."""
    algorithm = like.partition(":")[0]
    try:
        with path.open("rb") as content:
            return f"{algorithm}:{hashlib.file_digest(content, algorithm).hexdigest()}"
    except OSError:
        return None


def known_checksum(entry: Entry, file: str) -> str | None:
    """The published checksum of a file; where there is none, that of the copy which was accepted first, if any."""
    published = entry.files[file].checksum
    remembered = _memory(entry, file)
    if published is None and remembered.is_file():
        return f"sha256:{remembered.read_text(encoding='utf-8').split()[0]}"
    return published


def remember(entry: Entry, file: str, path: Path, incoming: Path) -> None:
    """Write down the SHA-256 of a file whose checksum nobody publishes (as `sha256sum` does), under the lock."""
    checksum = checksum_of(path)
    if checksum is None:
        raise OSError(f"{path} cannot be read")
    note = incoming / f"{file}.sha256"
    note.write_text(f"{checksum.removeprefix('sha256:')}  {file}\n", encoding="utf-8")
    os.replace(note, _memory(entry, file))


def _memory(entry: Entry, file: str) -> Path:
    return cache_folder(entry.name) / f"{file}.sha256"


@contextmanager
def writing(name: str) -> Iterator[Path]:
    """Hold the lock of a data set's cache folder.

    Yields:
        An empty folder on the same disk: what is complete there is moved into the cache by `os.replace`. What is
        left in it when the block ends, or was when a process was killed, is deleted.

    Raises:
        DataUnavailableError: if the folder or the disk does not take what is written.
    """
    folder = cache_folder(name)
    incoming = folder / ".incoming"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / ".lock", name):
            shutil.rmtree(incoming, ignore_errors=True)
            incoming.mkdir()
            try:
                yield incoming
            finally:
                shutil.rmtree(incoming, ignore_errors=True)
    except DataUnavailableError:
        raise
    except OSError as error:
        raise DataUnavailableError(
            f"nothing could be stored in {folder} ({error}): make it writable or make room, or set VAECOURSE_DATA "
            f"to a folder that holds {', '.join(registry()[name].files)}"
        ) from error


@contextmanager
def _lock(path: Path, name: str) -> Iterator[None]:
    """One writer at a time, over processes; whoever waits long enough to wonder is told why."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=3)
    except Timeout:
        print(f"another process is fetching {name}: waiting for it", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
