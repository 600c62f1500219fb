"""Fixtures that several test files share: an empty course; small data sets, an empty cache, mirrors on loopback."""

from dataclasses import replace

import numpy as np
import pytest
from loopback import Mirrors, described, mat, tiny_mnist

from vaecourse.data import cache, loading, mirrors
from vaecourse.data.registry import registry


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """An empty data/ folder of a project, nothing in memory, and no wait between rounds: returns the folder."""
    monkeypatch.delenv("VAECOURSE_DATA", raising=False)
    monkeypatch.setattr(cache, "project_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(loading, "_in_memory", {})
    monkeypatch.setattr(mirrors, "PAUSES", (0.01, 0.01))
    return tmp_path / "data"


@pytest.fixture
def small_mnist(empty_cache, monkeypatch):
    """The mnist entry over made-up files and no mirrors: returns their contents by name."""
    contents = tiny_mnist()
    sizes = {"train": 40, "valid": 10, "test": 20}
    entry = replace(registry()["mnist"], files=described(contents), splits=sizes, mirrors=())
    monkeypatch.setitem(registry(), "mnist", entry)
    return contents


@pytest.fixture
def small_faces(empty_cache, monkeypatch):
    """The freyfaces entry, which has no published checksum, of 30 frames and no mirrors: returns its file's content."""
    sizes = {"train": 20, "valid": 5, "test": 5}
    monkeypatch.setitem(registry(), "freyfaces", replace(registry()["freyfaces"], splits=sizes, mirrors=()))
    frames = np.random.default_rng(1).integers(0, 256, (560, 30), dtype=np.uint8)
    return mat(ff=frames)


@pytest.fixture
def served(monkeypatch):
    """A function that serves contents and makes a server's behaviours the mirrors of a set: returns the server."""
    servers = []

    def serve(name, contents, *behaviours):
        server = Mirrors(contents).__enter__()
        servers.append(server)
        entry = replace(registry()[name], mirrors=tuple(map(server.url, behaviours)))
        monkeypatch.setitem(registry(), name, entry)
        return server

    yield serve
    for server in servers:
        server.__exit__()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of chapters, and a working folder beside it."""
    chapters = tmp_path / "chapters"
    chapters.mkdir()
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(chapters))
    monkeypatch.chdir(tmp_path)
    return chapters
