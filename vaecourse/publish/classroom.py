"""The student's copy of a chapter: no solution in it, checks locked and graded by nbgrader."""

from collections.abc import Iterable
from pathlib import Path

import nbformat

from vaecourse.publish.chapters import Chapter, UsageError
from vaecourse.publish.normalise import write
from vaecourse.publish.stripping import without_solutions


def student_copy(chapter: Chapter) -> nbformat.NotebookNode:
    """Return the student's copy of a chapter.

    Solutions become stubs that stop the run and say which exercise is next; written solutions and folded ones in
    the text go; checks are locked and lose their outputs, as does every cell from the first exercise on. The
    textbook part keeps its outputs.

    Raises:
        UsageError: if nbgrader is not installed, or the chapter's exercises are not well formed.
    """
    try:
        from nbgrader import preprocessors
    except ImportError as error:
        raise UsageError('student copies need nbgrader: pip install "vaecourse[classroom]".') from error

    notebook = without_solutions(chapter.read(), chapter.name)
    try:
        # Checksums are of the text as handed out: nbgrader restores what a student has changed by them.
        for name in ("CheckCellMetadata", "LockCells", "ComputeChecksums"):
            notebook, _ = getattr(preprocessors, name)().preprocess(notebook, {})
    except Exception as error:  # nbgrader raises whatever its validators raise
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"nbgrader cannot make a copy of {chapter.name}: {reason}") from error
    return notebook


def write_student_copies(chapters: Iterable[Chapter], out: Path, *, force: bool = False) -> list[Path]:
    """Write the student's copies into ``out``, all or none, and return their paths.

    Raises:
        UsageError: if a copy is already there and ``force`` is not given: it may hold a student's work.
    """
    out = Path(out)
    chapters = list(chapters)
    copies = {out / chapter.path.name: student_copy(chapter) for chapter in chapters}
    for path in copies:
        if path.resolve() in [chapter.path.resolve() for chapter in chapters]:
            raise UsageError(f"{path} is the chapter itself: choose another folder.")
        if path.exists() and not force:
            raise UsageError(f"{path} is already there and may hold work: choose another folder, or give --force.")
    out.mkdir(parents=True, exist_ok=True)
    for path, copy in copies.items():
        write(copy, path)
    return list(copies)
