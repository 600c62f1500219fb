"""The recipes of CONTRIBUTING.md, followed to the letter: their code is run from the page."""

import re
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import test_data
import test_data_parsers
from loopback import described, idx

from vaecourse import data
from vaecourse.data import parsers
from vaecourse.data.registry import read_entries, registry

PAGE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of a section of the page, in one language."""
    text = re.search(rf"^## {section}\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[1]
    return [
        textwrap.dedent(code) for code in re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    ]


@pytest.fixture
def runes(monkeypatch):
    """Steps 1 and 2: the entry and its parser, as if they stood in their files."""
    (entry,) = read_entries(*blocks("Add a data set in four steps", "toml")).values()
    scope = dict(vars(parsers))
    parser, _ = blocks("Add a data set in four steps", "python")
    exec(parser, scope)
    monkeypatch.setitem(registry(), "runes", entry)
    monkeypatch.setitem(parsers.PARSERS, "runes", scope["runes"])
    return entry


def test_the_data_set_of_the_recipe_has_a_sound_entry(runes):
    test_data.test_an_entry_is_sound("runes")
    test_data.test_every_set_has_a_parser_and_every_parser_a_set()


def test_the_test_of_the_recipe_passes_and_can_fail(runes, tmp_path, monkeypatch):
    _, code = blocks("Add a data set in four steps", "python")
    scope = dict(vars(test_data_parsers))
    exec(code, scope)
    scope["test_runes_are_rows_from_the_top"](tmp_path)
    whole = parsers.PARSERS["runes"]

    def by_columns(files):
        x, y = whole(files)["train"]
        return {"train": parsers.Arrays(x.reshape(-1, 16, 16).transpose(0, 2, 1).reshape(-1, 256), y)}

    monkeypatch.setitem(parsers.PARSERS, "runes", by_columns)
    with pytest.raises(AssertionError):
        scope["test_runes_are_rows_from_the_top"](tmp_path)


def test_the_data_set_of_the_recipe_is_downloaded_and_loaded(runes, empty_cache, served, monkeypatch):
    """From made-up files of the stated shape, whose checksums take the place of the page's."""
    images = np.random.default_rng(0).integers(0, 256, (1000, 16, 16))
    contents = dict(zip(runes.files, (idx(images), idx(np.arange(1000) % 24))))
    monkeypatch.setitem(registry(), "runes", replace(runes, files=described(contents, with_content=False)))
    served("runes", contents, "good")
    sizes = {split: len(data.load("runes", split)) for split in ("train", "valid", "test")}
    assert sizes == runes.splits and sorted(path.name for path in (empty_cache / "runes").glob("*.gz")) == sorted(
        contents
    )
    part = data.load("runes", "valid")
    assert part.protocol == "integer" and part.with_labels().batch().y.shape == (100, 24)
    assert (part.y.bincount(minlength=24) - 100 / 24).abs().max() <= 2
