"""What ``make exercises`` notices: checks that accept what is wrong, refuse what is right, or say nothing of use."""

import os

import nbformat
import pytest
import torch
from exercise_files import Answer, exercises_of, messages_of, read_answers, stub_of
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from run_exercises import try_exercise, visit

from vaecourse.checks import inputs
from vaecourse.publish.chapters import Chapter

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="answers run in forks, which this system has not")

SOLUTION = 'def twice(x):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    return factor * x\n    ### END SOLUTION'
CHECK = """from vaecourse.checks import check
answer = twice(3.0)
assert answer != 3.0, "that is x itself"
check(answer, 6.0, {"that is the square": 9.0}, name="twice(3)")"""
ANSWERS = """# %% right: a sum
def twice(x):
    return x + x

# %% wrong: x
# says: that is x itself
def twice(x):
    return x

# %% wrong: plus zero
# says: x itself
def twice(x):
    return x + 0

# %% wrong: squared
# says: the square
def twice(x):
    return x**2

# %% wrong: a product
# says: the square
def twice(x):
    return x * x

# %% wrong: nothing
# says: twice(3) is None
def twice(x):
    pass
"""


@pytest.fixture(autouse=True)
def no_answers_of_the_course(monkeypatch, tmp_path):
    """The made chapter has a real one's number, and not its answers."""
    monkeypatch.setattr("exercise_files.ANSWERS", tmp_path / "answers")


def chapter(folder, check=CHECK):
    cells = [
        new_markdown_cell("# A chapter"),
        new_code_cell("factor = 2"),
        new_markdown_cell("## Exercises"),
        new_markdown_cell("### Exercise 4.1 (•, 5 min): twice"),
        new_code_cell(SOLUTION, metadata={"nbgrader": {"solution": True, "grade": False}}),
        new_code_cell(check, metadata={"nbgrader": {"solution": False, "grade": True}}),
    ]
    nbformat.write(new_notebook(cells=cells), folder / "04_made.ipynb")
    return Chapter(folder / "04_made.ipynb")


def problems(folder, answers=ANSWERS, check=CHECK):
    (exercise,) = exercises_of(chapter(folder, check))
    exercise.answers += read_answers(answers)
    found, line = try_exercise(exercise, {"__name__": "__main__", "factor": 2})
    return found, line


def test_a_good_exercise(tmp_path):
    found, line = problems(tmp_path)
    assert found == []
    assert "2 of 2 right answers accepted, 6 of 6 wrong ones told why" in line  # solution and stub among them


@pytest.mark.parametrize(
    "answers, words",
    [
        (ANSWERS.replace("x + x", "x + x + 1"), "right: a sum: is refused: AssertionError: twice(3) is 7"),
        (ANSWERS.replace("return x + 0", "return 6.0"), "wrong: plus zero: is accepted"),
        (ANSWERS.replace("return x + 0", "return x.real_part"), "gets no sentence of its own: AttributeError"),
        (ANSWERS.replace("# says: x itself\n", ""), "does not say what it expects"),
        (ANSWERS.replace("says: x itself", "says: the cube"), "is told 'that is x itself', and not 'the cube'"),
        (ANSWERS.replace("return x + 0", "return 5.0"), "1 wrong answers, of two that are due, are told 'that is x it"),
        (ANSWERS.replace("x * x", "7.0"), "1 wrong answers, of two that are due, are told 'that is the square'"),
        (ANSWERS.replace("def twice(x):\n    return x + x", "def thrice(x):\n    return x"), "unused"),
        (ANSWERS.replace("%% right", "%% left"), "no right answer is written otherwise"),
        (ANSWERS.replace("return x + x", "import os\n    os._exit(3)"), "killed"),
    ],
)
def test_what_is_noticed_in_answers(tmp_path, answers, words):
    found, _ = problems(tmp_path, answers)
    assert any(words in problem for problem in found), found


@pytest.mark.parametrize(
    "check, words",
    [
        ('assert twice(3.0) == 6.0, ""', "gets no sentence"),
        (
            "import torch\ntorch.testing.assert_close(twice(3.0), 6.0)",
            "gets no sentence of its own: AssertionError: Sc",
        ),
        ("assert twice(3.0) == 6.0", "line 1 of its check has no message"),
        ('assert twice(3.0) == 7.0, "seven"', "solution: the solution: is refused: AssertionError: seven"),
        ('assert True, "never"', "0 wrong answers, of two that are due, are told 'never'"),
        ('assert True, "never"', "stub: the stub: is accepted"),
    ],
)
def test_what_is_noticed_in_checks(tmp_path, check, words):
    found, _ = problems(tmp_path, check=check)
    assert any(words in problem for problem in found), found


def test_checks_are_tried_on_other_inputs(tmp_path):
    """A check that holds for one set of inputs only refuses its own solution on the next."""
    draw = 'import torch\nfrom vaecourse.checks import check, inputs\nx = torch.rand(1, generator=inputs("4.1"))\n'
    assert not [p for p in problems(tmp_path, check=draw + "check(twice(x), x + x)")[0] if "solution" in p]
    x = torch.rand(1, generator=inputs("4.1"))
    fixed = draw + f"check(twice(x), torch.tensor({[2 * x.item()]}))"
    assert [p for p in problems(tmp_path, check=fixed)[0] if "solution: the solution: is refused" in p]


def test_answers_do_not_see_each_other(tmp_path):
    answers = ANSWERS.replace("return x + x", "global factor\n    factor = 5\n    return x + x")
    assert problems(tmp_path, answers)[0] == []


def test_a_prediction_keeps_its_first_line_as_a_stub():
    source = 'prediction = None  # "up" or "down"\n### BEGIN SOLUTION\nprediction = "up"\n### END SOLUTION'
    stub = stub_of(new_code_cell(source, metadata={"nbgrader": {"solution": True}}))
    assert "prediction = None" in stub and '"up"\n' not in stub and "NotImplementedError" not in stub


def test_messages_are_those_of_asserts_and_of_tables():
    source = 'mistakes = {"by hand": 1}\nassert x, f"is {x}"\ncheck(x, 2, {"by heart": 3})\nassert y'
    assert messages_of(new_code_cell(source)) == {1: "'by hand'", 2: "f'is {x}'", 3: "'by heart'", 4: ""}


def test_sections_of_a_file():
    answers = read_answers(ANSWERS)
    assert [answer.kind for answer in answers] == ["right"] + ["wrong"] * 5
    assert answers[1] == Answer("wrong", "x", "that is x itself", "def twice(x):\n    return x\n\n")


def test_a_whole_chapter(tmp_path, monkeypatch):
    monkeypatch.setattr("exercise_files.ANSWERS", tmp_path / "answers")
    (tmp_path / "answers" / "04").mkdir(parents=True)
    (tmp_path / "answers" / "04" / "1_twice.py").write_text(ANSWERS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines, found = visit(chapter(tmp_path))
    assert found == [] and len(lines) == 1
