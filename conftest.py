"""For every test, notebooks included: no network. Loopback stays, which kernels and made servers speak over."""

import os

NOWHERE = "http://127.0.0.1:9"  # the discard port, where nobody listens


def pytest_configure(config):
    """Send what child processes (the notebooks' kernels) would ask of the network to a dead end.

    pytest-socket (see addopts in pyproject.toml) refuses connections of the tests' own process and says which.
    """
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        os.environ[name] = os.environ[name.upper()] = NOWHERE
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"


def pytest_collection_modifyitems(items):
    """Let nbval wait a minute rather than five seconds for a kernel's outputs: other programs may hold the cores."""
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 60
