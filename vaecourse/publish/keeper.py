"""Keeps one process: starts it and, when it ends or whoever asked for it does, leaves nothing of what it started.

Run as a script, ``python -P keeper.py PARENT FOLDER COMMAND...``, between a command of the course and its kernel. A
kernel may hold the interpreter's lock for ever, and what its cells start may leave the process group: so a third
process, in which nothing of the chapter runs, ends them all, also where the command itself was killed by SIGKILL. On
Linux it inherits every orphan below it (prctl(2), PR_SET_CHILD_SUBREAPER), daemons included.

It imports nothing of the course, so that it starts at once.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

_SUBREAPER, _DEATH_SIGNAL = 36, 1  # of <linux/prctl.h>
_TICK = 0.05  # seconds between looks
_PATIENCE = 5.0  # seconds for the killed to be gone


def prctl(option: int, value: int) -> None:
    """Ask Linux to treat this process so; elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def keep(parent: int, folder: str, command: list[str]) -> int:
    """Run a command until it or ``parent`` ends, end all that it started, and remove ``folder``.

    Args:
        parent: the process that asked for it, and must be this one's parent.
        folder: a scratch folder that nobody needs afterwards.
        command: the program and its arguments.

    Returns:
        The command's exit code; 128 + 9 where it was killed.
    """
    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's business
    prctl(_SUBREAPER, 1)
    environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}  # ipykernel ends itself without this process
    kept = subprocess.Popen(command, env=environment, preexec_fn=_end_with_parent).pid
    code = None
    while code is None and not asked_to_stop and os.getppid() == parent:
        time.sleep(_TICK)
        code = _reap().get(kept)
    ended = _end_all()
    shutil.rmtree(folder, ignore_errors=True)
    code = ended.get(kept) if code is None else code
    return code if code is not None and code >= 0 else 128 + signal.SIGKILL


def _end_with_parent() -> None:
    """Ask Linux to kill the new process when this one ends, however that comes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prctl(_DEATH_SIGNAL, signal.SIGKILL)


def _reap() -> dict[int, int]:
    """Take note of children that have ended, adopted ones included: their exit codes by process."""
    codes = {}
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    return codes


def _end_all() -> dict[int, int]:
    """Kill everything below this process, again until nothing is left: the killed may just have started another."""
    import psutil

    codes: dict[int, int] = {}
    deadline = time.monotonic() + _PATIENCE
    while (below := psutil.Process().children(recursive=True)) and time.monotonic() < deadline:
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.01)
        codes |= _reap()
    return codes


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
