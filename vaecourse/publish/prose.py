"""Numbers in the prose that come from a run: finding them by their markers, restating them for another."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import nbformat

from vaecourse.publish.payloads import checked_data, checked_record
from vaecourse.record import DATA_MIME, RECORD_MIME

_MARKED = re.compile(
    r"(?P<number>[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+−]?\d+)?)"
    r"(?P<marker><!--\s*record:\s*(?P<name>\w+)\s*-->)"
    r"(?:\\\*)?"  # the star of an earlier run that did not record it
)


class MarkedNumber(NamedTuple):
    """A number in the prose, as printed, and the record it claims to be."""

    text: str
    name: str

    def stated(self, value: float) -> str:
        """Return ``value`` in the form of this number: as many decimals, the same minus sign.

        Example:
            >>> MarkedNumber("−16.02", "bound").stated(-15.9871)
            '−15.99'
            >>> MarkedNumber("1,797", "size").stated(59600), MarkedNumber("3e−12", "error").stated(4.4e-13)
            ('59,600', '4e−13')
        """
        mantissa, exponent, _ = self.text.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        if exponent:
            head, _, power = f"{value:.{decimals}e}".partition("e")
            number = f"{head}e{int(power)}"
        else:
            number = f"{value:,.{decimals}f}" if "," in self.text else f"{value:.{decimals}f}"
        if float(number.replace(",", "")) == 0:
            number = number.lstrip("-")
        if self.text.startswith("+") and not number.startswith("-"):
            number = "+" + number
        return number if "-" in self.text else number.replace("-", "−")

    def agrees(self, value: float) -> bool:
        """Whether ``value``, printed in the form of this number, is this number."""
        return self.stated(value).replace("−", "-") == self.text.replace("−", "-")


def marked_numbers(markdown: str) -> Iterator[MarkedNumber]:
    """Yield every number that is followed directly by ``<!--record:name-->``."""
    for match in _MARKED.finditer(markdown):
        yield MarkedNumber(match["number"], match["name"])


def restate(markdown: str, records: Mapping[str, Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Return the prose with each marked number as this run recorded it.

    Args:
        markdown: a Markdown cell.
        records: the records of a run, by name, as ``collect_records`` returns them.

    Returns:
        The new prose, and the names that the run did not record: those numbers are the stored run's, and a
        ``*`` after them says so.
    """
    missing = []

    def replaced(match: re.Match) -> str:
        name = match["name"]
        if name not in records:
            missing.append(name)
            return match["number"] + match["marker"] + "\\*"
        return MarkedNumber(match["number"], name).stated(records[name]["value"]) + match["marker"]

    return _MARKED.sub(replaced, markdown), missing


def collect_records(notebook: nbformat.NotebookNode) -> dict[str, dict[str, Any]]:
    """Return the records of an executed notebook by name; a ValueError names one that is stated twice or is none."""
    records: dict[str, dict[str, Any]] = {}
    for payload in _payloads(notebook, RECORD_MIME):
        name, entry = checked_record(payload)
        if name in records:
            raise ValueError(f"the chapter records {name!r} twice; a name is used once in a chapter")
        records[name] = entry
    return records


def collect_data(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Return the data sets that an executed notebook states, each once; a ValueError names what is no data set."""
    data: list[dict[str, Any]] = []
    for payload in map(checked_data, _payloads(notebook, DATA_MIME)):
        if payload not in data:
            data.append(payload)
    return data


def _payloads(notebook: nbformat.NotebookNode, mime: str) -> Iterator[dict[str, Any]]:
    """Yield every output of the given type, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                yield output["data"][mime]
