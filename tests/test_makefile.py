"""Setting up with make: once, again when the dependencies change or an install failed, and not on an old Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not shutil.which("make") or os.name != "posix", reason="needs make and a POSIX shell")

# Stands for Python: writes down what it is called with, "makes" an environment by copying itself into it, and fails
# to install while a file of that name is there.
PYTHON = f"""#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
  -c*) exec {sys.executable} "$@" ;;
  "-m venv"*) for folder in "$@"; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
  "-m pip"*) test ! -e no-network ;;
esac
"""


class Clone:
    """A folder with what make reads, and a Python that only takes notes."""

    def __init__(self, folder: Path):
        self.folder, self.log, self.python = folder, folder / "log", folder / "fake-python"
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
            os.utime(folder / name, (0, 0))  # long before anything is installed
        self.python.write_text(PYTHON, encoding="utf-8")
        self.python.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run make and keep what Python was called with in ``calls``."""
        self.log.write_text("", encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        environment = {**inherited, "LOG": str(self.log)}
        command = ["make", f"PYTHON={self.python}", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        lines = self.log.read_text(encoding="utf-8").splitlines()
        self.calls = [line for line in lines if line.startswith("-m ")]
        return done


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


CREATE = "-m venv --clear .venv"
INSTALL = "-m pip install -c constraints.txt -e ."
REPORT = "-m vaecourse report 08"


def test_report_sets_up_once(clone):
    assert clone.make("report").returncode == 0
    assert clone.calls == [CREATE, INSTALL, REPORT]
    clone.make("report")
    assert clone.calls == [REPORT]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_dependencies_are_installed(clone, name):
    clone.make("report")
    for stamp in (clone.folder / ".venv").glob(".*"):
        os.utime(stamp, (1000, 1000))
    os.utime(clone.folder / name, (2000, 2000))
    clone.make("report")
    assert clone.calls == [INSTALL, REPORT]


def test_failed_install_is_tried_again(clone):
    (clone.folder / "no-network").touch()
    assert clone.make("report").returncode != 0
    assert clone.calls == [CREATE, INSTALL]
    (clone.folder / "no-network").unlink()
    assert clone.make("report").returncode == 0
    assert clone.calls == [INSTALL, REPORT]


def test_tests_run_in_order_and_leave_nothing_for_report_to_install(clone):
    assert clone.make("test").returncode == 0
    assert clone.calls[:2] == [CREATE, INSTALL + "[dev]"]
    assert [call.split()[1] for call in clone.calls[2:]] == ["ruff", "ruff", "pytest", "pytest"]
    clone.make("report")
    assert clone.calls == [REPORT]


def test_report_then_test_adds_what_is_missing(clone):
    clone.make("report")
    clone.make("test")
    assert clone.calls[0] == INSTALL + "[dev]"


def test_environment_whose_python_is_gone_is_made_anew(clone):
    clone.make("report")
    python = clone.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(clone.folder / "removed-python")
    clone.make("report")
    assert clone.calls[0] == CREATE


def test_environment_made_by_hand_is_kept(clone):
    clone.make("report")
    for stamp in (clone.folder / ".venv").glob(".*"):
        stamp.unlink()
    clone.make("report")
    assert clone.calls == ["-m venv .venv", INSTALL, REPORT]


def test_unsuitable_python_is_refused_in_one_sentence(clone):
    done = clone.make("report", "PYTHON=no-such-python")
    assert done.returncode != 0
    sentence, failed = done.stderr.strip().splitlines()
    assert sentence.startswith("The course needs Python 3.11 to 3.14, and no-such-python is not to be found")
    assert failed.startswith("make")
    old = clone.folder / "old-python"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 9); sys.version = '
                   "'3.10.9 '; exec('''$2''')\"\n", encoding="utf-8")  # fmt: skip
    old.chmod(0o755)
    done = clone.make("report", f"PYTHON={old}")
    assert done.returncode != 0 and "old-python is 3.10.9: name another" in done.stderr
    assert not (clone.folder / ".venv").exists()


def test_clean_leaves_what_is_the_readers(clone):
    clone.make("report")
    for kept in ("reports", "student", "workbook", "data"):
        (clone.folder / kept).mkdir()
    for folder in ("vaecourse/__pycache__", "tests", "chapters/.ipynb_checkpoints", ".pytest_cache"):
        (clone.folder / folder).mkdir(parents=True)
    assert clone.make("clean").returncode == 0
    gone = {".venv", ".pytest_cache", "vaecourse/__pycache__", "chapters/.ipynb_checkpoints"}
    assert not any((clone.folder / name).exists() for name in gone)
    assert all((clone.folder / kept).is_dir() for kept in ("reports", "student", "workbook", "data", "chapters"))
