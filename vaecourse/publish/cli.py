"""The command line of the course: ``vaecourse report 08``, ``vaecourse student 02 --out DIR``, ..."""

import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from vaecourse.publish.chapters import Chapter, UsageError, all_chapters, find_chapter

# What a command needs beyond this is imported inside it, so that --help and refusals come at once.

_keys = click.argument("keys", nargs=-1, metavar="[CHAPTER]...")
_timeout = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Limit for each chapter, in seconds.",
)


def _plain_errors(command: Callable[..., int | None]) -> Callable[..., NoReturn]:
    """Turn what a user can cause into one sentence and an exit code: 2 wrong request, 1 disk, 130 stopped."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> NoReturn:
        # A polite request to stop is treated like Ctrl-C: nothing half-written is left behind.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            sys.exit(command(*args, **kwargs) or 0)
        except UsageError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        except OSError as error:
            print(f"{command.__name__} could not read or write: {error}.", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt as stopped:
            print(
                f"Stopped: {stopped or 'interrupted'}. What was complete before is untouched.",
                file=sys.stderr,
            )
            sys.exit(130)
        finally:
            signal.signal(signal.SIGTERM, before)

    return run


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
@_plain_errors
def report(
    keys: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
    tier: str | None,
    out: Path,
    timeout: float | None,
    every: bool,
) -> int:
    """Run a chapter and write its report: the executed notebook, one HTML page and metrics.json."""
    given += (("tier", tier),) if tier is not None else ()
    plan = [(chapter, chapter.values(given)) for chapter in _chosen(keys, every)]
    from vaecourse.publish.batch import report_chapters

    return report_chapters(plan, out, timeout)


@app.command()
@_keys
@_timeout
@_plain_errors
def chapters(keys: tuple[str, ...], timeout: float | None) -> int:
    """Run chapters in place (all, if none is named) and store them in their normal form."""
    chosen = _chosen(keys, every=not keys)
    from vaecourse.publish.batch import refresh_chapters

    return refresh_chapters(chosen, timeout)


@app.command()
@_keys
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="The folder that receives the copies.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a copy that is already there, and the work in it.")
@_plain_errors
def student(keys: tuple[str, ...], out: Path, force: bool) -> None:
    """Write the student's copy of a chapter: solutions taken out, hints and checks kept."""
    chosen = _chosen(keys, every=False)
    from vaecourse.publish.classroom import write_student_copies

    for path in write_student_copies(chosen, out, force=force):
        print(path)


@app.command()
@_plain_errors
def course() -> int:
    """Open the course in JupyterLab, at its first chapter."""
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(all_chapters()[0].path)])


@app.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default="reports/figures.html",
              show_default=True, help="The page to write.")  # fmt: skip
@_plain_errors
def figures(out: Path) -> None:
    """Write a contact sheet of every figure stored in the chapters, with captions and alternative texts."""
    chosen = all_chapters()
    from vaecourse.publish.figures import write_contact_sheet

    print(f"{write_contact_sheet(chosen, out)} figures in {out.resolve()}")


@app.group()
def data() -> None:
    """Say which data sets are at hand, fetch them, verify them, or add files brought from elsewhere."""


_consent = click.option(
    "--accept-unverified", is_flag=True, help="Consent to a file whose checksum nobody publishes; asked for once."
)


def _data_errors(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Turn what can go wrong with data into sentences: a wrong request is one, files not to be had exit with 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> int | None:
        from vaecourse.data import DataUnavailableError

        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(message, file=sys.stderr)
            try:
                return command(*args, **kwargs)
            except ValueError as error:
                raise UsageError(f"{error}.") from error
            except DataUnavailableError as error:
                print(f"{error}.", file=sys.stderr)
                return 1

    return run


@data.command("list")
@_plain_errors
@_data_errors
def data_list() -> None:
    """List the data sets: whether they are here, their size on disk, licence and title."""
    from vaecourse.data.files import state
    from vaecourse.data.registry import registry

    for entry in registry().values():
        sizes = [file.size for file in entry.files.values()]
        size = "" if not sizes else "?" if None in sizes else f"{sum(sizes) / 1e6:.1f} MB"
        print(f"{entry.name:14} {state(entry):12} {size:>9}  {entry.title}; licence: {entry.licence}")


@data.command("get")
@click.argument("name")
@_consent
@_plain_errors
@_data_errors
def data_get(name: str, accept_unverified: bool) -> None:
    """Fetch a data set, unless it is here, and verify it."""
    from vaecourse.data.files import locate
    from vaecourse.data.registry import find_entry

    paths = locate(find_entry(name), accept_unverified)
    print("\n".join(map(str, paths.values())) if paths else f"{name} is embedded: there is nothing to fetch.")


@data.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_plain_errors
@_data_errors
def data_verify(names: tuple[str, ...]) -> int:
    """Verify every file at hand, or those of the sets named; exit with 1 if one is damaged or a named set lacks one."""
    from vaecourse.data.cache import copies
    from vaecourse.data.registry import find_entry, registry

    bad = 0
    for entry in [find_entry(name) for name in names] or registry().values():
        if names and not entry.files:
            print(f"{'embedded':10} {entry.name}")
        for file in entry.files:
            found = list(copies(entry, file))
            for path, state in found:
                print(f"{state:10} {path}")
            if names and not found:
                print(f"{'missing':10} {entry.name}: {file}")
            bad += any(state == "damaged" for _, state in found) or (bool(names) and not found)
    return int(bad > 0)


@data.command("add")
@click.argument("name")
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), required=True,
              help="A file of the set, or a folder that holds its files.")  # fmt: skip
@_consent
@_plain_errors
@_data_errors
def data_add(name: str, source: Path, accept_unverified: bool) -> None:
    """Verify files brought from elsewhere and copy them to where the course looks for them."""
    from vaecourse.data.files import add
    from vaecourse.data.registry import find_entry

    print("\n".join(map(str, add(find_entry(name), source, accept_unverified))))


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
