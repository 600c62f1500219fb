"""Folders that appear whole: exchanged in one step, by one process at a time, whatever killed the ones before."""

import ctypes
import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a folder cannot be locked: there the last of two writers wins
    fcntl = None

_HERE, _EXCHANGE, _SWAP = -100, 2, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an existing folder against everybody else who asks for this lock; it leaves no file."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a disk without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """Give an empty folder on the disk of ``target``; those that killed processes left beside it are removed.

    It is locked while it is used, and the system ends a dead one's lock: so a folder that nobody locks is left over.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    ours = re.compile(re.escape(f".{target.name}.") + "[a-z0-9_]{8}")
    with locked(target.parent):
        _recover(target)
        for left in [path for path in target.parent.iterdir() if ours.fullmatch(path.name)]:
            with suppress(OSError):
                _remove_if_left(left)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        descriptor = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def put(fresh: Path, target: Path) -> None:
    """Put the finished folder ``fresh`` in place of ``target``; at any time one of the two is there, whole.

    What was there is then under the name ``fresh``, or nothing is.

    Raises:
        OSError: ``target`` is a file, or the disk refuses; what was there before is there again.
    """
    with locked(target.parent):
        if not target.exists():
            fresh.rename(target)
        elif not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(target))
        elif not exchange(fresh, target):
            _in_two_steps(fresh, target)


def exchange(one: Path, other: Path) -> bool:
    """Give each of two folders the other's name in one step; False where the system cannot."""
    try:
        system = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            failed = system.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
        elif sys.platform == "darwin":
            failed = system.renamex_np(os.fsencode(one), os.fsencode(other), _SWAP)
        else:
            return False
    except (AttributeError, OSError, TypeError):  # an older library; a system that has none
        return False
    return not failed  # a disk may refuse what its system can


def _in_two_steps(fresh: Path, target: Path) -> None:
    """Replace ``target`` where there is no exchange: if this is killed halfway, the next run brings it back."""
    aside = _aside(target)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        target.rename(aside)
        fresh.rename(target)
    except BaseException:
        _recover(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _recover(target: Path) -> None:
    """Bring back the folder that an exchange in two steps, which was killed between them, has set aside."""
    if _aside(target).is_dir() and not target.exists():
        _aside(target).rename(target)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")


def _lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed; None where folders cannot be locked."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _remove_if_left(folder: Path) -> None:
    if fcntl is None or folder.is_symlink() or not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its owner lives
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
