"""The fault zoo: each chapter runs with faults planted in what it imports, and its own assertions must kill them.

Run as ``python tests/zoo.py [chapter ...]`` (``make zoo``). A chapter is run once as it is, to see that it passes;
then once for each of its faults, as far as the first error. A fault survives if the chapter runs through, or dies of
anything but an assertion: then nothing in the page noticed that its numbers had become wrong.
"""

import asyncio
import os
import re
import sys
import time
from dataclasses import dataclass

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm
from zoo_faults import FAULTS

from vaecourse.publish.chapters import Chapter, UsageError, find_chapter
from vaecourse.publish.kernels import ChapterKernelManager

KERNELS = 2  # at a time
MAX_SECONDS = 600  # for one cell


@dataclass
class Outcome:
    """What became of one run."""

    killed: bool  # by an assertion
    finished: bool
    where: str  # the cell, and what it said
    seconds: float


async def run(chapter: Chapter, patch: str | None) -> Outcome:
    """Run a chapter, after a patch if there is one, until it ends or fails."""
    notebook = chapter.read()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    if patch is not None:
        # In a namespace of its own: the chapter may call a figure's axes by a name that the patch still needs.
        notebook.cells.insert(0, nbformat.v4.new_code_cell(f"exec({patch!r}, {{}})", id="planted-fault"))
    client = NotebookClient(
        notebook,
        timeout=MAX_SECONDS,
        kernel_manager_class=ChapterKernelManager,
        resources={"metadata": {"path": str(chapter.path.parent)}},
    )
    start = time.monotonic()
    try:
        await client.async_execute(env={**os.environ, "OMP_NUM_THREADS": "1"})
    except CellExecutionError as error:
        killed = error.ename == "AssertionError" and not _in_patch(notebook)
        where = f"{_failed_cell(notebook)} -> {error.ename}: {_first_line(error.evalue)}"
    except (CellTimeoutError, DeadKernelError) as error:
        killed, where = False, type(error).__name__
    else:
        return Outcome(False, True, "ran through", time.monotonic() - start)
    return Outcome(killed, False, where, time.monotonic() - start)


def _failed_cell(notebook: nbformat.NotebookNode) -> str:
    """The number of the failing code cell, as a reader of the chapter counts, and the assertion or line that failed."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.get("id") != "planted-fault"]
    for number, cell in enumerate(code, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                plain = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))
                arrow = re.findall(r"^-+> *\d+ (.*)$", plain, re.MULTILINE)
                line = arrow[0] if arrow else cell.source.splitlines()[0]
                return f"cell {number}, `{line.strip()[:70]}`"
    return "the planted fault itself"


def _in_patch(notebook: nbformat.NotebookNode) -> bool:
    return _failed_cell(notebook) == "the planted fault itself"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:60]


async def visit(chapters: list[Chapter]) -> bool:
    """Plant every fault of the chapters and print the table; whether none survived."""
    jobs = [(chapter, name) for chapter in chapters for name in [None, *FAULTS.get(chapter.name, {})]]
    limit = asyncio.Semaphore(KERNELS)
    outcomes: dict[tuple[str, str | None], Outcome] = {}
    with tqdm(total=len(jobs), unit="run", leave=False) as bar:

        async def job(chapter: Chapter, name: str | None) -> None:
            async with limit:
                patch = None if name is None else FAULTS[chapter.name][name]
                outcomes[chapter.name, name] = await run(chapter, patch)
                bar.update()

        await asyncio.gather(*(job(*arguments) for arguments in jobs))
    good = True
    for chapter in chapters:
        faults = FAULTS.get(chapter.name, {})
        if len(faults) < 3:
            good = False
            print(f"{chapter.name}: {len(faults)} faults are planted, and at least three are wanted")
        for name in [None, *faults]:
            outcome = outcomes[chapter.name, name]
            fine = outcome.finished if name is None else outcome.killed
            good &= fine
            verdict = ("killed" if name else "passes") if fine else ("SURVIVED" if name else "FAILS")
            print(f"{chapter.name:16} {verdict:8} {name or '(no fault)':38} {outcome.seconds:4.0f} s  {outcome.where}")
    return good


def main(keys: list[str]) -> int:
    """Visit the chapters that the keys name; all that have faults where there are none."""
    try:
        chapters = [find_chapter(key) for key in keys or FAULTS]
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if asyncio.run(visit(chapters)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
