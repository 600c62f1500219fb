"""The page of a chapter: complete in itself, with mathematics, captions, folded solutions and links that lead on."""

import base64
import hashlib
import json
from pathlib import Path

import jupytext
import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from vaecourse.publish.html import Page, chapter_page, external_assets, page_of

SAMPLE = Path(__file__).parent / "fixtures" / "sample_chapter.md"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPjfDwADAgH/5bK6TQAAAABJRU5ErkJggg=="
PAGE = Page(
    number="08",
    title="The evidence of a coin <&>",
    version="1.2.3",
    run=("tier quick", "num_heads = 9"),
    colophon="Run on 2026-01-01.",
    links={"08_sample.ipynb": "", "09_next.ipynb": "../09_next/09_next.html"},
    following=("../09_next/09_next.html", "What is next"),
)


def display(data, **metadata):
    return v4.new_output("display_data", data=data, metadata=metadata)


@pytest.fixture(scope="module")
def sample():
    """The sample chapter with the outputs that a run would give it."""
    notebook = jupytext.read(SAMPLE)
    figure = next(cell for cell in notebook.cells if "base64" in cell.source)
    figure.outputs = [
        display({"image/png": PIXEL + "\n"}, **{"image/png": {"alt": 'A "square"', "width": 60}}),
        display({"text/markdown": r"**Figure 8.1.** The posterior $p(z \mid x)$, leaning *right*."}),
        display({"text/html": "<table border='1'><tr><td>7</td></tr></table>", "text/plain": "plain"}),
    ]
    recorded = next(cell for cell in notebook.cells if "log_evidence" in cell.source and cell.cell_type == "code")
    record = {"application/vnd.vaecourse.record+json": {"name": "a"}, "text/plain": "a = 1 nats"}
    recorded.outputs = [display(record), v4.new_output("stream", name="stdout", text="a <line>\n")]
    recorded.outputs.append(v4.new_output("stream", name="stderr", text="a warning"))
    return notebook


@pytest.fixture(scope="module")
def html(sample):
    return chapter_page(sample, PAGE, SAMPLE.parent)


@pytest.fixture(scope="module")
def soup(html):
    return BeautifulSoup(html, "html.parser")


def test_the_page_loads_nothing_and_lets_nothing_be_loaded(html, soup):
    assert external_assets(html) == []
    policy = soup.select_one('meta[http-equiv="Content-Security-Policy"]')["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert policy.endswith("form-action 'none'; base-uri 'none'")
    assert "unsafe" not in policy
    assert soup.select("link, iframe, object, embed") == []


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://cdn.example/mathjax.js"></script>',
        '<link rel="stylesheet" href="http://cdn.example/a.css">',
        '<img src="//cdn.example/a.png">',
        '<img src="local.png">',
        "<style>@import 'https://cdn.example/a.css';</style>",
        '<style>p { background: url("https://cdn.example/a.png") }</style>',
        '<p style="background: url(https://cdn.example/a.png)"></p>',
        "<svg><use href='icons.svg#a'></use></svg>",
    ],
)
def test_what_a_browser_would_load_is_found(markup):
    assert len(external_assets(f"<html><body>{markup}</body></html>")) == 1


def test_links_and_data_are_not_taken_for_assets():
    assert external_assets(f'<a href="https://example.org">x</a><img src="data:image/png;base64,{PIXEL}">') == []


def test_mathematics_survives_for_the_typesetter_inside_the_page(html, soup):
    text = soup.get_text()
    assert (
        r"\log p(x) = \log \int_0^1 z^{h} (1 - z)^{t} \, \mathrm{d}z = \log \mathrm{B}(h + 1, t + 1). \tag{1}" in text
    )
    assert r"$\langle a, b \rangle$" in text
    assert "$x < y$" in text
    scripts = [script.get_text() for script in soup.select("script")]
    assert len(scripts) == 3
    assert 'inlineMath: [["$", "$"]' in scripts[1]
    assert len(scripts[2]) > 2_000_000


def test_scripts_and_styles_are_those_that_the_policy_names(html, soup):
    """By their hashes; all are the page's own."""
    policy = soup.select_one('meta[http-equiv="Content-Security-Policy"]')["content"]
    texts = [element.get_text() for element in soup.select("script, style")]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    assert len(hashes) == 4
    assert all(f"'sha256-{digest}'" in policy for digest in hashes)


def test_a_page_without_mathematics_does_not_carry_the_typesetter():
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# No formula here")])
    assert len(chapter_page(notebook, PAGE, SAMPLE.parent)) < 50_000


def test_a_figure_holds_its_caption_and_alternative_text(soup):
    [figure] = soup.select("figure")
    assert figure.img["alt"] == 'A "square"'
    assert figure.img["width"] == "60"
    assert figure.img["src"] == f"data:image/png;base64,{PIXEL}"
    assert figure.figcaption.get_text().strip() == r"Figure 8.1. The posterior $p(z \mid x)$, leaning right."


