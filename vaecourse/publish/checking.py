"""Which exercises of the reader's workbook pass, and what their checks say of the others."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from tqdm import tqdm

from vaecourse.publish.answers_worker import unreadable
from vaecourse.publish.chapters import Chapter, UsageError
from vaecourse.publish.exercises import (
    WRITTEN_STUB,
    Exercise,
    exercises_of,
    first_of_exercises,
    is_check,
    stub_of,
)
from vaecourse.publish.lean import needed_cells, uses_more
from vaecourse.publish.workbook import is_begun, workbook_folder

PASSES, NOT_BEGUN, WRITTEN = "passes", "not begun", "written: compare it with the solution"


@dataclass
class Result:
    """What became of an exercise, in words."""

    number: str
    title: str
    state: str  # begins with PASSES, or is NOT_BEGUN, WRITTEN, or what is wrong

    @property
    def passes(self) -> bool:
        """Whether its check accepts the answer."""
        return self.state.startswith(PASSES)

    @property
    def fails(self) -> bool:
        """Whether something was begun and is not right yet."""
        return not self.passes and self.state not in (NOT_BEGUN, WRITTEN)


@dataclass
class Attempt:
    """An exercise of the course, and the reader's cells for it."""

    course: Exercise
    mine: Exercise | None
    wanted: bool

    @property
    def begun(self) -> bool:
        """Whether any answer cell holds more than its stub."""
        stubs = {_grade_id(cell): NotebookNode(cell | {"source": stub_of(cell, self.course.number)})
                 for cell in self.course.answers}  # fmt: skip
        return any(is_begun(cell, stubs.get(_grade_id(cell), cell)) for cell in self._answers)

    @property
    def runs(self) -> bool:
        """Whether there is anything to run."""
        return self.wanted and self.begun and any(is_check(cell) for cell in self.mine.code)

    @property
    def _answers(self) -> list[NotebookNode]:
        return self.mine.answers if self.mine else []

    def result(self, verdict: dict[str, Any] | None) -> Result:
        """Say what became of it; None for a verdict that never came."""
        return Result(self.course.number, self.course.title, self._state(verdict))

    def _state(self, verdict: dict[str, Any] | None) -> str:
        if self.mine is None:
            return "is not in your copy: its heading is gone"
        if not self.begun:
            return NOT_BEGUN
        if not any(is_check(cell) for cell in self.course.code):
            return WRITTEN
        if not self.runs:
            return "has lost its check: vaecourse workbook CHAPTER --renew brings it back"
        if verdict is None:
            return "was not reached: the run ended before it"
        if refused := _in_words(verdict, self.mine.code):
            return refused
        words = any(cell.cell_type != "code" and cell.source.strip() == WRITTEN_STUB for cell in self._answers)
        return f"{PASSES}; its words are still to be written" if words else PASSES


def _in_words(verdict: dict[str, Any], cells: list[NotebookNode]) -> str:
    """What ended an exercise, in a sentence; empty if nothing did."""
    error, said = verdict.get("error", ""), " ".join(verdict.get("said", "").split())
    if not error:
        return ""
    if error == "NotImplementedError" and said.startswith("Exercise "):
        return f"not finished: {said.partition(': ')[2].partition(', then')[0]}"
    if "cell" not in verdict:
        return said if error in ("TimeoutError", "SystemExit") else f"{error}: {said}"
    cell, line = cells[verdict["cell"]], verdict["line"]
    text = (cell.source.splitlines() or [""])[min(line, len(cell.source.splitlines())) - 1].strip()
    if is_check(cell) and error == "AssertionError":
        return said or f"its check refuses it, in line {line}: {text}"
    where = "its check" if is_check(cell) else "your cell"
    return f"{error}{': ' * bool(said)}{said}, in line {line} of {where}: {text}"


def attempts_of(chapter: Chapter, numbers: set[str] | None = None) -> list[Attempt]:
    """The exercises of a chapter with the reader's cells, up to the last that is wanted.

    Args:
        chapter: of the course.
        numbers: of the exercises that are wanted; None for all.

    Raises:
        UsageError: the workbook has no copy of the chapter, or one that cannot be read.
    """
    mine = {exercise.number: exercise for exercise in exercises_of(own_copy(chapter))}
    attempts = [
        Attempt(exercise, mine.get(exercise.number), numbers is None or exercise.number in numbers)
        for exercise in exercises_of(chapter.read())
    ]
    last = max((k for k, attempt in enumerate(attempts) if attempt.wanted), default=-1)
    return attempts[: last + 1]


def own_copy(chapter: Chapter) -> NotebookNode:
    """Return the reader's copy of a chapter; a UsageError says how to make one."""
    path = workbook_folder() / chapter.path.name
    if not path.exists():
        raise UsageError(f"your workbook has no copy of {chapter.name}: vaecourse workbook {chapter.number} makes one.")
    return Chapter(path).read()


