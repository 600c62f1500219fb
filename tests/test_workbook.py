"""The reader's workbook: made once, never overwritten, without nbgrader; what its check says; what a solution shows."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from click.testing import CliRunner
from made_chapters import answer, chapter, check, function, nbgrader, store
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


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A course of one chapter; its workbook is made."""
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


def table(clone, *keys: str, code: int = 0) -> dict[str, str]:
    """What check says of each exercise; the workbook is not changed by it."""
    before = (clone / "workbook" / NAME).read_bytes()
    result = run("check", *keys)
    assert result.exit_code == code, result.output
    assert (clone / "workbook" / NAME).read_bytes() == before
    rows, number = {}, ""
    for line in result.stdout.splitlines():
        if line.startswith("8."):
            number, rows[line[:6].strip()] = line[:6].strip(), line[46:].strip()
        elif line.startswith("        "):
            rows[number] = f"{rows[number]} {line.strip()}".strip()
        else:
            rows["rest"] = f"{rows.get('rest', '')} {line}".strip()
    return rows


def square(body: str) -> str:
    return f'def square(x):\n    """The square of x."""\n    {body}'


def cube(body: str) -> str:
    return f'def cube(x):\n    """The cube of x."""\n    {body}'


# ------------------------------------------------------------------------------------------------ making it


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
    for kept in ("08_made.kept-1.ipynb", "08_made.kept-2.ipynb"):
        assert (
            f"with 2 answers of yours carried over; your old copy is {kept}." in run("workbook", "8", "--renew").stdout
        )
        cells = {cell.id: cell.source for cell in nbformat.read(clone / "workbook" / NAME, as_version=4).cells}
        assert cells["exercise-1"] == square("return x * x") and cells["words"] == "I know."
        assert "NotImplementedError" in cells["exercise-2"] and "times=1" in cells["exercise-2"]
    assert (clone / "workbook" / "08_made.kept-1.ipynb").read_bytes() == mine
    assert "has changed" not in run("workbook").stdout


def test_renewing_names_what_it_needs(clone):
    assert "name the chapters" in run("workbook", "--renew").stderr
    (clone / "workbook" / NAME).unlink()
    assert "there is no copy of 08_made to renew" in run("workbook", "08", "--renew").stderr


def test_no_nbgrader_is_needed(clone, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    (clone / "workbook" / NAME).unlink()
    assert run("workbook").exit_code == 0
    write(clone, exercise_1=square("return x * x"))
    assert table(clone, "8.1")["8.1"] == "passes"


def test_course_opens_the_workbook_and_not_the_chapters(clone, monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command) or 0)
    (clone / "workbook" / NAME).unlink()
    assert run("course").exit_code == 0 and run("course", "8").exit_code == 0
    assert (clone / "workbook" / NAME).exists()
    assert all(call[-2:] == [f"--ServerApp.root_dir={clone}", f"--LabApp.default_url=/lab/tree/workbook/{NAME}"]
               for call in calls)  # fmt: skip
    assert len(calls) == 2


# ------------------------------------------------------------------------------------------------ checking it


