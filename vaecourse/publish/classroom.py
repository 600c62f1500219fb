"""The student's copy of a chapter: solutions taken out by nbgrader's own preprocessors, hints and checks kept."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import nbformat

from vaecourse.publish.chapters import Chapter, UsageError
from vaecourse.publish.normalise import normalised, write

_EXERCISE = re.compile(r"^(?:#{2,4}\s+|\*\*)(Exercise\s+\w+(?:\.\w+)?)", re.MULTILINE)
_FOLDED_SOLUTION = re.compile(r"<details[^>]*>\s*<summary>[^<]*\bsolution\b.*?</details>\s*", re.DOTALL | re.IGNORECASE)
_PLACEHOLDER = "SAY WHAT IS TO BE DONE"


def student_copy(chapter: Chapter) -> nbformat.NotebookNode:
    """Return the student's copy of a chapter.

    Solutions become stubs that stop the run and say which exercise is next; written solutions and folded ones in
    the text go; checks are locked and lose their outputs, as does every cell from the first exercise on. The
    textbook part keeps its outputs.

    Raises:
        UsageError: if nbgrader is not installed, or the chapter's exercises are not well formed for it.
    """
    try:
        from nbgrader import preprocessors
    except ImportError as error:
        raise UsageError('student copies need nbgrader: pip install "vaecourse[classroom]".') from error
    from traitlets.config import Config

    notebook = normalised(chapter.read())
    exercises = _exercise_of_each_solution(notebook)
    if not exercises:
        raise UsageError(f"chapter {chapter.name} has no exercises, so there is no student's copy of it.")
    tasks = {cell.id: _task(cell) for cell in notebook.cells if cell.id in exercises}
    _clear_outputs(notebook, from_cell=next(iter(exercises)))
    stub = f'raise NotImplementedError("{_PLACEHOLDER}")'
    config = Config(
        ClearSolutions={"code_stub": {"python": stub}, "text_stub": "*Your answer here.*"},
    )
    try:
        for name in ("CheckCellMetadata", "ClearSolutions", "LockCells", "ClearHiddenTests"):
            notebook, _ = getattr(preprocessors, name)(config=config).preprocess(notebook, {})
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _FOLDED_SOLUTION.sub("", cell.source).rstrip()
            elif cell.id in exercises:
                cell.source = cell.source.replace(_PLACEHOLDER, f"{exercises[cell.id]}: {tasks[cell.id]}")
        notebook, _ = preprocessors.ComputeChecksums().preprocess(notebook, {})  # of the text as handed out
    except Exception as error:  # nbgrader raises whatever its validators raise
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"nbgrader cannot make a copy of {chapter.name}: {reason}") from error
    notebook.cells = [cell for cell in notebook.cells if cell.source or cell.metadata.get("nbgrader")]
    return notebook


def write_student_copies(chapters: Iterable[Chapter], out: Path, *, force: bool = False) -> list[Path]:
    """Write the student's copies into ``out``, all or none, and return their paths.

    Raises:
        UsageError: if a copy is already there and ``force`` is not given: it may hold a student's work.
    """
    out = Path(out)
    chapters = list(chapters)
    copies = {out / chapter.path.name: student_copy(chapter) for chapter in chapters}
    for path in copies:
        if path.resolve() in [chapter.path.resolve() for chapter in chapters]:
            raise UsageError(f"{path} is the chapter itself: choose another folder.")
        if path.exists() and not force:
            raise UsageError(f"{path} is already there and may hold work: choose another folder, or give --force.")
    out.mkdir(parents=True, exist_ok=True)
    for path, copy in copies.items():
        write(copy, path)
    return list(copies)


def _exercise_of_each_solution(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Return, for the id of each solution cell, the exercise it belongs to, such as ``Exercise 2.1``."""
    exercises, latest = {}, "Exercise"
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            exercises[cell.id] = latest
        elif cell.cell_type == "markdown" and (headings := _EXERCISE.findall(cell.source)):
            latest = headings[-1]
    return exercises


def _task(cell: nbformat.NotebookNode) -> str:
    """Say what is to be done in a solution cell, from the function that holds the solution."""
    if cell.cell_type != "code":
        return ""
    position = next((n for n, line in enumerate(cell.source.splitlines(), start=1) if "BEGIN SOLUTION" in line), 1)
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.lineno <= position <= node.end_lineno + 1:
            return f"complete {node.name}, then run this cell and its check"
    return "write this cell, then run it and its check"


def _clear_outputs(notebook: nbformat.NotebookNode, from_cell: str) -> None:
    """Clear what cells printed from the given one on, where it would show the solutions; unfold all."""
    past = False
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)  # nothing is folded away where a student is to write
        past = past or cell.id == from_cell
        if past and cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
