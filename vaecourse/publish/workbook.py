"""The reader's own workbook: copies of the chapters with stubs, made where there are none and never overwritten."""

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from vaecourse.publish.chapters import Chapter, UsageError, chapters_folder
from vaecourse.publish.exercises import exercises_of, is_answer, is_check
from vaecourse.publish.normalise import write
from vaecourse.publish.stripping import without_solutions

_LINK = re.compile(r"(?<=\]\()[^)\s]+|(?<=\bsrc=[\"'])[^\"']+|(?<=\bhref=[\"'])[^\"']+")


def workbook_folder() -> Path:
    """Return the folder of the workbook: ``workbook/`` beside the chapters."""
    return chapters_folder().parent / "workbook"


def workbook_copy(chapter: Chapter) -> NotebookNode:
    """Return the reader's copy of a chapter.

    Answers are stubs; checks cannot be edited or deleted; links to files beside the chapters lead back there. A
    chapter without exercises is copied as it is. The metadata say which state of the chapter it was made from.

    Raises:
        UsageError: the chapter's exercises are not well formed.
    """
    original = chapter.read()
    exercises = any(is_answer(cell) for cell in original.cells)
    copy = without_solutions(original, chapter.name) if exercises else original
    folder = chapter.path.parent
    for cell in copy.cells:
        if is_check(cell):
            cell.metadata.update(editable=False, deletable=False)
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(lambda link: _relinked(link[0], folder), cell.source)
    copy.metadata["vaecourse"] = {"chapter": _state(copy)}
    return copy


def make_workbook(chapters: list[Chapter]) -> list[str]:
    """Make the copies that are not there yet, and leave the others as they are.

    Returns:
        One sentence for each copy whose chapter has changed since.

    Raises:
        OSError: one cannot be written.
    """
    folder = workbook_folder()
    folder.mkdir(exist_ok=True)
    remarks = []
    for chapter in chapters:
        path, copy = folder / chapter.path.name, workbook_copy(chapter)
        if not _taken(path):
            write(copy, path)
        elif _made_from(path) not in (None, copy.metadata.vaecourse.chapter):
            remarks.append(
                f"{chapter.name} has changed since your copy of it was made, and yours is kept: "
                f"vaecourse workbook {chapter.number} --renew makes a new one and keeps yours beside it."
            )
    return remarks


class Renewed(NamedTuple):
    """What became of a copy: where the old one is, how many answers the new one has, and which it has not."""

    kept: Path
    carried: int
    left: list[str]  # exercise numbers


def renew(chapter: Chapter) -> Renewed | None:
    """Make a new copy of a chapter; the reader's stays beside it, under another name.

    An answer is carried over where the signatures of its stub stand in it still.

    Returns:
        What became of the old copy and its answers; None where the copy is of this chapter and lacks nothing of it, and
        therefore stays.

    Raises:
        UsageError: there is no copy yet, or it cannot be read as a notebook.
        OSError: one cannot be written.
    """
    path, new = workbook_folder() / chapter.path.name, workbook_copy(chapter)
    if not _taken(path):
        raise UsageError(f"there is no copy of {chapter.name} to renew: vaecourse workbook {chapter.number} makes one.")
    mine = Chapter(path).read()
    if _made_from(path) == new.metadata.vaecourse.chapter and _given(new) <= _given(mine):
        return None
    old = {_grade_id(cell): cell for cell in mine.cells if is_answer(cell)}
    carried, left = 0, []
    for cell in filter(is_answer, new.cells):
        answer = old.get(_grade_id(cell))
        if answer is None or not is_begun(answer, cell):
            continue
        if _answers(answer.source, cell):
            cell.source, carried = answer.source, carried + 1
        else:
            left.append(_grade_id(cell))
    kept = next(p for k in range(1, 10_000) if not _taken(p := path.with_name(f"{path.stem}.kept-{k}.ipynb")))
    path.rename(kept)
    write(new, path)
    return Renewed(kept, carried, [e.number for e in exercises_of(new) if {_grade_id(c) for c in e.answers} & {*left}])


def is_begun(mine: NotebookNode, stub: NotebookNode) -> bool:
    """Whether a reader has put something into an answer cell: it is neither this stub nor an older one.

    Of a stub that stops in several places one may be written and the others not yet.
    """
    source, stops = mine.source.strip(), 'raise NotImplementedError("Exercise '
    return source not in ("", stub.source.strip()) and source.count(stops) < max(1, stub.source.count(stops))


def _answers(source: str, stub: NotebookNode) -> bool:
    """Whether a reader's cell answers what a stub asks: its functions and classes have the same first lines."""
    if stub.cell_type != "code":
        return True
    here = {line.strip() for line in source.splitlines()}
    lines = [line.strip() for line in stub.source.splitlines()]
    return all(line in here for line in lines if line.startswith(("def ", "class ")))


def _given(copy: NotebookNode) -> set[tuple[str, str]]:
    """What a copy holds besides answers."""
    return {(cell.cell_type, cell.source) for cell in copy.cells if not is_answer(cell)}


def _grade_id(cell: NotebookNode) -> str:
    return cell.metadata.nbgrader.grade_id


def _relinked(target: str, folder: Path) -> str:
    """A link of a chapter as it reads from the workbook: other chapters are copied too, other files are not."""
    local = target.partition("#")[0]
    beside = local and ":" not in local and not local.startswith(("/", "..")) and not local.endswith(".ipynb")
    return f"../{folder.name}/{target}" if beside and (folder / local).is_file() else target


def _state(copy: NotebookNode) -> str:
    """A digest of the text and code that a reader is given; outputs, ids and metadata do not enter."""
    text = json.dumps([[cell.cell_type, cell.source] for cell in copy.cells])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _made_from(path: Path) -> str | None:
    """The state of the chapter that a reader's copy was made from, where the copy still says so."""
    try:
        return nbformat.read(path, as_version=4).metadata["vaecourse"]["chapter"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, nbformat.ValidationError):
        return None


def _taken(path: Path) -> bool:
    return path.exists() or path.is_symlink()
