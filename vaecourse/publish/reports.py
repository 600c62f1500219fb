"""Executed reports: a chapter run to its end becomes a notebook, a page and metrics, all or nothing."""

import copy
import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from vaecourse.publish.chapters import Chapter, all_chapters, title_of
from vaecourse.publish.normalise import normalised, write, write_text
from vaecourse.publish.prose import collect_data, collect_records, restate
from vaecourse.publish.running import ChapterFailed, Finished, partial_notebook, run_notebook


def write_report(
    chapter: Chapter,
    out: Path,
    *,
    parameters: dict[str, Any] | None = None,
    timeout: float | None = None,
    on_cell: Callable[[], Any] = lambda: None,
) -> Path:
    """Run a chapter and write ``out/<name>/`` with ``<name>.ipynb``, ``<name>.html`` and ``metrics.json``.

    The folder appears whole or not at all: an earlier report stays as it was until the new one is complete. A
    run that does not finish leaves ``out/<name>.partial.ipynb``.

    Args:
        chapter: the chapter to run.
        out: the folder of all reports.
        parameters: values that differ from the chapter's own, already checked.
        timeout: limit for the run, in seconds; ``None`` for none.
        on_cell: called after each code cell.

    Returns:
        The path of the page.

    Raises:
        ChapterFailed: if the chapter did not run to its end; the message names the cell.
    """
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    _recover(out / chapter.name)
    with tempfile.TemporaryDirectory(prefix=f".{chapter.name}.", dir=out, ignore_cleanup_errors=True) as scratch:
        with keeping_partial(Path(scratch), out / f"{chapter.name}.partial.ipynb"):
            finished = run_notebook(
                chapter.read(),
                Path(scratch),
                folder=chapter.path.parent,
                parameters=parameters,
                timeout=timeout,
                on_cell=on_cell,
            )
            fresh = Path(scratch) / "report"
            fresh.mkdir()
            _fill(fresh, chapter, finished, parameters or {})
            render(chapter, fresh, out)
            _swap(fresh, out / chapter.name)
    (out / f"{chapter.name}.partial.ipynb").unlink(missing_ok=True)
    return out / chapter.name / f"{chapter.name}.html"


class keeping_partial:
    """Keep the notebook of a run that did not finish, whatever stopped it."""

    def __init__(self, scratch: Path, kept: Path) -> None:
        self.scratch, self.kept = scratch, kept

    def __enter__(self) -> None:
        """Start watching."""

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: object) -> None:
        """Write the partial notebook if there was an error, which goes on."""
        if error is not None:
            reason = str(error) or type(error).__name__
            if (partial := partial_notebook(self.scratch, reason)) is not None:
                write(partial, self.kept)


def restated(finished: Finished, records: dict[str, Any]) -> tuple[nbformat.NotebookNode, list[str]]:
    """Return the executed notebook with its prose numbers as recorded, and the names it did not record."""
    notebook = copy.deepcopy(finished.notebook)
    missing: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source, names = restate(cell.source, records)
            missing += names
    return normalised(notebook), missing  # cell ids follow from the text, so they come last


def recorded(finished: Finished) -> dict[str, dict[str, Any]]:
    """Return the records of a run; a chapter that records a name twice has failed."""
    try:
        return collect_records(finished.notebook)
    except ValueError as error:
        raise ChapterFailed(str(error)) from error


def _fill(folder: Path, chapter: Chapter, finished: Finished, changed: dict[str, Any]) -> None:
    """Write the notebook and the metrics of a report."""
    records = recorded(finished)
    notebook, missing = restated(finished, records)
    values = {name: parameter.default for name, parameter in chapter.parameters.items()} | changed
    metrics = {
        "chapter": chapter.name,
        "title": title_of(notebook) or chapter.name,
        "tier": values.get("tier"),
        "seed": values.get("seed"),
        "parameters": values,
        "changed": [name for name in changed if changed[name] != chapter.parameters[name].default],
        "records": records,
        "not_recorded": sorted(set(missing)),
        "data": collect_data(finished.notebook),
        **finished.environment,
        "seconds": round(finished.seconds, 2),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write(notebook, folder / f"{chapter.name}.ipynb")
    text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(text, folder / "metrics.json")


def render(chapter: Chapter, folder: Path, out: Path) -> None:
    """Write the page of the report in ``folder``, linked to the other reports in ``out``."""
    from vaecourse.publish.html import chapter_page

    notebook = nbformat.read(folder / f"{chapter.name}.ipynb", as_version=4)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    page = chapter_page(notebook, _page(chapter, metrics, out), chapter.path.parent)
    write_text(page, folder / f"{chapter.name}.html")


def _page(chapter: Chapter, metrics: dict[str, Any], out: Path) -> Any:
    """Return what the page says about itself."""
    from vaecourse.publish.html import Page

    chapters = all_chapters()
    names = [c.name for c in chapters]
    reported = {name: f"../{name}/{name}.html" for name in names if (out / name / f"{name}.html").exists()}
    position = names.index(chapter.name)

    def neighbour(index: int) -> tuple[str, str] | None:
        if 0 <= index < len(names) and names[index] in reported:
            return reported[names[index]], chapters[index].title
        return None

    versions = metrics["versions"]
    return Page(
        number=chapter.number,
        title=metrics["title"],
        version=versions["vaecourse"],
        run=tuple(run_facts(metrics)),
        colophon=f"Run on {metrics['finished'][:10]} with Python {versions['python']} and "
        f"PyTorch {versions['torch']} on {metrics['platform']}.",
        links={f"{name}.ipynb": address for name, address in reported.items()} | {chapter.path.name: ""},
        previous=neighbour(position - 1),
        following=neighbour(position + 1),
    )


def run_facts(metrics: dict[str, Any]) -> list[str]:
    """Return what a reader should know about a run: tier, changed parameters, data, device and time."""
    facts = [f"tier {metrics['tier']}"] if metrics["tier"] else []
    facts += [f"{name} = {metrics['parameters'][name]}" for name in metrics["changed"] if name != "tier"]
    facts += sorted({f"{data['name']}, {data['protocol']}" for data in metrics["data"]})
    return [
        *facts,
        f"{metrics['seconds']:.0f} s on {metrics['device']}",
        f"version {metrics['versions']['vaecourse']}",
    ]


def _swap(fresh: Path, target: Path) -> None:
    """Put a finished folder in place of an earlier one; whenever this stops, one of the two is there."""
    previous = target.with_name(f".{target.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    try:
        if target.exists():
            target.rename(previous)
        fresh.rename(target)
    except BaseException:
        _recover(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _recover(target: Path) -> None:
    """Bring back an earlier report that was set aside by a swap which did not end."""
    previous = target.with_name(f".{target.name}.previous")
    if previous.exists() and not target.exists():
        previous.rename(target)
