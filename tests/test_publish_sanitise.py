"""What of a notebook's own markup reaches a page, which pictures do, and whether the colours of code can be read."""

import base64
import os
import re

import hostile
import nbformat
import pytest
from bs4 import BeautifulSoup

from vaecourse.publish.chapters import Chapter
from vaecourse.publish.colours import Dark, Light
from vaecourse.publish.figures import write_contact_sheet
from vaecourse.publish.html import Page, chapter_page
from vaecourse.publish.pictures import embed, local_picture, picture
from vaecourse.publish.sanitise import clean

PNG = base64.b64decode(hostile.PIXEL)
PAGE = Page(number="08", title="A page", version="1.2.3", run=(), colophon="", links={})


@pytest.mark.parametrize("markup", hostile.MARKUP.values(), ids=hostile.MARKUP)
def test_nothing_of_hostile_markup_is_left_but_text(markup):
    soup = BeautifulSoup(clean(markup), "html.parser")
    assert {tag.name for tag in soup.find_all()} <= {"p", "a", "img", "details"}
    attributes = {(tag.name, name) for tag in soup.find_all() for name in tag.attrs}
    assert attributes <= {("img", "src"), ("details", "open")}
    assert all(re.fullmatch(r"[a-z./]+\.png", image["src"]) for image in soup.select("img[src]"))
    assert "alert" not in soup.get_text()


@pytest.mark.parametrize(
    "markup",
    [
        "<p>one <em>two</em> <strong>three</strong> <code>four</code></p>",
        "<details><summary>Hint</summary><p>Look at $x &lt; y$ &amp; \\(z\\).</p></details>",
        '<a id="ref-kingma2014"></a><ul><li><a href="https://arxiv.org/abs/1312.6114">1312.6114</a></li></ul>',
        '<a href="03_next.ipynb#section">next</a> <a href="mailto:a@example.org">write</a>',
        '<ol start="3"><li>x</li></ol><table border="1"><tbody><tr><td colspan="2">7</td></tr></tbody></table>',
        f'<img alt="a dot" src="data:image/png;base64,{hostile.PIXEL}" width="60">',
        '<div class="highlight hl-python"><pre><span class="k">def</span> <i class="nf">f</i></pre></div>',
        '<td class="align-right">7</td>'.join(["<table><tbody><tr>", "</tr></tbody></table>"]),
    ],
)
def test_what_a_chapter_is_made_of_stays(markup):
    expected = BeautifulSoup(markup, "html.parser")
    found = BeautifulSoup(clean(markup), "html.parser")
    assert [(t.name, t.attrs) for t in found.find_all()] == [(t.name, t.attrs) for t in expected.find_all()]
    assert found.get_text() == expected.get_text()


def test_columns_stay_aligned_without_style_attributes():
    cleaned = clean(
        '<table><tr><th style="text-align:right">a</th><td style="color: red; text-align: center">b</td></tr></table>'
    )
    soup = BeautifulSoup(cleaned, "html.parser")
    assert (soup.th["class"], soup.td["class"]) == (["align-right"], ["align-center"])
    assert soup.select("[style]") == []


def test_nothing_can_look_like_a_recorded_number():
    assert clean('<pre class="recorded">evidence = 0 nats</pre>') == "<pre>evidence = 0 nats</pre>"


@pytest.fixture
def folder(tmp_path):
    """A chapter's folder with pictures and what looks like them, and a file beside it."""
    chapters = tmp_path / "chapters"
    (chapters / "figures").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(PNG)
    (chapters / "figures" / "dot.png").write_bytes(PNG)
    (chapters / "keys.png").write_text("PASSWORD=1234")
    (chapters / "data.csv").write_bytes(PNG)
    (chapters / "chapters.svg").mkdir()
    os.symlink(tmp_path / "secret.png", chapters / "link.png")
    os.symlink(chapters / "loop.png", chapters / "loop.png")
    return chapters


@pytest.mark.parametrize("source", ["figures/dot.png", "./figures/../figures/dot.png", "figures/d%6ft.png"])
def test_pictures_in_the_folder_are_found(folder, source):
    assert local_picture(source, folder) == f"data:image/png;base64,{hostile.PIXEL}"


@pytest.mark.parametrize(
    "source",
    [
        "../secret.png",
        "figures/../../secret.png",
        "%2e%2e/secret.png",
        "link.png",
        "loop.png",
        "keys.png",
        "data.csv",
        "chapters.svg",
        "none.png",
        "a%00.png",
        "//outside.example/a.png",
        "https://outside.example/a.png",
        "",
    ],
)
def test_no_other_file_is_read(folder, source):
    assert local_picture(source, folder) is None
    assert local_picture(str(folder.parent / "secret.png"), folder) is None
    soup = BeautifulSoup(f'<p><img src="{source}" alt="a sketch"></p>', "html.parser")
    embed(soup, folder)
    assert str(soup) == '<p><span class="missing">a sketch</span></p>'


@pytest.mark.parametrize(
    ("kind", "content"),
    [("image/png", '">'), ('image/png">', hostile.PIXEL), ("text/html", hostile.PIXEL), ("image/png", None)],
)
def test_what_is_no_picture_is_not_shown_as_one(kind, content):
    assert picture(kind, content) == ""


def test_nothing_of_a_hostile_notebook_is_in_its_page(folder):
    soup = BeautifulSoup(chapter_page(hostile.notebook(), PAGE, folder), "html.parser")
    assert len(soup.select("script")) == 1
    assert soup.select("iframe, object, form, input, svg, video, link, base, main style, main script, main meta") == []
    assert [a for tag in soup.main.find_all() for a in tag.attrs if a.startswith("on") or a == "style"] == []
    assert all(image["src"].startswith("data:image/") for image in soup.select("img"))


def test_the_contact_sheet_keeps_to_the_same_rules(tmp_path):
    path = tmp_path / "08_hostile.ipynb"
    nbformat.write(hostile.notebook(), path)
    shown = write_contact_sheet([Chapter(path)], tmp_path / "figures.html")
    soup = BeautifulSoup((tmp_path / "figures.html").read_text(encoding="utf-8"), "html.parser")
    assert len(soup.select("figure img")) == shown == 2 * len(hostile.MARKUP)  # one PNG and one SVG each
    assert soup.select("script, iframe, object, form, input, svg, video, link, base, main style, main meta") == []
    assert [a for tag in soup.main.find_all() for a in tag.attrs if a.startswith("on")] == []
    policy = soup.select_one("meta[http-equiv]")["content"]
    assert "script-src 'none'" in policy
    assert "unsafe" not in policy


def luminance(colour: str) -> float:
    """Relative luminance of a colour like ``#1c2024``, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("style", "paper"), [(Light, "#fffefc"), (Dark, "#16181b")])
def test_every_colour_of_code_can_be_read(style, paper):
    colours = {f"#{facts['color']}" for _, facts in style if facts["color"]}
    assert len(colours) > 6
    for ground in (style.background_color, paper):
        for colour in colours:
            bright, dim = sorted([luminance(colour), luminance(ground)], reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, f"{colour} on {ground}"
