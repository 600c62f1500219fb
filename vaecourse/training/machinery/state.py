"""Everything that changes while a model is trained: what a checkpoint of the training holds."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from vaecourse.training.history import History
from vaecourse.training.machinery.contents import PLACE, check, split, state_of_optimiser
from vaecourse.training.machinery.vector import Average
from vaecourse.training.step import Summary


@dataclass
class State:
    """A training between two steps.

    The streams of random numbers are not among it: they are functions of the place (`vaecourse.randomness`), and
    so is the learning rate.
    """

    modules: nn.ModuleDict  # the model, and the bound if it has parameters
    optimiser: torch.optim.Optimizer
    average: Average
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None  # state of the modules after the best epoch
    epoch: int = 1  # the one under way
    batch: int = 0  # how many steps of it are done
    bound: float = 0.0  # summed over the epoch's data so far
    gradient_norm: float = 0.0  # summed over its steps
    start: float = field(default_factory=time.perf_counter)  # less the time that earlier runs of it took

    @property
    def interrupted(self) -> bool:
        """Whether the end was asked for."""
        return self.history.interrupted

    @property
    def last_bound(self) -> float:
        """The bound of the last epoch, on validation data if there are any."""
        record = self.history.records[-1]
        return record.get("valid_bound", record["bound"])

    def lacks_progress(self, patience: int | None) -> bool:
        """Whether the best epoch was `patience` epochs ago."""
        best = self.history.best_epoch
        return None not in (patience, best) and self.epoch - 1 - best >= patience

    def count(self, summary: Summary) -> None:
        """Take note of a step that was made."""
        self.batch += 1
        self.bound += summary.bound
        self.gradient_norm += summary.gradient_norm
        self.history.interrupted = summary.interrupted

    def end_epoch(self, scores: dict[str, float], num_data: int) -> None:
        """Write the epoch's record, keep its parameters if they are the best, and go to the start of the next."""
        history = self.history
        record = {"epoch": self.epoch, "bound": self.bound / num_data, **scores}
        record |= {"gradient_norm": self.gradient_norm / self.batch, "seconds": time.perf_counter() - self.start}
        history.records.append(record)
        best = history.best_epoch
        if "valid_bound" in scores and (best is None or self.last_bound > history.records[best - 1]["valid_bound"]):
            history.best_epoch = self.epoch
            with self.average.in_place():
                self.best = copy.deepcopy(dict(self.modules.state_dict()))
        self.epoch, self.batch, self.bound, self.gradient_norm = self.epoch + 1, 0, 0.0, 0.0

    def conclude(self) -> None:
        """Leave the modules with the parameters of the best epoch, or else with the last, averaged if they are."""
        if self.best is not None:
            self.modules.load_state_dict(self.best)
        else:
            self.average.keep()
        self.modules.eval()

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name."""
        parts = {"modules": self.modules.state_dict(), "best": self.best or {}}
        parts["average"] = {} if self.average.value is None else {"value": self.average.value}
        parts["optimiser"] = {
            f"{number}.{name}": value
            for number, values in self.optimiser.state_dict()["state"].items()
            for name, value in values.items()
            if isinstance(value, Tensor)
        }
        return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}

    def notes(self) -> dict:
        """Everything else, as JSON can hold it; Python writes each float with all its bits."""
        optimiser = self.optimiser.state_dict()
        numbers = {
            f"{number}.{name}": value
            for number, values in optimiser["state"].items()
            for name, value in values.items()
            if not isinstance(value, Tensor)
        }
        return {
            "place": {name: getattr(self, name) for name in PLACE},
            "seconds": time.perf_counter() - self.start,
            "history": asdict(self.history),
            "optimiser": {"groups": optimiser["param_groups"], "numbers": numbers},
        }

    def check(self, tensors: dict[str, Tensor], notes: dict, most_batches: int) -> None:
        """Refuse tensors and notes that cannot be of such a training, which has so many batches an epoch.

        Raises:
            ValueError: saying what is wrong with them.
        """
        check(self.modules, self.optimiser, self.average.value, tensors, notes, most_batches)

    def restore(self, tensors: dict[str, Tensor], notes: dict) -> None:
        """Become what `tensors` and `notes`, which were checked, were taken from."""
        parts = split(tensors)
        self.modules.load_state_dict(parts["modules"])
        own = self.modules.state_dict()
        self.best = {name: value.to(own[name].device) for name, value in parts["best"].items()} or None
        if self.average.value is not None:
            self.average.value.copy_(parts["average"]["value"])
        state = state_of_optimiser(parts["optimiser"], notes["optimiser"]["numbers"])
        groups = [
            {name: tuple(value) if isinstance(own[name], tuple) else value for name, value in group.items()}
            for own, group in zip(self.optimiser.param_groups, notes["optimiser"]["groups"])
        ]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.history.__dict__.update(notes["history"], interrupted=False)
        for name, value in notes["place"].items():
            setattr(self, name, value)
        self.start = time.perf_counter() - notes["seconds"]
