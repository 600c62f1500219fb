"""Rules for the exercises of a chapter: stubs, hints, checks with messages, and the metadata of nbgrader."""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from rules.page import Page, first_line, parsed

_EXERCISE = re.compile(r"^### +Exercise (\w+)\.(\d+) \((•{1,3}), (\d+) min\)", re.MULTILINE)


def exercises(page: Page) -> Iterator[str]:
    """Three to six, each with difficulty, minutes, a stub, a hint and a check with messages; nbgrader's cells."""
    if not 3 <= len(page.exercises) <= 6:
        yield f"a chapter has three to six exercises, and this one has {len(page.exercises)}"
    for k, cells in enumerate(page.exercises, start=1):
        name = f"exercise {page.label}.{k}"
        heading = _EXERCISE.search(cells[0].source)
        if not heading or (heading[1], int(heading[2])) != (page.label, k):
            yield f"{name} must be headed ### Exercise {page.label}.{k} (••, 10 min): ..."
        hints = [cell for cell in cells if cell.cell_type == "markdown" and "<summary>Hint" in cell.source]
        if not any("<details>" in cell.source and "</details>" in cell.source for cell in hints):
            yield f"{name} has no hint in <details><summary>Hint</summary>"
        solutions = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
        checks = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
        if not solutions or not checks:
            yield f"{name} needs a solution cell and a graded cell"
        if not sum(cell.metadata["nbgrader"].get("points", 0) for cell in checks) > 0:
            yield f"{name} is worth no points"
        yield from _stub_and_check(name, solutions, checks)


def _stub_and_check(name: str, solutions: list[NotebookNode], checks: list[NotebookNode]) -> Iterator[str]:
    """What the student is given to start from, and what tells them that they have arrived."""
    defined = set()
    for cell in solutions:
        if not re.search(r"^ *### BEGIN SOLUTION$.*^ *### END SOLUTION$", cell.source, re.MULTILINE | re.DOTALL):
            if cell.cell_type == "code":
                yield f"the solution of {name} is not between ### BEGIN SOLUTION and ### END SOLUTION"
            continue
        for node in parsed(cell).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                defined.add(node.name)
                before = cell.source.partition("### BEGIN SOLUTION")[0]
                if not ast.get_docstring(node) or f" {node.name}" not in before:
                    yield f"the stub of {name} lacks a signature or a docstring outside the solution"
    for cell in checks:
        metadata = cell.metadata["nbgrader"]
        if metadata.get("solution"):
            continue  # an answer in words, graded by a reader
        if not metadata.get("locked"):
            yield f"the check of {name} is not locked"
        predicts = any(map(_is_prediction, solutions))
        if _num_messages(cell) < (1 if predicts else 2):
            yield f"the check of {name} must name at least two misconceptions in its messages"
        defined |= {"prediction"} if predicts else set()
        used = {node.id for node in ast.walk(parsed(cell)) if isinstance(node, ast.Name)}
        if not used & defined:
            yield f"the check of {name} uses nothing that its stub defines, so that the stub passes"


def _num_messages(cell: NotebookNode) -> int:
    """Messages of a check: those of its asserts, and the sentences in its tables of mistakes."""
    nodes = list(ast.walk(parsed(cell)))
    asserts = sum(isinstance(node, ast.Assert) and node.msg is not None for node in nodes)
    return asserts + sum(len(node.keys) for node in nodes if isinstance(node, ast.Dict))


def _is_prediction(cell: NotebookNode) -> bool:
    """Whether a solution cell holds a prediction rather than a function."""
    return cell.cell_type == "code" and re.search(r"^prediction = ", cell.source, re.MULTILINE) is not None


def predict_run_explain(page: Page) -> Iterator[str]:
    """One exercise has its reader predict an outcome, run the experiment and explain it in words."""
    for cells in page.exercises:
        solutions = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
        if any(map(_is_prediction, solutions)) and any(cell.cell_type == "markdown" for cell in solutions):
            return
    yield "no exercise asks to predict (prediction = ...), run and explain in an answer cell"


def answers_in_words(page: Page) -> Iterator[str]:
    """A written solution is folded inside its answer cell, which nbgrader empties, and nowhere else."""
    for cell in page.markdown:
        folded = re.search(r"<summary[^>]*>\s*(?:<\w+>)?\s*(?:Solution|Answer)", cell.source, re.IGNORECASE)
        if bool(cell.metadata.get("nbgrader", {}).get("solution")) != bool(folded):
            yield f"{first_line(cell)}: a solution in words is <details><summary>Solution</summary> in an answer cell"


def checks_draw_their_own_inputs(page: Page) -> Iterator[str]:
    """A check draws from a generator of its own, ``inputs(...)``, and every comparison in it has a message."""
    for cell in page.code:
        if not cell.metadata.get("nbgrader", {}).get("grade"):
            continue
        for node in ast.walk(parsed(cell)):
            if isinstance(node, ast.Assert) and node.msg is None:
                yield f"line {node.lineno} of the check {first_line(cell)} asserts without a message"
            if not isinstance(node, ast.Call):
                continue
            name, keywords = ast.unparse(node.func), {keyword.arg for keyword in node.keywords}
            if name == "torch.manual_seed":
                yield f"the check {first_line(cell)} seeds the global generator: draw from inputs(...)"
            if (
                re.fullmatch(r"torch\.(randn?|randint|randperm|bernoulli|multinomial)", name)
                and "generator" not in keywords
            ):
                yield f"line {node.lineno} of the check {first_line(cell)} draws without generator="
            if name.endswith("assert_close") and "msg" not in keywords:
                yield f"line {node.lineno} of the check {first_line(cell)} compares without a message"


def nbgrader_metadata(page: Page) -> Iterator[str]:
    """Schema 3, complete, with grade ids of their own."""
    seen = set()
    for cell in page.notebook.cells:
        if "nbgrader" not in cell.metadata:
            if "### BEGIN SOLUTION" in cell.source:
                yield f"{first_line(cell)} holds a solution and has no nbgrader metadata"
            continue
        metadata = cell.metadata["nbgrader"]
        missing = {"grade", "grade_id", "locked", "schema_version", "solution"} - set(metadata)
        if missing or metadata["schema_version"] != 3 or (metadata["grade"] and "points" not in metadata):
            yield f"the nbgrader metadata of {first_line(cell)} are not those of schema 3"
        if metadata.get("grade_id") in seen:
            yield f"the grade id {metadata['grade_id']} is used twice"
        seen.add(metadata.get("grade_id"))
