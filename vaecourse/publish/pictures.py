"""Pictures of a page: those beside the chapter are put inside, and no other file is ever read."""

import base64
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup

from vaecourse.publish.sanitise import is_picture

# How a file of each kind begins (after white space, for SVG, which is text).
_KINDS = {
    ".png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    ".webp": ("image/webp", (b"RIFF",)),
    ".svg": ("image/svg+xml", (b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")),
}


def embed(soup: BeautifulSoup, folder: Path) -> None:
    """Put the pictures that lie in ``folder`` into the page; any other picture gives way to its alternative text.

    (Nbconvert's own way closes every ``<details>`` too early, and embeds whatever file the address leads to.)
    """
    for image in soup.select("img"):
        source = image.get("src", "")
        if is_picture(source):
            continue
        if inside := local_picture(source, Path(folder)):
            image["src"] = inside
        else:
            text = soup.new_tag("span", attrs={"class": "missing"})
            text.string = image.get("alt") or "A picture that is not beside the chapter."
            image.replace_with(text)


def local_picture(source: str, folder: Path) -> str | None:
    """Return a picture file inside ``folder`` as an address that holds it, or ``None`` if it is not one.

    What counts is where the file truly lies, after ``..`` and symbolic links, and that it begins as a picture does.
    """
    try:
        path = (folder / unquote(source)).resolve()
        if not path.is_relative_to(folder.resolve()) or path.suffix.lower() not in _KINDS or not path.is_file():
            return None
        content = path.read_bytes()
    except (OSError, ValueError, RuntimeError):  # not to be read, a zero byte in its name, a loop of links
        return None
    kind, beginnings = _KINDS[path.suffix.lower()]
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(beginnings):
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(kind: str, content: object) -> str:
    """Return an image output of a notebook as an address that holds it; empty if it is not one that pages show.

    Args:
        kind: the MIME type of the output.
        content: what the notebook stores: base64, or the text of an SVG.
    """
    if not isinstance(content, str):
        return ""
    if kind == "image/svg+xml":
        content = base64.b64encode(content.encode()).decode()
    address = f"data:{kind};base64,{''.join(content.split())}"
    return address if is_picture(address) else ""
