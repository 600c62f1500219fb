"""A chapter without its solutions: what students and self-taught readers are given, and the proof that nothing is left.

First everything known to be a solution is taken out; then the copy is searched for every line of what was taken. A form
of solution that only the second step notices is refused, with the cell's id, rather than handed out.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from vaecourse.publish.chapters import UsageError
from vaecourse.publish.exercises import (
    MARKER,
    REGION,
    exercises_of,
    first_of_exercises,
    is_answer,
    solution_texts,
    stub_of,
)
from vaecourse.publish.folds import folds_of, rendered_solutions, without, without_comments
from vaecourse.publish.normalise import normalised

# A shorter line, such as `return gradient`, may well stand in the text too.
DISTINCTIVE = 25

_HIDDEN_TESTS = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS.*?^[ \t]*### END HIDDEN TESTS[^\n]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_DETAILS = re.compile(r"<details\b", re.IGNORECASE)
_ANNOUNCED = {
    "markdown": re.compile(r"^\s*(?:#{1,6}\s+|\*\*|__)(?:solutions?|answers?)\b", re.IGNORECASE | re.MULTILINE),
    "code": re.compile(r"^\s*#+\s*(?:solutions?|answers?)\b", re.IGNORECASE | re.MULTILINE),
}


def without_solutions(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy of a chapter in which every answer is a stub.

    Written and folded solutions, hidden tests, comments and attachments of what is gone are taken out; from the first
    exercise on so are outputs. Hints, checks and the textbook part with its outputs stay.

    Args:
        notebook: the chapter; it is not changed.
        name: what to call it in an error.

    Raises:
        UsageError: it has no exercises; two cells have one grade_id; a solution stands outside of an nbgrader solution
            cell; or a line of a solution would be left.
    """
    original, copy = normalised(notebook), normalised(notebook)
    first = first_of_exercises(copy)
    if not any(is_answer(cell) for cell in copy.cells):
        raise UsageError(f"chapter {name} has no exercises, so there is no student's copy of it.")
    _check_form(copy, first, name)
    numbers = {cell.id: exercise.number for exercise in exercises_of(copy) for cell in exercise.cells}
    for k, cell in enumerate(copy.cells):
        cell.metadata.pop("jupyter", None)  # nothing is folded away where a reader is to write
        if is_answer(cell):
            cell.source = stub_of(cell, numbers.get(cell.id, ""))
        elif cell.cell_type == "markdown":
            solutions = [fold for fold in folds_of(cell.source) if fold.is_solution(in_exercises=k >= first)]
            cell.source = without_comments(without(cell.source, solutions)).rstrip()
        elif cell.cell_type == "code":
            cell.source = _HIDDEN_TESTS.sub("", cell.source).rstrip()
        if k >= first and cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "attachments" in cell:
            kept = {n: content for n, content in cell.attachments.items() if f"attachment:{n}" in cell.source}
            cell.pop("attachments")
            if kept:
                cell["attachments"] = kept
    copy.cells = [cell for cell in copy.cells if cell.source or cell.metadata.get("nbgrader")]
    if left := next(leaks(copy, original), None):
        raise UsageError(f"the copy of {name} would hold a part of a solution: {left}.")
    return copy


def leaks(copy: NotebookNode, original: NotebookNode) -> Iterator[str]:
    """Yield, for what of the original's solutions is left anywhere in a copy, the cell and the line.

    Lines that the textbook part of the original shows are no secret. Folds are looked for on the page as it is shown,
    which is another way to find them than that by which they are taken out.
    """
    shown = "\n".join(cell.source for cell in original.cells[: first_of_exercises(original)])
    secrets = {line for line in _solution_lines(original) if line not in shown}
    for cell in copy.cells:
        text = "\n".join(_strings(cell))
        if MARKER.search(text) or (is_answer(cell) and REGION.search(text)):
            yield f"cell {cell.id} has the mark of a solution"
        for line in sorted(secrets):
            if line in text:
                yield f"cell {cell.id} has {line!r}"
    first = first_of_exercises(copy)
    for k, cell in enumerate(copy.cells):
        if cell.cell_type == "markdown" and "<" in cell.source:
            for text in rendered_solutions(cell.source, in_exercises=k >= first):
                yield f"cell {cell.id} folds away {text.strip()[:60]!r}"


def _solution_lines(original: NotebookNode) -> set[str]:
    """The distinctive lines of every solution: of regions, of whole answer cells, of folds."""
    first, texts = first_of_exercises(original), []
    for k, cell in enumerate(original.cells):
        if is_answer(cell):
            regions = [region[2] for region in REGION.finditer(cell.source)]
            texts += regions or [cell.source]
        elif cell.cell_type == "markdown" and "<" in cell.source:
            texts += rendered_solutions(cell.source, in_exercises=k >= first)
    texts += [text for exercise in exercises_of(original) for kind, text in solution_texts(exercise) if kind == "text"]
    return {line.strip() for text in texts for line in text.splitlines() if len(line.strip()) >= DISTINCTIVE}


def _check_form(notebook: NotebookNode, first: int, name: str) -> None:
    """Refuse what cannot be told from the text around it."""
    ids = Counter(cell.metadata.nbgrader.grade_id for cell in notebook.cells if cell.metadata.get("nbgrader"))
    for grade_id, count in ids.items():
        if count > 1:
            raise UsageError(
                f"chapter {name} has {count} cells of the grade_id {grade_id!r}: each needs one of its own."
            )
    for k, cell in enumerate(notebook.cells):
        if is_answer(cell):
            if len(MARKER.findall(cell.source)) != 2 * len(REGION.findall(cell.source)):
                raise UsageError(f"cell {cell.id} of chapter {name} begins or ends a solution without the other mark.")
            continue
        if MARKER.search(cell.source):
            raise UsageError(f"cell {cell.id} of chapter {name} has a solution and is no nbgrader solution cell.")
        if cell.cell_type == "markdown":
            text = without_comments(cell.source)
            if len(_DETAILS.findall(text)) != len(folds_of(text)):
                raise UsageError(f"cell {cell.id} of chapter {name} has a fold that is no HTML: look at its quotes.")
        announced = _ANNOUNCED.get(cell.cell_type)
        if k >= first and announced:
            solutions = [fold for fold in folds_of(cell.source) if fold.is_solution(in_exercises=True)]
            text = without(cell.source, solutions) if cell.cell_type == "markdown" else cell.source
            if announced.search(text) or "solution" in cell.metadata.get("tags", []):
                raise UsageError(
                    f"cell {cell.id} of chapter {name} announces a solution: put it into an nbgrader solution cell."
                )


def _strings(value: Any) -> Iterator[str]:
    """Every text in a piece of a notebook: sources, outputs, attachments, metadata."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
