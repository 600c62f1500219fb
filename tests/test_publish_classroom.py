"""The student's copy: no solution in it, and it runs until the first stub, which says what is to be done."""

import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from click.testing import CliRunner

from vaecourse.publish.cli import app
from vaecourse.publish.running import ChapterFailed, run_notebook

SAMPLE = Path(__file__).parent / "fixtures" / "sample_chapter.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    chapters = tmp_path / "chapters"
    chapters.mkdir()
    notebook = jupytext.read(SAMPLE)
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"output {count}\n")]
        cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source += "\n### BEGIN HIDDEN TESTS\nassert posterior_mean(9, 1) == 10 / 12\n### END HIDDEN TESTS"
    nbformat.write(notebook, chapters / "08_sample.ipynb")
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(chapters))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def student(*arguments):
    return CliRunner().invoke(app, ["student", *map(str, arguments)])


@pytest.fixture
def copy(folder):
    result = student("8", "--out", "copies")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(Path("copies/08_sample.ipynb"))
    return nbformat.read("copies/08_sample.ipynb", as_version=4)


def cell(notebook, grade_id):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def test_no_solution_is_left_and_everything_else_is(copy):
    text = "\n".join(c.source for c in copy.cells)
    for secret in ("h + t + 2", "BEGIN SOLUTION", "Each toss is one more", "A secret in the fold", "10 / 12"):
        assert secret not in text
    for kept in ("The posterior is a Beta", "Exercise 8.2", '"""Return E[z | h, t]', "before any toss", "References"):
        assert kept in text


def test_a_stub_names_its_exercise_and_function(copy):
    stub = cell(copy, "exercise-08-1").source
    assert stub.endswith(
        '    raise NotImplementedError("Exercise 8.1: write posterior_mean(), then run this cell and its check")'
    )
    assert cell(copy, "exercise-08-2").source == "*Your answer here.*"


def test_nothing_is_folded_away_where_a_student_is_to_write(copy):
    assert not any("jupyter" in c.metadata for c in copy.cells)


def test_checksums_are_of_the_text_that_is_handed_out(copy):
    """Nbgrader restores what a student has changed by them."""
    from nbgrader.utils import compute_checksum

    graded = [c for c in copy.cells if c.metadata.get("nbgrader", {}).get("checksum")]
    assert {"exercise-08-1", "check-08-1"} <= {c.metadata.nbgrader.grade_id for c in graded}
    assert all(c.metadata.nbgrader.checksum == compute_checksum(c) for c in graded)


def test_checks_are_locked_and_keep_their_points(copy):
    check = cell(copy, "check-08-1")
    assert check.metadata.nbgrader.points == 2
    assert check.metadata.nbgrader.locked
    assert check.metadata.editable is False


def test_the_textbook_keeps_its_outputs_and_the_exercises_lose_theirs(copy):
    code = [c for c in copy.cells if c.cell_type == "code"]
    first = next(k for k, c in enumerate(code) if "nbgrader" in c.metadata)
    assert [c.outputs[0].text for c in code[:first]] == [f"output {k}\n" for k in range(1, first + 1)]
    assert all(c.outputs == [] and c.execution_count is None for c in code[first:])


def test_the_copy_runs_until_the_first_stub(copy, folder):
    with pytest.raises(ChapterFailed, match=r"NotImplementedError: Exercise 8\.1: write posterior_mean\(\)"):
        run_notebook(copy, folder=folder)
    stopped = next(c for c in copy.cells if any(o.output_type == "error" for o in c.get("outputs", [])))
    assert stopped.metadata.nbgrader.grade_id == "check-08-1"


def test_a_solved_copy_runs_to_its_end(copy, folder):
    stub = cell(copy, "exercise-08-1")
    head, _, _ = stub.source.partition("    raise")
    stub.source = head + "    return (h + 1) / (h + t + 2)"
    run_notebook(copy, folder=folder)


def test_work_is_not_overwritten_without_force(copy, folder):
    path = folder / "copies" / "08_sample.ipynb"
    path.write_text("a student's work", encoding="utf-8")
    result = student("8", "--out", "copies")
    assert result.exit_code == 2
    assert "is already there and may hold work" in result.stderr
    assert path.read_text(encoding="utf-8") == "a student's work"
    assert student("8", "--out", "copies", "--force").exit_code == 0
    assert "NotImplementedError" in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["08_sample.ipynb"]


def test_copies_are_written_all_or_none(folder):
    """The second is in the way, so the first is not written either."""
    (folder / "chapters" / "09_next.ipynb").write_bytes((folder / "chapters" / "08_sample.ipynb").read_bytes())
    (folder / "copies").mkdir()
    (folder / "copies" / "09_next.ipynb").write_text("a student's work", encoding="utf-8")
    assert student("8", "9", "--out", "copies").exit_code == 2
    assert [path.name for path in (folder / "copies").iterdir()] == ["09_next.ipynb"]


def test_the_chapter_itself_is_never_overwritten(folder):
    before = (folder / "chapters" / "08_sample.ipynb").read_bytes()
    result = student("8", "--out", "chapters", "--force")
    assert result.exit_code == 2
    assert "is the chapter itself" in result.stderr
    assert (folder / "chapters" / "08_sample.ipynb").read_bytes() == before


def test_a_solution_outside_a_solution_cell_is_refused(folder):
    path = folder / "chapters" / "08_sample.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION"))
    nbformat.write(notebook, path)
    result = student("8", "--out", "copies")
    assert result.exit_code == 2
    assert "of chapter 08_sample has a solution and is no nbgrader solution cell" in result.stderr
    assert not (folder / "copies").exists()


def test_a_chapter_without_exercises_has_no_copy(folder):
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Plain")])
    nbformat.write(plain, folder / "chapters" / "09_plain.ipynb")
    result = student("8", "9", "--out", "copies")
    assert result.exit_code == 2
    assert "chapter 09_plain has no exercises" in result.stderr
    assert not (folder / "copies").exists()


def test_without_nbgrader_one_sentence_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    result = student("8", "--out", "copies")
    assert result.exit_code == 2
    assert result.stderr == 'student copies need nbgrader: pip install "vaecourse[classroom]".\n'
