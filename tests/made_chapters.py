"""Small chapters with exercises, made cell by cell, for tests of what is handed out and of what is checked."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TEXT = [
    new_markdown_cell("# A chapter\n\nIts text, with $x <y$ in it."),
    new_code_cell('tier = "quick"  # str, one of: quick, laptop, paper', metadata={"tags": ["parameters"]}),
    new_code_cell('import math\n\nlevel = {"quick": 1, "laptop": 2, "paper": 3}[tier]'),
    new_markdown_cell("## Exercises"),
]


def nbgrader(grade_id: str, *, solution: bool = False, points: int = 0) -> dict:
    """The metadata of an nbgrader cell: an answer, a check (with points) or a written answer (both)."""
    entry = {"grade": points > 0, "grade_id": grade_id, "locked": not solution, "schema_version": 3}
    entry |= {"solution": solution, "task": False} | ({"points": points} if points else {})
    return {"nbgrader": entry}


def answer(grade_id: str, body: str, head: str = "", indent: str = "") -> nbformat.NotebookNode:
    """A code cell with a solution below its head."""
    lines = [
        *head.splitlines(),
        *(indent + line for line in f"### BEGIN SOLUTION\n{body}\n### END SOLUTION".split("\n")),
    ]
    return new_code_cell("\n".join(lines), metadata=nbgrader(grade_id, solution=True))


def function(name: str, body: str, number: str = "1") -> list[nbformat.NotebookNode]:
    """Heading and answer cell of an exercise that asks for a function of x."""
    heading = new_markdown_cell(f"### Exercise 8.{number} (•, 5 min): the {name} of a number")
    return [heading, answer(f"exercise-{number}", body, f'def {name}(x):\n    """The {name} of x."""', "    ")]


def check(grade_id: str, source: str) -> nbformat.NotebookNode:
    """A check cell."""
    return new_code_cell(source, metadata=nbgrader(grade_id, points=1))


def chapter(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A chapter with these cells under its exercises."""
    return nbformat.from_dict(new_notebook(cells=[*TEXT, *cells]))


def store(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a chapter in its stored form."""
    from vaecourse.publish.normalise import normalised, write

    write(normalised(notebook), path)
