"""How a chapter states a number (`record`) or its data (`record_data`), so that others can read it back."""

import math
from numbers import Integral
from typing import Any

RECORD_MIME = "application/vnd.vaecourse.record+json"
DATA_MIME = "application/vnd.vaecourse.data+json"

_stated: list[str] = []


def record(name: str, value: Any, se: Any = None, unit: str = "nats") -> None:
    """State a number, as one output of the cell that computed it.

    The number is shown as a line of text and carried, in full precision, beside it; reports collect it into
    ``metrics.json`` and prose numbers are checked against it.

    Args:
        name: a lower-case identifier, used once in a chapter.
        value: a finite number, or a tensor or array of one element.
        se: its standard error, in the same unit, where there is one.
        unit: the unit; log-densities and bounds are in nats. Empty for a pure number.

    Raises:
        ValueError: if the name is not a lower-case identifier or a number is not finite.

    Example:
        >>> record("elbo", -16.0213, se=0.052)
        elbo = -16.02 ± 0.05 nats
    """
    if not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
        raise ValueError(f"record: name = {name!r} must be a lower-case identifier such as 'test_bound'")
    value = _number("value", name, value)
    if se is not None:
        se = float(_number("se", name, se))
        if se < 0:
            raise ValueError(f"record: se of {name!r} = {se} must not be negative")
    payload = {"name": name, "value": value, "se": se, "unit": unit}
    _stated.append(name)
    _emit(RECORD_MIME, payload, f"{name} = {as_text(value, se, unit)}")


def stated() -> list[str]:
    """Return the names that this process recorded, in order, whatever became of the outputs that showed them."""
    return list(_stated)


def is_replaced(namespace: dict[str, Any]) -> bool:
    """Whether ``record`` in a namespace, or in this module, is no longer this module's function."""
    return namespace.get("record", _own_record) is not _own_record or record is not _own_record


_own_record = record


def record_data(dataset: Any) -> None:
    """State which data the chapter runs on, and under which protocol: nats under another cannot be compared.

    Args:
        dataset: what ``data.load`` returns: it has ``name``, ``split``, ``protocol`` and a length.

    Example:
        >>> from types import SimpleNamespace
        >>> class Digits(SimpleNamespace):
        ...     def __len__(self):
        ...         return 300
        >>> record_data(Digits(name="digits", split="test", protocol="binomial"))
        data: digits, test, binomial, 300 examples
    """
    payload = {
        "name": dataset.name,
        "split": dataset.split,
        "protocol": dataset.protocol,
        "size": len(dataset),
    }
    text = "data: {name}, {split}, {protocol}, {size:,} examples".format(**payload)
    _emit(DATA_MIME, payload, text)


def as_text(value: float, se: float | None = None, unit: str = "") -> str:
    """Return the number as a reader wants it: no more digits than its standard error supports.

    Example:
        >>> as_text(-85.48213, 0.0831, "nats")
        '-85.48 ± 0.08 nats'
        >>> as_text(1797, unit="examples"), as_text(2 / 3)
        ('1797 examples', '0.6667')
    """
    if se:
        decimals = max(0, -math.floor(math.log10(se)))
        if round(se * 10**decimals) == 1:  # one digit of 0.1 could be anything from 0.05 to 0.15
            decimals += 1
        text = f"{value:.{decimals}f} ± {se:.{decimals}f}"
    elif isinstance(value, int):
        text = str(value)
    else:
        text = f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
    return f"{text} {unit}".rstrip()


def _number(what: str, name: str, number: Any) -> int | float:
    """Return a plain finite int or float; tensors and arrays of one element give theirs."""
    if hasattr(number, "item"):
        if _numel(number) != 1:
            raise ValueError(f"record: {what} of {name!r} must be one number, not {_numel(number)}")
        number = number.item()
    if isinstance(number, bool) or not isinstance(number, (Integral, float)):
        raise ValueError(f"record: {what} of {name!r} must be a number, not {type(number).__name__}")
    if not _is_finite(number):
        raise ValueError(f"record: {what} of {name!r} is {number}, which is not a finite number")
    return int(number) if isinstance(number, Integral) else float(number)


def _is_finite(number: Any) -> bool:
    """Whether a float can hold the number."""
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer of more than 300 digits
        return False


def _numel(array: Any) -> int:
    """Return how many elements a tensor or an array has."""
    return array.numel() if hasattr(array, "numel") else array.size


def _emit(mime: str, payload: dict, text: str) -> None:
    """Display text and payload as one output of the running cell; outside a notebook, print the text."""
    try:
        from IPython import get_ipython
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        print(text)
    else:
        from IPython.display import display

        display({mime: payload, "text/plain": text}, raw=True)
