"""The gate for what a chapter states in outputs of its own types: a payload is as `record` makes it, or a sentence."""

import math
from typing import Any


def checked_record(payload: Any) -> tuple[str, dict[str, Any]]:
    """Return name and entry (value, se, unit) of an output of the record type.

    Raises:
        ValueError: it is not what `record` makes; the sentence says what is wrong.
    """
    if not isinstance(payload, dict):
        raise ValueError(f"a record is {payload!r:.60}, and must have a name and a value")
    name, value, se, unit = (payload.get(key) for key in ("name", "value", "se", "unit"))
    if not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
        raise ValueError(f"a record's name is {name!r:.60}, and must be a lower-case identifier such as 'test_bound'")
    if not _is_number(value):
        raise ValueError(f"the record {name!r} has the value {value!r:.60}, and must have a finite number")
    if se is not None and not (_is_number(se) and se >= 0):
        raise ValueError(f"the record {name!r} has the standard error {se!r:.60}, and must have a number of at least 0")
    if not (isinstance(unit, str) and unit.isprintable()):
        raise ValueError(
            f"the record {name!r} has the unit {unit!r:.60}, and must have a text, empty for a pure number"
        )
    return name, {"value": value, "se": se, "unit": unit}


def checked_data(payload: Any) -> dict[str, Any]:
    """Return an output of the data type: name, split, protocol and size.

    Raises:
        ValueError: it is not what `record_data` makes; the sentence says what is wrong.
    """
    if not isinstance(payload, dict):
        raise ValueError(f"a statement of data is {payload!r:.60}, and must have a name, split, protocol and size")
    for key in ("name", "split", "protocol"):
        if not (isinstance(payload.get(key), str) and payload[key].isprintable()):
            raise ValueError(f"the {key} of data is {payload.get(key)!r:.60}, and must be a text")
    size = payload.get("size")
    if not (_is_number(size) and isinstance(size, int) and size >= 0):
        raise ValueError(f"the size of data is {size!r:.60}, and must be an integer of at least 0")
    return {key: payload[key] for key in ("name", "split", "protocol", "size")}


def _is_number(value: Any) -> bool:
    """Whether JSON holds here a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer of more than 300 digits
        return False