def job_of(chapter: Chapter, attempts: list[Attempt], seconds: float) -> dict[str, Any]:
    """What the worker is to run: the reader's cells before the exercises, each with the chapter's own as a substitute.

    The tier is quick, whatever the copy says. An exercise that another may build on, but that is not right yet or not
    asked for, is followed by the chapter's own solution.
    """
    course, mine = chapter.read(), own_copy(chapter)
    own = {cell.id: cell.source for cell in course.cells if cell.cell_type == "code"}
    before = []
    for cell in mine.cells[: first_of_exercises(mine)]:
        if cell.cell_type == "code":
            quick = '\ntier = "quick"' if "parameters" in cell.metadata.get("tags", []) else ""
            before.append([cell.source + quick, own.get(cell.id, "") + quick])
    exercises = [
        {
            "number": attempt.course.number,
            "cells": [cell.source for cell in attempt.mine.code] if attempt.runs else [],
            "own": [cell.source for cell in attempt.course.code],
            "after": [cell.source for cell in attempt.course.code if not is_check(cell)],
        }
        for attempt in attempts
    ]
    if exercises:
        exercises[-1]["after"] = []
    return {"before": before, "exercises": exercises, "seconds": seconds}


def check_chapter(
    chapter: Chapter, attempts: list[Attempt], seconds: float, bar: tqdm | None = None
) -> tuple[list[Result], list[str]]:
    """Run what the exercises need of the reader's copy of a chapter, then each of them by itself.

    Where an exercise cannot be judged after those cells alone, the whole chapter runs up to its exercises.

    Args:
        chapter: of the course.
        attempts: of :func:`attempts_of`.
        seconds: limit for an exercise, where the system allows one.
        bar: counts cells and exercises.

    Returns:
        A result for each exercise that is wanted, and a sentence for each cell before them that failed.
    """
    verdicts: dict[str, dict[str, Any]] = {}
    remarks: list[str] = []
    if any(attempt.runs for attempt in attempts):
        job = job_of(chapter, attempts, seconds)
        verdicts |= _unreadable(job)
        if lean := _lean(job):
            found, failed = _run(lean, bar)
            verdicts |= {} if failed else {number: v for number, v in found.items() if v.get("sound")}
        for exercise in job["exercises"]:
            if exercise["number"] in verdicts:
                exercise["cells"] = []
        if any(exercise["cells"] for exercise in job["exercises"]):
            found, failed = _run(job, bar)
            verdicts |= found
            remarks = [_failed(message, *job["before"][message["failed"]]) for message in failed]
    return [a.result(verdicts.get(a.course.number)) for a in attempts if a.wanted], remarks


def _unreadable(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The verdicts on exercises with a cell that is no Python: nothing runs for them."""
    from IPython.core.inputtransformer2 import TransformerManager

    transform, verdicts = TransformerManager().transform_cell, {}
    for exercise in job["exercises"]:
        if verdict := unreadable(exercise["cells"], transform):
            verdicts[exercise["number"]] = verdict
            exercise["cells"] = []
    return verdicts


def _lean(job: dict[str, Any]) -> dict[str, Any] | None:
    """The same job with no more of the chapter than the exercises name; None where that cannot be told."""
    sources = [source for source, _ in job["before"]]
    groups = [group for e in job["exercises"] for group in (e["cells"], e["own"] if e["cells"] else e["after"])]
    kept = needed_cells(sources, groups)
    if kept is None:
        return None
    exercises = [
        e | ({"cells": []} if e["cells"] and uses_more(e["cells"], e["own"], sources) else {}) for e in job["exercises"]
    ]
    if not any(e["cells"] for e in exercises):
        return None
    return job | {"before": [job["before"][k] for k in kept], "exercises": exercises, "lean": True}


def _run(job: dict[str, Any], bar: tqdm | None) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Let the worker run a job: the verdict on each exercise, and the messages about cells before them that failed."""
    verdicts: dict[str, dict[str, Any]] = {}
    failed = []
    if bar is not None:
        bar.total = bar.n + len(job["before"]) + sum(bool(e["cells"]) for e in job["exercises"])
        bar.refresh()
    with _worker(job) as messages:
        for message in messages:
            if "failed" in message:
                failed.append(message)
                if job.get("lean"):
                    break
                continue
            if "exercise" in message:
                verdicts[message.pop("exercise")] = message
            if bar is not None:
                bar.update()
    return verdicts, failed


def _failed(message: dict[str, Any], source: str, substitute: str) -> str:
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    instead = "the chapter's own cell ran in its place" if substitute and substitute != source else "it was left out"
    said = " ".join(message["said"].split())[:200]
    return f"Before the exercises, your cell `{first}` ends in {message['error']}{': ' * bool(said)}{said}; {instead}."


@contextmanager
def _worker(job: dict[str, Any]) -> Iterator[Iterator[dict[str, Any]]]:
    """Start the worker on a job, and yield its messages; it and all that it started end with the block."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}  # it drops asserts
    environment |= {"MPLBACKEND": "Agg", "TQDM_DISABLE": "1", "PYTHONIOENCODING": "utf-8"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    environment.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        worker = subprocess.Popen(
            [sys.executable, "-m", "vaecourse.publish.answers_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=workbook_folder(),
            env=environment | {"IPYTHONDIR": scratch},
            start_new_session=os.name == "posix",
        )
        try:
            with suppress(BrokenPipeError):
                worker.stdin.write(json.dumps(job).encode() + b"\n")
                worker.stdin.flush()
            yield (json.loads(line) for line in worker.stdout)
        finally:
            with suppress(OSError):
                os.killpg(worker.pid, signal.SIGKILL) if os.name == "posix" else worker.kill()
            worker.wait()
            worker.stdout.close()
            with suppress(OSError):
                worker.stdin.close()


def _grade_id(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", cell.get("id", ""))
