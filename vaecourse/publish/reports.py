"""Executed reports: a chapter run to its end becomes a notebook, a page and metrics, all or nothing."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from vaecourse.publish.chapters import Chapter, all_chapters, title_of
from vaecourse.publish.deadline import Deadline
from vaecourse.publish.folders import put, scratch_beside
from vaecourse.publish.normalise import normalised, write, write_text
from vaecourse.publish.prose import collect_data, collect_records, restate
from vaecourse.publish.running import ChapterFailed, Finished, partial_notebook, run_notebook
from vaecourse.publish.stamp import code_stamp


@dataclass(frozen=True)
class Report:
    """A report that was written."""

    page: Path
    remarks: tuple[str, ...]  # what its reader should know of: numbers that are missing, warnings


def write_report(
    chapter: Chapter,
    out: Path,
    *,
    parameters: dict[str, Any] | None = None,
    deadline: Deadline | None = None,
    strict: bool = False,
    on_cell: Callable[[], Any] = lambda: None,
) -> Report:
    """Run a chapter and write ``out/<name>/`` with ``<name>.ipynb``, ``<name>.html`` and ``metrics.json``.

    The folder appears whole or not at all: an earlier report stays as it was until the new one is complete. A
    run that does not finish leaves ``out/<name>.partial.ipynb``.

    Args:
        chapter: the chapter to run.
        out: the folder of all reports; where ``out/<name>`` is a link, the folder that it names is replaced.
        parameters: values that differ from the chapter's own, already checked.
        deadline: the end of the time for the run and its page.
        strict: whether a number that is missing, of those that the prose marks or the run recorded, is a failure.
        on_cell: called after each code cell.

    Raises:
        ChapterFailed: if the chapter did not run to its end; the message names the cell.
        OSError: the report cannot be written; the sentence names the file.
    """
    deadline = deadline or Deadline()
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    target, partial = (out / chapter.name).resolve(), out / f"{chapter.name}.partial.ipynb"
    if target.exists() and not target.is_dir():
        raise ChapterFailed(f"{target} is where its report is to be, and is not a folder")
    notebook = chapter.read()
    with scratch_beside(target) as scratch, keeping_partial(notebook, partial):
        finished = run_notebook(
            notebook, folder=chapter.path.parent, parameters=parameters, deadline=deadline, on_cell=on_cell
        )
        fresh = scratch / chapter.name
        fresh.mkdir()
        with deadline.enforced():
            remarks = _fill(fresh, chapter, finished, parameters or {}, strict)
            render(chapter, fresh, out)
        put(fresh, target)
    with suppress(OSError):  # of an earlier run
        partial.unlink(missing_ok=True)
    return Report(out / chapter.name / f"{chapter.name}.html", tuple(remarks))


@contextmanager
def keeping_partial(notebook: nbformat.NotebookNode, kept: Path) -> Iterator[None]:
    """Keep the notebook of a run that does not finish, as far as it came, whatever stops it."""
    try:
        yield
    except BaseException as error:
        reason = str(error) or type(error).__name__
        with suppress(Exception):  # the error that is on its way matters more
            if (partial := partial_notebook(notebook, reason)) is not None:
                write(partial, kept)
        raise


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
    """Return the records of a run; a chapter that records a name twice, or what is no number, has failed."""
    try:
        return collect_records(finished.notebook)
    except ValueError as error:
        raise ChapterFailed(str(error)) from error


def missing_numbers(finished: Finished, records: dict[str, Any], unmarked: list[str]) -> list[str]:
    """Say, in a sentence each, which numbers of a run are missing.

    Args:
        finished: the run.
        records: what its notebook holds.
        unmarked: names that the prose marks and the notebook does not hold.
    """
    lost = sorted(set(finished.stated) - set(records))
    sentences = [f"the output that recorded {', '.join(lost)} is lost"] if lost else []
    if unrecorded := sorted(set(unmarked) - set(lost)):
        sentences.append(f"its prose marks numbers that no cell records: {', '.join(unrecorded)}")
    if finished.replaced:
        sentences.append("the name `record` was given to something else than vaecourse's")
    return sentences


def _fill(folder: Path, chapter: Chapter, finished: Finished, changed: dict[str, Any], strict: bool) -> list[str]:
    """Write the notebook and the metrics of a report, and return what its reader should know of."""
    records = recorded(finished)
    notebook, unmarked = restated(finished, records)
    missing = missing_numbers(finished, records, unmarked)
    if strict and missing:
        raise ChapterFailed("; ".join(missing))
    values = {name: parameter.default for name, parameter in chapter.parameters.items()} | changed
    metrics = {
        "chapter": chapter.name,
        "title": title_of(notebook) or chapter.name,
        "code": code_stamp(chapter.read()),
        "tier": values.get("tier"),
        "seed": values.get("seed"),
        "parameters": values,
        "changed": [name for name in changed if changed[name] != chapter.parameters[name].default],
        "records": records,
        "not_recorded": sorted({*unmarked, *finished.stated} - set(records)),
        "warnings": finished.warnings,
        "data": _data(finished),
        **finished.environment,
        "seconds": round(finished.seconds, 2),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write(notebook, folder / f"{chapter.name}.ipynb")
    text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(text, folder / "metrics.json")
    return [*missing, *(f"{warning['text']} ({_cell(warning)})" for warning in finished.warnings)]


def _data(finished: Finished) -> list[dict[str, Any]]:
    """Return the data sets of a run; one that is stated wrongly is a failure."""
    try:
        return collect_data(finished.notebook)
    except ValueError as error:
        raise ChapterFailed(str(error)) from error


def _cell(warning: dict[str, Any]) -> str:
    return f"code cell {warning['cell']}" if warning["cell"] else "after its last cell"


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
