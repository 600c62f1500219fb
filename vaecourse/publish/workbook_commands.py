"""What a reader does with the course: open the workbook, check exercises, look at a solution."""

import os
import shutil
import subprocess
import sys
import textwrap

import click

from vaecourse.publish.chapters import Chapter, UsageError, all_chapters, find_chapter
from vaecourse.publish.commands import plain_errors


@click.command()
@click.argument("key", required=False, metavar="[CHAPTER]")
@plain_errors
def course(key: str | None) -> int:
    """Open your workbook in JupyterLab, at a chapter or at the first one; it is made if it is not there."""
    chapter = find_chapter(key) if key else all_chapters()[0]
    from vaecourse.publish.workbook import make_workbook, workbook_folder

    for remark in make_workbook(all_chapters()):
        print(remark)
    folder = workbook_folder()
    if getattr(os, "geteuid", lambda: 1)() == 0:
        raise UsageError(
            f"JupyterLab does not start for root: open {folder} as another user; or, if this is a container of your "
            f"own, with {sys.executable} -m jupyterlab --allow-root {folder.name}."
        )
    start = f"--LabApp.default_url=/lab/tree/{folder.name}/{chapter.path.name}"
    return subprocess.call([sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.parent}", start])


@click.command()
@click.argument("keys", nargs=-1, metavar="[CHAPTER]...")
@click.option("--renew", is_flag=True, help="Make the copies of these chapters anew, and keep yours beside them.")
@plain_errors
def workbook(keys: tuple[str, ...], renew: bool) -> None:
    """Make your own copies of chapters (all, if none is named), with exercises to write; what is there stays."""
    chosen = [find_chapter(key) for key in keys] or all_chapters()
    if renew and not keys:
        raise UsageError("--renew makes copies anew that hold your work: name the chapters.")
    from vaecourse.publish.workbook import make_workbook, workbook_folder
    from vaecourse.publish.workbook import renew as renewed

    if renew:
        for chapter in chosen:
            print(_renewed(chapter, renewed(chapter)))
    else:
        for remark in make_workbook(chosen):
            print(remark)
    print(f"Your workbook is in {workbook_folder()}")


def _renewed(chapter: Chapter, what: "Renewed | None") -> str:  # noqa: F821
    if what is None:
        return f"{chapter.name} has not changed since your copy was made, which stays: to begin again, delete it."
    answers = f"{what.carried} answer{'s' * (what.carried != 1)}"
    text = f"{chapter.name} is new, with {answers} of yours carried over; your old copy is {what.kept.name}."
    for number in what.left:
        text += f" {number} was not carried over: the signature that it asks for is not in your answer."
    return text


@click.command()
@click.argument("number", metavar="EXERCISE")
@plain_errors
def solution(number: str) -> None:
    """Show the solution of one exercise, such as 8.1."""
    from vaecourse.publish.exercises import find_exercise, solution_texts

    _, exercise = find_exercise(number)
    print(f"Exercise {exercise.number}: {exercise.title}")
    for kind, text in solution_texts(exercise):
        print(f"\n{_coloured(text) if kind == 'code' and sys.stdout.isatty() else text}")


@click.command()
@click.argument("keys", nargs=-1, metavar="[EXERCISE | CHAPTER]...")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True, metavar="S",
              help="Limit for each exercise, in seconds.")  # fmt: skip
@plain_errors
def check(keys: tuple[str, ...], timeout: float) -> int:
    """Say which exercises of your workbook pass: 8.1, all of 08, or all that you have begun.

    Of each chapter as much runs as its exercises need, at the quick tier, and then every exercise by itself. The
    workbook is not changed. The exit code is 1 if an exercise that was begun does not pass.
    """
    plan = _plan(keys)
    from vaecourse.publish.checking import NOT_BEGUN, attempts_of, check_chapter

    chosen = [(chapter, attempts_of(chapter, numbers)) for chapter, numbers in plan]
    results = []
    for chapter, attempts in chosen:
        with _bar(chapter, any(attempt.runs for attempt in attempts)) as bar:
            found, remarks = check_chapter(chapter, attempts, timeout, bar)
        results += found
        for remark in remarks:
            print(remark)
        for result in found:
            click.echo(_row(result.number, result.title, result.state, good=result.passes))
    passing, waiting = sum(r.passes for r in results), sum(r.state == NOT_BEGUN for r in results)
    unbegun = f", {waiting} {'is' if waiting == 1 else 'are'} not begun" if waiting else ""
    print(f"{passing} of {len(results)} exercises pass{unbegun}.")
    return int(any(result.fails for result in results))


def _plan(keys: tuple[str, ...]) -> list[tuple[Chapter, set[str] | None]]:
    """The chapters to run in reading order, each with the numbers of the exercises that are wanted, or None for all."""
    from vaecourse.publish.exercises import find_exercise
    from vaecourse.publish.workbook import workbook_folder

    plan: dict[Chapter, set[str] | None] = {}
    for key in keys:
        if "." in key and not key.endswith(".ipynb"):
            chapter, exercise = find_exercise(key)
            if plan.get(chapter, set()) is not None:
                plan[chapter] = plan.get(chapter, set()) | {exercise.number}
        else:
            plan[find_chapter(key)] = None
    if not keys:
        plan = {c: None for c in all_chapters() if (workbook_folder() / c.path.name).exists()}
        if not plan:
            raise UsageError("you have no workbook yet: vaecourse course makes it and opens it.")
    return sorted(plan.items(), key=lambda item: item[0].name)


def _bar(chapter: Chapter, shown: bool) -> "tqdm":  # noqa: F821
    from tqdm import tqdm

    return tqdm(total=0, desc=chapter.name, unit="cell", leave=False, dynamic_ncols=True, disable=not shown)


def _row(number: str, title: str, state: str, good: bool) -> str:
    """A line of the table; what does not fit beside the title stands below it, indented."""
    width = max(60, shutil.get_terminal_size((100, 24)).columns)
    head = f"{number:6}{title[:38]:40}"
    lines = textwrap.wrap(state, width - len(head)) or [""]
    if len(lines) > 1:
        lines = ["", *textwrap.wrap(state, width - 8, initial_indent=" " * 8, subsequent_indent=" " * 8)]
    return "\n".join([(head + (click.style(lines[0], fg="green") if good else lines[0])).rstrip(), *lines[1:]])


def _coloured(code: str) -> str:
    from pygments import highlight
    from pygments.formatters import TerminalFormatter
    from pygments.lexers import PythonLexer

    return highlight(code, PythonLexer(), TerminalFormatter()).rstrip()
