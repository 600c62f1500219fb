"""Several chapters in a row: reports with their index page, and the stored chapters refreshed in place."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vaecourse.publish.chapters import Chapter, UsageError, all_chapters
from vaecourse.publish.deadline import Deadline, OutOfTime
from vaecourse.publish.normalise import write, write_text
from vaecourse.publish.reports import (
    Report,
    keeping_partial,
    missing_numbers,
    recorded,
    render,
    restated,
    run_facts,
    write_report,
)
from vaecourse.publish.running import ChapterFailed, run_notebook


def report_chapters(
    plan: list[tuple[Chapter, dict[str, Any]]], out: Path, timeout: float | None, *, strict: bool = False
) -> int:
    """Report every chapter of the plan, going on past one that fails, for whatever reason.

    Args:
        plan: chapters with the values of their parameters, already checked.
        out: the folder of all reports.
        timeout: limit for all of it, in seconds; ``None`` for none.
        strict: whether a missing number is a failure.

    Returns:
        The exit code: 0 if every chapter ran to its end, else 1.
    """
    out, deadline = Path(out).resolve(), Deadline(timeout)
    failures: dict[str, str] = {}
    reports: dict[str, Report] = {}
    with _Progress([chapter for chapter, _ in plan]) as progress:
        for chapter, parameters in plan:
            progress.begin(chapter)
            with _noting(failures, chapter):
                reports[chapter.name] = write_report(
                    chapter, out, parameters=parameters, deadline=deadline, strict=strict, on_cell=progress.advance
                )
            progress.end()
    for chapter, _ in plan if len(plan) > 1 else []:  # pages written early do not know of those that came after
        if chapter.name in reports:
            with _noting(failures, chapter), deadline.enforced():
                render(chapter, out / chapter.name, out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(index_page(out, failures), out / "index.html")
    for name, report in reports.items():
        for remark in report.remarks:
            print(f"{name}: {remark}", file=sys.stderr)
    for name, reason in failures.items():
        print(f"{name} failed: {reason}. {_where_partial(out / f'{name}.partial.ipynb')}")
    if len(plan) > 1:
        print(f"{len(plan) - len(failures)} of {len(plan)} chapters reported: {out / 'index.html'}")
    elif reports:
        print(f"The report is in {reports[plan[0][0].name].page}")
    return 1 if failures else 0


def refresh_chapters(chapters: list[Chapter], timeout: float | None) -> int:
    """Run chapters with their own parameters and store each in normal form, if it ran to its end.

    Numbers in the prose that carry a record's marker are brought up to date. A chapter that fails stays as
    it was; what it did is left in ``reports/<name>.partial.ipynb``.

    Args:
        chapters: to be run.
        timeout: limit for all of them, in seconds; ``None`` for none.

    Returns:
        The exit code: 0 if every chapter ran to its end, else 1.
    """
    failures: dict[str, str] = {}
    partials, deadline = Path("reports").resolve(), Deadline(timeout)
    partials.mkdir(exist_ok=True)
    with _Progress(chapters) as progress:
        for chapter in chapters:
            progress.begin(chapter)
            partial = partials / f"{chapter.name}.partial.ipynb"
            with _noting(failures, chapter):
                before = chapter.read()
                with keeping_partial(before, partial):
                    finished = run_notebook(
                        before, folder=chapter.path.parent, deadline=deadline, on_cell=progress.advance
                    )
                    records = recorded(finished)
                    notebook, unmarked = restated(finished, records)
                    if missing := missing_numbers(finished, records, unmarked):
                        raise ChapterFailed("; ".join(missing))
                    write(notebook, chapter.path)
                partial.unlink(missing_ok=True)
                progress.say(f"{chapter.name}: {finished.seconds:.1f} s, {finished.environment['peak_memory']} MiB")
                for warning in finished.warnings:
                    progress.say(f"{chapter.name}: {warning['text']} (code cell {warning['cell']})")
            progress.end()
    for name, reason in failures.items():
        print(f"{name} failed: {reason}. {_where_partial(partials / f'{name}.partial.ipynb')}")
    return 1 if failures else 0


@contextmanager
def _noting(failures: dict[str, str], chapter: Chapter) -> Iterator[None]:
    """Note why a chapter failed, whatever was raised, so that the others are not its victims."""
    try:
        yield
    except (ChapterFailed, OutOfTime, UsageError) as error:
        failures[chapter.name] = str(error).rstrip(".")
    except OSError as error:
        failures[chapter.name] = f"could not read or write: {str(error).rstrip('.')}"
    except Exception as error:
        said = str(error).strip().partition("\n")[0].rstrip(".")
        failures[chapter.name] = f"{type(error).__name__}{': ' * bool(said)}{said}"


class _Progress:
    """One bar over the code cells of all chapters."""

    def __init__(self, chapters: list[Chapter]) -> None:
        self.cells = {chapter.name: _count_cells(chapter) for chapter in chapters}
        self.bar = tqdm(total=sum(self.cells.values()), unit="cell", dynamic_ncols=True)
        self.behind = 0  # where the bar stands when the running chapter is over

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def begin(self, chapter: Chapter) -> None:
        """Name the chapter that starts."""
        self.bar.set_description(chapter.name)
        self.behind += self.cells[chapter.name]

    def advance(self) -> None:
        """Count one cell; an injected parameters cell does not overfill the bar."""
        self.bar.update(min(1, self.behind - self.bar.n))

    def end(self) -> None:
        """Count what the chapter left out."""
        self.bar.update(self.behind - self.bar.n)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.write(text)


def _count_cells(chapter: Chapter) -> int:
    """Return how many cells of code a chapter has; none where it cannot be read, which its run will say."""
    try:
        return sum(cell.cell_type == "code" for cell in chapter.read().cells)
    except (OSError, UsageError):
        return 0


def index_page(out: Path, failures: dict[str, str]) -> str:
    """Return the page that lists every chapter with its report, and what failed in the latest run."""
    from vaecourse.publish.html import COURSE, page_of

    rows = []
    for chapter in all_chapters():
        title, facts = escape(chapter.title), "no report yet"
        try:
            metrics = json.loads((out / chapter.name / "metrics.json").read_text(encoding="utf-8"))
            said = escape(" · ".join([*run_facts(metrics), metrics["finished"][:10]]))
            title = f'<a href="{chapter.name}/{chapter.name}.html">{escape(metrics["title"])}</a>'
            facts = said
        except FileNotFoundError:
            pass
        except Exception as error:  # damaged by hand, or of another version
            facts = f"its report cannot be read ({type(error).__name__})"
        if chapter.name not in failures and (out / f"{chapter.name}.partial.ipynb").exists():
            facts += " · a later run did not finish"
        if chapter.name in failures:
            facts += f'<br><strong class="failed">The latest run failed:</strong> {escape(failures[chapter.name])}'
        rows.append(f"<li><span>{chapter.number}</span><p>{title}<br><small>{facts}</small></p></li>")
    return page_of(COURSE, '<ol class="chapters">' + "\n".join(rows) + "</ol>")


def _where_partial(path: Path) -> str:
    """Say where the notebook of an unfinished run is."""
    return f"The notebook as far as it came: {path}" if path.exists() else "It left no notebook."
