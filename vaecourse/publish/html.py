"""A chapter as one HTML page that needs nothing else: figures, mathematics and style are inside it."""

import copy
import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, Comment
from nbconvert import HTMLExporter

from vaecourse.publish.pictures import embed, picture
from vaecourse.publish.policy import policy, scripts, stylesheet
from vaecourse.publish.sanitise import clean

COURSE = "Variational autoencoders: a course that runs"
_ASSETS = files("vaecourse.publish") / "assets"
_CAPTION = re.compile(r"^[*_]{0,3}Figure\s")
_SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """What a page says about itself, beside the chapter's own text."""

    number: str
    title: str
    version: str
    run: tuple[str, ...]  # short facts about the run, below the title
    colophon: str  # one sentence in the footer
    links: dict[str, str]  # notebook's file name -> address of its page, for those that have one
    previous: tuple[str, str] | None = None  # (address, title)
    following: tuple[str, str] | None = None

    course: str = COURSE

    @property
    def css(self) -> str:
        """The style of every page."""
        return stylesheet()


def chapter_page(notebook: nbformat.NotebookNode, page: Page, folder: Path) -> str:
    """Return the page of an executed chapter.

    Args:
        notebook: the executed chapter; it is not changed.
        page: what the page says about itself.
        folder: where the chapter's local pictures are.
    """
    exporter = HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(_ASSETS)],
        anchor_link_text="",
    )
    for filter_ in (clean, picture):
        exporter.register_filter(filter_.__name__, filter_)
    body, _ = exporter.from_notebook_node(_annotated(notebook), {"page": page})
    soup = BeautifulSoup(body, "html.parser")
    _relink(soup, page.links)
    embed(soup, Path(folder))
    _describe_run(soup, page)
    _contents(soup)
    for table in soup.select("table"):
        if not table.find_parent(class_="table"):
            table.wrap(soup.new_tag("div", attrs={"class": "table"}))
    maths = any(sign in soup.get_text() for sign in ("$", r"\(", r"\begin{"))
    soup.select_one("meta[http-equiv]")["content"] = policy(maths=maths)
    soup.body.append(Comment("scripts"))
    # The scripts go in last: parsing MathJax's two megabytes as HTML would take longer than the rest.
    page_, _, end = str(soup).rpartition("<!--scripts-->")
    return page_ + scripts(maths=maths) + end


def page_of(title: str, body: str) -> str:
    """Return a plain page in the style of the course: a title and a body of HTML."""
    page = (_ASSETS / "page" / "list.html").read_text(encoding="utf-8")
    fields = {"title": escape(title), "policy": policy(scripted=False), "css": stylesheet(), "body": body}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], page)


def _annotated(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy that tells the template what each cell is and which caption belongs to which figure."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        kind = _kind(cell)
        cell.metadata["course"] = {"kind": kind, "stub": ""}
        if kind == "solution" and cell.cell_type == "code":
            cell.metadata.course.stub = _stub(cell.source)
            cell.source = re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION[^\n]*\n?", "", cell.source, flags=re.MULTILINE)
        if cell.cell_type == "code":
            cell.outputs = _captioned(cell.outputs)
    return notebook


def _kind(cell: nbformat.NotebookNode) -> str:
    """Return solution, reply, check, parameters, folded, exercise or plain."""
    grading = cell.metadata.get("nbgrader", {})
    tags = cell.metadata.get("tags", [])
    if grading.get("solution"):
        # A written answer that folds its solution itself needs no second fold around it.
        folds_itself = cell.cell_type == "markdown" and re.search(r"<details\b", cell.source)
        return "reply" if folds_itself else "solution"
    if grading.get("grade"):
        return "check"
    if "hide-input" in tags:
        return "folded"
    if cell.cell_type == "markdown" and re.match(r"(#{2,4}\s+|\*\*)Exercise\s+\d", cell.source):
        return "exercise"
    return "parameters" if {"parameters", "injected-parameters"} & set(tags) else "plain"


def _stub(source: str) -> str:
    """Return what the student starts from: the cell with its solution taken out; empty if nothing is left."""
    stub = _SOLUTION.sub(lambda match: f"{match[1]}...  # yours", source)
    return "" if stub.strip() == "...  # yours" else stub


def _captioned(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the outputs with each caption inside the figure that it follows, and records marked."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        data = output.get("data", {})
        text = data.get("text/markdown", "")
        if kept and _CAPTION.match(text) and any(mime.startswith("image/") for mime in kept[-1].get("data", {})):
            kept[-1].metadata["caption"] = text
            continue
        if any(mime.startswith("application/vnd.vaecourse.") for mime in data):
            output.metadata["recorded"] = True
        kept.append(output)
    return kept


def _relink(soup: BeautifulSoup, links: dict[str, str]) -> None:
    """Point links between chapters at their pages; a link to a file outside the reports becomes text."""
    for anchor in soup.select("a[href]"):
        target, _, fragment = anchor["href"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            continue
        name = target.rpartition("/")[2]
        if name in links:
            anchor["href"] = links[name] + (f"#{fragment}" if fragment else "")
        else:
            anchor.unwrap()


def _describe_run(soup: BeautifulSoup, page: Page) -> None:
    """Put the facts of the run below the title, and the neighbouring chapters above the footer."""
    if heading := soup.find("h1"):
        facts = soup.new_tag("ul", attrs={"class": "run"})
        for fact in page.run:
            item = soup.new_tag("li")
            item.string = fact
            facts.append(item)
        heading.insert_after(facts)
    neighbours = [("previous", page.previous), ("next", page.following)]
    if any(neighbour for _, neighbour in neighbours):
        nav = soup.new_tag("nav", attrs={"class": "neighbours", "aria-label": "Neighbouring chapters"})
        for kind, neighbour in neighbours:
            if neighbour:
                link = soup.new_tag("a", href=neighbour[0], rel=kind if kind == "next" else "prev")
                link["class"] = kind
                link.string = neighbour[1]
                nav.append(link)
        soup.main.append(nav)


def _contents(soup: BeautifulSoup) -> None:
    """Put a table of contents below the title; where there is room, the style sheet moves it beside the text."""
    sections = soup.select("h2[id]")
    if len(sections) < 3:
        return
    items = soup.new_tag("ol")
    for heading in sections:
        link = soup.new_tag("a", href=f"#{heading['id']}")
        link.string = heading.get_text().strip()
        item = soup.new_tag("li")
        item.append(link)
        items.append(item)
    nav = soup.new_tag("nav", attrs={"class": "contents", "aria-label": "Contents"})
    nav.append(items)
    if facts := soup.select_one("h1 + ul.run"):
        facts.insert_after(nav)
    else:
        soup.main.insert(0, nav)


def external_assets(page: str) -> list[str]:
    """Return every address that a browser would load something from when it opens the page."""
    soup = BeautifulSoup(page, "html.parser")
    loading = [
        tag.get(attribute, "")
        for attribute in ("src", "srcset", "data", "poster", "background")
        for tag in soup.select(f"[{attribute}]")
    ]
    loading += [link.get("href", "") for link in soup.select("link[href], image[href], use[href]")]
    styles = " ".join([tag.get_text() for tag in soup.select("style")] + [t["style"] for t in soup.select("[style]")])
    loading += re.findall(r"""(?:@import\s+|url\()\s*["']?([^"')\s]+)""", styles)
    return [address for address in loading if not address.startswith(("data:", "#"))]
