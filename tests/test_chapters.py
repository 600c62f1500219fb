"""Every chapter keeps every rule of chapter_rules.py; what they say of it is run by nbval and by the zoo."""

from pathlib import Path

import pytest
from chapter_rules import RULES
from rules.page import Page, bibliography

CHAPTERS = Path(__file__).parent.parent / "chapters"
NAMES = sorted(path.stem for path in CHAPTERS.glob("*.ipynb"))


@pytest.fixture(scope="module")
def pages():
    return {name: Page.read(CHAPTERS / f"{name}.ipynb") for name in NAMES}


def test_there_are_chapters():
    assert {"00_start_here", "02_em", "04_elbo", "08_vae"} <= set(NAMES)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NAMES)
def test_chapter_keeps_the_rule(name, rule, pages):
    problems = list(RULES[rule](pages[name]))
    assert not problems, "\n".join(problems)


def test_grade_ids_are_used_once_in_the_course(pages):
    """They name a student's marks for ever, so that no two cells of the course may share one."""
    owners = {}
    for name, page in pages.items():
        for cell in page.notebook.cells:
            if "nbgrader" in cell.metadata:
                grade_id = cell.metadata["nbgrader"]["grade_id"]
                assert owners.setdefault(grade_id, name) == name, f"{grade_id} in {owners[grade_id]} and {name}"


def test_bibliography_has_unique_keys():
    text = (CHAPTERS / "references.bib").read_text(encoding="utf-8")
    assert len(bibliography(CHAPTERS / "references.bib")) == text.count("\n@") + text.startswith("@")
