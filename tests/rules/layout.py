"""Rules for how a chapter is laid out: its order, its parameters, the length of its cells and of its text."""

import ast
import re
import statistics
from collections.abc import Iterator

from nbformat import NotebookNode

from rules.page import CLOSING, Page, first_line, headings, num_lines, parsed, without_mathematics
from vaecourse.publish.chapters import UsageError, read_parameters

TIERS = ("quick", "laptop", "paper")


def page_order(page: Page) -> Iterator[str]:
    """Title and question, goals, prerequisites, parameters, imports, sections, summary, exercises, references."""
    cells = page.notebook.cells
    first_code = next((k for k, cell in enumerate(cells) if cell.cell_type == "code"), len(cells))
    opening = "\n\n".join(cell.source for cell in cells[:first_code])
    if not cells or not re.match(r"# \S", cells[0].source):
        yield "the first cell must be the title, # ..."
    if not re.search(r"^\*[^*\n][^*]*\?\*\s*$", cells[0].source + "\n\n" + opening, re.MULTILINE):
        yield "the title must be followed by the chapter's question, in italics: *...?*"
    for word in ("Goals", "Prerequisites", "Run time"):
        if not re.search(rf"^\*\*{word}\b", opening, re.MULTILINE):
            yield f"**{word}.** must be stated before the first code cell"
    if first_code < len(cells) and "parameters" not in cells[first_code].metadata.get("tags", []):
        yield "the first code cell must be the parameters cell"
    if len(page.code) > 1 and "import " not in page.code[1].source:
        yield "the second code cell must hold the imports"
    titles = [text for cell in cells for level, text in headings(cell) if level == 2]
    if titles[-3:] != CLOSING:
        yield f"the last three headings must be {', '.join(CLOSING)}; they are {', '.join(titles[-3:])}"
    if not 3 <= len(page.sections) <= 6:
        yield f"a chapter has three to six sections, and this one has {len(page.sections)}"
    if len(titles) != len(set(titles)):
        yield "two sections have the same heading"
    if sum(level == 1 for cell in cells for level, _ in headings(cell)) != 1:
        yield "there must be exactly one heading of the first level"


def sections_open_with_a_question(page: Page) -> Iterator[str]:
    """Each section opens with a question that the previous one could not answer."""
    for title, cells in page.sections.items():
        paragraphs = cells[0].source.split("\n\n")
        if not any("?" in paragraph for paragraph in paragraphs[:3]):
            yield f"section {title!r} must open with a question"


def parameters(page: Page) -> Iterator[str]:
    """One tagged cell, an assignment a line, with type and range; tier and seed among them."""
    tagged = [cell for cell in page.code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        yield f"exactly one cell must be tagged parameters, and {len(tagged)} are"
        return
    try:
        declared = {p.name: p for p in read_parameters(tagged[0].source, page.name)}
    except (UsageError, SyntaxError) as error:
        yield str(error)
        return
    if len(declared) != num_lines(tagged[0]):
        yield "the parameters cell holds one assignment a line and nothing else"
    for name in {"tier", "seed"} - set(declared):
        yield f"there is no parameter {name}"
    if "tier" in declared and (declared["tier"].choices != TIERS or declared["tier"].default != "quick"):
        yield f"tier must be one of {', '.join(TIERS)}, and stored as quick"
    for p in declared.values():
        if p.type in ("int", "float") and (p.low is None or p.high is None):
            yield f"parameter {p.name} has no range in its comment"
        if p.type == "str" and not p.choices:
            yield f"parameter {p.name} does not say what it may be"
    if not any("manual_seed(seed)" in cell.source for cell in page.code):
        yield "torch.manual_seed(seed) must stand at the top"


def cell_lengths(page: Page) -> Iterator[str]:
    """Short cells: median at most 8 lines, none over 25; blank lines are not counted."""
    lengths = [num_lines(cell) for cell in page.code]
    if lengths and statistics.median(lengths) > 8:
        yield f"the median code cell has {statistics.median(lengths):g} lines, and at most 8 are allowed"
    for cell in page.code:
        if num_lines(cell) > 25:
            yield f"{first_line(cell)} has {num_lines(cell)} lines, and at most 25 are allowed"


def short_classes(page: Page) -> Iterator[str]:
    """No class over 25 lines: it belongs into the package."""
    for cell in page.code:
        for node in ast.walk(parsed(cell)):
            if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno + 1 > 25:
                yield f"class {node.name} has {node.end_lineno - node.lineno + 1} lines, and at most 25 are allowed"


def more_text_than_code(page: Page) -> Iterator[str]:
    """At least as many Markdown cells as code cells."""
    if len(page.markdown) < len(page.code):
        yield f"there are {len(page.code)} code cells and only {len(page.markdown)} Markdown cells"


def words(page: Page) -> Iterator[str]:
    """1,500 to 4,000 words of prose, exercises and references excluded."""
    count = sum(len(re.findall(r"\w[\w'’-]*", without_mathematics(cell.source))) for cell in page.prose())
    if not 1500 <= count <= 4000:
        yield f"the prose has {count:,} words; 1,500 to 4,000 are wanted"


def assertions(page: Page) -> Iterator[str]:
    """At least one assertion a section: what is stated is checked there."""
    for title, cells in page.sections.items():
        if not any(num_assertions(cell) for cell in cells if cell.cell_type == "code"):
            yield f"section {title!r} asserts nothing"


def num_assertions(cell: NotebookNode) -> int:
    """Assert statements, and calls of functions such as ``assert_close``."""
    count = 0
    for node in ast.walk(parsed(cell)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            count += name.startswith("assert")
        count += isinstance(node, ast.Assert)
    return count
