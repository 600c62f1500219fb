"""Pages in a real browser: hostile notebooks do nothing, and the chapters can be read by everybody, on every screen."""

from importlib.resources import files
from pathlib import Path

import hostile
import nbformat
import pytest
from browser import Browser, Outside, find_browser
from nbformat import v4

from vaecourse.publish.html import Page, chapter_page

CHAPTERS = Path(__file__).parents[1] / "chapters"
MATHJAX = files("vaecourse.publish") / "assets" / "mathjax" / "tex-svg-full.js"
PAGE = Page(
    number="08",
    title="A page",
    version="1.2.3",
    run=("tier quick", "41 s on cpu"),
    colophon="Run on 2026-01-01.",
    links={},
)
GRAVE = ("serious", "critical")
SCROLLING = "scrollable-region-focusable"  # this version of axe calls it moderate, later ones serious


@pytest.fixture(scope="module")
def outside():
    with Outside() as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory, outside):
    path = find_browser()
    if path is None:
        pytest.skip("No page was opened: there is no Chromium here (on Debian: apt-get install chromium).")
    browser = Browser(path, tmp_path_factory.mktemp("profile"), outside)
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a page's text in a tab, from a folder two below one with a file of the reader's."""
    tabs = []

    def open_page(text, **window):
        folder = tmp_path / "reports" / "08_page"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "secret.png").write_bytes(b"the reader's own")
        path = folder / "08_page.html"
        path.write_text(text, encoding="utf-8")
        tabs.append(browser.open(path.as_uri(), **window))
        return tabs[-1]

    yield open_page
    for tab in tabs:
        tab.close()


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """A function that returns the address of a stored chapter's page."""
    folder = tmp_path_factory.mktemp("pages")

    def address(number):
        path = folder / f"{number}.html"
        if not path.exists():
            [notebook] = CHAPTERS.glob(f"{number}_*.ipynb")
            page = chapter_page(nbformat.read(notebook, as_version=4), PAGE, CHAPTERS)
            path.write_text(page, encoding="utf-8")
        return path.as_uri()

    return address


@pytest.fixture(scope="module")
def tab_of(browser, chapter):
    """A function that shows a stored chapter, typeset, in a window of some width: one tab for each chapter."""
    tabs = {}

    def tab(number, width, scheme="light"):
        if number not in tabs:
            tabs[number] = browser.open(chapter(number))
            tabs[number].typeset()
        tabs[number].resize(width, scheme=scheme)
        tabs[number].typeset()
        return tabs[number]

    yield tab
    for each in tabs.values():
        each.close()


def provoked(tab):
    """What a page does once everything in it was clicked and sent: dialogs, requests, places it went to."""
    tab.typeset()
    tab.evaluate(hostile.PROVOKE)
    tab.pause(0.5)
    return tab.dialogs(), tab.requests(), tab.navigations()


@pytest.mark.parametrize("markup", hostile.MARKUP.values(), ids=hostile.MARKUP)
def test_each_piece_of_markup_does_something_where_it_may(opened, markup):
    """Else the next test would see nothing because there is nothing."""
    assert any(provoked(opened(f"<!DOCTYPE html><main><section><div><p>{markup}</p></div></section></main>")))


def test_a_hostile_notebook_does_nothing(opened, outside, tmp_path):
    heard = outside.heard_of(hostile.HOST)
    tab = opened(chapter_page(hostile.notebook(), PAGE, tmp_path / "reports" / "08_page"))
    assert provoked(tab) == ([], [], [])
    assert outside.heard_of(hostile.HOST) == heard
    assert tab.evaluate("document.scripts.length") == 1
    assert tab.evaluate("document.querySelectorAll('main section').length") > len(hostile.MARKUP)


@pytest.mark.parametrize("name", sorted(hostile.MARKUP.keys() - {"refresh", "picture of the reader's"}))
def test_the_policy_alone_would_stop_it(opened, outside, name):
    """A second wall: markup that comes into a finished page. (A policy in a page says nothing of ``refresh``.)"""
    page = chapter_page(v4.new_notebook(cells=[v4.new_markdown_cell("# Title")]), PAGE, CHAPTERS)
    heard = outside.heard_of(hostile.HOST)
    tab = opened(page.replace("</main>", hostile.MARKUP[name] + "</main>"))
    dialogs, _, _ = provoked(tab)
    assert dialogs == []
    assert tab.evaluate("location.href").partition("#")[0] == tab.address
    assert outside.heard_of(hostile.HOST) == heard
    assert any("Content Security Policy" in complaint for complaint in tab.complaints())


def test_formulas_make_neither_links_nor_styles(opened, outside):
    source = "# Formulas\n\n" + "\n\n".join(f"${tex}$" for tex in hostile.TEX.values())
    heard = outside.heard_of(hostile.HOST)
    tab = opened(chapter_page(v4.new_notebook(cells=[v4.new_markdown_cell(source)]), PAGE, CHAPTERS))
    assert provoked(tab) == ([], [], [])
    assert outside.heard_of(hostile.HOST) == heard
    assert tab.evaluate("document.querySelectorAll('mjx-container').length") == len(hostile.TEX)
    assert (
        tab.evaluate("document.querySelectorAll('mjx-container :is(a, [href^=java], [id=scripts], .banner)').length")
        == 0
    )


def test_formulas_would_make_links_where_they_may(opened):
    config = r'window.MathJax = {tex: {inlineMath: [["$", "$"]]}}'
    text = " ".join(f"${hostile.TEX[name]}$" for name in ("href", "attribute"))
    script = MATHJAX.read_text(encoding="utf-8")
    tab = opened(f"<!DOCTYPE html><p>{text}</p><script>{config}</script><script>{script}</script>")
    assert provoked(tab)[0] == ["href", "token"]


