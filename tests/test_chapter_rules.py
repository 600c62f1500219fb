"""The rules of chapters can fail: one small chapter keeps them all, and each way of breaking one is caught."""

import copy
import re

import pytest
from chapter_rules import RULES
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules.page import Page, bibliography

from vaecourse.publish.normalise import normalised
from vaecourse.record import RECORD_MIME

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPjfDwADAgH/5bK6TQAAAABJRU5ErkJggg=="
PROSE = "The bound lies below the evidence and the distance is a divergence that no decoder can see.\n" * 32
SOLUTION = {"grade": False, "locked": False, "schema_version": 3, "solution": True, "task": False}
CHECK = {"grade": True, "locked": True, "points": 2, "schema_version": 3, "solution": False, "task": False}


def picture():
    return new_output(
        "display_data",
        {"image/png": PIXEL, "text/plain": "<Image>"},
        metadata={"image/png": {"alt": "A curve that rises and then falls.", "width": 650}},
    )


def caption(number):
    text = f"**Figure {number}.** The bound against its parameter; look at where it ends."
    return new_output("display_data", {"text/markdown": text, "text/plain": "<Markdown>"})


def recorded(name, value):
    payload = {"name": name, "value": value, "se": None, "unit": "nats"}
    return new_output("display_data", {RECORD_MIME: payload, "text/plain": f"{name} = {value}"})


def section(k):
    return [
        new_markdown_cell(f"## Section {k}\n\nWhat is still missing? {PROSE}"),
        new_code_cell(f"bound_{k} = {k}\nassert bound_{k} == {k}"),
        new_markdown_cell(f"It is −1.{k}0<!--record:bound_{k}--> nats, as [Kingma (2014)](#ref-kingma2014) has it."),
    ]


def exercise(k):
    stub = f'def f{k}(x):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION'
    check = f'assert f{k}(1) != 1, "that is x itself"\nassert f{k}(1) == 2, "that is another multiple"'
    return [
        new_markdown_cell(f"### Exercise 4.{k} (••, 10 min): twice\n\nDouble 3.5 things."),
        new_code_cell(stub, metadata={"nbgrader": {**SOLUTION, "grade_id": f"exercise-04-{k}"}}),
        new_markdown_cell("<details><summary>Hint</summary>\n\nAdd.\n\n</details>"),
        new_code_cell(check, metadata={"nbgrader": {**CHECK, "grade_id": f"check-04-{k}"}}),
    ]


def prediction(k):
    stub = 'prediction = None  # "rises" or "falls"\n### BEGIN SOLUTION\nprediction = "falls"\n### END SOLUTION'
    check = 'assert prediction in ("rises", "falls"), "predict first"'
    words = "<details><summary>Solution</summary>\n\nFor want of support.\n\n</details>"
    answer = {"nbgrader": {**SOLUTION, "grade": True, "points": 1, "grade_id": f"answer-04-{k}"}}
    return [
        new_markdown_cell(f"### Exercise 4.{k} (•, 10 min): predict, run, explain\n\nDoes it fall?"),
        new_code_cell(stub, metadata={"nbgrader": {**SOLUTION, "grade_id": f"exercise-04-{k}"}}),
        new_markdown_cell("<details><summary>Hint</summary>\n\nLook down.\n\n</details>"),
        new_code_cell(check, metadata={"nbgrader": {**CHECK, "grade_id": f"check-04-{k}"}}),
        new_markdown_cell(words, metadata=answer),
    ]


def good() -> Page:
    """A chapter that keeps every rule."""
    cells = [
        new_markdown_cell("# 04 · Made for a test\n\n*Can a rule be broken?*"),
        new_markdown_cell(
            "**Goals.** To fail.\n\n**Prerequisites.** [Chapter 00](00_start_here.ipynb).\n\n**Run time.** 1 s."
        ),
        new_code_cell(
            'tier = "quick"  # str, one of: quick, laptop, paper\nseed = 0  # int, 0..1000000',
            metadata={"tags": ["parameters"]},
        ),
        new_markdown_cell("Imports."),
        new_code_cell("import torch\n\ntorch.manual_seed(seed)"),
        *section(1),
        *section(2),
        *section(3),
        new_markdown_cell("See Figure 4.1 and $x = 0.5$ and `0.5`."),
        new_code_cell("show()"),
        new_markdown_cell("## Summary\n\n| source | nats |\n|---|---|\n| formula | $86.8$ |"),
        new_markdown_cell("## Exercises"),
        *exercise(1),
        *exercise(2),
        *prediction(3),
        new_markdown_cell('## References\n\n<a id="ref-kingma2014"></a>Kingma, D. P. (2014). Section 2.'),
    ]
    for cell in cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
            if found := re.match(r"bound_(\d)", cell.source):
                cell.outputs = [recorded(found[0], -float(f"1.{found[1]}004"))]
            if cell.source == "show()":
                cell.outputs = [picture(), caption("4.1"), picture(), caption("4.2")]
    notebook = normalised(new_notebook(cells=cells))
    return Page(notebook, "04_elbo", 1000, ["04_elbo"], {"kingma2014"})


