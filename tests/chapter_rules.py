"""What a program can check of the way a chapter is written: one function a rule, each yielding what is wrong."""

import ast
import json
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from vaecourse.publish.chapters import UsageError, read_parameters
from vaecourse.publish.normalise import normalised
from vaecourse.publish.prose import collect_records, marked_numbers

# Chapters that the course will have. A link to one of them may stand before its chapter does.
SYLLABUS = """00_start_here 01_maximum_likelihood 02_em 03a_markov_chains 03b_variational_families 04_elbo
05_amortization 06_score_function 07a_reparameterization 07b_other_shapes 08_vae 09a_information 09b_bits_back
10_evaluation 11_hierarchies 12_pixelvae 13_priors 14_inference_gaps 15_better_amortization 16a_flows
16b_autoregressive_flows 17_iaf_vae 18a_richer_posteriors 18b_mcmc_and_vi 19_iwae 20_summary""".split()

CLOSING = ["Summary", "Exercises", "References"]
TIERS = ("quick", "laptop", "paper")
MAX_BYTES = 400_000

_HEADING = re.compile(r"^(#{1,3}) +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CITATION = re.compile(r"\]\(#ref-([\w-]+)\)")
_CAPTION = re.compile(r"\*\*Figure (\w+)\.(\d+)\.?\*\*")
_EXERCISE = re.compile(r"^### +Exercise (\w+)\.(\d+) \((•{1,3}), (\d+) min\)", re.MULTILINE)
_ABSOLUTE = re.compile(
    r"(?<![\w./:])/(?:home|Users|root|tmp|work|mnt|media|var|opt|usr|srv|etc)/\w|\b[A-Z]:\\\w|file://"
)


@dataclass
class Page:
    """A chapter as a reader has it, with what surrounds it."""

    notebook: NotebookNode
    name: str  # such as 04_elbo
    size: int = 0  # bytes
    chapters: list[str] = field(default_factory=list)  # names of those that exist
    keys: set[str] = field(default_factory=set)  # of the bibliography

    @classmethod
    def read(cls, path: Path) -> "Page":
        """A chapter with its neighbours in the same folder."""
        return cls(
            nbformat.read(path, as_version=4),
            path.stem,
            path.stat().st_size,
            [other.stem for other in path.parent.glob("*.ipynb")],
            bibliography(path.parent / "references.bib"),
        )

    @property
    def label(self) -> str:
        """What stands before the point in numbers of figures: 4 for 04_elbo."""
        return self.name.partition("_")[0].lstrip("0") or "0"

    @property
    def code(self) -> list[NotebookNode]:
        """Code cells, in order."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @property
    def markdown(self) -> list[NotebookNode]:
        """Markdown cells, in order."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "markdown"]

    @cached_property
    def parts(self) -> dict[str, list[NotebookNode]]:
        """Cells by the second-level heading they stand under; those before the first under the empty name."""
        parts: dict[str, list[NotebookNode]] = {"": []}
        current = ""
        for cell in self.notebook.cells:
            for piece in _split(cell):
                for level, title in headings(piece):
                    if level == 2:
                        current = title
                        parts.setdefault(current, [])
                parts[current].append(piece)
        return parts

    @property
    def sections(self) -> dict[str, list[NotebookNode]]:
        """The chapter's own sections."""
        return {title: cells for title, cells in self.parts.items() if title and title not in CLOSING}

    @cached_property
    def exercises(self) -> list[list[NotebookNode]]:
        """The cells of each exercise."""
        exercises: list[list[NotebookNode]] = []
        for cell in self.parts.get("Exercises", []):
            if any(level == 3 for level, _ in headings(cell)):
                exercises.append([])
            if exercises:
                exercises[-1].append(cell)
        return exercises

    def prose(self) -> Iterator[NotebookNode]:
        """Markdown cells of the text itself: neither exercises nor references."""
        for title, cells in self.parts.items():
            if title not in ("Exercises", "References"):
                yield from (cell for cell in cells if cell.cell_type == "markdown")


def bibliography(path: Path) -> set[str]:
    """The keys of a BibTeX file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return set(re.findall(r"^@\w+\{\s*([^,\s]+)\s*,", text, re.MULTILINE))


def headings(cell: NotebookNode) -> list[tuple[int, str]]:
    """Level and text of every heading of a Markdown cell."""
    if cell.cell_type != "markdown":
        return []
    return [(len(marks), text) for marks, text in _HEADING.findall(_FENCE.sub("", cell.source))]


def _split(cell: NotebookNode) -> list[NotebookNode]:
    """A Markdown cell that holds second-level headings in pieces that each begin with one; other cells as they are."""
    if cell.cell_type != "markdown" or not any(level == 2 for level, _ in headings(cell)):
        return [cell]
    pieces = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE)
    return [NotebookNode(cell | {"source": piece}) for piece in pieces if piece.strip()]


def first_line(cell: NotebookNode) -> str:
    """What a cell is called in a message."""
    return "`" + next((line for line in cell.source.splitlines() if line.strip()), "")[:60] + "`"


def num_lines(cell: NotebookNode) -> int:
    """Lines that are not blank."""
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def parsed(cell: NotebookNode) -> ast.Module:
    """The syntax tree of a code cell, IPython's own commands left out."""
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in cell.source.splitlines())
    return ast.parse("\n".join(lines))