@pytest.mark.parametrize("number", ["02", "08"])
def test_a_chapter_asks_nobody_and_breaks_no_rule(tab_of, number):
    tab = tab_of(number, 1280)
    assert (tab.requests(), tab.navigations(), tab.dialogs(), tab.complaints()) == ([], [], [], [])
    assert tab.evaluate("document.querySelectorAll('mjx-container svg').length") > 50
    assert tab.evaluate("document.querySelectorAll('mjx-merror').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("number", ["02", "08"])
def test_axe_finds_nothing_grave(tab_of, number, width, scheme):
    tab = tab_of(number, width, scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    tab.typeset()
    tab.evaluate((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + "; null")
    outcome = tab.evaluate(
        "axe.run().then(result => ({passed: result.passes.map(rule => rule.id), violated: result.violations.map("
        "rule => [rule.id, rule.impact, rule.nodes.length, rule.nodes[0].html.slice(0, 200)])}))"
    )
    assert "color-contrast" in outcome["passed"]
    assert SCROLLING in outcome["passed"]
    assert [rule for rule in outcome["violated"] if rule[1] in GRAVE or rule[0] == SCROLLING] == []


@pytest.mark.parametrize("width", [320, 390, 700, 1000, 1200, 1280, 1920])
@pytest.mark.parametrize("number", ["02", "08"])
def test_nothing_leaves_the_window(tab_of, number, width):
    tab = tab_of(number, width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('main p, main .highlight, main figure, main .table, .contents')]"
    edges = tab.evaluate(
        f"{boxes}.map(box => box.getBoundingClientRect()).filter(box => box.width).map(box => [box.left, box.right])"
    )
    assert all(0 <= left and right <= width for left, right in edges)


@pytest.mark.parametrize("number", ["02", "08"])
def test_wide_windows_give_code_one_edge_and_formulas_their_room(tab_of, number):
    tab = tab_of(number, 1280)
    edges = tab.evaluate(
        "[...document.querySelectorAll('.highlight')].map(box => Math.round(box.getBoundingClientRect().right))"
        ".filter(Boolean)"
    )
    assert len(edges) > 20
    assert len(set(edges)) == 1
    assert tab.evaluate("document.querySelectorAll('mjx-container.scrolls, .table.scrolls').length") == 0
    assert tab.evaluate("document.querySelector('.contents').getBoundingClientRect().left") >= 16
    room = "document.querySelector('main p').getBoundingClientRect().left - {}.getBoundingClientRect().right"
    assert tab.evaluate(room.format("document.querySelector('.contents')")) >= 16


@pytest.mark.parametrize("number", ["02", "08"])
def test_on_a_phone_what_scrolls_says_so_and_is_reached_by_keyboard(tab_of, number):
    tab = tab_of(number, 390)
    boxes = "document.querySelectorAll('.highlight, .table, mjx-container[display=true], main pre')"
    silent = tab.evaluate(
        f"[...{boxes}].filter(box => box.scrollWidth > box.clientWidth + 1"
        " && getComputedStyle(box).overflowX === 'auto'"
        " && !(box.tabIndex === 0 && box.getAttribute('role') === 'region'"
        " && box.getAttribute('aria-label')"
        " && getComputedStyle(box).backgroundImage.includes('gradient'))).map(box => box.outerHTML.slice(0, 100))"
    )
    assert silent == []
    names = tab.evaluate("[...document.querySelectorAll('.scrolls')].map(box => box.getAttribute('aria-label'))")
    assert len(names) > 20
    assert len(set(names)) == len(names)
    still = "[...document.querySelectorAll('.highlight')].filter(box => box.clientWidth && !box.matches('.scrolls'))"
    assert not tab.evaluate(f"{still}.some(box => box.tabIndex === 0)")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_figure_opens_larger_and_closes_by_key(tab_of, width):
    tab = tab_of("02", width)
    assert tab.evaluate("[...document.querySelectorAll('figure')].every(f => f.querySelector('button.enlarge'))")
    shown = tab.evaluate("document.querySelector('figure img').clientWidth")
    tab.evaluate("document.querySelector('figure button.enlarge').click()")
    assert tab.evaluate("document.querySelector('dialog').open")
    assert tab.evaluate("document.querySelector('dialog img').alt") == tab.evaluate(
        "document.querySelector('figure img').alt"
    )
    larger = tab.evaluate("document.querySelector('dialog img').clientWidth")
    assert larger >= (2 * shown if width == 390 else shown)
    view = tab.evaluate(
        "(({clientWidth, scrollWidth}) => [clientWidth, scrollWidth])(document.querySelector('dialog div'))"
    )
    assert view[0] <= width
    assert view[1] >= larger
    for kind in ("rawKeyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape", windowsVirtualKeyCode=27)
    tab.wait_for("!document.querySelector('dialog').open")


def test_a_full_stop_stays_with_its_formula(opened):
    text = "# Title\n\n" + " ".join(["The value of $x$, the one ($y$) and $z$."] * 40)
    tab = opened(chapter_page(v4.new_notebook(cells=[v4.new_markdown_cell(text)]), PAGE, CHAPTERS), width=390)
    tab.typeset()
    wholes = tab.evaluate("[...document.querySelectorAll('.whole')].map(w => [w.textContent[0], w.textContent.at(-1)])")
    assert len(wholes) == 120
    assert {(first == "(", last) for first, last in wholes} == {(False, ","), (True, ")"), (False, ".")}
