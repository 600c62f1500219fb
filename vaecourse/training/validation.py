"""What is measured after every epoch: the bound on validation data, and whatever else one wants to watch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from vaecourse.data import Dataset
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import distortion, rate
from vaecourse.randomness import key, seed_torch
from vaecourse.training.machinery.processes import Processes
from vaecourse.training.step import Bound, parts_of

PART = 1000  # data scored at once; without validation data, so many of the training data are looked at
OWN = ("epoch", "bound", "valid_bound", "gradient_norm", "seconds")  # names of a record that no monitor may use

Monitor = Callable[..., dict[str, Tensor]]  # (model, *batch) -> name to a number per datum, [B]


def rate_and_distortion(model: LatentVariableModel, x: Tensor, *rest: Tensor) -> dict[str, Tensor]:
    """The rate and the distortion of one draw, each [B], in nats: the monitor where nobody asks for another.

    A model without a posterior has neither.
    """
    if model.posterior is None:
        return {}
    draw = model.draw(x)
    return {"rate": rate(draw), "distortion": distortion(draw)}


class Validation:
    """The scores of a model in the course of its training, under noise that is the same in every epoch.

    Args:
        model: the model.
        bound: what is maximised.
        monitor: what else is measured, a mean over the data for each name; None for nothing.
        train: the training data, on the device.
        valid: the validation data; None if there are none.
        annealed: what the bound is called with besides model and data.
        seed: of the data's one realisation and of the samples of z.
        processes: who shares the work.
    """

    def __init__(
        self,
        model: LatentVariableModel,
        bound: Bound,
        monitor: Monitor | None,
        train: Dataset,
        valid: Dataset | None,
        annealed: dict[str, Tensor],
        seed: int,
        processes: Processes,
    ):
        self.model = model
        self.bound = None if valid is None else bound
        self.monitor = monitor
        self.annealed = annealed
        parameter = next(model.parameters())
        looked_at = train.head(PART) if valid is None else valid.to(parameter.device)
        self.batch = parts_of(looked_at.realise(seed), parameter.dtype)
        self.seed = seed
        self.processes = processes

    @torch.no_grad()
    def __call__(self, epoch: int) -> dict[str, float]:
        """What the monitor measures and, with validation data, ``valid_bound``, in nats per datum.

        Raises:
            FloatingPointError: a score is infinite or not a number.
            ValueError: the monitor does not return a number per datum, or uses a name that the history has already.
        """
        self.model.eval()
        if isinstance(self.bound, nn.Module):
            self.bound.eval()
        sums: dict[str, float] = {}
        pieces = list(zip(*(part.split(PART) for part in self.batch)))
        for number, piece in self.processes.share(pieces):
            scores = self._scores(piece, number)
            if sums and scores.keys() != sums.keys():  # a mean over the data, of which some are missing
                names = [", ".join(each) or "none" for each in (sums, scores)]
                raise ValueError(
                    f"monitor must return the same names for all data; returns {names[0]}, then {names[1]}"
                )
            for name, value in scores.items():
                sums[name] = sums.get(name, 0.0) + value.double().sum().item()
        means = {name: value / len(self.batch[0]) for name, value in self._over_processes(sums).items()}
        for name, value in means.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"epoch {epoch}: the {name.replace('valid_', 'validation ')} is {value}")
        return means

    def _scores(self, batch: tuple[Tensor, ...], number: int) -> dict[str, Tensor]:
        """Each score of each datum, [B]."""
        device = batch[0].device
        scores = {}
        if self.bound is not None:
            seed_torch(device, key(self.seed, "valid", number))
            scores["valid_bound"] = self.bound(self.model, *batch, **self.annealed)
        if self.monitor is not None:
            seed_torch(device, key(self.seed, "draw", number))
            scores |= _checked(self.monitor(self.model, *batch), len(batch[0]))
        return scores

    def _over_processes(self, sums: dict[str, float]) -> dict[str, float]:
        names = self.processes.union(list(sums))  # one that has no part of the data knows none
        totals = torch.tensor([sums.get(name, 0.0) for name in names], dtype=torch.float64)
        totals = totals.to(self.batch[0].device) if self.processes.size > 1 else totals
        self.processes.sum([totals])
        return dict(zip(names, totals.tolist()))


def _checked(watched: dict[str, Tensor], num_data: int) -> dict[str, Tensor]:
    """What a monitor returned, if it can stand in the history."""
    if not (isinstance(watched, Mapping) and all(isinstance(name, str) for name in watched)):
        raise ValueError(f"monitor must return a dictionary of names to numbers per datum, and returns {watched!r}")
    for name, value in watched.items():
        if name in OWN:
            raise ValueError(f"monitor must not use the names {', '.join(OWN)}, and returns {name!r}")
        if not isinstance(value, Tensor) or value.shape != (num_data,):
            got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"monitor must return one number per datum, of shape [{num_data}], for {name!r}: {got}")
    return watched