def without_mathematics(text: str) -> str:
    """Markdown with formulas as one word and code blocks, inline code, HTML and link targets taken out."""
    text = _FENCE.sub(" ", text)
    text = re.sub(r"\$\$.+?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]+`", " code ", text)
    text = re.sub(r"(?<!\\)\$[^$]+?(?<!\\)\$", " formula ", text)
    text = re.sub(r"<!--.*?-->|<[^>\n]+>", " ", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "] ", text)


# ------------------------------------------------------------------------------------------------------ the rules


def page_order(page: Page) -> Iterator[str]:
    """Title and question, goals, prerequisites, parameters, imports, sections, summary, exercises, references."""
    cells = page.notebook.cells
    first_code = next((k for k, cell in enumerate(cells) if cell.cell_type == "code"), len(cells))
    opening = "\n\n".join(cell.source for cell in cells[:first_code])
    if not cells or not re.match(r"# \S", cells[0].source):
        yield "the first cell must be the title, # ..."
    if not re.search(r"^\*[^*\n][^*]*\?\*\s*$", cells[0].source + "\n\n" + opening, re.MULTILINE):
        yield "the title must be followed by the chapter's question, in italics: *...?*"
    for word in ("Goals", "Prerequisites", "Run time"):
        if not re.search(rf"^\*\*{word}\b", opening, re.MULTILINE):
            yield f"**{word}.** must be stated before the first code cell"
    if first_code < len(cells) and "parameters" not in cells[first_code].metadata.get("tags", []):
        yield "the first code cell must be the parameters cell"
    if len(page.code) > 1 and "import " not in page.code[1].source:
        yield "the second code cell must hold the imports"
    titles = [text for cell in cells for level, text in headings(cell) if level == 2]
    if titles[-3:] != CLOSING:
        yield f"the last three headings must be {', '.join(CLOSING)}; they are {', '.join(titles[-3:])}"
    if not 3 <= len(page.sections) <= 6:
        yield f"a chapter has three to six sections, and this one has {len(page.sections)}"
    if len(titles) != len(set(titles)):
        yield "two sections have the same heading"
    if sum(level == 1 for cell in cells for level, _ in headings(cell)) != 1:
        yield "there must be exactly one heading of the first level"


def sections_open_with_a_question(page: Page) -> Iterator[str]:
    """Each section opens with a question that the previous one could not answer."""
    for title, cells in page.sections.items():
        paragraphs = cells[0].source.split("\n\n")
        if not any("?" in paragraph for paragraph in paragraphs[:3]):
            yield f"section {title!r} must open with a question"


