"""A chapter as a reader has it, taken apart into what the rules speak of."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

CLOSING = ["Summary", "Exercises", "References"]
_HEADING = re.compile(r"^(#{1,3}) +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass
class Page:
    """A chapter as a reader has it, with what surrounds it."""

    notebook: NotebookNode
    name: str  # such as 04_elbo
    size: int = 0  # bytes
    chapters: list[str] = field(default_factory=list)  # names of those that exist
    keys: set[str] = field(default_factory=set)  # of the bibliography

    @classmethod
    def read(cls, path: Path) -> "Page":
        """A chapter with its neighbours in the same folder."""
        return cls(
            nbformat.read(path, as_version=4),
            path.stem,
            path.stat().st_size,
            [other.stem for other in path.parent.glob("*.ipynb")],
            bibliography(path.parent / "references.bib"),
        )

    @property
    def label(self) -> str:
        """What stands before the point in numbers of figures: 4 for 04_elbo."""
        return self.name.partition("_")[0].lstrip("0") or "0"

    @property
    def code(self) -> list[NotebookNode]:
        """Code cells, in order."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @property
    def markdown(self) -> list[NotebookNode]:
        """Markdown cells, in order."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "markdown"]

    @cached_property
    def parts(self) -> dict[str, list[NotebookNode]]:
        """Cells by the second-level heading they stand under; those before the first under the empty name."""
        parts: dict[str, list[NotebookNode]] = {"": []}
        current = ""
        for cell in self.notebook.cells:
            for piece in _split(cell):
                for level, title in headings(piece):
                    if level == 2:
                        current = title
                        parts.setdefault(current, [])
                parts[current].append(piece)
        return parts

    @property
    def sections(self) -> dict[str, list[NotebookNode]]:
        """The chapter's own sections."""
        return {title: cells for title, cells in self.parts.items() if title and title not in CLOSING}

    @cached_property
    def exercises(self) -> list[list[NotebookNode]]:
        """The cells of each exercise."""
        exercises: list[list[NotebookNode]] = []
        for cell in self.parts.get("Exercises", []):
            if any(level == 3 for level, _ in headings(cell)):
                exercises.append([])
            if exercises:
                exercises[-1].append(cell)
        return exercises

    def prose(self) -> Iterator[NotebookNode]:
        """Markdown cells of the text itself: neither exercises nor references."""
        for title, cells in self.parts.items():
            if title not in ("Exercises", "References"):
                yield from (cell for cell in cells if cell.cell_type == "markdown")


def bibliography(path: Path) -> set[str]:
    """The keys of a BibTeX file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return set(re.findall(r"^@\w+\{\s*([^,\s]+)\s*,", text, re.MULTILINE))


def headings(cell: NotebookNode) -> list[tuple[int, str]]:
    """Level and text of every heading of a Markdown cell."""
    if cell.cell_type != "markdown":
        return []
    return [(len(marks), text) for marks, text in _HEADING.findall(without_fences(cell.source))]


def _split(cell: NotebookNode) -> list[NotebookNode]:
    """A Markdown cell that holds second-level headings in pieces that each begin with one; other cells as they are."""
    if cell.cell_type != "markdown" or not any(level == 2 for level, _ in headings(cell)):
        return [cell]
    pieces = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE)
    return [NotebookNode(cell | {"source": piece}) for piece in pieces if piece.strip()]


def first_line(cell: NotebookNode) -> str:
    """What a cell is called in a message."""
    return "`" + next((line for line in cell.source.splitlines() if line.strip()), "")[:60] + "`"


def num_lines(cell: NotebookNode) -> int:
    """Lines that are not blank."""
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def parsed(cell: NotebookNode) -> ast.Module:
    """The syntax tree of a code cell, IPython's own commands left out."""
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in cell.source.splitlines())
    return ast.parse("\n".join(lines))


def without_fences(text: str) -> str:
    """Markdown without its code blocks."""
    return _FENCE.sub("", text)


def without_code(text: str) -> str:
    """Markdown without its code blocks and inline code."""
    return re.sub(r"`[^`\n]+`", " ", _FENCE.sub(" ", text))


def without_mathematics(text: str) -> str:
    """Markdown with formulas as one word and code blocks, inline code, HTML and link targets taken out."""
    text = _FENCE.sub(" ", text)
    text = re.sub(r"\$\$.+?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]+`", " code ", text)
    text = re.sub(r"(?<!\\)\$[^$]+?(?<!\\)\$", " formula ", text)
    text = re.sub(r"<!--.*?-->|<[^>\n]+>", " ", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "] ", text)


def texts_of(output: NotebookNode) -> Iterator[str]:
    """What an output says, pictures left out."""
    if output.output_type == "stream":
        yield output.text
    if output.output_type == "error":
        yield "\n".join(output.traceback)
    for mime, value in output.get("data", {}).items():
        if not mime.startswith("image/") or mime.endswith("svg+xml"):
            yield value if isinstance(value, str) else json.dumps(value)
