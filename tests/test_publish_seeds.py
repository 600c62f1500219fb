"""Chapters at several seeds: what fails is said and does not end a run, what they record is stored by seed."""

import json
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from vaecourse import results
from vaecourse.publish.cli import app
from vaecourse.publish.stamp import code_stamp

CELLS = [
    new_markdown_cell("# A chapter"),
    new_code_cell(
        'tier = "quick"  # str, one of: quick, laptop, paper\nseed = 9  # int, 0..100',
        metadata={"tags": ["parameters"]},
    ),
    new_code_cell("from vaecourse import record"),
    new_code_cell("record('double', 2 * seed, unit='')\nassert seed != 1, 'one is not allowed'\nrecord('lost', 1.0)"),
    new_code_cell("raise RuntimeError('quotes what is not there yet')", metadata={"tags": ["quote"]}),
    new_code_cell("record('late', seed / 4)"),
    new_markdown_cell("## Exercises"),
    new_code_cell("assert False, 'an exercise'"),
]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("seeds")
    (root / "chapters").mkdir()
    nbformat.write(new_notebook(cells=CELLS), root / "chapters" / "04_made.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAECOURSE_CHAPTERS", str(root / "chapters"))
        done = CliRunner().invoke(app, ["seeds", "04", "--seed", "0", "--seed", "1", "--seed", "2"])
    return SimpleNamespace(done=done, root=root)


def test_a_failing_assertion_is_named_and_does_not_end_the_run(course):
    assert course.done.exit_code == 1
    assert "04_made seed 0: all assertions hold" in course.done.stdout
    assert (
        "cell 3, `assert seed != 1, 'one is not allowed'` -> AssertionError: one is not allowed" in course.done.stdout
    )
    assert "quotes what" not in course.done.stdout and "an exercise" not in course.done.stdout


def test_records_are_stored_by_seed(course):
    stored = json.loads((course.root / "results" / "04_made.seeds.json").read_text(encoding="utf-8"))
    assert stored["seeds"] == [0, 1, 2] and stored["tier"] == "quick" and stored["versions"]["torch"]
    assert stored["records"]["double"] == {"values": [0, 2, 4], "unit": ""}
    assert stored["records"]["late"]["values"] == [0, 0.25, 0.5]
    assert stored["records"]["lost"]["values"] == [1.0, None, 1.0]
    assert list(stored["failures"]) == ["1"]
    assert stored["code"] == code_stamp(new_notebook(cells=CELLS))


def test_one_seed_has_no_spread(monkeypatch, course):
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(course.root / "chapters"))
    done = CliRunner().invoke(app, ["seeds", "04", "--seed", "3"])
    assert done.exit_code == 2 and "give at least two" in done.stderr


def test_quoting_over_seeds(monkeypatch, course):
    stored = json.loads((course.root / "results" / "04_made.seeds.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(results, "_stored", lambda chapter: stored)
    mean, se = results.over_seeds("04_made", "double")
    assert mean == 2 and se == pytest.approx(2 / 3**0.5, abs=1e-12)  # sd of 0, 2, 4 is 2
    for name in ("lost", "unheard"):
        with pytest.raises(ValueError, match=f"'{name}' is not stored for every seed of 04_made: run `vaecourse seeds"):
            results.over_seeds("04_made", name)


def test_a_chapter_without_results():
    with pytest.raises(ValueError, match="has no results over seeds: run `vaecourse seeds 99_none`"):
        results.per_seed("99_none", "bound")


def test_quoting_a_search(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "_RESULTS", tmp_path)
    (tmp_path / "04_made.search.json").write_text('[{"rate": 0.1, "valid_bound": null}]', encoding="utf-8")
    assert results.searched("04_made") == [{"rate": 0.1, "valid_bound": None}]
    with pytest.raises(ValueError, match="searched: chapter = '99_none' has no search stored in results/"):
        results.searched("99_none")


def test_the_stamp_follows_the_code_alone():
    stamp = code_stamp(new_notebook(cells=CELLS))

    def changed(position, source):
        cells = [cell.copy() for cell in CELLS]
        cells[position] = {**cells[position], "source": source}
        return code_stamp(nbformat.from_dict(new_notebook(cells=cells)))

    assert changed(2, "from vaecourse  import record  # to state numbers") == stamp
    assert changed(0, "# Another title") == stamp and changed(7, "pass") == stamp and changed(4, "pass") == stamp
    assert changed(1, CELLS[1].source.replace("9", "8")) == stamp
    assert changed(5, "record('late', seed / 3)") != stamp


def test_a_stored_search():
    bounds = results.searched("12_pixelvae")["bounds"]
    assert all(len(tried) >= 3 and max(tried.values()) < 0 for tried in bounds.values())
    with pytest.raises(ValueError, match="'99_none' has no search stored"):
        results.searched("99_none")
