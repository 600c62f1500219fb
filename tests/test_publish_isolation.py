"""The reader's home and environment do not reach a result, and nothing that a run started outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat import v4

from vaecourse.publish.isolation import isolated_environment

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the keeper of kernels is POSIX")


def chapter(folder, *cells):
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# A"), *map(v4.new_code_cell, cells)]), folder)


def report(**environment):
    command = [sys.executable, "-m", "vaecourse", "report", "4"]
    return subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_settings_go_and_hardware_and_data_stay(tmp_path):
    reader = {"PATH": "/bin", "OMP_NUM_THREADS": "1", "VAECOURSE_DATA": "/d", "CUDA_VISIBLE_DEVICES": "0"}
    settings = {
        "PYTHONOPTIMIZE": "1",
        "MPLBACKEND": "agg",
        "MATPLOTLIBRC": "/m",
        "IPYTHONDIR": "/i",
        "JUPYTER_PATH": "/j",
    }
    kept = isolated_environment(reader | settings, tmp_path)
    assert reader.items() <= kept.items()
    assert not {"PYTHONOPTIMIZE", "MPLBACKEND", "MATPLOTLIBRC", "JUPYTER_PATH"} & set(kept)
    assert kept["IPYTHONDIR"] == str(tmp_path / "ipython")


def test_a_readers_settings_do_not_reach_a_chapter(folder, tmp_path):
    """An assert that fails, under -O, would be "done"; the chapter says of the others whether it sees them."""
    home = tmp_path / "home"
    for name, text in {
        ".config/matplotlib/matplotlibrc": "image.origin: lower\n",
        ".ipython/profile_default/startup/00.py": "planted = True\n",
        ".ipython/profile_default/ipython_config.py": "c.InteractiveShell.ast_node_interactivity = 'none'\n",
        "startup.py": "planted = True\n",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    seen = (
        "import matplotlib\nassert __debug__, 'no assert runs'\n"
        "assert matplotlib.rcParamsDefault['image.origin'] == matplotlib.rcParams['image.origin'] == 'upper'\n"
        "assert 'inline' in matplotlib.get_backend()\n"
        "assert 'planted' not in globals(), 'a startup file was run'\n"
        "assert get_ipython().ast_node_interactivity == 'last_expr'"
    )
    chapter(folder / "04_fault.ipynb", "%matplotlib inline\n" + seen, "assert False, 'it is seen'")
    planted = {"PYTHONOPTIMIZE": "1", "PYTHONSTARTUP": str(home / "startup.py"), "MPLBACKEND": "agg"}
    homes = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "IPYTHONDIR": str(home / ".ipython")}
    stdout, _ = report(**planted, **homes).communicate(timeout=120)
    assert stdout.startswith("04_fault failed: AssertionError: it is seen in code cell 2"), stdout


# A kernel that never lets go of the interpreter's lock, a child of it, and a daemon that left its session.
HOLDING = """\
import os, re, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
daemon = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
with open('pids', 'w') as file:
    file.write(f'{os.getpid()} {os.getppid()} {child.pid} {daemon.pid}')
os.rename('pids', 'ready')
"""
FOR_EVER = "re.match(r'(a+)+$', 'a' * 64 + 'b')"


def ended(pids):
    def gone(pid):
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(map(gone, pids))


@POSIX
def test_a_command_that_is_killed_leaves_no_process_and_no_folder(folder):
    chapter(folder / "04_fault.ipynb", HOLDING + FOR_EVER)
    command = report(TMPDIR=str(folder))
    try:
        wait_until((folder / "ready").exists)
        command.send_signal(signal.SIGKILL)
        pids = [int(pid) for pid in (folder / "ready").read_text().split()]
        command.communicate(timeout=30)
        wait_until(lambda: ended(pids), 15)
        wait_until(lambda: not list(folder.glob("vaecourse-*")), 5)
    finally:
        command.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a daemon cannot be adopted")
def test_a_good_run_ends_what_it_started(folder):
    chapter(folder / "04_fault.ipynb", HOLDING + "daemon.returncode = child.returncode = 0")
    stdout, stderr = report().communicate(timeout=120)
    assert stdout.startswith("The report is in "), stderr
    wait_until(lambda: ended([int(pid) for pid in (folder / "ready").read_text().split()]), 5)


@POSIX
def test_a_kernel_whose_keeper_is_killed_ends(folder):
    chapter(folder / "04_fault.ipynb", HOLDING + FOR_EVER)
    command = report()
    try:
        wait_until((folder / "ready").exists)
        kernel, keeper, *children = (int(pid) for pid in (folder / "ready").read_text().split())
        os.kill(keeper, signal.SIGKILL)
        said = command.stdout.readline()  # and not to its end, which the children hold open
        assert said.startswith("04_fault failed: the kernel died in code cell 1"), said
        wait_until(lambda: ended([kernel]), 5)
    finally:
        command.kill()
        for pid in children:
            Path(f"/proc/{pid}").exists() and os.kill(pid, signal.SIGKILL)
