"""The exercises of a notebook: where each begins and ends, and what its solutions are."""

import ast
import re
from dataclasses import dataclass, field

from nbformat import NotebookNode

from vaecourse.publish.chapters import Chapter, UsageError, all_chapters, is_exercises_heading
from vaecourse.publish.folds import folds_of, inside

REGION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[^\n]*\n(.*?)^[ \t]*### END SOLUTION[^\n]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
MARKER = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION", re.MULTILINE)
WRITTEN_STUB = "*Your answer here.*"

_HEADING = re.compile(r"^(?:#{2,4}[ \t]+|\*\*)Exercise[ \t]+(\w+\.\d+)([^\n]*)", re.MULTILINE)
_NEXT_PART = re.compile(r"^##? ", re.MULTILINE)


@dataclass
class Exercise:
    """What stands between the heading of an exercise and the next one."""

    number: str  # such as 8.1
    title: str
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def code(self) -> list[NotebookNode]:
        """Its code cells."""
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def answers(self) -> list[NotebookNode]:
        """The cells that a reader fills in, code or text."""
        return [cell for cell in self.cells if is_answer(cell)]


def is_answer(cell: NotebookNode) -> bool:
    """Whether a reader fills this cell in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_check(cell: NotebookNode) -> bool:
    """Whether this cell checks what a reader has written."""
    settings = cell.metadata.get("nbgrader", {})
    return bool(settings.get("grade")) and not settings.get("solution")


def first_of_exercises(notebook: NotebookNode) -> int:
    """Position of the cell with which the exercises begin; the number of cells, where there are none."""
    for k, cell in enumerate(notebook.cells):
        if is_exercises_heading(cell) or is_answer(cell) or _headings(cell):
            return k
    return len(notebook.cells)


def exercises_of(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a notebook, in order; each cell belongs to the latest heading above it."""
    found: list[Exercise] = []
    open_ = False
    for cell in notebook.cells:
        if headings := _headings(cell):
            number, rest = headings[-1].groups()
            title = rest.partition("):")[2] or rest.partition(":")[2] or rest
            found.append(Exercise(number, title.strip(" *")))
            open_ = True
        elif cell.cell_type == "markdown" and _NEXT_PART.search(cell.source):
            open_ = False
        if open_:
            found[-1].cells.append(cell)
    return found


def find_exercise(key: str) -> tuple[Chapter, Exercise]:
    """Return the exercise that a key such as ``8.1``, ``08.1`` or ``3a.2`` means, and its chapter.

    Raises:
        UsageError: there is none; the sentence lists those of the chapter.
    """
    wanted = canonical(key)
    matching = [c for c in all_chapters() if canonical(c.number) == wanted.partition(".")[0]]
    if "." not in wanted or not matching:
        known = ", ".join(chapter.number for chapter in all_chapters())
        raise UsageError(f"{key!r} is no exercise: write chapter and number, as in 8.1; the chapters are {known}.")
    (chapter,) = matching
    exercises = exercises_of(chapter.read())
    for exercise in exercises:
        if canonical(exercise.number) == wanted:
            return chapter, exercise
    known = ", ".join(exercise.number for exercise in exercises) or "none"
    raise UsageError(f"there is no exercise {key!r}: those of chapter {chapter.name} are {known}.")


def canonical(number: str) -> str:
    """A number as keys are compared: ``08.1`` and ``8.1`` are the same."""
    return re.sub(r"^0+(?=\w)", "", number.strip().lower())


def solution_texts(exercise: Exercise) -> list[tuple[str, str]]:
    """The solutions of an exercise in the order of the page: ``("code", ...)`` or ``("text", ...)``."""
    found = []
    for cell in exercise.cells:
        if cell.cell_type == "code" and is_answer(cell):
            lines = [line for line in cell.source.splitlines() if not MARKER.match(line)]
            found.append(("code", "\n".join(lines).strip("\n")))
        elif cell.cell_type != "code":
            folds = [fold for fold in folds_of(cell.source) if fold.is_solution(in_exercises=True)]
            found += [("text", inside(cell.source, fold)) for fold in folds]
            if is_answer(cell) and not folds and cell.source.strip():
                found.append(("text", cell.source.strip()))
    return found


def stub_of(cell: NotebookNode, number: str) -> str:
    """An answer cell as a reader gets it: its solution taken out, and what is to be done said in its place.

    A region that only assigns anew what the cell assigns outside of it leaves no trace: the reader changes the value
    that stands there, such as ``prediction = None``.
    """
    if cell.cell_type != "code":
        return REGION.sub(lambda m: f"{WRITTEN_STUB}\n", cell.source).rstrip() if _regions(cell) else WRITTEN_STUB
    if not _regions(cell):
        return f'raise NotImplementedError("Exercise {number}: write this cell, then run it and its check")'
    outside = _assigned(REGION.sub("", cell.source))

    def stub(region: re.Match) -> str:
        indent, inner = region.groups()
        if not indent and _assigned(inner) and _assigned(inner) <= outside:
            return ""
        what = _what_is_written(cell.source, cell.source.count("\n", 0, region.start()) + 1)
        return f'{indent}raise NotImplementedError("Exercise {number}: write {what}")\n'

    return REGION.sub(stub, cell.source).rstrip()


def _headings(cell: NotebookNode) -> list[re.Match]:
    return list(_HEADING.finditer(cell.source)) if cell.cell_type == "markdown" else []


def _regions(cell: NotebookNode) -> bool:
    return REGION.search(cell.source) is not None


def _what_is_written(source: str, position: int) -> str:
    """Name the innermost function or class that holds a line of a cell, and what to do once it is written."""
    holders = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.lineno <= position <= node.end_lineno + 1
    ]
    if not holders:
        return "this cell, then run it and its check"
    holder = max(holders, key=lambda node: node.lineno)
    name = f"{holder.name}()" if isinstance(holder, ast.FunctionDef) else f"the class {holder.name}"
    return f"{name}, then run this cell and its check"


def _assigned(source: str) -> set[str]:
    """The names that plain assignments at the top level of a piece of code bind."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    targets = [t for node in body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign) and node.value]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
