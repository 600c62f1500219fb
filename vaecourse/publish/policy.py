"""What a page brings along, its style and its scripts, and the policy by which a browser runs nothing else."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from vaecourse.publish.colours import code_styles

_ASSETS = files("vaecourse.publish") / "assets"
# \require would load files. What in TeX makes links, classes or styles is taken out again by MathJax's safe extension
# (assets/mathjax/safe.js), whose own rules are looser than a page of a textbook needs.
_MATHJAX_CONFIG = r"""
window.MathJax = {
  tex: {inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true, tags: "ams",
        packages: {"[-]": ["require", "html", "unicode"]}},
  svg: {fontCache: "global"},
  options: {enableMenu: false, safeOptions: {allow: {URLs: "none", classes: "none", cssIDs: "none", styles: "none"}}}
};
"""
# The style sheets that MathJax itself puts into a page: of formulas, and of a menu that is switched off.
_MATHJAX_STYLES = (
    "'sha256-h5LOiLhk6wiJrGsG5ItM0KimwzWQH/yAcmoJDJL//bY='",
    "'sha256-JLEjeN9e5dGsz5475WyRaoA4eQOdNPxDIeUhclnJDCE='",
    "'sha256-mQyxHEuwZJqpxCw3SLmc4YOySNKXunyu2Oiz1r3/wAE='",
    "'sha256-OCf+kv5Asiwp++8PIevKBYSgnNLNUZvxAp4a7wMLuKA='",
)


@cache
def stylesheet() -> str:
    """Return the style of every page, the colours of code included."""
    return f"{code_styles()}\n{_text('page/style.css')}"


@cache
def page_script() -> str:
    """Return the page's own script: boxes that scroll are reached by the keyboard, figures can be enlarged."""
    return _text("page/page.js")


@cache
def typesetter() -> tuple[str, str]:
    """Return the two scripts that typeset the mathematics, with no address to load anything from.

    The safe extension stands in one script with MathJax: MathJax starts as soon as a script ends.
    """
    return _MATHJAX_CONFIG, _text("mathjax/tex-svg-full.js") + "\n" + _text("mathjax/safe.js")


def scripts(*, maths: bool) -> str:
    """Return the script elements of a page."""
    return "\n".join(f"<script>{script}</script>" for script in _scripts(maths))


@cache
def policy(*, maths: bool = False, scripted: bool = True) -> str:
    """Return the content security policy of a page, for its ``meta`` element.

    Scripts and styles are named by their hashes, so that nothing else acts, whatever came into the page; nothing is
    loaded, pictures are inside. Style attributes do not act either: MathJax sets its styles one by one from its script,
    which the policy permits, and its style sheets are known beforehand.

    Args:
        maths: whether MathJax is in the page.
        scripted: whether the page has scripts at all.
    """
    directives = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": " ".join([_hash(stylesheet()), *(_MATHJAX_STYLES if maths else ())]),
        "script-src": " ".join(map(_hash, _scripts(maths))) if scripted else "'none'",
        "form-action": "'none'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _scripts(maths: bool) -> list[str]:
    """Return the texts of a page's scripts."""
    return [page_script(), *(typesetter() if maths else ())]


def _hash(text: str) -> str:
    """Return the name by which a policy permits a script or style of this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    """Return an asset's text."""
    return (_ASSETS / name).read_text(encoding="utf-8")
