"""One limit of time for all that a command does: cells, pages and what follows them."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 1e8  # seconds that every clock of a system takes
_AGAIN = 0.5  # seconds after which it is said again, where something has swallowed the first exception


class OutOfTime(Exception):
    """The time that a command was given is over."""


class Deadline:
    """The end of the time that a command has, counted from now.

    Args:
        seconds: more than 0; ``None`` for no end.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + min(seconds, _LONGEST)

    def __str__(self) -> str:
        return f"the time limit of {self.seconds:g} s was reached"

    def left(self) -> float | None:
        """Return the seconds that are left, at least 0; ``None`` where there is no end."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def over(self) -> bool:
        """Whether no time is left."""
        return self.left() == 0

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Stop what runs inside when the time is over, where the system can: not on Windows, nor in other threads.

        Raises:
            OutOfTime: the time is over.
        """
        if self.over():
            raise OutOfTime(str(self))
        if (
            self._end is None
            or not hasattr(signal, "setitimer")
            or threading.current_thread() is not threading.main_thread()
        ):
            yield
            return

        def ring(*_: object) -> None:
            raise OutOfTime(str(self))

        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, self.left()), _AGAIN)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
