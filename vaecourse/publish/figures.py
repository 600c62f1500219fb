"""The contact sheet: every stored figure on one page, to be looked at whenever figures change."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from vaecourse.publish.chapters import Chapter
from vaecourse.publish.normalise import write_text
from vaecourse.publish.pictures import picture


class StoredFigure(NamedTuple):
    """One figure as a chapter stores it."""

    source: str  # an address that holds the picture itself
    alt: str
    caption: str  # Markdown
    width: int | None


def stored_figures(chapter: Chapter) -> Iterator[StoredFigure]:
    """Yield the figures of a chapter, in order."""
    for cell in chapter.read().cells:
        outputs = cell.get("outputs", [])
        for output, following in zip(outputs, [*outputs[1:], {}]):
            for mime, content in output.get("data", {}).items():
                if source := picture(mime, content):
                    facts = output.metadata.get(mime, {})
                    facts = facts if isinstance(facts, dict) else {}
                    caption = following.get("data", {}).get("text/markdown", "")
                    width = facts.get("width")
                    yield StoredFigure(
                        source, str(facts.get("alt", "")), caption, width if isinstance(width, int) else None
                    )


def write_contact_sheet(chapters: list[Chapter], out: Path) -> int:
    """Write one page with the figures of all chapters and return how many there are."""
    from vaecourse.publish.html import page_of

    body, number = [], 0
    for chapter in chapters:
        body.append(f"<h2>{escape(chapter.name)}: {escape(chapter.title)}</h2>")
        for figure in stored_figures(chapter):
            number += 1
            width = f' width="{figure.width}"' if figure.width else ""
            body.append(
                f'<figure><img src="{figure.source}" alt="{escape(figure.alt)}"{width}>'
                f"<figcaption><p>{escape(figure.caption) or 'No caption.'}</p>"
                f"<p><small>{len(figure.source) * 3 / 4000:.0f} kB. Alternative text: "
                f"{escape(figure.alt) or 'none.'}</small></p></figcaption></figure>"
            )
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(page_of("Figures of the course", "\n".join(body)), out)
    return number
