"""Folders that appear whole: exchanged, locked, brought back, and scratch of the dead removed."""

import subprocess
import sys
import threading

import pytest

from vaecourse.publish import folders

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")


@pytest.fixture
def two(tmp_path):
    """A report in place and a finished one beside it."""
    target, fresh = tmp_path / "08_vae", tmp_path / "fresh"
    for path, text in [(target, "old"), (fresh, "new")]:
        path.mkdir()
        (path / "metrics.json").write_text(text)
    return target, fresh


def text_of(folder):
    return (folder / "metrics.json").read_text()


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="this system cannot exchange")
def test_a_reader_finds_one_of_the_two_at_any_time(two):
    """With two renames there is an instant without any: a reader that asks all the time met it within a second."""
    target, fresh = two
    missed, done = [], threading.Event()

    def read():
        while not done.is_set():
            try:
                text_of(target)
            except FileNotFoundError as error:
                missed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(2000):
        folders.put(fresh, target)
    done.set()
    reader.join()
    assert not missed
    assert (text_of(target), text_of(fresh)) == ("old", "new")


def test_without_an_exchange_it_takes_two_steps(two, monkeypatch):
    target, fresh = two
    monkeypatch.setattr(folders, "exchange", lambda *_: False)
    folders.put(fresh, target)
    assert text_of(target) == "new"
    assert [path.name for path in target.parent.iterdir()] == ["08_vae"]


@pytest.mark.parametrize("failing", [1, 2], ids=["setting the old one aside", "bringing the new one in"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_two_steps_that_stop_halfway_leave_the_earlier_report(two, monkeypatch, failing, error):
    target, fresh = two
    rename, calls = type(target).rename, []

    def stopping(path, destination):
        calls.append(path)
        if len(calls) == failing:
            raise error
        return rename(path, destination)

    monkeypatch.setattr(folders, "exchange", lambda *_: False)
    monkeypatch.setattr(type(target), "rename", stopping)
    with pytest.raises(error):
        folders.put(fresh, target)
    assert text_of(target) == "old" and text_of(fresh) == "new"


def test_a_report_set_aside_by_killed_steps_comes_back(two):
    target, _ = two
    target.rename(target.with_name(".08_vae.previous"))
    with folders.scratch_beside(target):
        assert text_of(target) == "old"


def test_a_file_in_its_place_is_not_replaced(two):
    target, fresh = two
    (target / "metrics.json").unlink(), target.rmdir()
    target.write_text("mine")
    with pytest.raises(NotADirectoryError):
        folders.put(fresh, target)
    assert (target.read_text(), text_of(fresh)) == ("mine", "new")


KILLED = """
import os, sys
from pathlib import Path
from vaecourse.publish.folders import scratch_beside
with scratch_beside(Path(sys.argv[1])) as scratch:
    (scratch / "half").touch()
    os._exit(9)
"""


@POSIX
def test_scratch_of_a_killed_run_is_removed_and_that_of_a_live_one_is_not(tmp_path):
    target = tmp_path / "08_vae"
    with folders.scratch_beside(target) as live:
        subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
        (tmp_path / ".08_vae.backup-of-mine").mkdir()
        assert len(list(tmp_path.iterdir())) == 3
        with folders.scratch_beside(target) as own:
            assert {path.name for path in tmp_path.iterdir()} == {live.name, own.name, ".08_vae.backup-of-mine"}
            assert list(own.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == [".08_vae.backup-of-mine"]


@POSIX
def test_a_lock_keeps_others_out(tmp_path):
    inside, order = threading.Event(), []

    def other():
        inside.wait()
        with folders.locked(tmp_path):
            order.append("other")

    thread = threading.Thread(target=other)
    thread.start()
    with folders.locked(tmp_path):
        inside.set()
        thread.join(0.2)
        order.append("own")
    thread.join()
    assert order == ["own", "other"]
    assert list(tmp_path.iterdir()) == []
