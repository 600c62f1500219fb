"""Files that are written whole or not at all, whoever else writes or reads them and whenever the process is killed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which refuses to delete a file that is open: there that does what the lock does here
    fcntl = None

_KINDS = ((stat.S_ISREG, "a file"), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
_PATIENCE = (0.01, 0.1, 0.5, 1.0)  # seconds between attempts to replace a file that a reader on Windows has open
_ABANDONED = 3600.0  # seconds after which, without locks, a temporary file counts as left behind


def kind(path: str | Path) -> str | None:
    """What is at a path, links followed: "a file", "a folder", "a FIFO", "a socket", "a device"; None for nothing.

    Raises:
        OSError: the folder cannot be looked into.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return next((name for test, name in _KINDS if test(mode)), "a device")


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file so that at any time its path holds either the old content or the new one, whole.

    A link stays a link: what it points to is written. The file keeps its mode, and a new one gets that of the umask.
    What killed writers of this path have left beside it is removed.

    Args:
        path: the file; its folder must exist.
        content: all of it.

    Raises:
        OSError: it cannot be written, and what was there before is intact; or the path is a folder, a device or the
            like. The sentence says which.
    """
    target = Path(os.path.realpath(path))
    try:
        found = kind(target)
        if found in (None, "a file"):
            _remove_leftovers(target)
            return _write(target, content, stat.S_IMODE(target.stat().st_mode) if found else None)
    except OSError as error:
        before = "the one before is intact" if os.path.isfile(target) else "there was none before"
        raise OSError(error.errno, f"cannot be written ({error.strerror or error}); {before}", str(path)) from error
    raise OSError(errno.EINVAL, f"cannot be written: it is {found}", str(path))


def _write(target: Path, content: bytes, mode: int | None) -> None:
    descriptor, temporary = _temporary(target, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None and hasattr(os, "fchmod"):
                with suppress(OSError):  # a disk without modes
                    os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            if fcntl:
                os.replace(temporary, target)  # while it is locked, or the next writer might take it for a leftover
        if not fcntl:
            _replace_when_free(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    with suppress(OSError):  # that the name lasts is the folder's business; not every system can be asked for it
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _temporary(target: Path, mode: int | None) -> tuple[int, Path]:
    """A new, locked file beside the target, open for writing, that nobody else has or can have planted."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        temporary = target.with_name(f"{_prefix(target)}{os.getpid()}.{secrets.token_hex(8)}.part")
        descriptor = os.open(temporary, flags, 0o666 if mode is None or fcntl is None else mode & 0o777)
        if fcntl is None:
            return descriptor, temporary
        with suppress(OSError):  # a disk without locks: there nothing is taken for a leftover
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # another writer came between the creation and the lock, and has removed it


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}."  # of a long name only the beginning, since names have a largest length


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary files whose writers are dead: those that nobody locks, as the system ends a dead one's lock.

    Locks, rather than the number of the process in the name, are right across containers and computers too.
    """
    ours = re.compile(re.escape(_prefix(target)) + r"\d+\.[0-9a-f]{16}\.part")
    with suppress(OSError):
        for name in [entry.name for entry in os.scandir(target.parent) if ours.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_if_left(target.with_name(name))


def _remove_if_left(temporary: Path) -> None:
    if fcntl is None:
        if time.time() - temporary.stat().st_mtime > _ABANDONED:
            temporary.unlink()
        return
    # Read-only: where locks belong to a process and not to an open file (NFS) they then fail, and nothing is removed.
    descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
        temporary.unlink()
    finally:
        os.close(descriptor)


def _replace_when_free(temporary: Path, target: Path) -> None:
    for pause in _PATIENCE:
        with suppress(PermissionError):
            return os.replace(temporary, target)
        time.sleep(pause)
    os.replace(temporary, target)
