"""Copies without solutions: what hides one is taken out or refused; nbgrader's own route leaves none."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from made_chapters import answer, chapter, check, function, nbgrader
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from vaecourse.publish.chapters import UsageError, all_chapters
from vaecourse.publish.exercises import stub_of
from vaecourse.publish.normalise import normalised
from vaecourse.publish.stripping import leaks, without_solutions

SECRET = "the mean of squares less the square of the mean"
PICTURE = {"proof.png": {"image/png": "iVBORw0KGgo="}}


def fold(summary: str, body: str = SECRET) -> str:
    return f"<details>{summary}\n\n{body}\n\n</details>"


FOLDS = {
    "plain": fold("<summary>Solution</summary>"),
    "bold": fold("<summary><b>Solution</b></summary>"),
    "with a class": fold('<summary class="fold">Solution in words</summary>'),
    "capitals": fold("<SUMMARY>SOLUTION</SUMMARY>").replace("details", "DETAILS"),
    "open": fold("<summary>Solution</summary>").replace("<details>", '<details open title="a > b">'),
    "comment before the summary": fold("<!-- fold --><summary>Solution</summary>"),
    "answer": fold("<summary>Answer</summary>"),
    "entity": fold("<summary>&#83;olution</summary>"),
    "another name": fold("<summary>Click here</summary>"),
    "no summary": fold(""),
    "never closed": f"<details><summary>Solution</summary>\n\n{SECRET}",
    "summary never closed": f"<details><summary>Solution\n\n{SECRET}</details>",
    "after a formula": f"For $x <y$ and `a < b`:\n\n{fold('<summary>Solution</summary>')}",
    "inside a hint": fold("<summary>Hint</summary>", f"It varies.\n\n{fold('<summary>Solution</summary>')}"),
    "around a fold": fold("<summary>Solution</summary>", f"{fold('<summary>Hint</summary>', 'Why?')}\n\n{SECRET}"),
    "two in a row": fold("<summary>Solution</summary>", "One.") + "\n\n" + fold("<summary>Solution</summary>"),
    "comment": f"A question.\n\n<!-- {SECRET} -->",
    "comment never closed": f"A question.\n\n<!-- {SECRET}",
    "fold in a comment": f"<!-- {fold('<summary>Hint</summary>')} -->",
}
EXERCISE = function("variance", "return x**2 - x**2")


@pytest.mark.parametrize("form", FOLDS)
def test_a_folded_solution_goes(form):
    copy = without_solutions(chapter(*EXERCISE, new_markdown_cell(f"Before.\n\n{FOLDS[form]}")), "08_made")
    text = nbformat.writes(copy)
    assert SECRET not in text and "Before." in text and "Solution" not in text


WRITTEN = [
    ("markdown", f"Because it is {SECRET}."),
    ("markdown", fold("<summary>Solution</summary>")),
    ("markdown", f"Say why.\n\n### BEGIN SOLUTION\n{SECRET}\n### END SOLUTION"),
    ("raw", f"Because it is {SECRET}."),
]


@pytest.mark.parametrize(("kind", "source"), WRITTEN)
def test_a_written_solution_goes_with_its_attachments(kind, source):
    make = {"markdown": new_markdown_cell, "raw": new_raw_cell}[kind]
    cell = make(source, metadata=nbgrader("words", solution=True, points=1), attachments=PICTURE)
    text = nbformat.writes(without_solutions(chapter(*EXERCISE, cell), "08_made"))
    assert SECRET not in text and "proof.png" not in text and "*Your answer here.*" in text


def test_attachments_go_with_the_fold_that_shows_them_and_others_stay():
    shown = new_markdown_cell(
        "![](attachment:task.png)\n\n" + fold("<summary>Solution</summary>", "![](attachment:proof.png)")
    )
    shown["attachments"] = PICTURE | {"task.png": {"image/png": "iVBORw0KGgo="}}
    copy = without_solutions(chapter(*EXERCISE, shown), "08_made")
    (cell,) = [cell for cell in copy.cells if "attachments" in cell]
    assert list(cell.attachments) == ["task.png"]


LINE = "return sum(k * k for k in x) / len(x)"
REFUSED = {
    "untagged text": ([new_markdown_cell(f"**Solution.** It is {SECRET}.")], "announces a solution"),
    "untagged heading": ([new_markdown_cell("#### Solution"), new_markdown_cell(SECRET)], "announces a solution"),
    "untagged code": ([new_code_cell("# Solution:\nx = 1")], "announces a solution"),
    "tag of another tool": ([new_code_cell("x = 1", metadata={"tags": ["solution"]})], "announces a solution"),
    "region outside": ([new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")], "is no nbgrader solution cell"),
    "region without end": (
        [new_code_cell("### BEGIN SOLUTION\nx = 1", metadata=nbgrader("open", solution=True))],
        "without the other mark",
    ),
    "same grade_id": ([answer("exercise-1", "y = 2")], "has 2 cells of the grade_id 'exercise-1'"),
    "repeated in another cell": ([new_code_cell(f"def mine(x):\n    {LINE}")], f"has '{LINE}'"),
    "repeated in its check": ([check("check-1", f"def right(x):\n    {LINE}")], f"has '{LINE}'"),
    "fold of a broken tag": (
        [new_markdown_cell(FOLDS["plain"].replace("<details>", "<details a='b>"))],
        "has a fold that is no HTML",
    ),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_cannot_be_told_apart_is_refused(form):
    cells, sentence = REFUSED[form]
    with pytest.raises(UsageError, match="08_made") as refusal:
        without_solutions(chapter(*function("square", LINE), *cells), "08_made")
    assert sentence in str(refusal.value)


def test_what_is_no_solution_stays():
    """A line that the text shows too, records, hints at any depth, folds and comments of the textbook part's prose."""
    line = "bound = (log_joint - log_q).mean(dim=0)"
    hint = fold('<summary class="h"><i>Hint</i></summary>', fold("<summary>Another hint</summary>", "Half of $a <b$."))
    notebook = chapter(*function("bound", line), new_markdown_cell(hint))
    notebook.cells[2].source += f"\n{line}"
    notebook.cells[0].source += f"\n\n{fold('<summary>A proof</summary>', 'By Jensen.')}\n\n7<!--record:heads-->"
    notebook.cells[2].outputs = [new_output("stream", text="printed")]
    text = nbformat.writes(without_solutions(notebook, "08_made"))
    for kept in ("Half of $a <b$.", "By Jensen.", "7<!--record:heads-->", "printed", line):
        assert kept in text
    assert text.count(line) == 1


