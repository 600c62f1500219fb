"""What a training's file must hold to be one: asked of all of it before any of it is used."""

from __future__ import annotations

import copy
import math
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from vaecourse.training.history import History
from vaecourse.training.machinery.weights import shared

PARTS = ("modules", "best", "average", "optimiser")
PLACE = ("epoch", "batch", "bound", "gradient_norm")


def split(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of a file by part, each without the part's name."""
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    return parts


def layout(modules: nn.Module) -> dict[str, str]:
    """What is the same of every tensor of a module as long as it is the same module, by name."""
    state = dict(modules.state_dict())
    same = shared(state)
    trained = {name for name, value in modules.named_parameters(remove_duplicate=False) if value.requires_grad}
    return {
        name: f"{form(value)}, {'trained' if name in trained else 'fixed'}"
        + (f", the same as {same[name]}" if name in same else "")
        for name, value in state.items()
    }


def form(value: Tensor) -> str:
    """A tensor's type and shape."""
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def check(
    modules: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Tensor | None,
    tensors: dict[str, Tensor],
    notes: dict,
    most_batches: int,
) -> None:
    """Refuse what no training of these modules can have written.

    Args:
        modules: the model, and the bound if it has parameters.
        optimiser: of the training.
        average: of its parameters, if it keeps one.
        tensors: of the file.
        notes: of the file.
        most_batches: how many batches an epoch has.

    Raises:
        ValueError: saying what is wrong.
    """
    try:
        parts = split(tensors)
        _check_modules(dict(modules.state_dict()), parts)
        _check_history(notes["history"], parts["best"], notes["place"])
        _check_place(notes, most_batches)
        names = ", ".join(parts["average"])
        _require(names == ("" if average is None else "value"), f"its average has the tensors {names or 'of none'}")
        if average is not None:
            found, due = form(parts["average"]["value"]), form(average)
            _require(found == due, f"its average is {found} instead of {due}")
        begun = (notes["place"]["epoch"], notes["place"]["batch"]) != (1, 0)
        _check_optimiser(optimiser, parts["optimiser"], notes["optimiser"], begun)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it lacks something, or has it in another form ({error!r})") from error


def state_of_optimiser(tensors: dict[str, Tensor], numbers: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The state of each parameter by its number, from names such as "0.exp_avg"."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in (tensors | numbers).items():
        number, _, rest = name.partition(".")
        _require(number.isdecimal(), f"its optimiser has a state of no parameter, {name}")
        state.setdefault(int(number), {})[rest] = value
    return state


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= 0


def _check_modules(own: dict[str, Tensor], parts: dict[str, dict[str, Tensor]]) -> None:
    due = {name: form(value) for name, value in own.items()}
    for part in ("modules", "best") if parts["best"] else ("modules",):
        found = {name: form(value) for name, value in parts[part].items()}
        names = [name for name in sorted({*due, *found}) if due.get(name) != found.get(name)]
        _require(not names, f"its {part} differ from the model's at {', '.join(names[:3])}")


def _check_history(history: dict, best: dict, place: dict) -> None:
    _require(set(history) == {each.name for each in fields(History)}, f"its history has {', '.join(history)}")
    records = history["records"]
    _require(isinstance(records, list), "its history has no list of records")
    for epoch, record in enumerate(records, 1):
        _require(record["epoch"] == epoch, f"its record {epoch} is of epoch {record['epoch']}")
        _require(all(map(_is_number, record.values())), f"its record of epoch {epoch} holds more than numbers")
    _require(place["epoch"] == len(records) + 1, f"it is in epoch {place['epoch']} with {len(records)} records")
    epoch = history["best_epoch"]
    _require(epoch is None or epoch in range(1, len(records) + 1), f"its best epoch is {epoch} of {len(records)}")
    _require((epoch is None) == (not best), f"its best epoch is {epoch}, with {len(best)} tensors of it")
    validated = any("valid_bound" in record for record in records)
    _require(epoch is None or not validated or "valid_bound" in records[epoch - 1], "its best epoch was not validated")


def _check_place(notes: dict, most_batches: int) -> None:
    place = notes["place"]
    _require(set(place) == set(PLACE), f"its place has {', '.join(place)}")
    _require(_is_count(place["epoch"]) and place["epoch"] > 0, f"its epoch is {place['epoch']}")
    batch = place["batch"]
    _require(_is_count(batch) and batch <= most_batches, f"its batch is {batch} of {most_batches}")
    sums = [place["bound"], place["gradient_norm"], notes["seconds"]]
    _require(all(_is_number(value) and math.isfinite(value) for value in sums), f"its sums are {sums}")


def _check_optimiser(optimiser: torch.optim.Optimizer, tensors: dict, notes: dict, begun: bool) -> None:
    own, groups = optimiser.state_dict()["param_groups"], notes["groups"]
    _require(len(groups) == len(own), f"its optimiser has {len(groups)} groups of parameters instead of {len(own)}")
    for mine, other in zip(own, groups):
        _require(mine.keys() == other.keys(), f"its optimiser has settings {', '.join(other)}")
        _require(mine["params"] == other["params"], f"its optimiser has parameters {other['params']}")
        for name, value in mine.items():
            same = (_is_number(value) and _is_number(other[name])) or type(_listed(value)) is type(_listed(other[name]))
            _require(same, f"its optimiser's {name} is {other[name]!r}")
    state = state_of_optimiser(tensors, notes["numbers"])
    numbers = [number for group in own for number in group["params"]]
    _require(set(state) <= set(numbers), f"its optimiser has a state for parameters {sorted(state)} of {numbers}")
    for number, values in _state_after_a_step(optimiser).items() if begun else ():
        for name, value in values.items():
            found = state.get(number, {}).get(name)
            if value is None:  # it may become something in a later step
                continue
            due, found = _form(value), _form(found)
            _require(due == found, f"its optimiser's {name} is {found} instead of {due}")


def _form(value: Any) -> str:
    return form(value) if isinstance(value, Tensor) else "a number" if _is_number(value) else f"{value!r}"


def _listed(value: Any) -> Any:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _state_after_a_step(optimiser: torch.optim.Optimizer) -> dict[int, dict]:
    """What it keeps of each parameter, seen in a copy of it; nothing if a copy cannot make a step."""
    try:
        twin = copy.deepcopy(optimiser)
        for group in twin.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        twin.step()
    except Exception:  # an optimiser of anyone's, with attributes that a copy lacks
        return {}
    return twin.state_dict()["state"]