def parameters(page: Page) -> Iterator[str]:
    """One tagged cell, an assignment a line, with type and range; tier and seed among them."""
    tagged = [cell for cell in page.code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        yield f"exactly one cell must be tagged parameters, and {len(tagged)} are"
        return
    try:
        declared = {p.name: p for p in read_parameters(tagged[0].source, page.name)}
    except (UsageError, SyntaxError) as error:
        yield str(error)
        return
    if len(declared) != num_lines(tagged[0]):
        yield "the parameters cell holds one assignment a line and nothing else"
    for name in {"tier", "seed"} - set(declared):
        yield f"there is no parameter {name}"
    if "tier" in declared and (declared["tier"].choices != TIERS or declared["tier"].default != "quick"):
        yield f"tier must be one of {', '.join(TIERS)}, and stored as quick"
    for p in declared.values():
        if p.type in ("int", "float") and (p.low is None or p.high is None):
            yield f"parameter {p.name} has no range in its comment"
        if p.type == "str" and not p.choices:
            yield f"parameter {p.name} does not say what it may be"
    if not any("manual_seed(seed)" in cell.source for cell in page.code):
        yield "torch.manual_seed(seed) must stand at the top"


def executed_in_order(page: Page) -> Iterator[str]:
    """Every code cell ran, once, from top to bottom on a fresh kernel, and none failed."""
    counts = [cell.execution_count for cell in page.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts must be 1, 2, 3 ...; they are {counts}"
    for cell in page.code:
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{first_line(cell)} ended in an error"


def stored_form(page: Page) -> Iterator[str]:
    """What ``python -m vaecourse chapters`` writes: nothing that changes by accident."""
    if nbformat.writes(normalised(page.notebook)) != nbformat.writes(page.notebook):
        yield "the notebook is not in stored form: run python -m vaecourse.publish.normalise on it"


def clean_outputs(page: Page) -> Iterator[str]:
    """No stderr, no widgets, no residue of progress bars."""
    if "widgets" in page.notebook.metadata:
        yield "the notebook holds the state of widgets"
    for cell in page.code:
        shown = [mime for output in cell.outputs for mime in output.get("data", {})]
        errors = [output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stderr"]
        if errors:
            yield f"{first_line(cell)} wrote to stderr: {errors[0][:60]!r}"
        if any("widget" in mime for mime in shown):
            yield f"{first_line(cell)} shows a widget, which vanishes from pages"
        if any(re.search(r"\r|\d(it/s|s/it)\b|%\|", text) for output in cell.outputs for text in _texts(output)):
            yield f"{first_line(cell)} left a progress bar behind"


def no_absolute_paths(page: Page) -> Iterator[str]:
    """Neither the text nor an output names a folder of somebody's machine."""
    for cell in page.notebook.cells:
        texts = [cell.source, *(text for output in cell.get("outputs", []) for text in _texts(output))]
        for found in filter(None, map(_ABSOLUTE.search, texts)):
            yield f"{first_line(cell)} names an absolute path, {found[0]}..."


def size(page: Page) -> Iterator[str]:
    """A notebook is at most 400 KB."""
    if page.size > MAX_BYTES:
        yield f"the notebook has {page.size:,} bytes, and at most {MAX_BYTES:,} are allowed"


def cell_lengths(page: Page) -> Iterator[str]:
    """Short cells: median at most 8 lines, none over 25; blank lines are not counted."""
    lengths = [num_lines(cell) for cell in page.code]
    if lengths and statistics.median(lengths) > 8:
        yield f"the median code cell has {statistics.median(lengths):g} lines, and at most 8 are allowed"
    for cell in page.code:
        if num_lines(cell) > 25:
            yield f"{first_line(cell)} has {num_lines(cell)} lines, and at most 25 are allowed"


def short_classes(page: Page) -> Iterator[str]:
    """No class over 25 lines: it belongs into the package."""
    for cell in page.code:
        for node in ast.walk(parsed(cell)):
            if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno + 1 > 25:
                yield f"class {node.name} has {node.end_lineno - node.lineno + 1} lines, and at most 25 are allowed"


def more_text_than_code(page: Page) -> Iterator[str]:
    """At least as many Markdown cells as code cells."""
    if len(page.markdown) < len(page.code):
        yield f"there are {len(page.code)} code cells and only {len(page.markdown)} Markdown cells"


def words(page: Page) -> Iterator[str]:
    """1,500 to 4,000 words of prose, exercises and references excluded."""
    count = sum(len(re.findall(r"\w[\w'’-]*", without_mathematics(cell.source))) for cell in page.prose())
    if not 1500 <= count <= 4000:
        yield f"the prose has {count:,} words; 1,500 to 4,000 are wanted"


def figures(page: Page) -> Iterator[str]:
    """Every picture has alternative text and a caption below; figures are numbered in order."""
    numbers = []
    for cell in page.code:
        captioned = 0
        pictures = 0
        for output in cell.outputs:
            data = output.get("data", {})
            for mime in [mime for mime in data if mime.startswith("image/")]:
                pictures += 1
                alt = output.metadata.get(mime, {}).get("alt", "")
                if len(alt.split()) < 4:
                    yield f"a picture of {first_line(cell)} has no alternative text that says what is to be seen"
            caption = _CAPTION.match(data.get("text/markdown", ""))
            if caption:
                captioned += 1
                numbers.append((caption[1], int(caption[2])))
                if len(data["text/markdown"].split()) < 8 or captioned > pictures:
                    yield f"the caption of figure {caption[1]}.{caption[2]} must stand below it and say what to see"
        if pictures != captioned:
            yield f"{first_line(cell)} shows {pictures} pictures with {captioned} captions"
    if numbers != [(page.label, k + 1) for k in range(len(numbers))]:
        yield f"figures must be numbered {page.label}.1, {page.label}.2, ...; they are {numbers}"
    if not numbers:
        yield "a chapter has at least one figure"


def assertions(page: Page) -> Iterator[str]:
    """At least one assertion a section: what is stated is checked there."""
    for title, cells in page.sections.items():
        if not any(num_assertions(cell) for cell in cells if cell.cell_type == "code"):
            yield f"section {title!r} asserts nothing"


def num_assertions(cell: NotebookNode) -> int:
    """Assert statements, and calls of functions such as ``assert_close``."""
    count = 0
    for node in ast.walk(parsed(cell)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            count += name.startswith("assert")
        count += isinstance(node, ast.Assert)
    return count


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


def only_what_runs_is_said(page: Page) -> Iterator[str]:
    """Nothing rests on runs that no cell and no command repeats."""
    captions = [o.data["text/markdown"] for c in page.code for o in c.outputs if "text/markdown" in o.get("data", {})]
    for text in [*(cell.source for cell in page.prose()), *captions]:
        for found in re.findall(r"\bnot (?:shown|tested)(?: here)?\b", text):
            yield f"{text.strip()[:60]!r} says {found!r}: run it or strike it"


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


def recorded_numbers(page: Page) -> Iterator[str]:
    """Each marked number in the prose is what the run recorded."""
    try:
        records = collect_records(page.notebook)
    except ValueError as error:
        yield str(error)
        return
    for cell in page.markdown:
        marked = list(marked_numbers(cell.source))
        if len(marked) != cell.source.count("<!--record"):
            yield f"a marker in {first_line(cell)} does not directly follow a number"
        for number in marked:
            if number.name not in records:
                yield f"{number.text} claims to be {number.name}, which is not recorded"
            elif not number.agrees(records[number.name]["value"]):
                yield f"the prose says {number.text}, and {number.name} is {records[number.name]['value']:.6g}"


def unmarked_numbers(page: Page) -> Iterator[str]:
    """A decimal number in the prose is marked as a record, stands in a formula, or is quoted from a cited source."""
    named = re.compile(
        r"\b(?:Figures?|Exercises?|Sections?|Tables?|Chapters?|Equations?|Python|version|§) \(?\d+[a-z]?\.\d+"
        rf"|^#+ {page.label}\.\d+|\({page.label}\.\d+\)",  # numbered headings, equations
        re.IGNORECASE | re.MULTILINE,
    )
    for cell in page.prose():
        marked = "".join(re.split(r"[-+−]?\d[\d,.]*(?:[eE][-+−]?\d+)?<!--\s*record:\s*\w+\s*-->", cell.source))
        blocks = re.split(r"\n\s*\n", _FENCE.sub("", marked))
        for k, block in enumerate(blocks):
            neighbours = blocks[max(0, k - 1) : k + 2] if block.lstrip().startswith("|") else [block]
            if any(_CITATION.search(other) for other in neighbours):
                continue
            found = re.search(r"(?<![\w.])[-+−]?\d+\.\d+(?!\.?\d)", named.sub(" ", without_mathematics(block)))
            if found:
                yield f"{found[0]} in {first_line(cell)} has no record: nothing would notice if it were wrong"


def citations(page: Page) -> Iterator[str]:
    """Every citation leads to an entry under References, whose key is in the bibliography."""
    text = "\n".join(cell.source for cell in page.markdown)
    listed = "\n".join(cell.source for cell in page.parts.get("References", []))
    entries = re.findall(r'<a id="ref-([\w-]+)">', listed)
    for key in sorted(set(_CITATION.findall(text)) - set(entries)):
        yield f"{key} is cited and not listed under References"
    for key in entries:
        if key not in page.keys:
            yield f"{key} is listed under References and not in references.bib"
    if len(entries) != len(set(entries)):
        yield "a reference is listed twice"
    if not entries:
        yield "a chapter has references"
    for raw in re.findall(r"\[@[\w-]+\]", text):
        yield f"{raw} must be written as a link, [Author (year)](#ref-key)"


def links(page: Page) -> Iterator[str]:
    """Links to other chapters lead to chapters that exist, or will."""
    for cell in page.markdown:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", without_code(cell.source)):
            if re.match(r"https?://|mailto:|attachment:", target):
                continue
            if target.removesuffix(".ipynb") not in {*page.chapters, *SYLLABUS} or not target.endswith(".ipynb"):
                yield f"the link to {target} leads nowhere"


def without_code(text: str) -> str:
    """Markdown without its code blocks and inline code."""
    return re.sub(r"`[^`\n]+`", " ", _FENCE.sub(" ", text))


def _texts(output: NotebookNode) -> Iterator[str]:
    """What an output says, pictures left out."""
    if output.output_type == "stream":
        yield output.text
    if output.output_type == "error":
        yield "\n".join(output.traceback)
    for mime, value in output.get("data", {}).items():
        if not mime.startswith("image/") or mime.endswith("svg+xml"):
            yield value if isinstance(value, str) else json.dumps(value)


RULES: dict[str, Callable[[Page], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        page_order,
        sections_open_with_a_question,
        parameters,
        executed_in_order,
        stored_form,
        clean_outputs,
        no_absolute_paths,
        size,
        cell_lengths,
        short_classes,
        more_text_than_code,
        words,
        figures,
        assertions,
        exercises,
        predict_run_explain,
        answers_in_words,
        checks_draw_their_own_inputs,
        only_what_runs_is_said,
        nbgrader_metadata,
        recorded_numbers,
        unmarked_numbers,
        citations,
        links,
    )
}
