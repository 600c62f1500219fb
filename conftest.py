"""For every test, notebooks included: no network. Loopback stays, which kernels and made servers speak over."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from vaecourse.publish.isolation import isolated_environment

NOWHERE = "http://127.0.0.1:9"  # the discard port, where nobody listens


def pytest_configure(config):
    """Send what child processes (the notebooks' kernels) would ask of the network to a dead end.

    pytest-socket (see addopts in pyproject.toml) refuses connections of the tests' own process and says which.
    """
    if not __debug__:
        raise pytest.UsageError("PYTHONOPTIMIZE or -O takes every assert away: run the tests without it.")
    own = Path(tempfile.mkdtemp(prefix="vaecourse-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(own, ignore_errors=True))
    isolated = isolated_environment(os.environ, own)  # of the reader's settings, as a report's kernel is
    os.environ.clear()
    os.environ.update(isolated)
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        os.environ[name] = os.environ[name.upper()] = NOWHERE
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"


def pytest_collection_modifyitems(items):
    """Let nbval wait a minute rather than five seconds for a kernel's outputs: other programs may hold the cores."""
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 60
