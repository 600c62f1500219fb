"""What a Markdown cell folds away or hides: ``<details>`` at any depth, and comments."""

import re
from dataclasses import dataclass

from bs4 import BeautifulSoup

# Only these tags and comments are looked for, in the Markdown itself: to a parser of HTML the formula $x <y$ is a tag.
_MARK = re.compile(
    r"<!--(?P<comment>.*?)(?:--!?>|\Z)|<(?P<close>/?)(?P<name>details|summary)\b(?:\"[^\"]*\"|'[^']*'|[^'\">])*>",
    re.DOTALL | re.IGNORECASE,
)
_NAMES_SOLUTION = re.compile(r"\b(?:solutions?|answers?)\b", re.IGNORECASE)
_NAMES_HINT = re.compile(r"\bhints?\b", re.IGNORECASE)


@dataclass
class Fold:
    """A ``<details>`` element by its positions in the source; one that is never closed ends with the cell."""

    start: int
    end: int
    body: int  # where the text below the summary begins
    close: int  # where it ends
    summary: str  # as read on the page

    def is_solution(self, in_exercises: bool) -> bool:
        """Whether it hides a solution: by its summary, or among exercises because it does not call itself a hint."""
        if _NAMES_SOLUTION.search(self.summary):
            return True
        return in_exercises and not _NAMES_HINT.search(self.summary)


def folds_of(source: str) -> list[Fold]:
    """Every fold of a Markdown cell, nested ones included, in the order of their beginnings."""
    found, open_ = [], []
    for mark in _MARK.finditer(source):
        closing, name = bool(mark["close"]), (mark["name"] or "comment").lower()
        if name == "details" and not closing:
            open_.append(Fold(mark.start(), len(source), mark.end(), len(source), ""))
            found.append(open_[-1])
        elif name == "details" and open_:
            fold = open_.pop()
            fold.end, fold.close = mark.end(), mark.start()
        elif name == "summary" and open_ and not open_[-1].summary:
            fold = open_[-1]
            if closing:
                fold.summary = text_of(source[fold.body : mark.start()])
            fold.body = mark.end()
    for fold in found:
        if not fold.summary:  # none, or one that is never closed: its first line stands for it
            fold.summary = text_of(source[fold.body : fold.close].strip().partition("\n")[0])
    return found


def inside(source: str, fold: Fold) -> str:
    """The text of a fold below its summary."""
    return source[fold.body : fold.close].strip()


def without(source: str, folds: list[Fold]) -> str:
    """The source without these folds, and without the blank lines that they leave."""
    kept, position = [], 0
    for fold in sorted(folds, key=lambda fold: fold.start):
        kept.append(source[position : max(fold.start, position)])
        position = max(fold.end, position)  # one that lies in another is gone with it
    return re.sub(r"\n{3,}", "\n\n", "".join([*kept, source[position:]])).strip("\n")


def without_comments(source: str) -> str:
    """The source without comments, which a page does not show; the marks of recorded numbers stay."""

    def keep(mark: re.Match) -> str:
        hidden = mark["comment"] is not None and not mark["comment"].startswith("record:")
        return "" if hidden else mark[0]

    return _MARK.sub(keep, source)


def text_of(html: str) -> str:
    """A piece of HTML as it is read."""
    return BeautifulSoup(html, "html.parser").get_text().strip()


def rendered_solutions(source: str, in_exercises: bool) -> list[str]:
    """The text of every fold that a page shows as a solution's, found on the page and not in its source."""
    from nbconvert.filters.markdown import markdown2html

    soup = BeautifulSoup(markdown2html(source.replace("attachment:", "")), "html.parser")  # pictures have no say
    texts = []
    for details in soup.find_all("details"):
        summary = details.find("summary")
        fold = Fold(0, 0, 0, 0, (summary or details).get_text().strip())
        if fold.is_solution(in_exercises):
            texts.append(details.get_text())
    return texts