def test_outputs_are_shown_once_and_stderr_never(soup):
    assert [pre.get_text() for pre in soup.select("pre.recorded")] == ["a = 1 nats"]
    assert [pre.get_text() for pre in soup.select("pre.printed")] == ["a <line>\n"]
    assert soup.select_one(".outputs .table td").get_text() == "7"
    assert "plain" not in [pre.get_text() for pre in soup.select("pre")]
    assert "a warning" not in soup.get_text()


def test_solutions_checks_and_hints_are_folded_and_the_stub_is_not(html):
    soup = BeautifulSoup(html, "html.parser")
    folds = {d.summary.get_text(): d.get_text() for d in soup.select("details")}
    assert "The posterior is a Beta distribution." in folds["Hint"]
    assert "before any toss" in folds["Check"]
    solutions = [d.get_text() for d in soup.select("details") if d.summary.get_text() == "Solution"]
    assert len(solutions) == 3
    assert "return (h + 1) / (h + t + 2)" in solutions[0]
    assert "Each toss is one more thing" in solutions[1]
    assert "A secret in the fold." in solutions[2]
    assert not any(details.has_attr("open") for details in soup.select("details"))
    stub = soup.select_one(".stub").get_text()
    assert "def posterior_mean(h, t):" in stub
    assert "h + 1" not in stub
    for fold in soup.select("details"):
        fold.extract()
    assert "h + t + 2" not in soup.get_text()
    assert "Exercise 8.2" in soup.get_text()


def test_links_lead_to_pages_that_exist(html):
    soup = BeautifulSoup(html, "html.parser")
    links = {a.get_text(): a["href"] for a in soup.select("main .text a[href]") if a.get_text()}
    assert links["the next chapter"] == "../09_next/09_next.html"
    assert "the chapter on nothing" not in links
    assert "the chapter on nothing" in soup.get_text()
    assert links["Kingma & Welling (2014)"] == "#ref-kingma2014"
    assert soup.find(id="ref-kingma2014")
    assert links["https://arxiv.org/abs/1312.6114"] == "https://arxiv.org/abs/1312.6114"
    assert soup.select_one("nav.neighbours a.next")["href"] == "../09_next/09_next.html"


def test_links_keep_their_fragments():
    """To a section of another chapter, and of this one."""
    cell = v4.new_markdown_cell("# Links\n\n[there](09_next.ipynb#the-proof) and [here](08_sample.ipynb#Links)")
    soup = BeautifulSoup(chapter_page(v4.new_notebook(cells=[cell]), PAGE, SAMPLE.parent), "html.parser")
    links = {a.get_text(): a["href"] for a in soup.select("main a[href]")}
    assert (links["there"], links["here"]) == ("../09_next/09_next.html#the-proof", "#Links")


def test_the_page_says_what_ran(html):
    soup = BeautifulSoup(html, "html.parser")
    assert soup.title.get_text() == "The evidence of a coin <&>"
    assert [item.get_text() for item in soup.select("h1 + ul.run li")] == ["tier quick", "num_heads = 9"]
    assert "version 1.2.3. Run on 2026-01-01." in soup.select_one("body > footer").get_text()
    sections = [a["href"].removeprefix("#") for a in soup.select("nav.contents a")]
    assert sections == [heading["id"] for heading in soup.select("h2")]
    assert len(sections) == 5


def test_local_pictures_are_put_inside(tmp_path):
    (tmp_path / "two words.svg").write_text("<svg/>")
    cell = v4.new_markdown_cell('# Picture\n\n![A sketch](two%20words.svg)\n\n<img src="two words.svg" alt="again">')
    page = chapter_page(v4.new_notebook(cells=[cell]), PAGE, tmp_path)
    sources = [img["src"] for img in BeautifulSoup(page, "html.parser").select("img")]
    assert sources == ["data:image/svg+xml;base64,PHN2Zy8+"] * 2


def test_a_written_answer_that_folds_its_solution_is_not_folded_twice():
    source = "*Your answer here.*\n\n<details><summary>Solution</summary>\n\nBecause $p$.\n\n</details>"
    cell = v4.new_markdown_cell(source, metadata={"nbgrader": {"solution": True, "grade": True, "grade_id": "a"}})
    page = chapter_page(v4.new_notebook(cells=[v4.new_markdown_cell("# Title"), cell]), PAGE, SAMPLE.parent)
    [fold] = BeautifulSoup(page, "html.parser").select("details")
    assert fold.get_text().split() == ["Solution", "Because", "$p$."]
    assert not fold.has_attr("open")


def test_the_chapter_itself_is_not_changed(sample):
    before = json.dumps(sample)
    chapter_page(sample, PAGE, SAMPLE.parent)
    assert json.dumps(sample) == before


def test_a_plain_page_escapes_its_title():
    page = page_of("a < b", "<p>body</p>")
    assert "<title>a &lt; b</title>" in page
    assert "<p>body</p>" in page
    assert external_assets(page) == []
