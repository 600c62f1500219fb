"""A course of one chapter and a reader who works through it, for the tests of the workbook."""

from pathlib import Path

import nbformat
from click.testing import CliRunner
from made_chapters import chapter, check, function, nbgrader, store
from nbformat.v4 import new_code_cell, new_markdown_cell

from vaecourse.publish.cli import app

NAME = "08_made.ipynb"
SAYS = "this is twice x: multiply x by itself"
SQUARE_CHECK = f'assert square(3) != 6, "{SAYS}"\nassert square(3) == 9\nassert round(square(4)) == 16, "four"'


def course(level: str = "level") -> nbformat.NotebookNode:
    """A chapter with three exercises: two functions, the second of which builds on the first, and one in words."""
    return chapter(
        *function("square", f"return x * x * {level}", "1"),
        check("check-1", SQUARE_CHECK),
        *function("cube", "return x * square(x)", "2"),
        check("check-2", 'assert cube(2) == 8, "the cube of two is eight"'),
        new_markdown_cell(
            "### Exercise 8.3 (•, 5 min): in words\n\nWhy? See [this](notes.txt) and [that](07_other.ipynb)."
        ),
        new_markdown_cell("Because it is so.", metadata=nbgrader("words", solution=True, points=1)),
        new_markdown_cell("## References"),
        new_code_cell("1 / 0"),
    )


def made(tmp_path, monkeypatch) -> Path:
    """The folder of a course of one chapter, the workbook made."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "notes.txt").touch()
    store(course(), tmp_path / "chapters" / NAME)
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(tmp_path / "chapters"))
    monkeypatch.chdir(tmp_path)
    assert run("workbook").exit_code == 0
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def write(clone, **sources: str) -> None:
    """Put sources into the cells of the workbook that have these ids (with _ for -)."""
    path = clone / "workbook" / NAME
    notebook = nbformat.read(path, as_version=4)
    for name, source in sources.items():
        (cell,) = [cell for cell in notebook.cells if cell.id == name.replace("_", "-")]
        cell.source = source
    nbformat.write(notebook, path)


def square(body: str) -> str:
    return f'def square(x):\n    """The square of x."""\n    {body}'


def cube(body: str) -> str:
    return f'def cube(x):\n    """The cube of x."""\n    {body}'
