"""The arguments of a training, refused in a sentence where they are out of range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from vaecourse.data import Dataset, check_dataset, comparable
from vaecourse.inference import PerDatum
from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel

AT_ONCE = 10_000  # data held in memory as the likelihood scores them


def check(bound: Callable, train: Dataset, valid: Dataset | None, **settings: Any) -> None:
    """Refuse settings of :func:`~vaecourse.training.fit` that make no sense.

    Raises:
        TypeError: train or valid is no data set.
        ValueError: naming the argument, what it is and what is allowed.
    """
    if isinstance(bound, partial) and isinstance(bound.func, nn.Module):
        raise ValueError(
            f"bound must be the module itself for its parameters to be trained, and is a partial of a "
            f"{type(bound.func).__name__}: give it its settings when it is made"
        )
    check_dataset(train, "train")
    if valid is not None:
        check_dataset(valid, "valid")
    for name in ("num_epochs", "batch_size", "num_shards", "patience"):
        value = settings[name]
        if value is not None and not (isinstance(value, int) and value > 0):
            raise ValueError(f"{name} must be a whole number above 0, and is {value}")
    rates = settings["learning_rate"]
    for name, value in rates.items() if isinstance(rates, Mapping) else (("", rates),):
        if not (isinstance(name, str) and isinstance(value, (int, float)) and value > 0):
            raise ValueError(f"learning_rate must be above 0, or map what names begin with to such, and is {rates}")
    if settings["gradient_clip"] is not None and not settings["gradient_clip"] > 0:
        raise ValueError(f"gradient_clip must be above 0, and is {settings['gradient_clip']}")
    anneal, monitor = settings["anneal"], settings["monitor"]
    if anneal is not None and not (isinstance(anneal, Mapping) and all(map(callable, anneal.values()))):
        raise ValueError(f"anneal must map names to functions (step, num_steps), and is {anneal!r}")
    if monitor is not None and not callable(monitor):
        raise ValueError(f"monitor must be None or a function (model, *batch), and is {monitor!r}")
    if not settings["checkpoint_seconds"] >= 0:
        raise ValueError(f"checkpoint_seconds must be 0 or more, and is {settings['checkpoint_seconds']}")
    schedule, ema, precision = settings["schedule"], settings["ema"], settings["precision"]
    if not (schedule in (None, "cosine") or callable(schedule)):
        raise ValueError(f'schedule must be None, "cosine" or a function (step, num_steps), and is {schedule!r}')
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"ema must lie between 0 and 1, and is {ema}")
    if precision not in ("fp32", "bf16"):
        raise ValueError(f'precision must be "fp32" or "bf16", and is {precision!r}')
    if settings["patience"] is not None and valid is None:
        raise ValueError("patience needs validation data: pass valid")
    for name, part in (("train", train), ("valid", valid)):
        if part is not None and len(part) == 0:
            raise ValueError(f"{name} must hold at least one datum, and is empty")


def rates_of(learning_rate: float | Mapping[str, float], modules: nn.ModuleDict) -> tuple[list[str], dict[str, float]]:
    """The names of the trained parameters, and what they begin with to learning rates.

    A parameter of the model goes by the name that it has there, one of the bound begins with "bound.".

    Raises:
        ValueError: a rate is of nothing, or a parameter has none.
    """
    rates = dict(learning_rate) if isinstance(learning_rate, Mapping) else {"": learning_rate}
    named = [name.removeprefix("model.") for name, value in modules.named_parameters() if value.requires_grad]
    for prefix in rates:
        if prefix and not any(name.startswith(prefix) for name in named):
            raise ValueError(f"learning_rate names {prefix!r}, with which no trained parameter's name begins")
    for name in named:
        if not any(name.startswith(prefix) for prefix in rates):
            raise ValueError(f'learning_rate has no rate for {name}: give one for all others under ""')
    return named, rates


def largest_rate(learning_rate: float | Mapping[str, float]) -> float:
    """The rate that an optimiser is made with, where every group brings its own."""
    return max(learning_rate.values()) if isinstance(learning_rate, Mapping) else learning_rate


@torch.no_grad()
def check_data(model: LatentVariableModel, train: Dataset, valid: Dataset | None) -> None:
    """Hold every datum against the likelihood, before the first step.

    Raises:
        ValueError: the likelihood gives some datum no density, train and valid do not go together, or a posterior per
            datum cannot know which datum it is asked about.
    """
    if valid is not None:
        comparable(train, valid)
    if train.observed is None and not train.indexed and any(isinstance(part, PerDatum) for part in model.modules()):
        raise ValueError(
            "train must have the places of its data in a batch, train.with_index(), for a q per datum: "
            "the data come in another order in every epoch"
        )
    training = model.training
    model.eval()  # a layer that looks at its whole batch has a batch of one here
    try:
        px_z = model.likelihood(model.prior().sample((1,)))
        for part in (train,) if valid is None else (train, valid.to(train.x.device)):
            for start in range(0, len(part), AT_ONCE):
                batch = part.batch(slice(start, start + AT_ONCE))
                check_support(px_z, batch[0] if isinstance(batch, tuple) else batch)
    finally:
        model.train(training)
