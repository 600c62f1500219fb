"""What is said of a reader's answers: passes, the check's sentence, not begun, an error of the reader's own."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import nbformat
import pytest
from made_chapters import answer, chapter, check, function, nbgrader, store
from nbformat.v4 import new_code_cell, new_markdown_cell
from readers import NAME, SAYS, SQUARE_CHECK, cube, made, run, square, write

from vaecourse.publish.lean import needed_cells


@pytest.fixture
def clone(tmp_path, monkeypatch):
    return made(tmp_path, monkeypatch)


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
    "return 9 if x == 3 else None": "TypeError: type NoneType doesn't define __round__ method, in line 3 of its check",
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


@pytest.mark.parametrize("body", ["return (", "return x\nreturn x"])
def test_what_is_no_python_is_told_before_anything_runs(clone, body):
    with_cells(clone, f"offset = 0\n{RAN}", check_1=SQUARE_CHECK + "\nassert offset == 0")
    write(clone, exercise_1=square(body))
    said = table(clone, code=1)["8.1"]
    assert said.startswith("SyntaxError: ") and "of your cell" in said and not (clone / "workbook" / "ran").exists()


def test_half_an_answer_is_not_finished(clone):
    """Two cells, of which the second is still a stub."""
    two = chapter(
        *function("square", "return x * x"), answer("second", "y = 1"), check("check-1", "assert square(3) == 9 * y")
    )
    store(two, clone / "chapters" / NAME)
    run("workbook", "8", "--renew")
    write(clone, exercise_1=square("return x * x"))
    assert table(clone, code=1)["8.1"] == "not finished: write this cell"


def test_words_beside_code_are_asked_for(clone):
    words = new_markdown_cell("Because.", metadata=nbgrader("words", solution=True, points=1))
    both = chapter(*function("square", "return x * x"), words, check("check-1", "assert square(3) == 9"))
    store(both, clone / "chapters" / NAME)
    run("workbook", "8", "--renew")
    write(clone, exercise_1=square("return x * x"))
    rows = table(clone)
    assert rows["8.1"] == "passes; its words are still to be written" and rows["rest"] == "1 of 1 exercises pass."
    write(clone, words="Because so.")
    assert table(clone)["8.1"] == "passes"


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


# ------------------------------------------------------------------------------------------------ cells left out


def with_cells(clone, *sources: str, check_1: str = SQUARE_CHECK) -> None:
    """Make the chapter anew with these cells before its exercises, and a first exercise that is answered."""
    made = chapter(*function("square", "return x * x"), check("check-1", check_1))
    made.cells[3:3] = [new_code_cell(source) for source in sources]
    store(made, clone / "chapters" / NAME)
    run("workbook", "8", "--renew")
    write(clone, exercise_1=square("return x * x"))


RAN = "open('ran', 'w').close()"


def test_a_cell_that_nothing_needs_does_not_run(clone):
    with_cells(clone, f"model = 1\n{RAN}", "offset = 0", check_1=SQUARE_CHECK + "\nassert offset == 0")
    assert table(clone)["8.1"] == "passes" and not (clone / "workbook" / "ran").exists()
    write(clone, exercise_1=square("return x + x"))
    assert table(clone, code=1)["8.1"] == SAYS and not (clone / "workbook" / "ran").exists()


def test_a_cell_that_changes_what_another_made_runs_after_all(clone):
    """The check needs what it does, which no name tells: the chapter's own solution is refused without it."""
    needs = SQUARE_CHECK + "\nassert state, 'the model was never trained'"
    with_cells(clone, "state = []", f"state.append(1)\n{RAN}", check_1=needs)
    assert table(clone)["8.1"] == "passes" and (clone / "workbook" / "ran").exists()


def test_a_value_of_the_text_that_only_the_reader_uses_is_the_real_one(clone):
    with_cells(clone, "state = []", f"state.append(1)\n{RAN}")
    write(clone, exercise_1=square("return x * x * len(state)"))
    assert table(clone)["8.1"] == "passes" and (clone / "workbook" / "ran").exists()


@pytest.mark.parametrize(
    ("before", "cells", "needed"),
    [
        (["x = 1", "x = 2", "y = x"], ["y"], [1, 2]),  # the last that binds a name
        (["x = 1", "x += 1", "x"], ["x"], [0, 1]),
        (["x = {}", "x[0] = 1", "x[0]"], ["x"], [0, 1]),  # changed in place
        (["def f(x): return x + a", "x = 1", "a = 1"], ["f(2)"], [0, 2]),  # arguments are no names of the text
        (["import torch", "torch.set_default_dtype(torch.float64)", "y = 1"], ["z = 1; z"], [0, 1]),
        (["x = 1", "%time y = x", "!ls"], ["x"], [0]),
    ],
)
def test_what_is_needed_follows_the_names(before, cells, needed):
    assert needed_cells(before, [cells]) == needed


def test_what_is_no_python_tells_nothing():
    assert needed_cells(["x = ("], [["x"]]) is None


# ------------------------------------------------------------------------------------------------ the process


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


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a list of processes")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_can_be_stopped_and_leaves_nothing_running(clone, stop):
    write(clone, exercise_1=square("open('here', 'w').close()\n    while True: pass"))
    command = [sys.executable, "-m", "vaecourse", "check"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests in the background of a shell ignore it
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    checking = subprocess.Popen(command, preexec_fn=heard, **pipes)
    here = clone / "workbook" / "here"
    _wait_for(lambda: here.exists() or checking.poll() is not None)
    working = [process for process in os.listdir("/proc") if _runs_in(process, clone / "workbook")]
    checking.send_signal(stop)
    _, said = checking.communicate(timeout=30)
    assert here.exists() and len(working) == 2  # the worker, and the copy of it that the exercise runs in
    _wait_for(lambda: not any(_runs_in(process, clone / "workbook") for process in working))
    if stop != signal.SIGKILL:
        assert checking.returncode == 130 and "Stopped: " in said


def test_without_copies_of_the_process_exercises_still_do_not_share_names(tmp_path, monkeypatch):
    """Where a process cannot be copied, each runs in a copy of the namespace."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    job = {
        "before": [["level = 1", None]],
        "exercises": [
            {"number": "1", "cells": ["level = 2\nraise SystemExit"], "after": ["def one(): return level"]},
            {"number": "2", "cells": ["assert one() == level == 1"], "after": []},
            {"number": "3", "cells": ["assert level == 2, 'no'"], "after": []},
        ],
        "seconds": 60,
    }
    program = (
        "from vaecourse.publish import answers_worker; answers_worker.can_copy = lambda: False; answers_worker.main()"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker.stdin.write(json.dumps(job) + "\n")
    worker.stdin.flush()
    told = [json.loads(line) for line in worker.stdout]
    worker.stdin.close()
    worker.wait()
    assert told[0] == {"done": 0} and told[2] == {"exercise": "2"}
    assert told[1]["error"] == "SystemExit" and told[1]["line"] == 2
    assert told[3] == {"exercise": "3", "error": "AssertionError", "said": "no", "cell": 0, "line": 1}


def _wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs_in(process: str, folder) -> bool:
    try:
        return os.readlink(f"/proc/{process}/cwd") == str(folder)
    except OSError:
        return False
