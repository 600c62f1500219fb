"""The colours of code: few, and each at a contrast that WCAG asks for (at least 4.5 to 1) on the panel behind it."""

from pygments.formatters import HtmlFormatter
from pygments.style import Style
from pygments.token import Comment, Error, Generic, Keyword, Name, Number, Operator, String, Token


class Light(Style):
    """Code by day."""

    background_color = "#f6f5f1"
    styles = {  # noqa: RUF012 (Pygments' way)
        Token: "#1c2024",
        Comment: "italic #5f6975",
        Keyword: "bold #1d4f86",
        Keyword.Constant: "nobold #8a3b12",
        Name.Builtin: "#1d4f86",
        Name.Function: "#0b5fa5",
        Name.Class: "bold #0b5fa5",
        Name.Decorator: "#6b3fa0",
        Name.Exception: "#a3201d",
        Number: "#8a3b12",
        String: "#2f6a34",
        String.Interpol: "#8a3b12",
        Operator: "#4a535c",
        Operator.Word: "bold #1d4f86",
        Generic.Error: "#a3201d",
        Generic.Deleted: "#a3201d",
        Generic.Inserted: "#2f6a34",
        Error: "#a3201d",
    }


class Dark(Style):
    """Code by night."""

    background_color = "#1f2226"
    styles = {  # noqa: RUF012 (Pygments' way)
        Token: "#dcdad5",
        Comment: "italic #9aa2ab",
        Keyword: "bold #8fc1ee",
        Keyword.Constant: "nobold #eaa77c",
        Name.Builtin: "#8fc1ee",
        Name.Function: "#7db7e8",
        Name.Class: "bold #7db7e8",
        Name.Decorator: "#c4a7ea",
        Name.Exception: "#f08a86",
        Number: "#eaa77c",
        String: "#a3cf9b",
        String.Interpol: "#eaa77c",
        Operator: "#b4b8bd",
        Operator.Word: "bold #8fc1ee",
        Generic.Error: "#f08a86",
        Generic.Deleted: "#f08a86",
        Generic.Inserted: "#a3cf9b",
        Error: "#f08a86",
    }


def code_styles() -> str:
    """Return the rules that colour code, by day and by night."""
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in (Light, Dark))
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"
