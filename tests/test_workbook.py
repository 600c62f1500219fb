"""The reader's workbook: made once, never overwritten, without nbgrader; and what a solution shows."""

import os
import subprocess
import sys

import nbformat
import pytest
from made_chapters import chapter, function, store
from nbformat.v4 import new_code_cell, new_markdown_cell
from readers import NAME, course, cube, made, run, square, write

from vaecourse.publish.workbook import is_begun


@pytest.fixture
def clone(tmp_path, monkeypatch):
    return made(tmp_path, monkeypatch)


def test_copies_have_stubs_locked_checks_and_links_that_lead_back(clone):
    copy = nbformat.read(clone / "workbook" / NAME, as_version=4)
    cells = {cell.id: cell for cell in copy.cells}
    assert cells["exercise-1"].source == square(
        'raise NotImplementedError("Exercise 8.1: write square(), then run this cell and its check")'
    )
    assert cells["words"].source == "*Your answer here.*"
    assert cells["check-1"].metadata.editable is False and cells["check-1"].metadata.deletable is False
    text = nbformat.writes(copy)
    assert "../chapters/notes.txt" in text and "(07_other.ipynb)" in text
    nbformat.validate(copy)


def test_what_is_there_is_never_overwritten(clone):
    write(clone, exercise_1=square("return x * x"))
    before = (clone / "workbook" / NAME).read_bytes()
    result = run("workbook")
    assert (clone / "workbook" / NAME).read_bytes() == before
    assert "has changed" not in result.stdout
    (clone / "workbook" / NAME).write_text("no notebook", encoding="utf-8")
    assert run("workbook").exit_code == 0
    assert (clone / "workbook" / NAME).read_text(encoding="utf-8") == "no notebook"


def test_outputs_alone_do_not_make_a_chapter_newer(clone):
    ran = course()
    ran.cells[2].execution_count = 5
    store(ran, clone / "chapters" / NAME)
    assert "has changed" not in run("workbook").stdout


def test_a_newer_chapter_is_told_of_and_renewed_beside_the_old(clone):
    """Answers under the same stub come along; one whose stub reads otherwise now does not."""
    write(clone, exercise_1=square("return x * x"), exercise_2=cube("return 8"), words="I know.")
    mine = (clone / "workbook" / NAME).read_bytes()
    newer = course()
    newer.cells[8].source = newer.cells[8].source.replace("def cube(x)", "def cube(x, times=1)")
    store(newer, clone / "chapters" / NAME)
    result = run("workbook")
    assert result.stdout.startswith("08_made has changed since your copy of it was made, and yours is kept: ")
    assert (clone / "workbook" / NAME).read_bytes() == mine
    said = run("workbook", "8", "--renew").stdout
    assert "with 2 answers of yours carried over; your old copy is 08_made.kept-1.ipynb. 8.2 was not carried" in said
    cells = {cell.id: cell.source for cell in nbformat.read(clone / "workbook" / NAME, as_version=4).cells}
    assert cells["exercise-1"] == square("return x * x") and cells["words"] == "I know."
    assert "NotImplementedError" in cells["exercise-2"] and "times=1" in cells["exercise-2"]
    assert (clone / "workbook" / "08_made.kept-1.ipynb").read_bytes() == mine
    assert "has changed" not in run("workbook").stdout


def test_a_copy_that_lacks_nothing_stays_when_it_is_to_be_renewed(clone):
    """One that has lost a check is made anew, though its chapter is what it was; so is an answer without docstring."""
    path = clone / "workbook" / NAME
    write(clone, exercise_1="def square(x):\n    return x * x")
    mine = path.read_bytes()
    assert "has not changed since your copy was made" in run("workbook", "8", "--renew").stdout
    assert path.read_bytes() == mine and not list(path.parent.glob("*.kept-*"))
    poorer = nbformat.read(path, as_version=4)
    poorer.cells = [cell for cell in poorer.cells if cell.id != "check-2"]
    nbformat.write(poorer, path)
    assert "with 1 answer of yours carried over" in run("workbook", "8", "--renew").stdout
    cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    assert "check-2" in cells and cells["exercise-1"] == "def square(x):\n    return x * x"


def test_one_of_two_places_of_a_stub_is_a_beginning():
    stop = 'raise NotImplementedError("Exercise 8.1: write this cell, then delete this line")'
    stub = new_code_cell(f"def f():\n    {stop}\n\n\ndef g():\n    {stop}")
    assert not is_begun(new_code_cell(stub.source + "\n# a remark"), stub)
    assert is_begun(new_code_cell(stub.source.replace(stop, "return 1", 1)), stub)


def test_renewing_names_what_it_needs(clone):
    assert "name the chapters" in run("workbook", "--renew").stderr
    (clone / "workbook" / NAME).unlink()
    assert "there is no copy of 08_made to renew" in run("workbook", "08", "--renew").stderr


def test_no_nbgrader_is_needed(clone, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    (clone / "workbook" / NAME).unlink()
    assert run("workbook").exit_code == 0
    assert run("check").stdout.endswith("0 of 3 exercises pass, 3 are not begun.\n")


def test_course_opens_the_workbook_and_not_the_chapters(clone, monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command) or 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    (clone / "workbook" / NAME).unlink()
    assert run("course").exit_code == 0 and run("course", "8").exit_code == 0
    assert (clone / "workbook" / NAME).exists()
    places = [f"--ServerApp.root_dir={clone}", f"--LabApp.default_url=/lab/tree/workbook/{NAME}"]
    assert calls == [[sys.executable, "-m", "jupyterlab", *places]] * 2


def test_root_is_told_how_the_workbook_opens(clone, monkeypatch):
    monkeypatch.setattr(subprocess, "call", None)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    (clone / "workbook" / NAME).unlink()
    said = run("course")
    assert said.exit_code == 2 and "--allow-root workbook" in said.stderr and (clone / "workbook" / NAME).exists()


# ------------------------------------------------------------------------------------------------ solutions


def test_one_solution_is_shown(clone):
    shown = run("solution", "8.1").stdout
    assert shown == f"Exercise 8.1: the square of a number\n\n{square('return x * x * level')}\n"
    assert run("solution", "08.3").stdout == "Exercise 8.3: in words\n\nBecause it is so.\n"
    assert run("solution", "8").exit_code == 2


def test_a_folded_solution_is_shown_without_its_fold(clone):
    fold = "<details><summary>Solution in words</summary>\n\nIt *grows*.\n\n</details>"
    hint = "<details><summary>Hint</summary>\n\nDoes it grow?\n\n</details>"
    store(
        chapter(*function("square", "return 1"), new_markdown_cell(hint), new_markdown_cell(fold)),
        clone / "chapters" / NAME,
    )
    shown = run("solution", "8.1").stdout
    assert shown.endswith("return 1\n\nIt *grows*.\n") and "Does it grow" not in shown