def test_nothing_is_begun_and_nothing_runs(clone, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    rows = table(clone)
    assert [rows[number] for number in ("8.1", "8.2", "8.3")] == ["not begun"] * 3
    assert rows["rest"] == "0 of 3 exercises pass, 3 are not begun."


def test_right_answers_pass_and_words_are_for_the_reader_to_compare(clone):
    write(clone, exercise_1=square("return x * x"), exercise_2=cube("return x ** 3"), words="Since x is a number.")
    rows = table(clone)
    assert rows["8.1"] == rows["8.2"] == "passes"
    assert rows["8.3"] == "written: compare it with the solution"
    assert rows["rest"] == "2 of 3 exercises pass."


def test_a_wrong_answer_gets_its_sentence_and_hides_no_other(clone):
    """The second calls the first, which is wrong, and is judged with the chapter's own."""
    write(clone, exercise_1=square("return x + x"), exercise_2=cube("return x * square(x)"))
    rows = table(clone, code=1)
    assert rows["8.1"] == SAYS and rows["8.2"] == "passes"


WRONG = {
    "return x": "its check refuses it, in line 2: assert square(3) == 9",
    "return 3 * x": "four",
    "return x.no": "AttributeError: 'int' object has no attribute 'no', in line 3 of your cell: return x.no",
    "return 9 if x == 3 else None": "TypeError: type NoneType doesn't define __round__ method, in line 3 of its check: ",
    "assert x < 3, 'mine'": "AssertionError: mine, in line 3 of your cell: assert x < 3, 'mine'",
    "return (": "SyntaxError: '(' was never closed, in line 3 of your cell: return (",
    "raise SystemExit(3)": "SystemExit: 3, in line 3 of your cell",
    "import os; os._exit(3)": "it ended Python (exit code 3)",
    "import ctypes; ctypes.string_at(0)": "it ended Python (exit code -11)",
}  # fmt: skip


@pytest.mark.parametrize("body", WRONG)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a copy of the process for each exercise")
def test_errors_are_told_with_their_line(clone, body):
    write(clone, exercise_1=square(body), exercise_2=cube("return x ** 3"))
    rows = table(clone, code=1)
    assert rows["8.1"].startswith(WRONG[body]) and rows["8.2"] == "passes"


def test_half_an_answer_is_not_finished(clone):
    """Two cells, of which the second is still a stub."""
    two = chapter(
        *function("square", "return x * x"), answer("second", "y = 1"), check("check-1", "assert square(3) == 9 * y")
    )
    store(two, clone / "chapters" / NAME)
    run("workbook", "8", "--renew")
    write(clone, exercise_1=square("return x * x"))
    assert table(clone, code=1)["8.1"] == "not finished: write this cell"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a copy of the process for each exercise")
def test_one_that_never_ends_is_stopped(clone):
    write(clone, exercise_1=square("while True: pass"), exercise_2=cube("return x ** 3"))
    rows = table(clone, "--timeout", "2", code=1)
    assert rows["8.1"] == "stopped after 2 s" and rows["8.2"] == "passes"


def test_exercises_do_not_see_each_other(clone):
    spoil = "import math; math.pi = 3; global level; level = 0; return x * x"
    write(clone, exercise_1=square(spoil), exercise_2=cube("return x ** 3 if math.pi > 3.1 and level else 0"))
    rows = table(clone)
    assert rows["8.1"] == rows["8.2"] == "passes"


def test_one_exercise_alone(clone):
    write(clone, exercise_1=square("return x + x"), exercise_2=cube("return x ** 3"))
    rows = table(clone, "08.2")
    assert set(rows) == {"8.2", "rest"} and rows["8.2"] == "passes"
    assert set(table(clone, "made", code=1)) == {"8.1", "8.2", "8.3", "rest"}


def test_cells_before_the_exercises(clone):
    """The tier is quick whatever the copy says; IPython's commands run; a cell that fails has a substitute."""
    notebook = nbformat.read(clone / "workbook" / NAME, as_version=4)
    notebook.cells[1].source = 'tier = "paper"'
    notebook.cells[2].source = "%time\n" + notebook.cells[2].source.replace("import math", "import no_such_module")
    notebook.cells.insert(3, new_code_cell("scratch = 1 / 0"))
    nbformat.write(notebook, clone / "workbook" / NAME)
    write(clone, exercise_1=square("return x * x * level"), exercise_2=cube("return x ** 3 + 0 * math.pi"))
    rows = table(clone)
    assert rows["8.1"] == rows["8.2"] == "passes"
    assert (
        "your cell `%time` ends in ModuleNotFoundError: No module named 'no_such_module'; the chapter's own"
        in rows["rest"]
    )
    assert "your cell `scratch = 1 / 0` ends in ZeroDivisionError: division by zero; it was left out." in rows["rest"]


def test_asserts_hold_whatever_the_environment_says(clone, monkeypatch):
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    write(clone, exercise_1=square("return x + x"))
    assert table(clone, "8.1", code=1)["8.1"] == SAYS


def test_what_a_reader_has_taken_out_is_named(clone):
    notebook = nbformat.read(clone / "workbook" / NAME, as_version=4)
    notebook.cells = [c for c in notebook.cells if c.id != "check-1" and "8.3" not in c.source]
    nbformat.write(notebook, clone / "workbook" / NAME)
    write(clone, exercise_1=square("return x * x"))
    rows = table(clone, code=1)
    assert rows["8.1"].startswith("has lost its check") and rows["8.3"].startswith("is not in your copy")


def test_keys_that_mean_nothing(clone):
    assert "there is no exercise '8.7': those of chapter 08_made are 8.1, 8.2, 8.3." in run("check", "8.7").stderr
    assert "'9.1' is no exercise" in run("check", "9.1").stderr
    (clone / "workbook" / NAME).unlink()
    assert "your workbook has no copy of 08_made: vaecourse workbook 08 makes one." in run("check", "8").stderr
    assert "you have no workbook yet" in run("check").stderr


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_it_can_be_interrupted_and_leaves_nothing_running(clone):
    write(clone, exercise_1=square("open('here', 'w').close()\n    while True: pass"))
    here = clone / "workbook" / "here"
    command = [sys.executable, "-m", "vaecourse", "check"]
    checking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if here.exists() or checking.poll() is not None:
            break
        time.sleep(0.1)
    working = (
        [p for p in os.listdir("/proc") if p.isdigit() and _runs_in(p, clone / "workbook")]
        if os.path.isdir("/proc")
        else []
    )
    checking.send_signal(signal.SIGINT)
    _, said = checking.communicate(timeout=30)
    assert checking.returncode == 130 and "Stopped: " in said
    assert here.exists() and not any(_runs_in(process, clone / "workbook") for process in working)
    assert working or not os.path.isdir("/proc")


def _runs_in(process: str, folder) -> bool:
    try:
        return os.readlink(f"/proc/{process}/cwd") == str(folder)
    except OSError:
        return False


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
