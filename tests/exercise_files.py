"""The exercises of a chapter, the answers that tests/exercises/ keeps for them, and what their checks may say."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from vaecourse.publish.chapters import Chapter, is_exercises_heading

ANSWERS = Path(__file__).parent / "exercises"

_HEADING = re.compile(r"^### +Exercise (\w+\.\d+)\b", re.MULTILINE)
_SECTION = re.compile(r"^# %% (right|wrong): (.+)\n(?:# says: (.+)\n)?", re.MULTILINE)
_SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*", re.DOTALL | re.MULTILINE)


@dataclass
class Answer:
    """One way to answer an exercise."""

    kind: str  # solution, stub, right or wrong
    title: str
    says: str = ""  # what its check must say of a wrong one
    source: str = ""


@dataclass
class Exercise:
    """The code cells under one heading, and the answers that are kept for it."""

    number: str  # such as 8.1
    cells: list[NotebookNode] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def exercises_of(chapter: Chapter) -> list[Exercise]:
    """The exercises of a chapter with their cells and answers."""
    exercises: list[Exercise] = []
    past = False
    for cell in chapter.read().cells:
        past = past or is_exercises_heading(cell)
        if past and cell.cell_type == "markdown" and (heading := _HEADING.search(cell.source)):
            exercises.append(Exercise(heading[1]))
        elif exercises and cell.cell_type == "code":
            exercises[-1].cells.append(cell)
    for exercise in exercises:
        exercise.answers = [Answer("solution", "the solution"), Answer("stub", "the stub")]
        for path in sorted((ANSWERS / chapter.number).glob(f"{exercise.number.partition('.')[2]}_*.py")):
            exercise.answers += read_answers(path.read_text(encoding="utf-8"))
    return [exercise for exercise in exercises if exercise.cells]


def read_answers(text: str) -> list[Answer]:
    """The sections of a file of answers."""
    marks = list(_SECTION.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Answer(mark[1], mark[2].strip(), (mark[3] or "").strip(), text[mark.end() : end])
        for mark, end in zip(marks, ends)
    ]


def names_of(source: str) -> set[str]:
    """What the top level of a piece of code defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return names


def is_check(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def stub_of(cell: NotebookNode) -> str:
    """A solution cell as a reader gets it."""
    if cell.metadata.get("nbgrader", {}).get("solution"):
        stub = _SOLUTION.sub(r'\1raise NotImplementedError("to be written")', cell.source)
        kept = _SOLUTION.sub("", cell.source)
        plain = not any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in _parsed(cell.source))
        return kept if plain and _parsed(kept) else stub  # prediction = None stays as it is
    return cell.source


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []


def messages_of(cell: NotebookNode) -> dict[int, str]:
    """Line to text of every message that a check cell may give: those of its asserts, and its tables of mistakes."""
    messages = {}
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Assert):
            messages[node.lineno] = ast.unparse(node.msg) if node.msg else ""
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
            for part in [*node.args, *(keyword.value for keyword in node.keywords)]:
                for key in part.keys if isinstance(part, ast.Dict) else []:
                    messages[key.lineno] = ast.unparse(key)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            if any(getattr(target, "id", "") == "mistakes" for target in node.targets):
                for key in node.value.keys:
                    messages[key.lineno] = ast.unparse(key)
    return messages


def pattern_of(message: str) -> re.Pattern:
    """What a message may look like when it is said: the replacement fields of an f-string stand for anything."""
    node = ast.parse(message, mode="eval").body
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(
        re.escape(p.value) if isinstance(p, ast.Constant) and isinstance(p.value, str) else ".*" for p in parts
    )
    return re.compile(text, re.DOTALL)
