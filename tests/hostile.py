"""What a hostile notebook might put on a page, and a notebook that puts all of it everywhere.

Each piece of markup does something by itself, or when what it shows is clicked, on a page that lets it: opens a dialog,
asks a server or a file for something, or leads the reader away.
"""

import nbformat
from nbformat import v4

HOST = "outside.example"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPjfDwADAgH/5bK6TQAAAABJRU5ErkJggg=="

MARKUP = {
    "script": "<script>alert('script')</script>",
    "closing everything first": "</p></div></section></main><script>alert('closing')</script>",
    "script inside SVG": "<svg><script>alert('svg script')</script></svg>",
    "handler of an image": "<img src='missing.png' onerror=\"alert('onerror')\">",
    "handler of an SVG": "<svg onload=\"alert('onload')\"></svg>",
    "handler of a fold": "<details open ontoggle=\"alert('ontoggle')\">fold</details>",
    "handler of a field": "<input autofocus onfocus=\"alert('onfocus')\">",
    "link that is a script": "<a href=\"javascript:alert('link')\">link</a>",
    "link that hides it": "<a href=\" java&#x73;cript&colon;alert('hidden')\">link</a>",
    "link of an SVG": "<svg><a href=\"javascript:alert('svg link')\"><text y='20'>link</text></a></svg>",
    "frame": "<iframe srcdoc=\"<script>alert('frame')</script>\"></iframe>",
    "object": f"<object data='http://{HOST}/object'></object>",
    "picture elsewhere": f"<img src='http://{HOST}/picture.png'>",
    "picture without scheme": f"<img src='data:,' srcset='http://{HOST}/set.png 1x'>",
    "picture of the reader's": "<img src='../../secret.png'>",
    "film": f"<video src='http://{HOST}/film' poster='http://{HOST}/poster' autoplay></video>",
    "import of styles": f"<style>@import 'http://{HOST}/import.css';</style>",
    "style sheet": f"<link rel='stylesheet' href='http://{HOST}/sheet.css'>",
    "style attribute": f"<p style=\"background: url('http://{HOST}/attribute.png')\">styled</p>",
    "base": f"<base href='http://{HOST}/'><img src='based.png'>",
    "refresh": f"<meta http-equiv='refresh' content='0; url=http://{HOST}/refresh'>",
    "form": f"<form action='http://{HOST}/form'><button>send</button></form>",
    "link that is sent": f"<svg><image href='http://{HOST}/image' width='9' height='9'/></svg>",
}

# TeX that makes links, styles or requests, where the typesetter lets it.
TEX = {
    "href": r"\href{javascript:alert('href')}{x}",
    "attribute": "\\mmlToken{mi}[href=\"javascript:alert('token')\"]{y}",
    "style": rf"\style{{background: url(http://{HOST}/style.png)}}{{z}}",
    "class": r"\class{banner}{u}",
    "identifier": r"\cssId{scripts}{v}",
    "require": rf"\require{{http://{HOST}/require}} w",
}

# Clicks on all that can be clicked, and sends all forms.
PROVOKE = """
for (const element of document.querySelectorAll("a, button, summary, [onclick]"))
  element.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, view: window}));
for (const form of document.querySelectorAll("form")) form.submit();
"""


def _output(data: dict, **metadata: object) -> nbformat.NotebookNode:
    return v4.new_output("display_data", data=data, metadata=metadata)


def notebook() -> nbformat.NotebookNode:
    """Return a notebook with every piece of markup in every place from which something reaches the page."""
    cells = [v4.new_markdown_cell(f"# Title {' '.join(MARKUP.values())}")]
    for number, markup in enumerate(MARKUP.values()):
        tags = [markup.replace(",", ""), *(["hide-input"] if number % 2 else [])]
        code = v4.new_code_cell(markup, metadata={"tags": tags})
        code.outputs = [
            _output({"text/html": markup, "text/plain": markup}),
            _output({"text/markdown": markup}),
            _output({"text/latex": markup}),
            _output({"text/plain": markup}),
            _output({"application/javascript": "alert('javascript')"}),
            _output({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{markup}</svg>"}),
            _output({"image/png": PIXEL}, **{"image/png": {"alt": f'">{markup}', "width": f'1">{markup}'}}),
            _output({"text/markdown": f"**Figure 1.** {markup}"}),
            _output({"image/png": f'{PIXEL}">{markup}'}),
            _output({"image/jpeg": f"'>{markup}"}, **{"image/jpeg": markup}),
            v4.new_output("stream", name="stdout", text=f"\x1b[31m{markup}\x1b[0m"),
            v4.new_output("error", ename=markup, evalue=markup, traceback=[markup]),
        ]
        solution = {"nbgrader": {"solution": True, "grade": True, "grade_id": markup}}
        cells += [
            v4.new_markdown_cell(markup),
            v4.new_markdown_cell(f"## {markup}"),
            v4.new_markdown_cell(f"| {markup} | b |\n|---|---|\n| [x]({markup}) | ![{markup}](x.png) |"),
            v4.new_markdown_cell(f"```html\n{markup}\n```"),
            v4.new_markdown_cell(markup, metadata=solution),
            v4.new_markdown_cell(
                "![a](attachment:a.png)", attachments={"a.png": {f'image/png">{markup}': f'">{markup}'}}
            ),
            v4.new_raw_cell(markup, metadata={"raw_mimetype": "text/html"}),
            v4.new_raw_cell(markup),
            code,
        ]
    return v4.new_notebook(cells=cells)
