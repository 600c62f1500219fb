"""Runs that do not finish, from an exception to a killed kernel: never a report, and nothing earlier is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from click.testing import CliRunner
from nbformat import v4

from vaecourse.publish.cli import app


def chapter(*cells):
    return v4.new_notebook(cells=[v4.new_markdown_cell("# A chapter"), *map(v4.new_code_cell, cells)])


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


FAULTS = {
    "an exception": ("1 / 0", "ZeroDivisionError: division by zero in code cell 3 (`1 / 0`)"),
    "sys.exit": ("import sys\nsys.exit(0)", "sys.exit() ended the run in code cell 3 (`import sys`)"),
    "exit": ("exit()", "exit() ended the run in code cell 3 (`exit()`)"),
    "os._exit": ("\nimport os\nos._exit(0)", "the kernel died in code cell 3 (`import os`)"),
    "SIGKILL": (
        "import os; os.kill(os.getpid(), 9)",
        "the kernel died in code cell 3 (`import os; os.kill(os.getpid(), 9)`)",
    ),
    "time-out": ("import time; time.sleep(60)", "the time limit of 4 s was reached in code cell 3"),
    "a thread": (
        "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
        "an exception in a thread: ZeroDivisionError: division by zero in code cell 3 (`import threading`)",
    ),
    "a task that nobody asks": (
        "import asyncio\nasync def f():\n    raise ValueError('unheard')\ntask = asyncio.create_task(f())",
        "an exception in a task of asyncio: ValueError: unheard after its last cell",
    ),
    "a command": ("!exit 3", "CalledProcessError: Command 'exit 3' returned non-zero exit status 3 in code cell 3"),
    "30 MB of text": (
        "while True:\n    print('x' * 1_000_000)",
        "it put out more than 10 MB in code cell 3 (`while True:`)",
    ),
    "a record without a name": (
        "from IPython.display import display\n"
        "display({'application/vnd.vaecourse.record+json': {'value': 1.0}, 'text/plain': ''}, raw=True)",
        "a record's name is None, and must be a lower-case identifier",
    ),
    "a record twice": (
        "from vaecourse.record import record\nrecord('a', 1)\nrecord('a', 2)",
        "the chapter records 'a' twice",
    ),
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A good report of a chapter 04, to be put where a run that fails would write."""
    root = tmp_path_factory.mktemp("earlier")
    nbformat.write(chapter("x = 1"), root / "04_fault.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAECOURSE_CHAPTERS", str(root))
        assert run("report", "4", "--out", root / "reports").exit_code == 0
    return root / "reports" / "04_fault"


def contents(report):
    return {path.name: path.read_bytes() for path in report.iterdir()}


@pytest.mark.parametrize(("cell", "message"), FAULTS.values(), ids=FAULTS)
def test_a_run_that_did_not_finish_is_never_a_report(folder, earlier, cell, message):
    nbformat.write(chapter("x = 1", "print(x)", cell, "y = 2"), folder / "04_fault.ipynb")
    out = folder.parent / "reports"
    shutil.copytree(earlier, out / "04_fault")
    limit = ["--timeout", "4"] if "sleep" in cell else []
    result = run("report", "4", *limit)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"04_fault failed: {message}")
    assert str(out / "04_fault.partial.ipynb") in result.stdout
    assert contents(out / "04_fault") == contents(earlier)
    assert sorted(path.name for path in out.iterdir()) == ["04_fault", "04_fault.partial.ipynb", "index.html"]
    partial = nbformat.read(out / "04_fault.partial.ipynb", as_version=4)
    assert partial.cells[0].source.startswith(f"**This run did not finish:** {message}")
    assert partial.cells[3].outputs[0].text == "1\n"


def test_a_good_run_replaces_the_report_and_removes_the_partial_notebook(folder, earlier):
    nbformat.write(chapter("from vaecourse.record import record", "record('a', 3)"), folder / "04_fault.ipynb")
    out = folder.parent / "reports"
    shutil.copytree(earlier, out / "04_fault")
    (out / "04_fault" / "left_over.txt").write_text("of an earlier version")
    (out / "04_fault.partial.ipynb").write_text("of an earlier failure")
    assert run("report", "4").exit_code == 0
    metrics = json.loads((out / "04_fault" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["records"]["a"]["value"] == 3
    assert sorted(path.name for path in out.iterdir()) == ["04_fault", "index.html"]
    assert len(contents(out / "04_fault")) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals to another process are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_leaves_the_earlier_report_and_no_kernel(folder, earlier, sent):
    waiting = "import os, time\nopen('kernel', 'w').write(str(os.getpid()))\nos.rename('kernel', 'pid')\ntime.sleep(60)"
    nbformat.write(chapter("x = 1", waiting), folder / "04_fault.ipynb")
    out = folder.parent / "reports"
    shutil.copytree(earlier, out / "04_fault")
    command = [sys.executable, "-m", "vaecourse", "report", "4"]
    # A background job of a shell without job control ignores Ctrl-C and passes that on: here it is a terminal's.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, inherited)
    try:
        wait_until((folder / "pid").exists)
        process.send_signal(sent)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert stderr.splitlines()[-1].startswith("Stopped: interrupted in code cell 2 (`import os, time`).")
    assert "Traceback" not in stderr
    assert contents(out / "04_fault") == contents(earlier)
    assert sorted(path.name for path in out.iterdir()) == ["04_fault", "04_fault.partial.ipynb"]
    kernel = int((folder / "pid").read_text())
    wait_until(lambda: not alive(kernel))


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_progress_bars_are_no_warnings():
    from vaecourse.publish.client import _said

    bar = "\r  0%|          | 0/4 [00:00<?, ?it/s]\r100%|##########| 4/4 [00:00<00:00, 98.51step/s, epoch 1]\n"
    assert _said(bar) == "" and _said(bar + "mind the step\n") == "mind the step"
