"""Results that a page quotes because it does not compute them: what ``vaecourse seeds`` stored in ``results/``."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).resolve().parents[1] / "results"


def over_seeds(chapter: str, name: str) -> tuple[float, float]:
    """Mean of a record over the training seeds of ``results/<chapter>.seeds.json``, and its standard error.

    Args:
        chapter: such as ``"08_vae"``.
        name: of the record.

    Returns:
        The mean and the standard error of the mean, standard deviation over seeds by the root of their number, in the
        record's own unit.

    Raises:
        ValueError: nothing of that name is stored; the sentence names the command that stores it.
    """
    values = per_seed(chapter, name)
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, (spread / len(values)) ** 0.5


def per_seed(chapter: str, name: str) -> list[float]:
    """The values of a record, one per training seed, from ``results/<chapter>.seeds.json``.

    Args:
        chapter: such as ``"08_vae"``.
        name: of the record.

    Raises:
        ValueError: nothing of that name is stored for every seed; the sentence names the command that stores it.
    """
    stored = _stored(chapter)
    values = [value for value in stored["records"].get(name, {}).get("values", []) if value is not None]
    if len(values) < max(2, len(stored["seeds"])):
        raise ValueError(
            f"per_seed: name = {name!r} is not stored for every seed of {chapter}: run `vaecourse seeds {chapter}`"
        )
    return values


def searched(chapter: str) -> Any:
    """What a search over settings, too long for the page, stored in ``results/<chapter>.search.json``.

    Args:
        chapter: such as ``"12_pixelvae"``.

    Returns:
        The content of the file; what its parts are, the chapter says that made it.

    Raises:
        ValueError: the chapter has stored no search.
    """
    path = _RESULTS / f"{chapter}.search.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"searched: chapter = {chapter!r} has no search stored in results/") from None


def at_tier(chapter: str, name: str, tier: str = "laptop") -> float:
    """The value of a record at a larger tier, from ``results/<chapter>.<tier>.json``.

    Args:
        chapter: such as ``"16b_autoregressive_flows"``.
        name: of the record.
        tier: "laptop" or "paper".

    Raises:
        ValueError: nothing of that name is stored; the sentence names the command that makes it.
    """
    path = _RESULTS / f"{chapter}.{tier}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["records"][name]["value"]
    except (FileNotFoundError, KeyError):
        raise ValueError(
            f"at_tier: name = {name!r} is not stored for {chapter} at tier {tier!r}: run `vaecourse report {chapter} "
            f"--tier {tier}` and keep its metrics.json as results/{path.name}"
        ) from None


@cache
def _stored(chapter: str) -> dict[str, Any]:
    path = _RESULTS / f"{chapter}.seeds.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"per_seed: chapter = {chapter!r} has no results over seeds: run `vaecourse seeds {chapter}`"
        ) from None
