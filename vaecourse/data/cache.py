"""Where files lie: folders of the reader's, which are only read, and the course's own cache, which it mends."""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import pooch
from filelock import FileLock, Timeout

from vaecourse.data.forms import content_checksum, idx_content, is_idx, names_of
from vaecourse.data.registry import Entry, File, registry


class DataUnavailableError(FileNotFoundError):
    """A file of a data set is neither at hand nor to be had; the message says what was tried and what helps."""


class Copy(NamedTuple):
    """A file of a data set on disk, in whatever form, and what its checksums say of it."""

    path: Path
    state: Literal["intact", "damaged", "unverified", "other"]
    # unverified: no checksum is known; other: a file of another name, which does not hold what it could
    why: str = ""


def project_folder() -> Path | None:
    """The project's data/ folder, or None where the package is installed without its project."""
    root = Path(__file__).resolve().parents[2]
    return root / "data" if (root / "pyproject.toml").is_file() else None


def cache_folder(name: str) -> Path:
    """The folder that the course writes a data set's files to, in the project's data/ or else the user's cache."""
    return (project_folder() or Path(pooch.os_cache("vaecourse"))) / name


def readers_folder() -> Path | None:
    """The folder that `$VAECOURSE_DATA` names; None if it is unset or empty."""
    named = os.environ.get("VAECOURSE_DATA")
    try:
        return Path(named).expanduser() if named else None
    except RuntimeError:  # ~somebody, who is unknown here
        return Path(named)


def folders_in(base: Path, entry: Entry) -> list[Path]:
    """Where files of a data set may lie below a folder, in the order of search.

    These are its subfolder of the set's name and the folder itself, and of either those subfolders in which other
    libraries keep the files (`MNIST/raw`).
    """
    return [folder for root in (base / entry.name, base) for folder in (root, *(root / sub for sub in entry.elsewhere))]


def search_folders(entry: Entry) -> list[Path]:
    """Where files of a data set may lie, in the order of search: below `$VAECOURSE_DATA`, if set, then the cache."""
    reader, cache = readers_folder(), cache_folder(entry.name).parent
    return [folder for base in (reader, cache) if base is not None for folder in folders_in(base, entry)]


def copies(entry: Entry, file: str) -> Iterator[Copy]:
    """The copies of a file that are at hand, in the order of search; the file of another set is no copy."""
    for folder in search_folders(entry):
        for name in names_of(entry, file):
            found = examine(entry, file, folder / name)
            if found is not None:
                yield found


def examine(entry: Entry, file: str, path: Path) -> Copy | None:
    """What a path holds of a published file, by its checksum or that of its content; None: nothing, or another set's.

    What is no file (a FIFO, say) is not opened, and so never waited for.
    """
    as_published = path.name == file
    what = kind_of(path)
    if what != "file":
        odd = as_published and what in ("a FIFO", "a socket", "a device")
        return Copy(path, "damaged", f"is {what}, not a file") if odd else None
    checksum = known_checksum(entry, file)
    if as_published:
        found = checksum_of(path, checksum or "sha256:")
        if found is None:
            return Copy(path, "damaged", "cannot be read")
        if checksum is None or found == checksum:
            return Copy(path, "unverified" if checksum is None else "intact")
        if found in {known.checksum for known in _files_of_others(entry)}:
            return None
    return _examine_content(entry, file, path) if is_idx(file) else Copy(path, "damaged", "is not the published file")


def _examine_content(entry: Entry, file: str, path: Path) -> Copy | None:
    """What a file, whose checksum is not the published one, is by its content."""
    content = content_checksum(path, file)
    expected = entry.files[file].content
    if content is not None and content == expected:
        return Copy(path, "intact")
    if content is not None and content in {known.content for known in _files_of_others(entry)}:
        return None
    if path.name == file:
        return Copy(path, "damaged", "is not the published file")
    if content is None:
        try:
            idx_content(path, file)
        except (ValueError, OSError) as error:
            return Copy(path, "other", f"cannot be used ({error})")
    if expected is None:
        return Copy(path, "other", f"cannot be verified: nobody publishes a checksum of what {file} holds")
    return Copy(path, "other", f"does not hold what {file} does")


def _files_of_others(entry: Entry) -> Iterator[File]:
    for other in registry().values():
        if other.name != entry.name:
            yield from other.files.values()


def kind_of(path: Path) -> str:
    """What stands at a path: "file", "a folder", "nothing", or what else it is; nothing is opened."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:
        return f"out of reach ({getattr(error, 'strerror', None) or error})"
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def unusable(folder: Path) -> str | None:
    """Why nothing can be read in a folder, or what it is instead; None if it can be."""
    what = kind_of(folder)
    if what == "nothing":
        return "does not exist"
    if what != "a folder":
        return f"is {what}" if what.startswith("out") else f"is {what.replace('file', 'a file')}, not a folder"
    try:
        os.stat(os.path.join(folder, "."))  # needs leave to search it, the next line needs leave to list it
        with os.scandir(folder) as content:
            next(content, None)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def shortcoming(entry: Entry) -> str:
    """Why `$VAECOURSE_DATA` does not give a data set's files, in words; empty if it is not set."""
    base = readers_folder()
    if base is None:
        return ""
    if why := unusable(base):
        return f"VAECOURSE_DATA={base} {why}"
    folders = folders_in(base, entry)
    locked = [each for each in folders if kind_of(each) != "nothing" and unusable(each)]
    reasons = [f"{each} {unusable(each)}" for each in locked if not set(each.parents) & set(locked)]
    missing = []
    for file in entry.files:
        at_hand = (examine(entry, file, folder / name) for folder in folders for name in names_of(entry, file))
        found = [copy for copy in at_hand if copy is not None]
        if not any(copy.state == "intact" for copy in found):
            reasons += [f"{copy.path} {copy.why or 'is not verified'}" for copy in found]
            missing += [] if found else [file]
    if missing:
        where = ", ".join(str(folder.relative_to(base)) for folder in folders if folder != base)
        reasons.append(f"{', '.join(missing)} not found in it, nor in its {where}")
    return f"VAECOURSE_DATA={base} does not help: {'; '.join(dict.fromkeys(reasons))}"


def now(entry: Entry) -> str:
    """What to add to the advice to set `$VAECOURSE_DATA`, where it is set."""
    why = shortcoming(entry)
    return f" (now {why})" if why else ""


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
    if published is None and kind_of(remembered) == "file":
        words = remembered.read_text(encoding="utf-8").split()
        return f"sha256:{words[0]}" if words else None
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
            f"to a folder that holds {', '.join(registry()[name].files)}{now(registry()[name])}"
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
