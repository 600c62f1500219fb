"""Running one chapter from top to bottom in a fresh kernel, and knowing whether it really got there."""

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from vaecourse.publish.environment import CLOSING_CELL, ENVIRONMENT_MIME

_CLOSING_TAG = "vaecourse-closing"


class ChapterFailed(Exception):
    """A chapter that did not run to its end; the message names the cell and says what happened."""


@dataclass
class Finished:
    """A chapter that ran to its end."""

    notebook: nbformat.NotebookNode
    environment: dict[str, Any]
    seconds: float


@dataclass
class _Watch:
    """What the kernel's replies say, whatever the saved notebook claims afterwards."""

    on_cell: Callable[[], Any]
    started: int = 0
    finished: int = 0
    current: nbformat.NotebookNode = field(default_factory=nbformat.NotebookNode)

    def start(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        self.started += 1
        self.current = cell

    def finish(self, cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        payloads = execute_reply["content"].get("payload", [])
        if any(payload.get("source") == "ask_exit" for payload in payloads):
            raise ChapterFailed(f"exit() ended the run {self.where}")
        if execute_reply["content"]["status"] == "ok":
            self.finished += 1
            if not _is_closing(cell):
                self.on_cell()

    @property
    def where(self) -> str:
        """The cell that was running, as a reader finds it."""
        if not self.current:
            return "before its first cell"
        if _is_closing(self.current):
            return "after its last cell"
        first_line = next(line for line in self.current.source.splitlines() if line.strip())
        return f"in code cell {self.started} (`{first_line.strip()}`)"


def run_notebook(
    notebook: nbformat.NotebookNode,
    scratch: Path,
    *,
    folder: Path,
    parameters: dict[str, Any] | None = None,
    timeout: float | None = None,
    on_cell: Callable[[], Any] = lambda: None,
) -> Finished:
    """Run a notebook in a fresh kernel of this interpreter.

    Success means that the kernel confirmed every code cell and a closing cell after them. What the saved
    notebook says is not asked: after a time-out, a dead kernel or ``sys.exit(0)`` it calls itself completed.

    Args:
        notebook: the chapter; it is not changed.
        scratch: an existing folder for the notebook as it grows.
        folder: the kernel's working folder.
        parameters: values for the cell tagged ``parameters``.
        timeout: limit for the whole notebook, in seconds; ``None`` for none.
        on_cell: called after each code cell.

    Raises:
        ChapterFailed: if it did not run to its end. Whatever is raised, KeyboardInterrupt included,
            the notebook as far as it came lies in ``scratch``.
    """
    # Papermill takes about a second to import: the command line's --help should not wait for it.
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from vaecourse.publish.kernels import ChapterKernelManager

    papermill.log.logger.setLevel(logging.CRITICAL)  # what it would log is raised, and said once, below
    notebook = copy.deepcopy(notebook)
    closing = nbformat.v4.new_code_cell(CLOSING_CELL, metadata={"tags": [_CLOSING_TAG]})
    notebook.cells.append(closing)
    watch = _Watch(on_cell)
    start = time.monotonic()
    path = scratch.resolve() / "run.ipynb"
    try:
        executed = papermill.execute_notebook(
            notebook,
            str(path).replace("{", "{{").replace("}", "}}"),  # papermill fills {name} in paths
            parameters=parameters,
            kernel_name="python3",
            language="python",
            cwd=folder,
            progress_bar=False,
            autosave_cell_every=0,  # it is saved after every cell anyway
            start_timeout=120,
            iopub_timeout=60,
            shutdown_kernel="immediate",
            kernel_manager_class=ChapterKernelManager,
            timeout_func=lambda cell: max(0.1, start + timeout - time.monotonic()) if timeout else None,
            on_cell_execute=watch.start,
            on_cell_executed=watch.finish,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted {watch.where}") from None
    except PapermillExecutionError as error:
        message = (error.evalue or "").strip().partition("\n")[0]
        raise ChapterFailed(f"{error.ename}{': ' * bool(message)}{message} {watch.where}") from error
    except DeadKernelError as error:
        raise ChapterFailed(f"the kernel died {watch.where}") from error
    except CellTimeoutError as error:
        what = f"the time limit of {timeout:g} s was reached" if timeout else "the kernel stopped answering"
        raise ChapterFailed(f"{what} {watch.where}") from error
    except RuntimeError as error:
        raise ChapterFailed(f"the kernel did not start: {str(error).partition(chr(10))[0]}") from error
    seconds = time.monotonic() - start
    ran = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in executed.cells)
    reports = [o.data[ENVIRONMENT_MIME] for o in executed.cells[-1].outputs if ENVIRONMENT_MIME in o.get("data", {})]
    if watch.finished != ran or len(reports) != 1:
        raise ChapterFailed(f"the run ended early, without an error, {watch.where}")
    executed.cells = executed.cells[:-1]
    return Finished(executed, dict(reports[0]), seconds)


def partial_notebook(scratch: Path, reason: str) -> nbformat.NotebookNode | None:
    """Return the notebook that an unfinished run left in ``scratch``, with ``reason`` written at its top."""
    try:
        notebook = nbformat.read(scratch / "run.ipynb", as_version=4)
    except (OSError, ValueError):  # stopped before the first cell, or while it was being written
        return None
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"**This run did not finish:** {reason}."),
        *(
            cell
            for cell in notebook.cells
            if not _is_closing(cell) and "papermill-error-cell-tag" not in cell.metadata.get("tags", [])
        ),
    ]
    return notebook


def _is_closing(cell: nbformat.NotebookNode) -> bool:
    """Whether this is the cell that closes every run."""
    return _CLOSING_TAG in cell.metadata.get("tags", [])