def test_outputs_of_exercises_go():
    ran = new_code_cell("1 + 1", outputs=[new_output("stream", text=SECRET)], execution_count=7)
    assert SECRET not in nbformat.writes(without_solutions(chapter(*EXERCISE, ran), "08_made"))


# ------------------------------------------------------------------------------------------------ stubs


def stub(source: str) -> str:
    return stub_of(new_code_cell(source, metadata=nbgrader("a", solution=True)), "8.1")


def test_a_stub_names_what_holds_the_solution():
    """Not a helper above it, nor one below; the inner of two; and not "complete complete"."""
    region = "### BEGIN SOLUTION\n{0}return 2\n{0}### END SOLUTION\n"
    lines = "def a():\n    return 1\n\n\ndef complete(x):\n    " + region.format("    ")
    assert stub(lines + "\n\ndef c():\n    return 3").splitlines()[5] == (
        '    raise NotImplementedError("Exercise 8.1: write complete(), then run this cell and its check")'
    )
    inner = "class Coin:\n    def mean(self):\n        " + region.format("        ")
    assert '        raise NotImplementedError("Exercise 8.1: write mean(), then' in stub(inner)
    whole = "class Coin:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n"
    assert '    raise NotImplementedError("Exercise 8.1: write the class Coin, then' in stub(whole)
    assert "write this cell, then run it" in stub("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")


def test_a_cell_that_is_a_solution_from_end_to_end_is_one_stub():
    assert stub("x = 1\ny = 2") == (
        'raise NotImplementedError("Exercise 8.1: write this cell, then run it and its check")'
    )


def test_a_prediction_is_left_to_be_changed():
    """The cell keeps its own assignment and runs; one that binds nothing outside of the marks is a stub."""
    head = 'prediction = None  # "rises", "falls" or "stays"\n'
    region = '### BEGIN SOLUTION\nprediction = "falls"\n### END SOLUTION\n'
    assert stub(head + region) == head.strip()
    assert "NotImplementedError" in stub(region) and "falls" not in stub(region)
    assert "NotImplementedError" in stub("import math\n\n" + region)


# ------------------------------------------------------------------------------------------------ the chapters


@pytest.mark.parametrize("course_chapter", all_chapters(), ids=lambda chapter: chapter.name)
def test_copies_of_the_chapters_hold_no_solution(course_chapter):
    original = normalised(course_chapter.read())
    assert list(leaks(original, original)), "the search finds nothing in the chapter itself"
    assert list(leaks(without_solutions(original, course_chapter.name), original)) == []


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The chapters as nbgrader hands them out when they are its source assignments: name to notebook."""
    course = tmp_path_factory.mktemp("nbgrader")
    for one in all_chapters():
        folder = course / "source" / f"assignment{one.number}"
        folder.mkdir(parents=True)
        (folder / one.path.name).write_bytes(one.path.read_bytes())
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic by name
    own = {name: str(course / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    environment = {**os.environ, "PATH": path, **own}
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "--assignment=assignment*", "--create"]
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, timeout=300)
    found = {path.stem: nbformat.read(path, as_version=4) for path in course.glob("release/*/*.ipynb")}
    assert found, done.stderr[-2000:]
    return found


@pytest.mark.parametrize("course_chapter", all_chapters(), ids=lambda chapter: chapter.name)
def test_what_nbgrader_hands_out_holds_no_solution(course_chapter, released):
    assert list(leaks(released[course_chapter.name], normalised(course_chapter.read()))) == []
