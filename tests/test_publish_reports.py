"""Reports: what a finished run leaves, and that a run which did not finish is never mistaken for one."""

import json
import math
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from click.testing import CliRunner
from nbformat import v4

from vaecourse.publish import batch, reports
from vaecourse.publish.chapters import all_chapters, find_chapter
from vaecourse.publish.cli import app
from vaecourse.publish.html import external_assets
from vaecourse.publish.running import ChapterFailed
from vaecourse.publish.stamp import code_stamp

SAMPLE = Path(__file__).parent / "fixtures" / "sample_chapter.md"


def chapter(*cells, title="A chapter"):
    return v4.new_notebook(cells=[v4.new_markdown_cell(f"# {title}"), *map(v4.new_code_cell, cells)])


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def metrics_of(out, name):
    return json.loads((out / name / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Reports of a course in which the chapter before the last fails: (result of --all, folder of reports)."""
    root = tmp_path_factory.mktemp("course")
    chapters = root / "chapters"
    chapters.mkdir()
    nbformat.write(jupytext.read(SAMPLE), chapters / "08_sample.ipynb")
    nbformat.write(chapter("x = 1", "assert x == 2, 'not two'", "y = 3"), chapters / "09_next.ipynb")
    last = chapter("import sys, os", "print(sys.executable, os.getcwd(), os.environ['TQDM_DISABLE'])", title="Last")
    last.cells[0].source += "\n\nAfter [the sample](08_sample.ipynb), it is 3<!--record:nowhere--> nats."
    nbformat.write(last, chapters / "10_last.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAECOURSE_CHAPTERS", str(chapters))
        # A kernel of another environment under the usual name must not be the one that runs.
        foreign = root / "jupyter" / "kernels" / "python3"
        foreign.mkdir(parents=True)
        spec = {"argv": ["false"], "display_name": "Elsewhere", "language": "python"}
        (foreign / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        patch.setenv("JUPYTER_DATA_DIR", str(root / "jupyter"))
        patch.setenv("JUPYTER_PATH", str(root / "jupyter"))
        result = run("report", "--all", "--out", root / "reports")
    return result, root / "reports", chapters


def test_all_goes_on_past_a_failure_and_says_so_at_the_end(course):
    result, out, _ = course
    assert result.exit_code == 1
    assert "09_next failed: AssertionError: not two in code cell 2 (`assert x == 2, 'not two'`)." in result.stdout
    assert "2 of 3 chapters reported" in result.stdout
    assert sorted(path.name for path in out.iterdir()) == [
        "08_sample",
        "09_next.partial.ipynb",
        "10_last",
        "index.html",
    ]


def test_a_report_carries_the_stamp_of_its_chapter(course):
    _, out, chapters = course
    notebook = nbformat.read(chapters / "08_sample.ipynb", as_version=4)
    assert metrics_of(out, "08_sample")["code"] == code_stamp(notebook)


def test_a_report_is_a_notebook_a_page_and_metrics(course):
    _, out, _ = course
    assert sorted(path.name for path in (out / "08_sample").iterdir()) == [
        "08_sample.html",
        "08_sample.ipynb",
        "metrics.json",
    ]


def test_metrics_hold_records_parameters_data_and_environment(course):
    metrics = metrics_of(course[1], "08_sample")
    log_px = math.lgamma(8) + math.lgamma(4) - math.lgamma(12)
    assert metrics["records"] == {
        "log_evidence": {"value": log_px, "se": 0.0321, "unit": "nats"},
        "num_heads": {"value": 7, "se": None, "unit": ""},
    }
    assert metrics["parameters"] == {"tier": "quick", "seed": 0, "num_heads": None, "strength": 1.0}
    assert (metrics["chapter"], metrics["tier"], metrics["seed"], metrics["changed"]) == ("08_sample", "quick", 0, [])
    assert metrics["data"] == [{"name": "tosses", "split": "train", "protocol": "binary", "size": 10}]
    assert metrics["not_recorded"] == []
    assert set(metrics["versions"]) == {"python", "vaecourse", "torch", "numpy"}
    assert metrics["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert metrics["device"] == "cpu"
    assert 0 < metrics["seconds"] < 600
    assert metrics["finished"].endswith("+00:00")


def test_the_kernel_is_this_interpreter_in_the_chapters_folder_without_bars(course):
    _, out, chapters = course
    notebook = nbformat.read(out / "10_last" / "10_last.ipynb", as_version=4)
    assert notebook.cells[-1].outputs[0].text.split() == [sys.executable, str(chapters), "1"]


def test_the_executed_notebook_is_in_stored_form_without_the_closing_cell(course):
    notebook = nbformat.read(course[1] / "08_sample" / "08_sample.ipynb", as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any("vaecourse.publish.environment" in cell.source for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_the_index_lists_reports_and_the_failure(course):
    index = (course[1] / "index.html").read_text(encoding="utf-8")
    assert 'href="08_sample/08_sample.html"' in index
    assert 'href="10_last/10_last.html"' in index
    assert "09_next/" not in index
    assert "The latest run failed:</strong> AssertionError: not two" in index
    assert external_assets(index) == []


def test_the_partial_notebook_says_why_and_shows_how_far_it_came(course):
    partial = nbformat.read(course[1] / "09_next.partial.ipynb", as_version=4)
    assert partial.cells[0].source.startswith("**This run did not finish:** AssertionError: not two in code cell 2")
    code = [cell for cell in partial.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, None]
    assert code[1].outputs[0].ename == "AssertionError"


def test_a_number_that_the_run_did_not_record_is_named(course):
    """By its star in the prose, and in the metrics, where a program looks for it."""
    assert metrics_of(course[1], "10_last")["not_recorded"] == ["nowhere"]
    notebook = nbformat.read(course[1] / "10_last" / "10_last.ipynb", as_version=4)
    assert "3<!--record:nowhere-->\\* nats" in notebook.cells[0].source


METRICS = {
    "title": "A title", "tier": "laptop", "parameters": {"tier": "laptop", "seed": 3}, "changed": ["tier", "seed"],
    "data": [{"name": "digits", "protocol": "dynamic", "split": part} for part in ("train", "test")],
    "seconds": 12.4, "device": "cuda", "platform": "Linux", "finished": "2026-01-02T03:04:05+00:00",
    "versions": {"vaecourse": "1.2.3", "python": "3.11", "torch": "2.9"},
}  # fmt: skip


def test_what_a_reader_should_know_about_a_run():
    """Nats without their protocol mean nothing; the tier is said once, and so is each data set."""
    facts = ["tier laptop", "seed = 3", "digits, dynamic", "12 s on cuda", "version 1.2.3"]
    assert reports.run_facts(METRICS) == facts


@pytest.fixture
def three(folder):
    """Three chapters without a run, and an empty folder of reports."""
    for name in ("07_before", "08_this", "09_after"):
        nbformat.write(chapter("x = 1", title=name), folder / f"{name}.ipynb")
    (folder.parent / "out").mkdir()
    return folder.parent / "out"


def made(out, name):
    """A report as far as other pages look at it."""
    (out / name).mkdir()
    (out / name / f"{name}.html").touch()
    (out / name / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")


def test_a_page_leads_to_its_neighbours_where_they_have_pages(three):
    made(three, "07_before")
    page = reports._page(find_chapter("8"), METRICS, three)
    assert (page.previous, page.following) == (("../07_before/07_before.html", "07_before"), None)
    made(three, "09_after")
    page = reports._page(find_chapter("8"), METRICS, three)
    assert page.following == ("../09_after/09_after.html", "09_after")
    assert page.links["09_after.ipynb"] == "../09_after/09_after.html"


def test_pages_are_written_again_when_all_reports_are_there(three, monkeypatch):
    """A page that was written early does not know of the chapters after it; one that failed has nothing to write."""
    done = []

    def write_report(chapter, out, **options):
        done.append(f"run {chapter.number}")
        if chapter.number == "09":
            raise ChapterFailed("it failed")
        made(out, chapter.name)
        return reports.Report(out, ())

    monkeypatch.setattr(batch, "write_report", write_report)
    monkeypatch.setattr(batch, "render", lambda chapter, folder, out: done.append(f"page {chapter.number}"))
    assert batch.report_chapters([(chapter, {}) for chapter in all_chapters()], three, None) == 1
    assert done == ["run 07", "run 08", "run 09", "page 07", "page 08"]


def test_the_index_tells_a_good_report_from_a_later_run_that_failed(three):
    made(three, "07_before"), made(three, "08_this")
    (three / "08_this.partial.ipynb").touch()
    first, second, third = batch.index_page(three, {}).split("<li>")[1:]
    assert "2026-01-02<" in first and "did not finish" not in first
    assert "2026-01-02 · a later run did not finish" in second and "no report yet" in third


def test_parameters_reach_the_run_and_the_prose_states_its_numbers(folder):
    nbformat.write(jupytext.read(SAMPLE), folder / "08_sample.ipynb")
    given = ["-p", "num_heads", "9", "-p", "strength", "2", "-p", "seed", "0"]  # the last as it is anyway
    result = run("report", "sample", *given, "--out", "out")
    assert result.exit_code == 0, result.stdout
    page = Path("out/08_sample/08_sample.html").resolve()
    assert result.stdout == f"The report is in {page}\n"
    metrics = metrics_of(Path("out"), "08_sample")
    evidence = 2 * (math.lgamma(10) + math.lgamma(4) - math.lgamma(14))
    assert metrics["records"]["log_evidence"]["value"] == evidence
    assert metrics["changed"] == ["num_heads", "strength"]
    assert metrics["parameters"] == {"tier": "quick", "seed": 0, "num_heads": 9, "strength": 2.0}
    restated = f"The evidence is −{-evidence:.2f}<!--record:log_evidence--> nats after 9<!--record:num_heads--> heads."
    notebook = nbformat.read("out/08_sample/08_sample.ipynb", as_version=4)
    assert any(restated in cell.source for cell in notebook.cells)
    assert re.sub("<!--.*?-->", "", restated) in page.read_text(encoding="utf-8")  # pages hold no comments
    assert "num_heads = 9" in page.read_text(encoding="utf-8")


def test_chapters_are_refreshed_in_place_and_the_second_time_nothing_changes(folder):
    nbformat.write(jupytext.read(SAMPLE), folder / "08_sample.ipynb")
    broken = json.dumps(chapter("x = 1", "1 / 0"))
    (folder / "09_broken.ipynb").write_text(broken, encoding="utf-8")
    stale = (folder / "08_sample.ipynb").read_text(encoding="utf-8").replace("−7.19<!--", "−1.23<!--")
    (folder / "08_sample.ipynb").write_text(stale, encoding="utf-8")

    result = run("chapters")
    assert result.exit_code == 1
    assert "09_broken failed: ZeroDivisionError" in result.stdout
    assert (folder / "09_broken.ipynb").read_text(encoding="utf-8") == broken
    first = (folder / "08_sample.ipynb").read_text(encoding="utf-8")
    assert "−7.19<!--record:log_evidence-->" in first
    assert "log_evidence = -7.19 ± 0.03 nats" in first
    assert sorted(path.name for path in folder.iterdir()) == ["08_sample.ipynb", "09_broken.ipynb"]

    partial = folder.parent / "reports" / "08_sample.partial.ipynb"
    partial.write_text("of an earlier failure", encoding="utf-8")
    assert run("chapters", "8").exit_code == 0 and not partial.exists()
    assert (folder / "08_sample.ipynb").read_text(encoding="utf-8") == first


def test_a_chapter_whose_prose_marks_an_unrecorded_number_is_not_stored(folder):
    marked = chapter("x = 1")
    marked.cells[0].source += "\n\nIt is 3<!--record:nowhere--> nats."
    nbformat.write(marked, folder / "04_marked.ipynb")
    before = (folder / "04_marked.ipynb").read_bytes()
    result = run("chapters", "4")
    assert result.exit_code == 1
    assert "04_marked failed: its prose marks numbers that no cell records: nowhere" in result.stdout
    assert (folder / "04_marked.ipynb").read_bytes() == before


def test_a_title_comes_from_the_first_heading(folder):
    nbformat.write(chapter("x = 1", title="On coins"), folder / "04_fault.ipynb")
    assert find_chapter("4").title == "On coins"
