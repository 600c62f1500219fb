"""The command line of the course: ``vaecourse report 08``, ``vaecourse student 02 --out DIR``, ..."""

from pathlib import Path
from typing import Any

import click

from vaecourse.publish.chapters import Chapter, UnreadableChapter, UsageError, all_chapters, find_chapter
from vaecourse.publish.commands import PlainNumber, plain_errors
from vaecourse.publish.data_commands import data
from vaecourse.publish.workbook_commands import check, course, solution, workbook

# What a command needs beyond this is imported inside it, so that --help and refusals come at once.

_keys = click.argument("keys", nargs=-1, metavar="[CHAPTER]...")
_timeout = click.option(
    "--timeout",
    type=PlainNumber(float, 0, above=True),
    metavar="S",
    help="Limit for all that the command does, in seconds.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vaecourse", prog_name="vaecourse")
def app() -> None:
    """Run, report and hand out the chapters of the course on variational autoencoders.

    A chapter is named by its number or its name: 08, 8, vae and 08_vae are the same.
    """


@app.command()
@_keys
@click.option(
    "-p", "--parameter", "given", type=(str, str), multiple=True, metavar="NAME VALUE",
    help="Set a parameter of the chapter; repeat for more.",
)  # fmt: skip
@click.option("--tier", help="The same as -p tier TIER: quick, laptop or paper.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="reports", show_default=True,
              help="The folder of the reports.")  # fmt: skip
@_timeout
@click.option("--all", "every", is_flag=True, help="Report every chapter, and go on past one that fails.")
@click.option("--strict", is_flag=True, help="Fail where a number is missing that the prose marks or a cell recorded.")
@plain_errors
def report(
    keys: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
    tier: str | None,
    out: Path,
    timeout: float | None,
    every: bool,
    strict: bool,
) -> int:
    """Run a chapter and write its report: the executed notebook, one HTML page and metrics.json."""
    given += (("tier", tier),) if tier is not None else ()
    plan = [(chapter, _values(chapter, given, every)) for chapter in _chosen(keys, every)]
    from vaecourse.publish.batch import report_chapters

    return report_chapters(plan, out, timeout, strict=strict)


@app.command()
@_keys
@_timeout
@plain_errors
def chapters(keys: tuple[str, ...], timeout: float | None) -> int:
    """Run chapters in place (all, if none is named) and store them in their normal form."""
    chosen = _chosen(keys, every=not keys)
    from vaecourse.publish.batch import refresh_chapters

    return refresh_chapters(chosen, timeout)


@app.command()
@_keys
@click.option("--seed", "seeds", type=PlainNumber(int, 0), multiple=True, default=range(5),
              help="A seed; repeat for more. 0 to 4, if none is given.")  # fmt: skip
@click.option("--tier", type=click.Choice(["quick", "laptop", "paper"]), default="quick", show_default=True)
@plain_errors
def seeds(keys: tuple[str, ...], seeds: tuple[int, ...], tier: str) -> int:
    """Run chapters (all, if none is named) at several seeds: say which assertions fail, store what they record."""
    chosen = _chosen(keys, every=not keys)
    if len(set(seeds)) < 2:
        raise UsageError("--seed is given once: give at least two, for one seed has no spread.")
    from vaecourse.publish.seeds import run_seeds

    return run_seeds(chosen, sorted(set(seeds)), tier, chosen[0].path.parent.parent / "results")


@app.command()
@_keys
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="The folder that receives the copies.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a copy that is already there, and the work in it.")
@plain_errors
def student(keys: tuple[str, ...], out: Path, force: bool) -> None:
    """Write the student's copy of a chapter: solutions taken out, hints and checks kept."""
    chosen = _chosen(keys, every=False)
    from vaecourse.publish.classroom import write_student_copies

    for path in write_student_copies(chosen, out, force=force):
        print(path)


@app.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default="reports/figures.html",
              show_default=True, help="The page to write.")  # fmt: skip
@plain_errors
def figures(out: Path) -> None:
    """Write a contact sheet of every figure stored in the chapters, with captions and alternative texts."""
    chosen = all_chapters()
    from vaecourse.publish.figures import write_contact_sheet

    print(f"{write_contact_sheet(chosen, out)} figures in {out.resolve()}")


for command in (course, workbook, check, solution, data):
    app.add_command(command)


def _values(chapter: Chapter, given: tuple[tuple[str, str], ...], every: bool) -> dict[str, Any]:
    """Return the checked values; among all chapters one that cannot be read fails later, and alone."""
    try:
        return chapter.values(list(given)) if chapter.parameters or given else {}
    except UnreadableChapter:
        if not every:
            raise
        return {}


def _chosen(keys: tuple[str, ...], every: bool) -> list[Chapter]:
    """Return the chapters that the arguments name, in reading order and each once."""
    if every and keys:
        raise UsageError("--all takes every chapter: name chapters or give --all, not both.")
    if every:
        return all_chapters()
    if not keys:
        names = ", ".join(chapter.name for chapter in all_chapters())
        raise UsageError(f"no chapter is named: the chapters are {names}.")
    return sorted({find_chapter(key) for key in keys}, key=lambda chapter: chapter.name)
