"""Files written whole: links, modes, other kinds of path, failures, killed writers, and writers at the same time."""

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vaecourse import files
from vaecourse.files import kind, write_whole

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leftover(target: Path, number: int = 0) -> Path:
    """A temporary file of the target as a killed writer leaves it."""
    path = target.with_name(f".{target.name}.{99999999 + number}.{number:016x}.part")
    path.write_bytes(b"half")
    return path


def test_writes_and_replaces(tmp_path):
    for content in (b"first", b"", b"third"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content and names(tmp_path) == ["file"]


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_and_stays(tmp_path, exists):
    (tmp_path / "disk").mkdir(), (tmp_path / "work").mkdir()
    target, link = tmp_path / "disk" / "file", tmp_path / "work" / "link"
    link.symlink_to(tmp_path / "work" / "second")
    (tmp_path / "work" / "second").symlink_to(target)
    if exists:
        target.write_bytes(b"old")
    write_whole(link, b"new")
    assert link.is_symlink() and (tmp_path / "work" / "second").is_symlink()
    assert target.read_bytes() == b"new" and names(tmp_path / "disk") == ["file"]


@posix
def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match=r"cannot be written \(.*symbolic links"):
        write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()


@posix
def test_a_link_planted_under_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    """Were the name known beforehand, the file written would be the victim's."""
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "0" * 2 * size)
    (tmp_path / f".file.{os.getpid()}.{'0' * 16}.part").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match=r"cannot be written \(File exists\)"):
        write_whole(tmp_path / "file", b"new")
    assert not (tmp_path / "victim").exists() and not (tmp_path / "file").exists()


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_gets_the_mode_of_the_umask_and_an_old_one_keeps_its_own(tmp_path, umask):
    old = tmp_path / "old"
    old.write_bytes(b"")
    old.chmod(0o664)
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "new", b"1"), write_whole(old, b"2")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE(old.stat().st_mode) == 0o664


def fifo(path):
    os.mkfifo(path)


def bound_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket must be short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


@posix
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (fifo, "a FIFO"),
        (Path.mkdir, "a folder"),
        (bound_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/null"), "a device"),
    ],
)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, make, word):
    make(tmp_path / "path")
    mode = (tmp_path / "path").stat().st_mode
    assert kind(tmp_path / "path") == word
    with pytest.raises(OSError, match=f"cannot be written: it is {word}.*path"):
        write_whole(tmp_path / "path", b"content")
    assert (tmp_path / "path").stat().st_mode == mode and names(tmp_path) == ["path"]


def test_kinds(tmp_path):
    (tmp_path / "file").touch()
    assert kind(tmp_path / "file") == "a file" and kind(tmp_path) == "a folder"
    assert kind(tmp_path / "nothing") is None and kind(tmp_path / "file" / "below") is None


@pytest.mark.parametrize("exception", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, exception, place):
    def fails(*arguments, **options):
        raise exception

    write_whole(tmp_path / "file", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, place, fails)
        for name, before in (("file", "the one before is intact"), ("other", "there was none before")):
            with pytest.raises(type(exception)) as caught:
                write_whole(tmp_path / name, b"new")
            if isinstance(exception, OSError):
                assert f"cannot be written (No space left on device); {before}: '{tmp_path / name}'" in str(
                    caught.value
                )
                assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "file").read_bytes() == b"old" and names(tmp_path) == ["file"]


def test_a_folder_that_does_not_exist_is_not_made(tmp_path):
    with pytest.raises(OSError, match=r"cannot be written \(No such file or directory\); there was none before"):
        write_whole(tmp_path / "nowhere" / "file", b"new")
    assert names(tmp_path) == []


def test_the_longest_name_can_be_written(tmp_path):
    write_whole(tmp_path / ("n" * 255), b"new")
    assert names(tmp_path) == ["n" * 255]


_KILLED = """
import os, signal, sys
from vaecourse import files
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.write_whole(sys.argv[1], b"new")
"""


@posix
def test_what_a_killed_writer_leaves_is_removed_by_the_next_one(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)])
    assert done.returncode == -signal.SIGKILL and path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2 and re.fullmatch(r"\.file\.\d+\.[0-9a-f]{16}\.part", names(tmp_path)[0])
    leftover(path, 1)
    others = [tmp_path / name for name in (".other.1.0000000000000000.part", ".file.part", ".file.1.backup.part")]
    for other in others:
        other.write_bytes(b"somebody's")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and names(tmp_path) == sorted(["file", *(other.name for other in others)])


@posix
def test_the_file_of_a_writer_at_work_is_not_taken_for_a_leftover(tmp_path, monkeypatch):
    """While one write is at its fsync, another one of the same path comes and goes."""
    path, fsync, nested = tmp_path / "file", os.fsync, []

    def interrupted(descriptor):
        if not nested:
            nested.append(1)
            write_whole(path, b"second")
            assert len(names(tmp_path)) == 2
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", interrupted)
    write_whole(path, b"first")
    assert path.read_bytes() == b"first" and names(tmp_path) == ["file"]


_WRITES = """
import sys, time
from vaecourse.files import write_whole
end = time.monotonic() + 2
while time.monotonic() < end:
    write_whole(sys.argv[1], sys.argv[2].encode() * 200_000)
"""


@posix
def test_many_writers_and_a_reader_never_meet(tmp_path):
    """No writer fails, no reader sees a part, nothing is left."""
    path = tmp_path / "file"
    write_whole(path, b"a" * 200_000)
    writers = [subprocess.Popen([sys.executable, "-c", _WRITES, str(path), letter]) for letter in "abc"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) == 200_000 and content == content[:1] * 200_000
        seen.add(content[:1])
        time.sleep(0.001)
    assert [writer.returncode for writer in writers] == [0, 0, 0] and len(seen) > 1 and names(tmp_path) == ["file"]


def test_without_locks_only_old_leftovers_go(tmp_path, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr(files, "fcntl", None)
    fresh, old = leftover(tmp_path / "file", 1), leftover(tmp_path / "file", 2)
    os.utime(old, (0, 0))
    write_whole(tmp_path / "file", b"new")
    assert names(tmp_path) == [fresh.name, "file"]


def test_a_file_that_a_reader_on_windows_has_open_is_replaced_when_it_is_free(tmp_path, monkeypatch):
    replace, tries = os.replace, []

    def busy(source, target):
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "in use")
        replace(source, target)

    monkeypatch.setattr(files, "fcntl", None), monkeypatch.setattr(os, "replace", busy)
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and len(tries) == 3


def test_torch_is_not_needed():
    code = "import sys, vaecourse.files; assert 'torch' not in sys.modules, 'torch'"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