def find(page, text):
    """The first cell that contains a text."""
    return next(cell for cell in page.notebook.cells if text in cell.source)


def replace(old, new):
    """A fault: one text for another, in the first cell that has it."""

    def fault(page):
        cell = find(page, old)
        cell.source = cell.source.replace(old, new)

    return fault


def drop(text):
    """A fault: a cell is missing."""
    return lambda page: page.notebook.cells.remove(find(page, text))


def add(text, cell):
    """A fault: a cell too many, behind the one that contains a text."""

    def fault(page):
        page.notebook.cells.insert(page.notebook.cells.index(find(page, text)) + 1, copy.deepcopy(cell))

    return fault


def output(cell_text, *outputs):
    """A fault: other outputs."""

    def fault(page):
        find(page, cell_text).outputs = list(outputs)

    return fault


def metadata(cell_text, **changes):
    """A fault: other nbgrader metadata; None removes an entry."""

    def fault(page):
        entries = find(page, cell_text).metadata.nbgrader
        for name, value in changes.items():
            entries.pop(name, None)
            if value is not None:
                entries[name] = value

    return fault


def attribute(**changes):
    """A fault outside the notebook."""

    def fault(page):
        for name, value in changes.items():
            setattr(page, name, value)

    return fault


def count(value):
    def fault(page):
        page.code[3].execution_count = value

    return fault


def no_figures(page):
    find(page, "show()").outputs = []


def swap_captions(page):
    outputs = find(page, "show()").outputs
    outputs[1], outputs[3] = outputs[3], outputs[1]


def caption_above(page):
    outputs = find(page, "show()").outputs
    outputs[0], outputs[1] = outputs[1], outputs[0]


def bare_caption(page):
    find(page, "show()").outputs[1].data["text/markdown"] = "**Figure 4.1.** A."


def caption_of(text):
    """A fault: a caption that says this too."""

    def fault(page):
        find(page, "show()").outputs[1].data["text/markdown"] += " " + text

    return fault


def many_code_cells(page):
    page.notebook.cells += [new_code_cell("x")] * 9


def widget_state(page):
    page.notebook.metadata["widgets"] = {}


def remove_exercise(page):
    start = page.notebook.cells.index(find(page, "Exercise 4.3"))
    del page.notebook.cells[start : start + 4]


def long_class(num_lines):
    body = "\n".join(f"    a{k} = {k}" for k in range(num_lines - 1))
    return new_code_cell("class Long:\n" + body)


def text_output(text, name="stdout"):
    return new_output("stream", name=name, text=text)


LONG = "\n".join(f"a{k} = {k}" for k in range(26))
ERROR = new_output("error", ename="ValueError", evalue="", traceback=[])
WIDGET = new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
SVG = new_output("display_data", {"image/svg+xml": "<svg/>"})

