"""What a notebook may put on a page: an allow-list of elements and attributes; everything else goes.

A notebook may come from anywhere, and what its cells print may be anything. Its Markdown and HTML therefore pass
through `clean` before they enter a page. The page's content security policy (`policy`) is a second wall, not the first.
"""

import re
from functools import cache
from html import unescape

from bleach.sanitizer import Cleaner
from bs4 import BeautifulSoup

_TAGS = frozenset(
    "a abbr b blockquote br caption cite code dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i "
    "img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var "
    "wbr".split()
)
_ANYWHERE = frozenset({"id", "title", "lang", "dir"})
_ATTRIBUTES = {
    "img": frozenset({"alt", "width", "height"}),
    "ol": frozenset({"start", "reversed", "type"}),
    "td": frozenset({"colspan", "rowspan"}),
    "th": frozenset({"colspan", "rowspan", "scope"}),
    "table": frozenset({"border"}),
}
# Elements whose content is no text for a reader: they go with all that they hold, where others leave their text.
_WITH_CONTENT = (
    "script style template noscript iframe object embed applet frameset noframes noembed title textarea select "
    "option svg math video audio canvas head xmp plaintext"
).split()
# The classes by which code is coloured (Pygments' short names, the ANSI colours of printed text) and columns aligned.
# The page's own classes are not for a notebook: nothing that it prints may look like a recorded number.
_CLASS = re.compile(r"highlight|hl-\w+|language-\w+|[a-z][a-z0-9]{0,2}|ansi-[a-z0-9-]+|anchor-link|align-\w+")
_ALIGN = re.compile(r"(?:^|;)\s*text-align\s*:\s*(left|right|center)\s*(?:;|$)", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
_SCHEME = re.compile(r"[^/?#:]*:")
_IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0]+")  # what browsers leave out of an address, or of its scheme


def clean(fragment: str) -> str:
    """Return a fragment of HTML with nothing in it but text, its structure, pictures and links.

    No scripts, styles, forms, frames or handlers survive, no comments, and no address but ``http``, ``https``,
    ``mailto``, relative ones and pictures that are inside the page. Elements that are left open are closed.
    """
    soup = BeautifulSoup(fragment, "html.parser")
    for element in soup.find_all(_WITH_CONTENT):
        element.decompose()
    for cell in soup.find_all(["td", "th"]):
        # Markdown aligns its columns by a style attribute, and the page's policy lets no style attribute act.
        aligned = _ALIGN.search(cell.get("style", ""))
        if aligned:
            cell["class"] = [*cell.get("class", []), f"align-{aligned[1].lower()}"]
    for element in soup.find_all(class_=True):
        element["class"] = [name for name in element["class"] if _CLASS.fullmatch(name)]
        if not element["class"]:
            del element["class"]
    return _cleaner().clean(str(soup))


@cache
def _cleaner() -> Cleaner:
    """Return the sanitiser, which decides alone: what happens to the fragment before it is for looks only."""
    return Cleaner(
        tags=_TAGS,
        attributes=_allowed,
        protocols=frozenset({"http", "https", "mailto", "data"}),
        strip=True,
        strip_comments=True,
    )


def _allowed(tag: str, name: str, value: str) -> bool:
    """Say whether an element may have this attribute with this value."""
    if name == "class":
        return all(_CLASS.fullmatch(part) for part in value.split())
    address = _IGNORED.sub("", unescape(value)).lower()
    if tag == "a" and name == "href":
        # Bleach has seen to the rest; it knows no difference between the addresses of links and of pictures.
        return not address.startswith("data:")
    if tag == "img" and name == "src":
        return is_picture(value) or not _SCHEME.match(address)
    return name in _ANYWHERE or name in _ATTRIBUTES.get(tag, ())


def is_picture(address: str) -> bool:
    """Say whether an address holds a picture itself, so that showing it asks nobody for anything."""
    return bool(_PICTURE.fullmatch(address))
