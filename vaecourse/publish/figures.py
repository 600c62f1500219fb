"""The contact sheet: every stored figure on one page, to be looked at whenever figures change."""

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from vaecourse.publish.chapters import Chapter
from vaecourse.publish.normalise import write_text


class StoredFigure(NamedTuple):
    """One figure as a chapter stores it."""

    mime: str
    data: bytes
    alt: str
    caption: str  # Markdown
    width: int | None


def stored_figures(chapter: Chapter) -> Iterator[StoredFigure]:
    """Yield the figures of a chapter, in order."""
    for cell in chapter.read().cells:
        outputs = cell.get("outputs", [])
        for output, following in zip(outputs, [*outputs[1:], {}]):
            for mime, content in output.get("data", {}).items():
                if mime.startswith("image/"):
                    facts = output.metadata.get(mime, {})
                    data = content.encode() if mime == "image/svg+xml" else base64.b64decode(content)
                    caption = following.get("data", {}).get("text/markdown", "")
                    yield StoredFigure(mime, data, facts.get("alt", ""), caption, facts.get("width"))


def write_contact_sheet(chapters: list[Chapter], out: Path) -> int:
    """Write one page with the figures of all chapters and return how many there are."""
    from vaecourse.publish.html import page_of

    body, number = [], 0
    for chapter in chapters:
        body.append(f"<h2>{escape(chapter.name)}: {escape(chapter.title)}</h2>")
        for figure in stored_figures(chapter):
            number += 1
            source = f"data:{figure.mime};base64,{base64.b64encode(figure.data).decode()}"
            width = f' width="{figure.width}"' if figure.width else ""
            body.append(
                f'<figure><img src="{source}" alt="{escape(figure.alt)}"{width}>'
                f"<figcaption><p>{escape(figure.caption) or 'No caption.'}</p>"
                f"<p><small>{len(figure.data) / 1000:.0f} kB. Alternative text: "
                f"{escape(figure.alt) or 'none.'}</small></p></figcaption></figure>"
            )
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(page_of("Figures of the course", "\n".join(body)), out)
    return number
