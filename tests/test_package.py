"""The package as a whole: its floors, no device by name, nothing done by importing it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "vaecourse").rglob("*.py"))

# Imports go down only. Modules of one floor do not import each other; what chapters alone use, from
# checks to results, stands beside the tower.
FLOORS = [
    {"checks", "devices", "files", "data", "plots", "randomness", "record", "results"},
    {"distributions", "networks"},
    {"flows", "mcmc"},
    {"priors", "likelihoods", "posteriors"},
    {"model"},
    {"objectives"},
    {"estimators"},
    {"inference"},
    {"training"},
    {"evaluation", "exact", "em", "coding"},
    {"publish"},
]
NEIGHBOURS = {("em", "exact")}  # em leans on the closed forms of the ladder


def room(path: Path) -> str:
    return path.relative_to(ROOT / "vaecourse").parts[0].removesuffix(".py")


def imported_rooms(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("vaecourse."):
                yield name.split(".")[1]


def test_imports_go_down_only():
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    for path in SOURCES:
        here = room(path)
        if here in ("__init__", "__main__"):
            continue
        assert here in floor, f"{path.name} stands on no floor: give {here} one"
        for other in set(imported_rooms(path)) - {here}:
            allowed = floor[other] < floor[here] or (here, other) in NEIGHBOURS
            assert allowed or other == "__version__", f"{path.relative_to(ROOT)} imports {other}, which is not below it"


@pytest.mark.parametrize("pattern", [r"\bcuda\b", r"\bmps\b"])
def test_no_device_is_named(pattern):
    for path in [*SOURCES, *sorted((ROOT / "chapters").glob("*.ipynb"))]:
        found = re.search(pattern, path.read_text(encoding="utf-8"), re.IGNORECASE)
        assert not found, f"{path.relative_to(ROOT)} names {found[0]}: ask vaecourse.device()"


def test_every_file_says_what_lives_there():
    for path in SOURCES:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert docstring, f"{path.relative_to(ROOT)} has no docstring"


def test_importing_has_no_side_effects():
    """No default dtype, no seed, no validate_args, no style."""
    code = """
import torch, matplotlib, random, numpy
from pathlib import Path
state = lambda: (torch.get_default_dtype(), torch.initial_seed(), torch.get_rng_state().sum().item(),
                 torch.distributions.Distribution._validate_args, torch.get_num_threads(), random.getstate(),
                 numpy.random.get_state()[1].sum(), torch.is_grad_enabled())
torch.manual_seed(7)
before = state()
import matplotlib.pyplot, seaborn
style = dict(matplotlib.rcParams)
import vaecourse, vaecourse.plots, vaecourse.training, vaecourse.evaluation, vaecourse.estimators, vaecourse.em
import vaecourse.mcmc, vaecourse.inference, vaecourse.distributions, vaecourse.estimators.bench, vaecourse.record
import vaecourse.exact, vaecourse.posteriors, vaecourse.data, vaecourse.coding
assert state() == before
assert dict(matplotlib.rcParams) == style
"""
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_network_is_blocked():
    """Here by refusal, in child processes (kernels) by proxies that lead nowhere."""
    import socket

    from pytest_socket import SocketConnectBlockedError

    with pytest.raises(SocketConnectBlockedError), pytest.warns(UserWarning, match="192.0.2.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    code = "import urllib.request as r; r.urlopen('http://192.0.2.1', timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Connection refused" in done.stderr or "actively refused" in done.stderr
