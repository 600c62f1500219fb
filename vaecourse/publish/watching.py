"""What goes wrong in a kernel beside its cells: in threads, tasks and commands, where a cell's reply says "ok".

Whatever is noticed is shown as one output of the cell that was running, of a type that the run takes out again.
"""

import asyncio
import gc
import logging
import sys
import threading
import time
import warnings
from typing import Any, Literal

EVENTS_MIME = "application/vnd.vaecourse.events+json"
_PATIENCE = 5.0  # seconds for threads to end after the last cell

_events: list[dict[str, str]] = []
_before: set[threading.Thread] = set()  # of the kernel itself


def watch(shell: Any) -> None:
    """Notice, from now on, what fails beside the cells of an IPython shell, and what warns."""
    _before.update(threading.enumerate())
    shell.system_raise_on_error = True  # of a command after "!": its cell fails
    shell.events.register("post_run_cell", lambda _: _show())
    threading.excepthook = _in_a_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warned
    logging.getLogger("asyncio").addHandler(_TaskErrors(logging.ERROR))


def settle() -> None:
    """Wait, a little, for the chapter's threads, and look for tasks whose exception nobody asked for."""
    deadline = time.monotonic() + _PATIENCE
    for thread in set(threading.enumerate()) - _before - {threading.current_thread()}:
        if not thread.daemon:
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                _notice("warning", f"the thread {thread.name} was still running at the end")
    gc.collect()
    for task in gc.get_objects():
        if issubclass(type(task), asyncio.Future) and task.done() and not task.cancelled() and task._log_traceback:
            error = task.exception()  # from now on somebody has asked
            _notice("failure", f"an exception in a task of asyncio: {_sentence(type(error), error)}")


def _show() -> None:
    """Show what was noticed since the last time."""
    from IPython.display import display

    if _events:
        events = list(_events)
        _events.clear()
        display({EVENTS_MIME: events, "text/plain": ""}, raw=True)


def _notice(kind: Literal["failure", "warning"], text: str) -> None:
    _events.append({"kind": kind, "text": text})


def _sentence(kind: type | None, error: object) -> str:
    """Return the first line of an error, with its name."""
    said = str(error).strip().partition("\n")[0]
    return f"{getattr(kind, '__name__', 'an error')}{': ' * bool(said)}{said}"


def _in_a_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_type is not SystemExit:
        _notice("failure", f"an exception in a thread: {_sentence(found.exc_type, found.exc_value)}")
        threading.__excepthook__(found)


def _unraisable(found: Any) -> None:
    _notice("warning", f"ignored: {_sentence(found.exc_type, found.exc_value)}")


def _warned(message: Any, category: type, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
    else:
        _notice("warning", _sentence(category, message))


class _TaskErrors(logging.Handler):
    """Notices what an event loop says of tasks that failed unseen."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = _sentence(type(error), error) if error else record.getMessage().partition("\n")[0]
        _notice("failure", f"an exception in a task of asyncio: {text}")
