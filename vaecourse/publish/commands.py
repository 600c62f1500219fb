"""What every command owes its user: one sentence and an exit code where something goes wrong."""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

from vaecourse.publish.chapters import UsageError


def plain_errors(command: Callable[..., int | None]) -> Callable[..., NoReturn]:
    """Turn what a user can cause into one sentence and an exit code: 2 wrong request, 1 disk, 130 stopped."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> NoReturn:
        # A polite request to stop is treated like Ctrl-C: nothing half-written is left behind.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            sys.exit(command(*args, **kwargs) or 0)
        except UsageError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        except OSError as error:
            print(f"{command.__name__} could not read or write: {error}.", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt as stopped:
            print(
                f"Stopped: {stopped or 'interrupted'}. What was complete before is untouched.",
                file=sys.stderr,
            )
            sys.exit(130)
        finally:
            signal.signal(signal.SIGTERM, before)

    return run
