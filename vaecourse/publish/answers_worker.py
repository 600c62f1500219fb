"""The process that runs a reader's answers: a chapter up to its exercises, then each exercise by itself.

Run by :mod:`vaecourse.publish.checking` as ``python -m vaecourse.publish.answers_worker``, with the job as one line of
JSON on its standard input and one line of JSON a step on its standard output. It ends when its input is closed.

Where the system can copy a process in the middle of its work (Linux, no accelerator in use), every exercise runs in a
copy of its own and has a time limit; elsewhere it runs in a copy of the namespace.
"""

import ast
import contextlib
import json
import linecache
import os
import re
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType
from typing import Any

_PLACE = re.compile(r"<exercise (\d+)>")


def execute(source: str, name: str, namespace: dict[str, Any], transform: Callable[[str], str]) -> None:
    """Run a cell, IPython's own commands included; a traceback calls it ``name``."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compiled(source, name, transform), namespace)


def compiled(source: str, name: str, transform: Callable[[str], str]) -> CodeType:
    """The code of a cell, its asserts included."""
    return compile(ast.parse(transform(source), name), name, "exec", optimize=0)


def unreadable(cells: list[str], transform: Callable[[str], str]) -> dict[str, Any]:
    """The verdict on an exercise of which a cell is no Python; empty where all are."""
    for k, source in enumerate(cells):
        try:
            compiled(source, f"<exercise {k}>", transform)
        except (SyntaxError, ValueError) as error:  # ValueError: a null character, in some versions of Python
            return verdict_of(error)
    return {}


def attempt(cells: list[str], namespace: dict[str, Any], transform: Callable[[str], str]) -> dict[str, Any]:
    """Run the cells of an exercise; say what ended them, or return an empty verdict."""
    for k, source in enumerate(cells):
        try:
            execute(source, f"<exercise {k}>", namespace, transform)
        except BaseException as error:  # whatever a reader's cell raises, SystemExit included
            return verdict_of(error)
    return {}


def verdict_of(error: BaseException) -> dict[str, Any]:
    """The name of an error, what it says, and the innermost line of the reader's that it came through."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    verdict = {"error": type(error).__name__, "said": error.msg if isinstance(error, SyntaxError) else str(error)}
    for filename, line in reversed(places):
        if place := _PLACE.fullmatch(filename):
            return verdict | {"cell": int(place[1]), "line": line}
    return verdict


def in_a_copy(run: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Run a function in a copy of this process, and bring back what it returns."""
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(Exception):
            _die_with(parent)
            content = json.dumps(run()).encode()
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(content)
        os._exit(0)
    os.close(writing)
    content, late = b"", False
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        for chunk in _chunks(pipe.fileno(), seconds):
            late = chunk is None
            content += chunk or b""
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if late:
        return {"error": "TimeoutError", "said": f"stopped after {seconds:g} s"}
    if not content:
        return {"error": "SystemExit", "said": f"it ended Python (exit code {os.waitstatus_to_exitcode(status)})"}
    return json.loads(content)


def _chunks(descriptor: int, seconds: float) -> Iterator[bytes | None]:
    """What comes through a pipe until its end; None at last, if that does not come in time."""
    import time

    deadline = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            yield None
            return
        if not (chunk := os.read(descriptor, 1 << 16)):
            return
        yield chunk


def _die_with(parent: int) -> None:
    """Let the system end this process when its parent ends."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def can_copy() -> bool:
    """Whether a copy of this process can go on computing: Linux, and nothing that runs on an accelerator."""
    from vaecourse.devices import device

    return sys.platform.startswith("linux") and device().type == "cpu"


def work(job: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    """Run a job: ``before`` (source and substitute of each cell), then ``exercises``; ``lean`` if cells are left out.

    Args:
        job: see :func:`vaecourse.publish.checking.job_of`.
        tell: receives ``{"done": k}`` after each cell before the exercises, ``{"failed": k, ...}`` for one that failed,
            and ``{"exercise": number, ...}`` with the verdict on each.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    namespace, transform = shell.user_ns, shell.transform_cell
    with shell.builtin_trap:
        for k, (source, substitute) in enumerate(job["before"]):
            try:
                execute(source, f"<before {k}>", namespace, transform)
            except BaseException as error:
                tell({"failed": k, **verdict_of(error)})
                with contextlib.suppress(BaseException):
                    execute(substitute or "", f"<before {k}>", namespace, transform)
            tell({"done": k})
        copies = can_copy()
        if copies and "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)  # a copy has no other thread than the one that made it
        for exercise in job["exercises"]:
            if exercise["cells"]:

                def run(cells: list[str] = exercise["cells"]) -> dict[str, Any]:
                    return attempt(cells, namespace if copies else dict(namespace), transform)

                verdict = in_a_copy(run, job["seconds"]) if copies else run()
                if job.get("lean"):  # a refusal is believed where the chapter's own solution is not refused
                    own = partial(run, exercise["own"])
                    verdict["sound"] = not verdict or not (in_a_copy(own, job["seconds"]) if copies else own())
                tell({"exercise": exercise["number"], **verdict})
            for source in exercise["after"]:  # what a later exercise may build on
                with contextlib.suppress(BaseException):
                    execute(source, "<after>", namespace, transform)


def _end_with_input(descriptor: int) -> None:
    while os.read(descriptor, 1 << 16):
        pass
    os._exit(1)


def main() -> None:
    """Read the job, keep the private ends of both pipes, and leave the reader's cells nothing to disturb."""
    job = json.loads(sys.stdin.buffer.readline())
    given, told = os.dup(0), os.fdopen(os.dup(1), "w", encoding="utf-8")
    for descriptor in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    threading.Thread(target=_end_with_input, args=(given,), daemon=True).start()
    work(job, lambda message: print(json.dumps(message), file=told, flush=True))
    told.close()
    os._exit(0)  # threads that a reader's cells have started are not waited for


if __name__ == "__main__":
    main()
