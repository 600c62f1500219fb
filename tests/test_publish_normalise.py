"""The stored form of notebooks: what goes, what stays, and that a file is never half-written."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbformat import v4

from vaecourse.publish.normalise import normalise_file, normalised, write, write_text


@pytest.fixture
def messy():
    cell = v4.new_code_cell("x = 1  \ny = 2\n", execution_count=7, id="random")
    cell.metadata = nbformat.from_dict(
        {"tags": ["parameters"], "papermill": {"duration": 1}, "execution": {"iopub": "now"}, "scrolled": True}
    )
    cell.outputs = [
        v4.new_output("stream", name="stdout", text="a\n"),
        v4.new_output("stream", name="stderr", text="a warning\n"),
        v4.new_output("stream", name="stdout", text="b\n"),
        v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "bar"}),
        v4.new_output("execute_result", data={"text/plain": "2"}, execution_count=7),
    ]
    twin = v4.new_code_cell("same", id="one")
    graded = v4.new_code_cell("assert x", execution_count=9, id="two")
    graded.metadata = nbformat.from_dict({"nbgrader": {"grade_id": "check-08-1", "grade": True}, "tags": []})
    notebook = v4.new_notebook(cells=[cell, twin, v4.new_code_cell("same", id="other"), graded])
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"name": "mine", "display_name": "Mine"}, "widgets": {"state": {}}, "papermill": {}}
    )
    return notebook


def test_what_changes_by_accident_goes_and_the_rest_stays(messy):
    stored = normalised(messy)
    assert stored.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    cell, twin, other, graded = stored.cells
    assert cell.metadata == {"tags": ["parameters"]}
    assert cell.source == "x = 1\ny = 2"
    assert [output.output_type for output in cell.outputs] == ["stream", "execute_result"]
    assert cell.outputs[0].text == "a\nb\n"
    assert [c.execution_count for c in stored.cells] == [1, None, None, 2]
    assert cell.outputs[1].execution_count == 1
    assert graded.metadata == {"nbgrader": {"grade_id": "check-08-1", "grade": True}}
    assert graded.id == "check-08-1"
    assert twin.id != other.id
    nbformat.validate(stored)


def test_folds_stay_folded(messy):
    messy.cells[1].metadata["jupyter"] = {"source_hidden": True}
    assert normalised(messy).cells[1].metadata == {"jupyter": {"source_hidden": True}}


def test_ids_follow_from_the_text_and_stored_form_is_a_fixed_point(messy):
    stored = normalised(messy)
    messy.cells[0].id = "another"
    assert normalised(messy) == stored == normalised(stored)
    assert messy.cells[0].outputs[1].name == "stderr"  # the argument is left alone


def test_a_file_is_rewritten_only_if_it_differs(messy, tmp_path):
    path = tmp_path / "08_vae.ipynb"
    nbformat.write(messy, path)
    assert normalise_file(path)
    before = path.stat().st_mtime_ns
    assert not normalise_file(path)
    assert path.stat().st_mtime_ns == before


def test_the_hook_reports_what_it_changed(messy, tmp_path):
    path = tmp_path / "08_vae.ipynb"
    nbformat.write(messy, path)
    command = [sys.executable, "-m", "vaecourse.publish.normalise", str(path)]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stdout) == (1, f"normalised {path}\n")
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_writing_is_all_or_nothing(tmp_path, monkeypatch, messy):
    path = tmp_path / "metrics.json"
    path.write_text("old", encoding="utf-8")

    def full(source, target):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_text("new", path)
    with pytest.raises(OSError, match="no space left"):
        write(messy, tmp_path / "a.ipynb")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_text_is_utf8_with_one_newline_at_its_end(tmp_path):
    write_text("−1 ± 2", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == "−1 ± 2\n".encode()
