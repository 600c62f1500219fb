"""Rules for how a chapter is stored: executed in order, in one form, without residue."""

import re
from collections.abc import Iterator

import nbformat

from rules.page import Page, first_line, texts_of
from vaecourse.publish.normalise import normalised

MAX_BYTES = 400_000
_ABSOLUTE = re.compile(
    r"(?<![\w./:])/(?:home|Users|root|tmp|work|mnt|media|var|opt|usr|srv|etc)/\w|\b[A-Z]:\\\w|file://"
)


def executed_in_order(page: Page) -> Iterator[str]:
    """Every code cell ran, once, from top to bottom on a fresh kernel, and none failed."""
    counts = [cell.execution_count for cell in page.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts must be 1, 2, 3 ...; they are {counts}"
    for cell in page.code:
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{first_line(cell)} ended in an error"


def stored_form(page: Page) -> Iterator[str]:
    """What ``python -m vaecourse chapters`` writes: nothing that changes by accident."""
    if nbformat.writes(normalised(page.notebook)) != nbformat.writes(page.notebook):
        yield "the notebook is not in stored form: run python -m vaecourse.publish.normalise on it"


def clean_outputs(page: Page) -> Iterator[str]:
    """No stderr, no widgets, no residue of progress bars."""
    if "widgets" in page.notebook.metadata:
        yield "the notebook holds the state of widgets"
    for cell in page.code:
        shown = [mime for output in cell.outputs for mime in output.get("data", {})]
        errors = [output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stderr"]
        if errors:
            yield f"{first_line(cell)} wrote to stderr: {errors[0][:60]!r}"
        if any("widget" in mime for mime in shown):
            yield f"{first_line(cell)} shows a widget, which vanishes from pages"
        if any(re.search(r"\r|\d(it/s|s/it)\b|%\|", text) for output in cell.outputs for text in texts_of(output)):
            yield f"{first_line(cell)} left a progress bar behind"


def no_absolute_paths(page: Page) -> Iterator[str]:
    """Neither the text nor an output names a folder of somebody's machine."""
    for cell in page.notebook.cells:
        texts = [cell.source, *(text for output in cell.get("outputs", []) for text in texts_of(output))]
        for found in filter(None, map(_ABSOLUTE.search, texts)):
            yield f"{first_line(cell)} names an absolute path, {found[0]}..."


def size(page: Page) -> Iterator[str]:
    """A notebook is at most 400 KB."""
    if page.size > MAX_BYTES:
        yield f"the notebook has {page.size:,} bytes, and at most {MAX_BYTES:,} are allowed"
