"""Running one chapter from top to bottom in a fresh kernel, and knowing whether it really got there."""

import asyncio
import copy
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from vaecourse.publish.deadline import Deadline
from vaecourse.publish.environment import CLOSING_CELL, ENVIRONMENT_MIME

_CLOSING_TAG, _INJECTED_TAG = "vaecourse-closing", "injected-parameters"


class ChapterFailed(Exception):
    """A chapter that did not run to its end; the message names the cell and says what happened."""


@dataclass
class Finished:
    """A chapter that ran to its end."""

    notebook: nbformat.NotebookNode
    environment: dict[str, Any]
    seconds: float
    warnings: list[dict[str, Any]]  # cell and text of each
    stated: list[str]  # the names that its kernel recorded, whatever became of their outputs
    replaced: bool = False  # whether `record` was something else at the end


def run_notebook(
    notebook: nbformat.NotebookNode,
    *,
    folder: Path,
    parameters: dict[str, Any] | None = None,
    deadline: Deadline | None = None,
    on_cell: Callable[[], Any] = lambda: None,
) -> Finished:
    """Run a notebook, in place, in a fresh kernel of this interpreter.

    Success means that the kernel confirmed every code cell and a closing cell after them, and that nothing failed
    beside them: in a thread, a task or a command. Whatever is raised, KeyboardInterrupt included, ``notebook`` is then
    as far as it came.

    Args:
        notebook: the chapter; outputs that it has are replaced.
        folder: the kernel's working folder.
        parameters: values for the cell tagged ``parameters``.
        deadline: the end of the time that it has.
        on_cell: called after each code cell.

    Raises:
        ChapterFailed: it did not run to its end.
    """
    _prepare(notebook, parameters or {})
    deadline = deadline or Deadline()
    if deadline.over():
        raise ChapterFailed(f"{deadline} before its first cell")
    # What it takes to run a notebook is imported late: the command line's --help should not wait for it.
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from vaecourse.publish.client import ChapterClient, Stopped

    start = time.monotonic()
    client = ChapterClient(notebook, folder, on_cell)
    try:
        with _signals_as_before():
            asyncio.run(client.run(deadline))
    except Stopped as stopped:
        if stopped.by_user:
            raise KeyboardInterrupt(f"interrupted {_where(notebook, client.current)}") from None
        raise ChapterFailed(f"{stopped} {_where(notebook, client.current)}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted {_where(notebook, client.current)}") from None
    except CellExecutionError as error:
        if error.ename == "SystemExit":
            raise ChapterFailed(f"sys.exit() ended the run {_where(notebook, client.current)}") from error
        said = (error.evalue or "").strip().partition("\n")[0].rstrip(".")
        raise ChapterFailed(f"{error.ename}{': ' * bool(said)}{said} {_where(notebook, client.current)}") from error
    except DeadKernelError as error:
        raise ChapterFailed(f"the kernel died {_where(notebook, client.current)}") from error
    except CellTimeoutError as error:
        raise ChapterFailed(f"the kernel stopped answering {_where(notebook, client.current)}") from error
    except RuntimeError as error:
        raise ChapterFailed(f"the kernel did not start: {str(error).partition(chr(10))[0]}") from error
    seconds = time.monotonic() - start
    due = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
    closing = [o.data[ENVIRONMENT_MIME] for o in notebook.cells[-1].outputs if ENVIRONMENT_MIME in o.get("data", {})]
    if client.confirmed != due or len(closing) != 1:
        raise ChapterFailed(f"the run ended early, without an error, {_where(notebook, client.current)}")
    environment = dict(closing[0])
    stated, replaced = environment.pop("stated"), environment.pop("replaced")
    notebook.cells.pop()
    return Finished(notebook, environment, seconds, _counted(notebook, client.warnings), stated, replaced)


def partial_notebook(notebook: nbformat.NotebookNode, reason: str) -> nbformat.NotebookNode | None:
    """Return what an unfinished run left, with ``reason`` written at its top; None where no cell was begun."""
    if not any(cell.get("execution_count") for cell in notebook.cells):
        return None
    partial = copy.deepcopy(notebook)
    said = nbformat.v4.new_markdown_cell(f"**This run did not finish:** {reason}.")
    partial.cells = [said, *(cell for cell in partial.cells if not _is_closing(cell))]
    return partial


def _prepare(notebook: nbformat.NotebookNode, parameters: dict[str, Any]) -> None:
    """Take the outputs away, put the values behind the parameters cell, and a closing cell at the end."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "parameters" in cell.metadata.get("tags", []) and parameters:
            lines = ["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())]
            injected = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [_INJECTED_TAG]})
            notebook.cells.insert(position + 1, injected)
            parameters = {}
    notebook.cells.append(nbformat.v4.new_code_cell(CLOSING_CELL, metadata={"tags": [_CLOSING_TAG]}))


@contextmanager
def _signals_as_before() -> Iterator[None]:
    """Give SIGINT and SIGTERM, which an event loop resets to the system's, back to who had them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)


def _where(notebook: nbformat.NotebookNode, index: int | None) -> str:
    """The cell of this index, as a reader finds it."""
    if index is None:
        return "before its first cell"
    if _is_closing(notebook.cells[index]):
        return "after its last cell"
    number = sum(_is_counted(cell) for cell in notebook.cells[: index + 1])
    first_line = next(line for line in notebook.cells[index].source.splitlines() if line.strip())
    return f"in code cell {number} (`{first_line.strip()}`)"


def _counted(notebook: nbformat.NotebookNode, warnings: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """The warnings, each once, with their cells as a reader counts; 0 stands for the end of the run."""
    counted = []
    for index, text in warnings:
        inside = index < len(notebook.cells)
        cell = sum(_is_counted(cell) for cell in notebook.cells[: index + 1]) if inside else 0
        entry = {"cell": cell, "text": re.sub(r"\s+", " ", text)[:300]}
        if entry not in counted:
            counted.append(entry)
    return counted


def _is_counted(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell counts as a code cell that runs."""
    return cell.cell_type == "code" and bool(cell.source.strip())


def _is_closing(cell: nbformat.NotebookNode) -> bool:
    """Whether this is the cell that closes every run."""
    return _CLOSING_TAG in cell.metadata.get("tags", [])