# Rule, words of its message, fault.
FAULTS = [
    ("page_order", "the first cell must be the title", drop("# 04")),
    ("page_order", "chapter's question", replace("*Can a rule be broken?*", "Can a rule be broken?")),
    ("page_order", "chapter's question", replace("*Can a rule be broken?*", "*A rule can be broken.*")),
    ("page_order", "Goals", replace("**Goals.**", "Goals.")),
    ("page_order", "Prerequisites", replace("**Prerequisites.**", "Needs.")),
    ("page_order", "Run time", replace("**Run time.**", "Fast.")),
    ("page_order", "must be the parameters cell", add("# 04", new_code_cell("x = 1"))),
    ("page_order", "must hold the imports", add("tier = ", new_code_cell("x = 1"))),
    ("page_order", "last three headings", drop("## Summary")),
    ("page_order", "last three headings", add('"ref-kingma2014"', new_markdown_cell("## More"))),
    ("page_order", "three to six sections, and this one has 2", replace("## Section 3", "**Section 3**")),
    ("page_order", "same heading", replace("## Section 3", "## Section 2")),
    ("page_order", "one heading of the first level", replace("## Section 3", "# Part two\n\n## Section 3")),
    ("sections_open_with_a_question", "must open with", replace("2\n\nWhat is still missing?", "2\n\nMore.")),
    ("parameters", "exactly one cell must be tagged", lambda page: page.code[0].metadata.clear()),
    ("parameters", "must start with one of", replace("# int, 0..1000000", "# a seed")),
    ("parameters", "wrongly", replace("seed = 0  # int, 0..1000000", "seed = -1  # int, 0..1000000")),
    ("parameters", "no parameter seed", replace("seed = 0", "grain = 0")),
    ("parameters", "no parameter tier", replace("tier = ", "level = ")),
    ("parameters", "tier must be one of", replace("quick, laptop, paper", "quick, paper")),
    ("parameters", "stored as quick", replace('tier = "quick"', 'tier = "paper"')),
    ("parameters", "seed has no range", replace("# int, 0..1000000", "# int")),
    ("parameters", "nothing else", replace("seed = 0", "print(1)\nseed = 0")),
    ("parameters", "does not say what it may be", replace("seed = 0", 'mood = "x"  # str\nseed = 0')),
    ("parameters", "manual_seed", replace("torch.manual_seed(seed)", "torch.manual_seed(1)")),
    ("executed_in_order", "execution counts", count(None)),
    ("executed_in_order", "execution counts", count(17)),
    ("executed_in_order", "ended in an error", output("bound_1", ERROR)),
    ("stored_form", "stored form", lambda page: page.notebook.metadata.update(papermill={})),
    ("stored_form", "stored form", lambda page: page.notebook.cells[0].metadata.update(collapsed=True)),
    ("clean_outputs", "state of widgets", widget_state),
    ("clean_outputs", "stderr", output("bound_1", text_output("careful", "stderr"))),
    ("clean_outputs", "widget", output("bound_1", WIDGET)),
    ("clean_outputs", "progress bar", output("bound_1", text_output(" 45%|####    | 9/20 [00:01<00:01, 8.51it/s]"))),
    ("no_absolute_paths", "/home/", replace("Imports.", "Look into /home/ada/course.")),
    ("no_absolute_paths", "/tmp/", output("bound_1", text_output("saved '/tmp/x.png'"))),
    ("no_absolute_paths", "C:", replace("Imports.", "Look into C:\\Users.")),
    ("size", "400,001 bytes", attribute(size=400_001)),
    ("cell_lengths", "26 lines", add("Imports.", new_code_cell(LONG))),
    ("cell_lengths", "median", lambda page: [cell.update(source=LONG[:70]) for cell in page.code]),
    ("short_classes", "class Long has 26 lines", add("Imports.", long_class(26))),
    ("more_text_than_code", "code cells and only", many_code_cells),
    ("words", "words; 1,500", replace(PROSE.strip(), "")),
    ("words", "words; 1,500", replace(PROSE.strip(), PROSE * 6)),
    ("figures", "at least one figure", no_figures),
    ("figures", "no alternative text", lambda page: find(page, "show()").outputs[0].metadata.clear()),
    ("figures", "2 pictures with 1 captions", lambda page: find(page, "show()").outputs.pop()),
    ("figures", "3 pictures with 2 captions", lambda page: find(page, "show()").outputs.append(SVG)),
    ("figures", "must be numbered 4.1, 4.2", swap_captions),
    ("figures", "must be numbered 5.1, 5.2", attribute(name="05_amortization")),
    ("figures", "must stand below it", caption_above),
    ("figures", "say what to see", bare_caption),
    ("assertions", "section 'Section 2' asserts nothing", replace("assert bound_2 == 2", "bound_2 == 2")),
    ("exercises", "this one has 2", remove_exercise),
    ("exercises", "must be headed", replace("Exercise 4.2 (••, 10 min)", "Exercise 4.2 (••)")),
    ("exercises", "must be headed", replace("Exercise 4.2", "Exercise 4.5")),
    ("exercises", "no hint", replace("<summary>Hint</summary>", "<summary>Answer</summary>")),
    ("exercises", "needs a solution cell and a graded cell", metadata("f2(1)", grade=False)),
    ("exercises", "worth no points", metadata("f2(1)", points=0)),
    ("exercises", "not locked", metadata("f2(1)", locked=False)),
    ("exercises", "not between", replace("### BEGIN SOLUTION", "# here")),
    ("exercises", "signature or a docstring", replace('    """Twice x."""\n', "")),
    ("exercises", "signature or a docstring", replace("def f1(x):", "### BEGIN SOLUTION\ndef f1(x):")),
    ("exercises", "two misconceptions", replace(', "that is x itself"', "")),
    ("exercises", "the stub passes", replace("f1(1)", "len('ab')")),
    ("predict_run_explain", "predict (prediction = ...)", replace("prediction = ", "guess = ")),
    ("predict_run_explain", "explain in an answer cell", drop("For want of support")),
    ("answers_in_words", "in an answer cell", replace("Add.", "<summary><b>Solution</b></summary>Add.")),
    ("answers_in_words", "in an answer cell", replace("<summary>Solution</summary>", "")),
    ("checks_draw_their_own_inputs", "without a message", replace(', "that is x itself"', "")),
    ("checks_draw_their_own_inputs", "without generator=", replace("assert f1(1) !=", "assert f1(torch.rand(1)) !=")),
    ("checks_draw_their_own_inputs", "global generator", replace("assert f1(1)", "torch.manual_seed(0)\nassert f1(1)")),
    (
        "checks_draw_their_own_inputs",
        "compares without a message",
        replace("assert f1(1) !=", "torch.testing.assert_close(1, 1)\nassert f1(1) !="),
    ),
    ("only_what_runs_is_said", "'not shown'", replace("What is still missing?", "What is missing (not shown)?")),
    ("only_what_runs_is_said", "'not tested here'", caption_of("Wider ones were not tested here, in any form.")),
    ("nbgrader_metadata", "used twice", metadata("f2(1)", grade_id="check-04-1")),
    ("nbgrader_metadata", "not those of schema 3", metadata("f2(1)", schema_version=1)),
    ("nbgrader_metadata", "not those of schema 3", metadata("f2(1)", points=None)),
    ("nbgrader_metadata", "no nbgrader metadata", lambda page: find(page, "def f1").metadata.clear()),
    ("recorded_numbers", "the prose says −1.11", replace("−1.10<!--", "−1.11<!--")),
    ("recorded_numbers", "which is not recorded", replace("record:bound_2", "record:bound_9")),
    ("recorded_numbers", "does not directly follow", replace("0<!--record:bound_1", "0 <!--record:bound_1")),
    ("recorded_numbers", "twice", output("bound_2", recorded("bound_1", -1.1))),
    ("unmarked_numbers", "2.91 in", replace("What is still missing?", "What is still missing? It gains 2.91 nats.")),
    ("unmarked_numbers", "−0.5 in", replace("What is still missing?", "What is still missing (−0.5)?")),
    ("unmarked_numbers", "5.1 in", replace("Imports.", "It is better by that much (5.1).")),
    ("unmarked_numbers", "86.8 in", replace("$86.8$", "86.8")),
    ("citations", "kingma2015 is cited and not listed", replace("(#ref-kingma2014)", "(#ref-kingma2015)")),
    ("citations", "not in references.bib", attribute(keys={"burda2016"})),
    ("citations", "has references", replace('<a id="ref-kingma2014"></a>', "")),
    ("citations", "must be written as a link", replace("Imports.", "Imports [@kingma2014].")),
    ("citations", "listed twice", replace("Section 2.", 'Section 2.\n\n<a id="ref-kingma2014"></a>Again.')),
    ("links", "04_bound.ipynb leads nowhere", replace("Imports.", "See [chapter 04](04_bound.ipynb).")),
    ("links", "figure.png leads nowhere", replace("Imports.", "![A figure](figure.png)")),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_good_chapter_keeps_every_rule(rule):
    assert list(RULES[rule](good())) == []


@pytest.mark.parametrize(("rule", "words", "fault"), FAULTS, ids=[f"{rule}: {words}" for rule, words, _ in FAULTS])
def test_fault_is_caught(rule, words, fault):
    page = good()
    fault(page)
    problems = list(RULES[rule](page))
    assert any(words in problem for problem in problems), problems


def test_every_rule_has_a_fault():
    assert {rule for rule, _, _ in FAULTS} == set(RULES)


@pytest.mark.parametrize(
    "allowed",
    [
        "See Figure 4.1, exercise 4.2, equation 1.3, section 2.2 and Python 3.11.",
        "## 4.1 Why?\n\nBecause of (4.1).",
        "With $x = 0.25$ and $$y = 0.5$$ and `z = 0.75`.",
        "Burda reports 86.76 nats ([Burda (2016)](#ref-kingma2014)).",
        "It is −1.10<!--record:bound_1--> nats, and 1.5e−3<!--record:bound_1--> more.",
        "| a | b |\n|---|---|\n| 86.76 | 85.54 |\n\nThese are from [Burda (2016)](#ref-kingma2014).",
        "A version such as 1.2.3 is no decimal number.",
        "```\nx = 0.5\n```",
    ],
)
def test_numbers_that_need_no_record(allowed):
    page = good()
    find(page, "Imports.").source = allowed
    assert list(RULES["unmarked_numbers"](page)) == []


def test_bibliography(tmp_path):
    path = tmp_path / "references.bib"
    assert bibliography(path) == set()
    path.write_text("@article{kingma2014,\n title = {A}}\n@inproceedings{ burda2016 ,\n}", encoding="utf-8")
    assert bibliography(path) == {"kingma2014", "burda2016"}
