"""Several chapters in a row: reports with their index page, and the stored chapters refreshed in place."""

import json
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vaecourse.publish.chapters import Chapter, all_chapters
from vaecourse.publish.normalise import write, write_text
from vaecourse.publish.reports import keeping_partial, recorded, render, restated, run_facts, write_report
from vaecourse.publish.running import ChapterFailed, run_notebook


def report_chapters(plan: list[tuple[Chapter, dict[str, Any]]], out: Path, timeout: float | None) -> int:
    """Report every chapter of the plan, going on past one that fails.

    Args:
        plan: chapters with the values of their parameters, already checked.
        out: the folder of all reports.
        timeout: limit for each chapter, in seconds; ``None`` for none.

    Returns:
        The exit code: 0 if every chapter ran to its end, else 1.
    """
    out = Path(out).resolve()
    failures: dict[str, str] = {}
    page = None
    with _Progress([chapter for chapter, _ in plan]) as progress:
        for chapter, parameters in plan:
            progress.begin(chapter)
            try:
                page = write_report(chapter, out, parameters=parameters, timeout=timeout, on_cell=progress.advance)
            except ChapterFailed as failure:
                failures[chapter.name] = str(failure)
            progress.end()
    if len(plan) > 1:  # pages written early do not know of those that came after
        for chapter, _ in plan:
            if chapter.name not in failures:
                render(chapter, out / chapter.name, out)
    write_text(index_page(out, failures), out / "index.html")
    for name, reason in failures.items():
        print(f"{name} failed: {reason}. {_where_partial(out / f'{name}.partial.ipynb')}")
    if len(plan) > 1:
        print(f"{len(plan) - len(failures)} of {len(plan)} chapters reported: {out / 'index.html'}")
    elif page is not None:
        print(f"The report is in {page}")
    return 1 if failures else 0


def refresh_chapters(chapters: list[Chapter], timeout: float | None) -> int:
    """Run chapters with their own parameters and store each in normal form, if it ran to its end.

    Numbers in the prose that carry a record's marker are brought up to date. A chapter that fails stays as
    it was; what it did is left in ``reports/<name>.partial.ipynb``.

    Returns:
        The exit code: 0 if every chapter ran to its end, else 1.
    """
    failures: dict[str, str] = {}
    partials = Path("reports").resolve()
    with _Progress(chapters) as progress:
        for chapter in chapters:
            progress.begin(chapter)
            partials.mkdir(exist_ok=True)
            partial = partials / f"{chapter.name}.partial.ipynb"
            try:
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
                    with keeping_partial(Path(scratch), partial):
                        finished = run_notebook(
                            chapter.read(),
                            Path(scratch),
                            folder=chapter.path.parent,
                            timeout=timeout,
                            on_cell=progress.advance,
                        )
                        notebook, missing = restated(finished, recorded(finished))
                        if missing:
                            raise ChapterFailed(f"its prose marks numbers that no cell records: {', '.join(missing)}")
                        write(notebook, chapter.path)
                partial.unlink(missing_ok=True)
                progress.say(f"{chapter.name}: {finished.seconds:.1f} s, {finished.environment['peak_memory']} MiB")
            except ChapterFailed as failure:
                failures[chapter.name] = str(failure)
            progress.end()
    for name, reason in failures.items():
        print(f"{name} failed: {reason}. {_where_partial(partials / f'{name}.partial.ipynb')}")
    return 1 if failures else 0


class _Progress:
    """One bar over the code cells of all chapters."""

    def __init__(self, chapters: list[Chapter]) -> None:
        self.cells = {c.name: sum(cell.cell_type == "code" for cell in c.read().cells) for c in chapters}
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


def index_page(out: Path, failures: dict[str, str]) -> str:
    """Return the page that lists every chapter with its report, and what failed in the latest run."""
    from vaecourse.publish.html import COURSE, page_of

    rows = []
    for chapter in all_chapters():
        folder = out / chapter.name
        title, facts = escape(chapter.title), "no report yet"
        try:
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        except OSError:
            pass
        else:
            title = f'<a href="{chapter.name}/{chapter.name}.html">{escape(metrics["title"])}</a>'
            facts = escape(" · ".join([*run_facts(metrics), metrics["finished"][:10]]))
        if chapter.name not in failures and (out / f"{chapter.name}.partial.ipynb").exists():
            facts += " · a later run did not finish"
        if chapter.name in failures:
            facts += f'<br><strong class="failed">The latest run failed:</strong> {escape(failures[chapter.name])}'
        rows.append(f"<li><span>{chapter.number}</span><p>{title}<br><small>{facts}</small></p></li>")
    return page_of(COURSE, '<ol class="chapters">' + "\n".join(rows) + "</ol>")


def _where_partial(path: Path) -> str:
    """Say where the notebook of an unfinished run is."""
    return f"The notebook as far as it came: {path}" if path.exists() else "It left no notebook."
