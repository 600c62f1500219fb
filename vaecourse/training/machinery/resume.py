"""The file from which an interrupted training goes on, and the refusal of one that belongs to another training."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

import vaecourse
from vaecourse.data import Dataset
from vaecourse.files import kind
from vaecourse.training.machinery.contents import layout
from vaecourse.training.machinery.description import describe, describe_modules
from vaecourse.training.machinery.processes import Processes
from vaecourse.training.machinery.state import State
from vaecourse.training.machinery.weights import read, write


class TrainingFile:
    """A checkpoint of a whole training: written every so many seconds, read when the same training starts again.

    Args:
        path: the file; None for none.
        seconds: time between two writes.
        identity: tells what must be the same for the training to go on, by name; see :func:`identity`. Asked only
            where there is a file.
        processes: of which the first one writes.
    """

    def __init__(
        self,
        path: str | Path | None,
        seconds: float,
        identity: Callable[[], dict[str, Any]],
        processes: Processes,
    ):
        self.path = None if path is None else Path(path)
        self.seconds = seconds
        self.describe = identity
        self.identity: dict[str, Any] = {}
        self.processes = processes
        self.last = time.perf_counter()

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Within the block no other training can have the file. The lock is the system's and ends with the process.

        Raises:
            ValueError: another training has it, or it is a folder, a device or the like.
            OSError: there is no writing beside it.
        """
        if self.path is None or not self.processes.is_first:
            yield
            return
        lock = self._lock()
        try:
            yield
        finally:
            lock.release()

    def _lock(self) -> FileLock:
        path = Path(os.path.realpath(self.path))  # by whatever links it goes
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            if (found := kind(path)) not in (None, "a file"):
                raise ValueError(f"checkpoint must be a file, and {self.path} is {found}")
            os.stat(path.parent)  # the lock would make it
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"checkpoint {self.path} is in use by another training: name another file") from None
        except OSError as error:
            before = "the one before is intact" if path.is_file() else "there was none before"
            raise OSError(error.errno, f"cannot be written ({error.strerror}); {before}", str(self.path)) from error
        return lock

    def restore(self, state: State, num_epochs: int) -> None:
        """Bring the state to where the file's training was; without a file, write the first one.

        Args:
            state: at its start.
            num_epochs: how many the training shall have.

        Raises:
            ValueError: the file is damaged or belongs to another training; neither it nor the state is changed.
            OSError: it cannot be written, which is better known now than after an hour.
        """
        if self.path is None:
            return
        self.identity = self.describe()
        exists = self.path.exists()
        if exists:
            tensors, notes = read(self.path)
            self._refuse_others(state, notes)
            self._refuse_nonsense(state, tensors, notes.get("state"))
            self._refuse_longer(notes["state"]["place"], num_epochs)
            state.restore(tensors, notes["state"])
        self.processes.wait()  # nobody writes before all have looked
        if not exists:
            self._write(state)

    def _refuse_others(self, state: State, notes: dict) -> None:
        if not isinstance(before := notes.get("identity"), dict):
            raise ValueError(f"checkpoint {self.path} holds a model and no training: read it with load_checkpoint")
        now = self.identity | {"layout": layout(state.modules)}
        before = before | {"layout": notes.get("layout")}
        for name in sorted(now, key=lambda name: (not name.startswith("version"), name != "layout")):
            if now[name] != before.get(name):
                what = {"layout": "another model", "train": "other data", "valid": "other data"}
                difference = _difference(name, before.get(name), now[name])
                raise ValueError(
                    f"checkpoint {self.path} belongs to {what.get(name, f'a training with another {name}')} "
                    f"({difference}): name another file or delete this one"
                )

    def _refuse_nonsense(self, state: State, tensors: dict[str, Tensor], notes: Any) -> None:
        try:
            state.check(tensors, notes, self.identity["batches"])
        except ValueError as error:
            raise ValueError(f"checkpoint {self.path} was not written by vaecourse: {error}") from error

    def _refuse_longer(self, place: dict[str, int], num_epochs: int) -> None:
        if (place["epoch"] - 1, place["batch"]) > (num_epochs, 0):
            raise ValueError(
                f"num_epochs must be no less than what checkpoint {self.path} has behind it, and is {num_epochs} where "
                f"that is in epoch {place['epoch']}, batch {place['batch']}: name another file or delete this one"
            )

    def save_if_due(self, state: State) -> None:
        """Write the state if the time has come."""
        if time.perf_counter() - self.last >= self.seconds:
            self.save(state)

    def save(self, state: State) -> None:
        """Write the state.

        Raises:
            OSError: it cannot be written. The file before is intact, and the modules have what the training would have
                ended with here: what only they remember must not be lost with the file.
        """
        try:
            self._write(state)
        except BaseException:
            state.conclude()
            raise

    def _write(self, state: State) -> None:
        if self.path is not None and self.processes.is_first:
            notes = {"identity": self.identity, "layout": layout(state.modules), "state": state.notes()}
            write(self.path, state.tensors(), notes)
        self.last = time.perf_counter()


def identity(model: nn.Module, bound: Callable, train: Dataset, valid: Dataset | None, settings: dict) -> dict:
    """What makes a training this one and no other, as JSON can hold it.

    Args:
        model: its classes and their attributes count here; whether its tensors fit is asked of them.
        bound: by its code and all that is bound to it.
        train: by its content and protocol.
        valid: likewise.
        settings: the arguments of the training that change its course, by name.

    Raises:
        ValueError: something of which there is no description is part of the bound or of a setting.
    """
    trained = {id(value): name for name, value in [*model.named_parameters(), *model.named_buffers()]}
    if isinstance(bound, nn.Module):
        trained |= {id(value): name for name, value in [*bound.named_parameters(), *bound.named_buffers()]}
    return {
        "version of vaecourse": vaecourse.__version__,
        "version of torch": torch.__version__.partition("+")[0],
        "version of Python": "{}.{}".format(*sys.version_info),  # whose code is another one in each
        "model": describe_modules(model, trained),
        "train": _content(train),
        "valid": None if valid is None else _content(valid),
        **{name: _described(name, value, trained) for name, value in ({"bound": bound} | settings).items()},
        "batches": math.ceil(len(train) / settings["batch_size"]),
    }


def _described(name: str, value: Any, trained: dict[int, str]) -> Any:
    try:
        if isinstance(value, nn.Module):
            return describe_modules(value, trained, strict=True)
        return describe(value, trained)
    except ValueError as error:
        raise ValueError(
            f"{name} must be something that a checkpoint can tell from another, and {error}: bind numbers, texts and "
            f"tensors to a function with functools.partial, or train without a checkpoint"
        ) from error


def _content(part: Dataset) -> str:
    return f"{part.label}: {len(part):,} data with SHA-256 {part.fingerprint}"


def _difference(name: str, before: Any, now: Any) -> str:
    """Where two descriptions differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        key = next(key for key in [*now, *before] if now.get(key) != before.get(key))
        before, now = before.get(key, "not there"), now.get(key, "not there")
        name = f"it differs at {key}, which" if name == "layout" else ".".join(filter(None, (name, key)))
    texts = [f"{value}" for value in (before, now)]
    if max(map(len, texts)) > 200:  # from just before the first letter that is another one
        start = max(0, next((n for n, (one, other) in enumerate(zip(*texts)) if one != other), 0) - 60)
        texts = ["..." * (start > 0) + text[start : start + 120] + "..." * (len(text) > start + 120) for text in texts]
    return f"{name} was {texts[0]} and is {texts[1]}"
