"""A stamp of a chapter's code: results that carry another one came from a chapter that has changed since."""

import ast
import hashlib

import nbformat

from vaecourse.publish.chapters import is_exercises_heading

#: Tags of cells on which no number depends that the text itself computes: parameters, drawings, quoted results.
_APART = {"parameters", "injected-parameters", "hide-input", "quote"}


def code_stamp(notebook: nbformat.NotebookNode) -> str:
    """Return twelve hexadecimal digits that follow from what the code cells before the exercises do.

    Comments, spaces and line breaks do not count, nor do cells that only draw, quote or set parameters.
    """
    digest = hashlib.sha256()
    for cell in notebook.cells:
        if is_exercises_heading(cell):
            break
        if cell.cell_type == "code" and not _APART & set(cell.metadata.get("tags", [])):
            digest.update(_meaning(cell.source).encode())
    return digest.hexdigest()[:12]


def _meaning(source: str) -> str:
    """The syntax tree of a cell, as text; of a cell that is not plain Python, its text."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source
