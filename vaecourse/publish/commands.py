"""What every command owes its user: one sentence and an exit code where something goes wrong."""

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, NoReturn

import click

from vaecourse.publish.chapters import UsageError, plain


class PlainNumber(click.ParamType):
    """A number of an option as everybody writes it: no 1_0, no digits of other scripts, no NaN, no infinity."""

    def __init__(self, kind: type[int] | type[float], low: float, *, above: bool = False) -> None:
        self.kind, self.low, self.above = kind, low, above
        self.name = "integer" if kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """Return the number, or refuse it in a sentence."""
        try:
            number = self.kind(plain(value, self.kind.__name__)) if isinstance(value, str) else value
        except ValueError:
            number = None
        if number is None or number == float("inf") or number < self.low or (self.above and number == self.low):
            article = "an" if self.kind is int else "a"
            self.fail(f"{value} is not {article} {self.name} {'above' if self.above else 'of at least'} {self.low}.")
        return number


def plain_errors(command: Callable[..., int | None]) -> Callable[..., NoReturn]:
    """Turn what a user can cause into one sentence and an exit code.

    2: a wrong request; 1: the disk; 130: stopped; 141: whoever read the output has gone, as a shell counts SIGPIPE.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a console that cannot show a sign shows its number
                stream.reconfigure(errors="backslashreplace")
        # A polite request to stop is treated like Ctrl-C: nothing half-written is left behind.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            code = command(*args, **kwargs) or 0
            sys.stdout.flush()
            sys.exit(code)
        except UsageError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        except BrokenPipeError:
            _stop_writing()
            sys.exit(141)
        except OSError as error:
            print(f"{command.__name__} could not read or write: {error}.", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt as stopped:
            print(
                f"Stopped: {str(stopped) or 'interrupted'}. What was complete before is untouched.",
                file=sys.stderr,
            )
            sys.exit(130)
        finally:
            signal.signal(signal.SIGTERM, before)

    return run


def _stop_writing() -> None:
    """Lead what is still to be written nowhere, or the interpreter complains at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # a stream without a descriptor
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
