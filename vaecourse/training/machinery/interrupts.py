"""Ctrl-C as a request: the step under way is finished, so that what is left is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """Whether someone has asked for the end."""

    requested = False


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Within the block the first Ctrl-C only sets ``requested``; a second one interrupts at once, wherever that is."""
    interrupt = Interrupt()
    # Python delivers signals to the main thread, and lets no other thread say what shall happen then.
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def request(number, frame):
        interrupt.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, request)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
