"""The file from which an interrupted training goes on, and the refusal of one that belongs to another training."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import vaecourse
from vaecourse.data import Dataset
from vaecourse.training.machinery.processes import Processes
from vaecourse.training.machinery.state import State
from vaecourse.training.machinery.weights import mismatch, read, write


class TrainingFile:
    """A checkpoint of a whole training: written every so many seconds, read when the same training starts again.

    Args:
        path: the file; None for none.
        seconds: time between two writes.
        identity: what must be the same for the training to go on, by name; see :func:`identity`.
        processes: of which the first one writes.
    """

    def __init__(self, path: str | Path | None, seconds: float, identity: dict[str, Any], processes: Processes):
        self.path = None if path is None else Path(path)
        self.seconds = seconds
        self.identity = identity
        self.processes = processes
        self.last = time.perf_counter()

    def restore(self, state: State) -> None:
        """Bring the state to where the file's training was; without a file, write the first one.

        Raises:
            ValueError: the file is damaged or belongs to another training; neither it nor the state is changed.
            OSError: it cannot be written, which is better known now than after an hour.
        """
        if self.path is None:
            return
        exists = self.path.exists()
        if exists:
            tensors, notes = read(self.path)
            self._refuse_others(state, tensors, notes)
            state.restore(tensors, notes["state"])
        self.processes.wait()  # nobody writes before all have looked
        if not exists:
            self.save(state)

    def _refuse_others(self, state: State, tensors: dict[str, Tensor], notes: dict) -> None:
        if "identity" not in notes:
            raise ValueError(f"checkpoint {self.path} holds a model and no training: read it with load_checkpoint")
        stored = {name[8:]: value for name, value in tensors.items() if name.startswith("modules.")}
        if difference := mismatch(dict(state.modules.state_dict()), stored):
            raise self._refusal("another model", f"it differs at {difference}")
        for name, value in self.identity.items():
            before = notes["identity"].get(name)
            if before != value:
                what = "other data" if name in ("train", "valid") else f"a training with another {name}"
                raise self._refusal(what, f"{name} was {before} and is {value}")

    def save_if_due(self, state: State) -> None:
        """Write the state if the time has come."""
        if time.perf_counter() - self.last >= self.seconds:
            self.save(state)

    def save(self, state: State) -> None:
        """Write the state.

        Raises:
            OSError: it cannot be written; the file before is intact.
        """
        if self.path is not None and self.processes.is_first:
            write(self.path, state.tensors(), {"identity": self.identity, "state": state.notes()})
        self.last = time.perf_counter()

    def _refusal(self, what: str, how: str) -> ValueError:
        return ValueError(f"checkpoint {self.path} belongs to {what} ({how}): name another file or delete this one")


def identity(model: nn.Module, bound: Callable, train: Dataset, valid: Dataset | None, settings: dict) -> dict:
    """What makes a training this one and no other, as JSON can hold it.

    Args:
        model: its structure counts here; whether its tensors fit is asked of them.
        bound: by its name and the arguments bound to it.
        train: by its content and protocol.
        valid: likewise.
        settings: the arguments of the training that change its course, by name.
    """
    return {
        "version of vaecourse": vaecourse.__version__,
        "version of torch": torch.__version__.partition("+")[0],
        "model": repr(model),
        "bound": describe(bound),
        "train": _content(train),
        "valid": None if valid is None else _content(valid),
        **{name: describe(value) for name, value in settings.items()},
    }


def _content(part: Dataset) -> str:
    return f"{part.label}: {len(part):,} data with SHA-256 {part.fingerprint}"


def describe(value: Any) -> Any:
    """A value by its content rather than its address: numbers and texts as they are, functions by name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, functools.partial):
        arguments = [f"{describe(part)}" for part in value.args]
        arguments += [f"{name}={describe(part)}" for name, part in value.keywords.items()]
        return f"{describe(value.func)}({', '.join(arguments)})"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (nn.Module, list, tuple, dict)):
        return repr(value)
    return type(value).__qualname__
