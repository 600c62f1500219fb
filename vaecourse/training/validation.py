"""What is measured after every epoch: the bound on validation data, and the rate and distortion of one draw."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vaecourse.data import Dataset
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import distortion, rate
from vaecourse.randomness import key, seed_torch
from vaecourse.training.machinery.processes import Processes

PART = 1000  # data scored at once; without validation data, so many of the training data are looked at


class Validation:
    """The scores of a model in the course of its training, under noise that is the same in every epoch.

    Args:
        model: the model.
        bound: what is maximised.
        train: the training data, on the device.
        valid: the validation data; None if there are none.
        seed: of the data's one realisation and of the samples of z.
        processes: who shares the work.
    """

    def __init__(
        self,
        model: LatentVariableModel,
        bound,
        train: Dataset,
        valid: Dataset | None,
        seed: int,
        processes: Processes,
    ):
        self.model = model
        self.bound = None if valid is None else bound
        parameter = next(model.parameters())
        x = train.head(PART).realise(seed) if valid is None else valid.to(parameter.device).realise(seed)
        self.x = x.to(parameter.dtype)
        self.seed = seed
        self.processes = processes

    @torch.no_grad()
    def __call__(self, epoch: int) -> dict[str, float]:
        """``rate``, ``distortion`` and, with validation data, ``valid_bound``, in nats per datum.

        Raises:
            FloatingPointError: a score is infinite or not a number.
        """
        self.model.eval()
        if isinstance(self.bound, nn.Module):
            self.bound.eval()
        sums: dict[str, float] = {}
        for number, part in self.processes.share(self.x.split(PART)):
            for name, value in self._scores(part, number).items():
                sums[name] = sums.get(name, 0.0) + value.sum().item()
        means = {name: value / len(self.x) for name, value in self._over_processes(sums).items()}
        for name, value in means.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"epoch {epoch}: the {name.replace('valid_', 'validation ')} is {value}")
        return means

    def _scores(self, x: Tensor, number: int) -> dict[str, Tensor]:
        """Each score of each datum, [B]."""
        scores = {}
        if self.bound is not None:
            seed_torch(x.device, key(self.seed, "valid", number))
            scores["valid_bound"] = self.bound(self.model, x)
        if self.model.posterior is not None:
            seed_torch(x.device, key(self.seed, "draw", number))
            draw = self.model.draw(x)
            scores |= {"rate": rate(draw), "distortion": distortion(draw)}
        return scores

    def _over_processes(self, sums: dict[str, float]) -> dict[str, float]:
        names = [name for name, on in (("valid_bound", self.bound), ("rate", self.model.posterior)) if on is not None]
        names += ["distortion"] if "rate" in names else []
        totals = torch.tensor([sums.get(name, 0.0) for name in names], dtype=torch.float64, device=self.x.device)
        self.processes.sum([totals])
        return dict(zip(names, totals.tolist()))
