"""No number of a run is lost without a word, nothing bad passes as one, and one chapter's fault is not the others'."""

import json
import stat
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner
from nbformat import v4

from vaecourse.publish import reports
from vaecourse.publish.cli import app
from vaecourse.publish.deadline import Deadline, OutOfTime
from vaecourse.publish.payloads import checked_data, checked_record
from vaecourse.publish.reports import missing_numbers
from vaecourse.publish.running import Finished

GOOD = {"name": "bound", "value": -1.5, "se": 0.25, "unit": "nats"}


def chapter(*cells):
    return v4.new_notebook(cells=[v4.new_markdown_cell("# A chapter"), *map(v4.new_code_cell, cells)])


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_record_passes_as_it_is():
    assert checked_record(GOOD) == ("bound", {"value": -1.5, "se": 0.25, "unit": "nats"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None}, {"name": "Bound"}, {"name": "a b"}, {"name": ["a"]}, {"value": "1.5"}, {"value": None},
        {"value": True}, {"value": float("nan")}, {"value": float("inf")}, {"value": 10**400}, {"value": [1.0]},
        {"se": -0.1}, {"se": "0.1"}, {"se": float("nan")}, {"unit": None}, {"unit": "na\nts"}, {"unit": "\ud800"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_record_is_named(wrong):
    with pytest.raises(ValueError, match="record") as refused:
        checked_record(GOOD | wrong)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


@pytest.mark.parametrize("payload", [None, [], "bound", 3])
def test_what_is_no_payload_is_named(payload):
    with pytest.raises(ValueError, match="must have"):
        checked_record(payload)
    with pytest.raises(ValueError, match="must have"):
        checked_data(payload)


@pytest.mark.parametrize(
    "wrong", [{"size": "10"}, {"size": -1}, {"size": 1.5}, {"name": 3}, {"protocol": None}], ids=str
)
def test_bad_data_are_named(wrong):
    data = {"name": "tosses", "split": "train", "protocol": "binary", "size": 10}
    assert checked_data(data | {"more": 1}) == data
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} of data"):
        checked_data(data | wrong)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A run that loses two numbers, warns and writes to stderr: reported plainly, then again with --strict."""
    root = tmp_path_factory.mktemp("noisy")
    (root / "chapters").mkdir()
    cells = (
        "import sys, warnings\nfrom vaecourse.record import record\nrecord('kept', 1)",
        "from IPython.display import clear_output\nrecord('cleared', 2)\nclear_output()",
        "from IPython.utils.capture import capture_output\nwith capture_output():\n    record('captured', 3)",
        "for _ in range(3):\n    warnings.warn('mind the gap')\nprint('from below', file=sys.stderr)",
    )
    nbformat.write(chapter(*cells), root / "chapters" / "04_noisy.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAECOURSE_CHAPTERS", str(root / "chapters"))
        plain = run("report", "4", "--out", root / "plain")
        strict = run("report", "4", "--out", root / "strict", "--strict")
    return SimpleNamespace(plain=plain, strict=strict, root=root)


def test_numbers_that_were_lost_and_warnings_are_said(noisy):
    assert noisy.plain.exit_code == 0
    said = [line for line in noisy.plain.stderr.splitlines() if line.startswith("04_noisy: ") and "%|" not in line]
    assert "04_noisy: the output that recorded captured, cleared is lost" in said
    assert "04_noisy: UserWarning: mind the gap (code cell 4)" in said and len(said) == 3
    metrics = json.loads((noisy.root / "plain" / "04_noisy" / "metrics.json").read_text(encoding="utf-8"))
    assert list(metrics["records"]) == ["kept"] and metrics["not_recorded"] == ["captured", "cleared"]
    assert metrics["warnings"] == [
        {"cell": 4, "text": "UserWarning: mind the gap"}, {"cell": 4, "text": "from below"},
    ]  # fmt: skip


def test_strictly_a_missing_number_is_a_failure(noisy):
    assert noisy.strict.exit_code == 1
    assert noisy.strict.stdout.startswith("04_noisy failed: the output that recorded captured, cleared is lost")
    assert not (noisy.root / "strict" / "04_noisy").exists()


def test_the_folder_follows_the_umask_and_a_link_is_followed(noisy, tmp_path, monkeypatch):
    made = noisy.root / "plain" / "04_noisy"
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE((noisy.root / "plain").stat().st_mode)
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(noisy.root / "chapters"))
    monkeypatch.setattr(reports, "run_notebook", finished)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "04_noisy").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        assert run("report", "4", "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "04_noisy").is_symlink()
    assert (tmp_path / "elsewhere" / "04_noisy.html").exists()
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []


def finished(notebook, **options):
    """Stand in for a run: this one takes no time."""
    versions = dict.fromkeys(("python", "vaecourse", "torch", "numpy"), "1")
    environment = {"versions": versions, "device": "cpu", "threads": 1, "platform": "none", "peak_memory": 1}
    return Finished(notebook, environment, 1.0, [], [])


def test_a_record_function_that_was_replaced_is_said():
    run = finished(v4.new_notebook())
    assert missing_numbers(run, {}, []) == []
    run.replaced = True
    assert missing_numbers(run, {}, ["b"]) == [
        "its prose marks numbers that no cell records: b",
        "the name `record` was given to something else than vaecourse's",
    ]


@pytest.mark.parametrize(
    "error", [RuntimeError("what\nnow"), OSError(28, "No space left"), KeyError("x"), MemoryError()]
)
def test_a_batch_goes_on_whatever_happens(folder, monkeypatch, error):
    """And so does its index, past a notebook that is none and metrics that are damaged."""
    for name in ("02_fails", "03_good", "05_good"):
        nbformat.write(chapter("x = 1"), folder / f"{name}.ipynb")
    (folder / "04_none.ipynb").write_text("[]", encoding="utf-8")

    def run_notebook(notebook, *, on_cell, **options):
        if not done:
            done.append(1)
            raise error
        return finished(notebook)

    done = []
    monkeypatch.setattr(reports, "run_notebook", run_notebook)
    (folder.parent / "reports" / "04_none").mkdir(parents=True)
    (folder.parent / "reports" / "04_none" / "metrics.json").write_text('{"title": 3', encoding="utf-8")
    result = run("report", "--all")
    assert result.exit_code == 1 and result.exception.__class__ is SystemExit
    assert f"02_fails failed: {'could not' if isinstance(error, OSError) else type(error).__name__}" in result.stdout
    assert "04_none failed: 04_none.ipynb cannot be read as a notebook" in result.stdout
    assert "2 of 4 chapters reported" in result.stdout
    index = (folder.parent / "reports" / "index.html").read_text(encoding="utf-8")
    assert 'href="03_good/03_good.html"' in index and "its report cannot be read" in index


def test_one_time_limit_holds_for_pages_and_for_the_chapters_after(folder, monkeypatch):
    for name in ("02_slow", "03_late"):
        nbformat.write(chapter("x = 1"), folder / f"{name}.ipynb")

    slept = []

    def swallowing(*arguments):  # what swallows the exception once does not swallow the time
        try:
            slow_once()
        except OutOfTime:
            slept.append(1)
        slow_once()

    def slow_once():
        while True:
            pass

    monkeypatch.setattr(reports, "run_notebook", finished)
    monkeypatch.setattr(reports, "render", swallowing)
    result = run("report", "--all", "--timeout", "0.3")
    assert slept == [1]
    assert "02_slow failed: the time limit of 0.3 s was reached" in result.stdout
    assert "03_late failed: the time limit of 0.3 s was reached" in result.stdout
    assert (folder.parent / "reports" / "index.html").exists()


def test_a_deadline_leaves_the_alarm_as_it_was():
    import signal

    before = signal.getsignal(signal.SIGALRM)
    with Deadline(100).enforced():
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert Deadline().left() is None and not Deadline(5).over()
