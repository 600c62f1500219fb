"""The client of a chapter's kernel: it stops a run for reasons of its own, and hears what fails beside the cells."""

import asyncio
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from vaecourse.publish.deadline import Deadline
from vaecourse.publish.kernels import ChapterKernelManager
from vaecourse.publish.watching import EVENTS_MIME

CELL_LIMIT = 10_000_000  # characters that a cell may put out: hundreds of figures, or five novels
RUN_LIMIT = 50_000_000
_BAR = re.compile(r"\d%\|.*\|")  # what tqdm draws


class Stopped(Exception):
    """A run that was stopped from here; ``by_user`` where the user asked for it."""

    def __init__(self, why: str, by_user: bool) -> None:
        super().__init__(why)
        self.by_user = by_user


class ChapterClient(NotebookClient):
    """Runs the cells of a notebook, in place.

    Attributes:
        current: index of the cell that runs or ran last; None before the first.
        confirmed: how many cells the kernel's own replies call done. (What a notebook says is not asked: after
            ``sys.exit(0)`` it calls itself completed.)
        warnings: index of the cell and text of whatever was warned of.
    """

    def __init__(self, notebook: nbformat.NotebookNode, folder: Path, on_cell: Callable[[], Any]) -> None:
        super().__init__(
            notebook,
            timeout=None,
            startup_timeout=120,
            iopub_timeout=60,
            raise_on_iopub_timeout=True,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
            kernel_manager_class=ChapterKernelManager,
            on_cell_execute=self._begin,
            on_cell_executed=self._end,
        )
        self.current: int | None = None
        self.confirmed = 0
        self.warnings: list[tuple[int, str]] = []
        self._after_cell = on_cell
        self._written: dict[int, int] = {}
        self._failure: str | None = None

    async def run(self, deadline: Deadline) -> None:
        """Start a kernel, run every cell and leave no kernel.

        Raises:
            Stopped: the time was over, the output too long, something failed beside the cells or the user asked.
            CellExecutionError, DeadKernelError, CellTimeoutError, RuntimeError: as nbclient says.
        """
        loop = asyncio.get_running_loop()
        self._stop = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; not the main thread
                loop.add_signal_handler(number, lambda: self.stop("interrupted", by_user=True))
        if (left := deadline.left()) is not None:
            loop.call_later(left, self.stop, str(deadline))
        work = loop.create_task(self._run_cells())
        try:
            await asyncio.wait({work, self._stop}, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                raise self._stop.result()
            await work
        finally:
            await self._leave()

    async def _run_cells(self) -> None:
        self.create_kernel_manager()
        await self.async_start_new_kernel()
        await self.async_start_new_kernel_client()
        for index, cell in enumerate(self.nb.cells):
            await self.async_execute_cell(cell, index)

    def stop(self, why: str, *, by_user: bool = False) -> None:
        """Stop the run; the first reason counts."""
        if not self._stop.done():
            self._stop.set_result(Stopped(why, by_user))

    def process_message(self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int) -> Any:
        """Take up an output, unless it is what the kernel's watch has noticed or there is too much of it."""
        data = msg["content"].get("data", {}) if msg["msg_type"] == "display_data" else {}
        if EVENTS_MIME in data:
            for event in data[EVENTS_MIME]:
                if event["kind"] == "failure":
                    self._failure = self._failure or event["text"]
                else:
                    self.warnings.append((cell_index, event["text"]))
            return None
        self._written[cell_index] = self._written.get(cell_index, 0) + _size(msg)
        if self._written[cell_index] > CELL_LIMIT:
            return self.stop(f"it put out more than {CELL_LIMIT / 1e6:g} MB")
        if sum(self._written.values()) > RUN_LIMIT:
            return self.stop(f"the chapter put out more than {RUN_LIMIT / 1e6:g} MB")
        return super().process_message(msg, cell, cell_index)

    def _begin(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        self.current = cell_index

    def _end(self, cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        content = execute_reply["content"]
        if any(payload.get("source") == "ask_exit" for payload in content.get("payload", [])):
            self.stop("exit() ended the run")
        elif content["status"] == "ok":
            for output in cell.outputs:
                if output.output_type == "stream" and output.name == "stderr" and (said := _said(output.text)):
                    self.warnings.append((cell_index, said))
            if self._failure is not None:
                self.stop(self._failure)
            else:
                self.confirmed += 1
                if cell_index < len(self.nb.cells) - 1:
                    self._after_cell()
        if self._stop.done():
            raise self._stop.result()

    async def _leave(self) -> None:
        """End the kernel, whatever state it is in."""
        if self.kc is not None:
            self.kc.stop_channels()
        if self.km is not None:
            if self.km.has_kernel:
                await self.km.shutdown_kernel(now=True)
            else:
                await self.km.cleanup_resources()


def _said(text: str) -> str:
    """What stands on stderr beside progress bars, which say nothing once they are over."""
    return "\n".join(line for line in re.split(r"[\r\n]+", text) if line.strip() and not _BAR.search(line)).strip()


def _size(msg: dict[str, Any]) -> int:
    """How many characters a message puts into the notebook."""
    content = msg["content"]
    texts = content.get("data", {}).values() if msg["msg_type"].endswith(("_data", "_result")) else ()
    return len(content.get("text", "")) + sum(len(t) if isinstance(t, str) else len(str(t)) for t in texts)
