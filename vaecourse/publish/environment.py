"""Where a chapter ran: versions, device, threads and memory, as its own kernel reports them."""

import os
import platform
import sys
from importlib.metadata import version
from typing import Any

ENVIRONMENT_MIME = "application/vnd.vaecourse.environment+json"

#: The cell that closes every run. Its output proves that the kernel lived to the end of the chapter.
CLOSING_CELL = "from vaecourse.publish.environment import show_environment\nshow_environment()"


def environment() -> dict[str, Any]:
    """Return what this process computes with.

    Returns:
        ``versions`` by package, ``device``, ``threads``, ``platform`` and, where the system tells it,
        ``peak_memory`` of this process in MiB.
    """
    device, threads = "cpu", os.cpu_count()
    if "torch" in sys.modules:  # a chapter without torch is not made to load it
        import torch

        import vaecourse

        device, threads = str(vaecourse.device()), torch.get_num_threads()
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("vaecourse", "torch", "numpy")},
        },
        "device": device,
        "threads": threads,
        "platform": f"{platform.system()} {platform.machine()}",
        "peak_memory": _peak_memory(),
    }


def show_environment() -> None:
    """Display the environment, and what became of `record`, as one output of the running cell."""
    from IPython import get_ipython
    from IPython.display import display

    from vaecourse.publish.watching import settle
    from vaecourse.record import is_replaced, stated

    settle()
    records = {"stated": stated(), "replaced": is_replaced(get_ipython().user_ns)}
    display({ENVIRONMENT_MIME: environment() | records, "text/plain": ""}, raw=True)


def _peak_memory() -> int | None:
    """Return the largest resident size so far, in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
