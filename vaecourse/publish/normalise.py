"""The stored form of a notebook: nothing in it that changes from one run or machine to the next by accident.

Run as ``python -m vaecourse.publish.normalise FILES``; it rewrites what differs and then exits with 1.
"""

import copy
import hashlib
import sys
from pathlib import Path

import nbformat

from vaecourse.files import write_whole

_KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
_KEPT_CELL_METADATA = ("jupyter", "nbgrader", "tags")  # jupyter: cells folded in JupyterLab


def normalised(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy in stored form.

    Metadata keep the kernel's and the language's names, tags, folds and nbgrader's entries; cell ids follow from the
    cells' text; execution counts are consecutive; stderr and widget views go.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNELSPEC, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    seen: set[str] = set()
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in _KEPT_CELL_METADATA if cell.metadata.get(key)}
        )
        cell.source = "\n".join(line.rstrip() for line in cell.source.rstrip().split("\n"))
        cell.id = _identifier(cell, seen)
        if cell.cell_type != "code":
            continue
        cell.outputs = _quiet(cell.outputs)
        if cell.get("execution_count") is not None:
            count += 1
            cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
    return notebook


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook so that ``path`` holds either the old one or the new one, whole."""
    write_text(nbformat.writes(notebook), path)


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text so that ``path`` holds either the old text or the new one, whole."""
    write_whole(path, (text if text.endswith("\n") else text + "\n").encode())


def normalise_file(path: Path) -> bool:
    """Bring a notebook file into stored form; return whether it changed."""
    before = Path(path).read_text(encoding="utf-8")
    after = nbformat.writes(normalised(nbformat.reads(before, as_version=4)))
    if before.rstrip("\n") == after.rstrip("\n"):
        return False
    write_text(after, Path(path))
    return True


def _identifier(cell: nbformat.NotebookNode, seen: set[str]) -> str:
    """Return an id that the same text has in every run: exercise cells keep the id of their grade."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    base = grade_id or f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    base = "".join(c if (c.isalnum() and c.isascii()) or c in "-_" else "-" for c in base)[:56]
    identifier, repeats = base, 1
    while identifier in seen:
        repeats += 1
        identifier = f"{base}-{repeats}"
    seen.add(identifier)
    return identifier


def _quiet(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the outputs without stderr and widgets, neighbouring pieces of stdout joined."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif any("widget" in mime for mime in output.get("data", {})):
            continue
        output.pop("transient", None)
        kept.append(output)
    return kept


if __name__ == "__main__":
    changed = [path for path in sys.argv[1:] if normalise_file(Path(path))]
    for path in changed:
        print(f"normalised {path}")
    sys.exit(1 if changed else 0)
