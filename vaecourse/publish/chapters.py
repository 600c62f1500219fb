"""Finding chapters by number or name, and what the parameters cell of each one allows."""

import ast
import io
import math
import os
import re
import tokenize
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from vaecourse.files import kind

_CHAPTER_NAME = re.compile(r"(?P<number>\d\d[a-z]?)_(?P<slug>[a-z0-9_]+)")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.(?!\.)\s*({_NUMBER})?|\.\.\s*({_NUMBER})")
_ONE_OF = re.compile(r"one of:?\s*([^;:()]+)")
_TYPES = {"int": int, "float": float, "str": str, "bool": bool}


class UsageError(ValueError):
    """What was asked for cannot be run; the message is one sentence that says what is allowed."""


class UnreadableChapter(UsageError):
    """A file among the chapters that is no notebook."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: ``beta = 1.0  # float, 0..1000``."""

    name: str
    default: Any
    type: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False  # None is allowed

    @property
    def allowed(self) -> str:
        """What the parameter takes, in words."""
        if self.choices:
            words = "one of " + ", ".join(self.choices)
        else:
            words = {"int": "an integer", "float": "a number", "str": "a text", "bool": "True or False"}[self.type]
        if self.low is not None and self.high is not None:
            words += (
                f" from {self.low:g} to {self.high:g}" if self.type == "float" else f" from {self.low} to {self.high}"
            )
        elif self.low is not None:
            words += f" of at least {self.low}"
        elif self.high is not None:
            words += f" of at most {self.high}"
        return words + (", or None" if self.optional else "")

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` spells, or raise a UsageError that says what is allowed."""
        if self.optional and text == "None":
            return None
        try:
            value = _truth(text) if self.type == "bool" else _TYPES[self.type](plain(text, self.type))
        except ValueError:
            raise self._refusal(text) from None
        if self.type in ("int", "float"):
            inside = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
            if not inside or value != value or abs(value) == math.inf:
                raise self._refusal(text)
        if self.choices and text not in self.choices:
            raise self._refusal(text)
        return value

    def _refusal(self, text: str) -> UsageError:
        return UsageError(f"parameter {self.name} = {text} is not allowed: it takes {self.allowed}.")


@dataclass(frozen=True)
class Chapter:
    """One notebook of the course."""

    path: Path

    @property
    def name(self) -> str:
        """The name of the file without its ending, such as ``08_vae``."""
        return self.path.stem

    @property
    def number(self) -> str:
        """The number as the course prints it, such as ``08`` or ``09a``."""
        return self.name.partition("_")[0]

    @property
    def slug(self) -> str:
        """The name without its number, such as ``vae``."""
        return self.name.partition("_")[2]

    def read(self) -> nbformat.NotebookNode:
        """Return the notebook; an UnreadableChapter names a file that is none."""
        if (found := kind(self.path)) not in ("a file", None):
            raise UnreadableChapter(f"{self.path.name} cannot be read as a notebook: it is {found}.")
        try:
            notebook = nbformat.reads(self.path.read_text(encoding="utf-8"), as_version=4)
            nbformat.validate(notebook)
        except OSError:
            raise
        except Exception as error:  # nbformat raises whatever its parsers and upgrades raise
            said = str(error).strip().partition("\n")[0].rstrip(".")
            said = f"{said[:120]}" if said else type(error).__name__
            raise UnreadableChapter(f"{self.path.name} cannot be read as a notebook: {said}.") from error
        return notebook

    @cached_property
    def title(self) -> str:
        """The first heading of the notebook; its name where it has none or cannot be read."""
        try:
            return title_of(self.read()) or self.name
        except (OSError, UnreadableChapter):
            return self.name

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """What the cell tagged ``parameters`` declares, in its order; empty where there is none."""
        for cell in self.read().cells:
            if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
                return {parameter.name: parameter for parameter in read_parameters(cell.source, self.name)}
        return {}

    def values(self, given: list[tuple[str, str]]) -> dict[str, Any]:
        """Return the values that ``given`` (name, text) spells, all checked, or raise a UsageError."""
        values: dict[str, Any] = {}
        for name, text in given:
            if name not in self.parameters:
                known = ", ".join(f"{p.name} ({p.allowed})" for p in self.parameters.values())
                raise UsageError(f"chapter {self.name} has no parameter {name!r}: it takes {known or 'no parameters'}.")
            if name in values:
                raise UsageError(f"parameter {name} is given twice: give it once.")
            values[name] = self.parameters[name].parse(text)
        return values


def chapters_folder() -> Path:
    """Return the folder of the notebooks.

    It is $VAECOURSE_CHAPTERS, else ``chapters/`` beside the package, else, for a package that was installed without
    its clone, ``chapters/`` here or in the nearest folder above.
    """
    given = os.environ.get("VAECOURSE_CHAPTERS")
    if given:
        return Path(given).resolve()
    beside = Path(__file__).resolve().parents[2] / "chapters"
    here = Path.cwd()
    above = (folder / "chapters" for folder in (here, *here.parents))
    return next((folder for folder in (beside, *above) if _chapters_in(folder)), beside)


def _chapters_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.ipynb") if _CHAPTER_NAME.fullmatch(path.stem))


def all_chapters() -> list[Chapter]:
    """Return every chapter, in reading order."""
    folder = chapters_folder()
    paths = _chapters_in(folder)
    if not paths:
        raise UsageError(f"no chapters in {folder}: run from a clone of the course or set VAECOURSE_CHAPTERS.")
    return [Chapter(path) for path in paths]


def find_chapter(key: str) -> Chapter:
    """Return the chapter that ``key`` means: ``08``, ``8``, ``vae``, ``08_vae`` or ``08_vae.ipynb``."""
    chapters = all_chapters()
    wanted = Path(key).name.removesuffix(".ipynb").lower()
    number = wanted.zfill(2 + wanted[-1:].isalpha())
    found = [c for c in chapters if wanted and (wanted in (c.name, c.slug) or number == c.number)]
    if not found and wanted.isdigit():  # 9 where there are 09a and 09b
        found = [c for c in chapters if c.number[:2] == number]
    if len(found) == 1:
        return found[0]
    names = ", ".join(c.name for c in found or chapters)
    raise UsageError(
        f"{key!r} means several chapters: choose one of {names}."
        if found
        else f"there is no chapter {key!r}: the chapters are {names}."
    )


def is_exercises_heading(cell: nbformat.NotebookNode) -> bool:
    """Whether a chapter's exercises begin with this cell."""
    return cell.cell_type == "markdown" and re.match(r"## +Exercises\s*$", cell.source, re.MULTILINE) is not None


def title_of(notebook: nbformat.NotebookNode) -> str | None:
    """Return the text of the first heading of a notebook."""
    for cell in notebook.cells:
        heading = re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if heading:
            return heading[1].strip()
    return None


def read_parameters(source: str, where: str) -> list[Parameter]:
    """Read a parameters cell: one assignment of a literal a line, its type and range in the comment.

    Args:
        source: the cell, with lines such as ``seed = 0  # int, 0..1000000`` or
            ``num_epochs = None  # int, 1..10000, or None: the tier's own``.
        where: what to call the chapter in an error.

    Raises:
        UsageError: if a line declares no type, or a default is outside its own range.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = []
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            continue
        name = node.targets[0].id
        try:
            default = ast.literal_eval(node.value)
            parameters.append(_declared(name, default, comments.get(node.end_lineno, "")))
        except ValueError as error:
            raise UsageError(f"the parameters cell of {where} declares {name} wrongly: {error}") from error
    return parameters


def _declared(name: str, default: Any, comment: str) -> Parameter:
    """Return the parameter that a comment such as ``int, 1..100, or None`` declares."""
    kind, _, rest = comment.partition(",")
    kind = kind.split(":")[0].strip()
    if kind not in _TYPES:
        raise ValueError(f"its comment must start with one of {', '.join(_TYPES)}.")
    optional = re.search(r"\bor None\b", rest) is not None
    rest = re.sub(r",?\s*\bor None\b", "", rest)
    one_of = _ONE_OF.search(rest)
    choices = tuple(choice.strip(" \"'") for choice in one_of[1].split(",")) if one_of else ()
    low = high = None
    if kind in ("int", "float") and (bounds := _RANGE.search(rest)):
        low, high = (None if b is None else _TYPES[kind](b) for b in (bounds[1], bounds[2] or bounds[3]))
    parameter = Parameter(name, default, kind, low, high, choices, optional)
    if default is not None or not optional:
        parameter.parse(str(default))
    return parameter


def plain(text: str, kind: str) -> str:
    """Return a text that spells an int or a float as everybody writes it; a ValueError refuses 1_0, ١٠ and " 1".

    Args:
        text: what was given.
        kind: "int" or "float"; of other types every text is returned.
    """
    form = {"int": r"[-+]?[0-9]+", "float": _NUMBER}.get(kind)
    if form is not None and not re.fullmatch(form, text, re.ASCII):
        raise ValueError(text)
    return text


def _truth(text: str) -> bool:
    """Return the truth value that ``text`` spells."""
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError(text) from None
