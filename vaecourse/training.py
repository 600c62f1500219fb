"""Training: the one loop of the course, and the only place where a bound gets a minus sign."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse.data import Dataset
from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import distortion, rate

Bound = Callable[[LatentVariableModel, Tensor], Tensor]


@dataclass
class History:
    """What happened, one record per epoch; nats per datum.

    Each record holds ``epoch``, ``bound`` (mean over the epoch's batches, as the parameters move), ``seconds`` since
    the start and, where there are validation data, ``valid_bound``, ``rate`` and ``distortion``.
    """

    records: list[dict] = field(default_factory=list)
    best_epoch: int | None = None  # whose parameters the model has, where there are validation data
    interrupted: bool = False

    def frame(self) -> pd.DataFrame:
        """The records as a table with one row per epoch."""
        return pd.DataFrame(self.records).set_index("epoch")


def fit(
    model: LatentVariableModel,
    bound: Bound,
    train: Dataset,
    *,
    valid: Dataset | None = None,
    num_epochs: int,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    schedule: str | None = None,
    gradient_clip: float | None = None,
    patience: int | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Maximise the mean of a bound over a data set with Adam.

    With validation data the model ends with the parameters of its best epoch, else with the last. An interrupt (Ctrl-C)
    ends the training as if the epochs had run out. The caller's random state is neither used nor changed.

    Args:
        model: trained in place.
        bound: ``(model, x) -> [B]`` in nats; its own parameters, if it is a module, are trained along.
        train: the data, whose protocol decides what a batch is.
        valid: data for choosing the epoch.
        num_epochs: passes over the training data.
        batch_size: data per step; the last, shorter batch of an epoch is used too.
        learning_rate: Adam's.
        schedule: None for a constant learning rate, "cosine" to let it fall to zero over the whole training.
        gradient_clip: largest norm of the gradient of the mean bound, or None.
        patience: stop after this many epochs without a better validation bound, or None.
        device: where to train; None for where the model is.
        seed: of shuffling, of the protocol's randomness and of the samples of z.
        progress: show a bar with the bound in nats.

    Returns:
        The :class:`History`.

    Raises:
        ValueError: an argument is out of range, or the data do not fit the likelihood.
        FloatingPointError: the bound became infinite or not a number.
    """
    _check(num_epochs=num_epochs, batch_size=batch_size, learning_rate=learning_rate)
    _check(gradient_clip=gradient_clip, patience=patience)
    if schedule not in (None, "cosine"):
        raise ValueError(f'schedule must be None or "cosine", and is {schedule!r}')
    if patience is not None and valid is None:
        raise ValueError("patience needs validation data: pass valid")

    device = next(model.parameters()).device if device is None else torch.device(device)
    model.to(device)
    train = train.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    x_valid = None if valid is None else valid.to(device).realise(seed)

    modules = [model, bound] if isinstance(bound, nn.Module) else [model]
    parameters = list(itertools.chain.from_iterable(module.parameters() for module in modules))
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    num_batches = math.ceil(len(train) / batch_size)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_epochs * num_batches) if schedule else None

    history, best = History(), None
    start = time.perf_counter()
    with (
        _seeded(seed, device),
        tqdm(total=num_epochs, unit="epoch", disable=not progress) as bar,
    ):
        check_support(model.likelihood(model.prior().sample((1,))), train.batch(slice(1)))
        try:
            for epoch in range(1, num_epochs + 1):
                model.train()
                total = torch.zeros((), device=device)
                order = torch.randperm(len(train), generator=generator, device=device)
                for index in order.split(batch_size):
                    x = train.batch(index, generator)
                    values = bound(model, x)  # [B]
                    loss = -values.mean()
                    optimiser.zero_grad()
                    loss.backward()
                    if gradient_clip is not None:
                        nn.utils.clip_grad_norm_(parameters, gradient_clip)
                    optimiser.step()
                    if scheduler is not None:
                        scheduler.step()
                    total += values.detach().sum()
                record = {"epoch": epoch, "bound": total.item() / len(train)}
                if x_valid is not None:
                    record |= _validate(model, bound, x_valid, seed)
                value = record["bound"] + record.get("valid_bound", 0.0)
                if not math.isfinite(value):
                    raise FloatingPointError(
                        f"the bound is {value} in epoch {epoch}: try a smaller learning_rate than {learning_rate:g}, "
                        "or gradient_clip"
                    )
                if x_valid is not None:
                    if best is None or record["valid_bound"] > best[0]:
                        best = record["valid_bound"], copy.deepcopy(model.state_dict())
                        history.best_epoch = epoch
                history.records.append(record | {"seconds": time.perf_counter() - start})
                bar.update()
                bar.set_postfix_str(f"{record.get('valid_bound', record['bound']):.2f} nats")
                if patience is not None and epoch - history.best_epoch >= patience:
                    break
        except KeyboardInterrupt:
            history.interrupted = True
    if best is not None:
        model.load_state_dict(best[1])
    model.eval()
    return history


@torch.no_grad()
def _validate(model: LatentVariableModel, bound: Bound, x: Tensor, seed: int) -> dict[str, float]:
    """The bound, and rate and distortion of one draw, under noise that is the same in every epoch."""
    model.eval()
    sums: dict[str, Tensor] = {"valid_bound": 0.0, "rate": 0.0, "distortion": 0.0}
    with _seeded(seed, x.device):
        for part in x.split(1000):
            draw = model.draw(part)
            sums["valid_bound"] += bound(model, part).sum().item()
            sums["rate"] += rate(draw).sum().item()
            sums["distortion"] += distortion(draw).sum().item()
    return {name: value / len(x) for name, value in sums.items()}


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's random state set by a seed for a while, then given back as it was."""
    modules = [torch] if device.type == "cpu" else [torch, torch.get_device_module(device)]
    states = [module.get_rng_state() for module in modules]
    try:
        torch.manual_seed(seed)
        yield
    finally:
        for module, state in zip(modules, states):
            module.set_rng_state(state)


def _check(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0, and is {value}")


def save_checkpoint(model: nn.Module, path: str | Path, **notes) -> None:
    """Write a model's parameters and some notes, as safetensors; the file appears whole or not at all.

    Args:
        model: whose state is written; shared tensors are written once.
        path: the file.
        notes: anything JSON can hold, such as ``num_epochs=20``.
    """
    path = Path(path)
    tensors, seen = {}, set()
    for name, value in model.state_dict().items():
        storage = value.data_ptr(), value.shape, value.stride()
        if not value.numel() or storage not in seen:
            tensors[name] = value.contiguous()
        seen.add(storage)
    metadata = {"notes": json.dumps(notes), "sha256": _digest(tensors)}
    temporary = path.with_name(path.name + f".{os.getpid()}.part")
    try:
        save_file(tensors, str(temporary), metadata=metadata)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(model: nn.Module, path: str | Path) -> dict:
    """Read parameters written by :func:`save_checkpoint` into a model of the same architecture.

    Args:
        model: changed only if everything fits.
        path: the file.

    Returns:
        The notes.

    Raises:
        ValueError: the file is no checkpoint, is damaged, or belongs to another architecture.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint: {error}") from error
    if metadata.get("sha256") != _digest(stored):
        raise ValueError(f"{path} is damaged or was not written by save_checkpoint: its checksum is wrong")
    own = model.state_dict()
    wrong = [name for name, value in stored.items() if name not in own or own[name].shape != value.shape]
    shared = {value.data_ptr() for name, value in own.items() if name in stored}
    missing = [name for name, value in own.items() if name not in stored and value.data_ptr() not in shared]
    if wrong or missing:
        raise ValueError(f"{path} holds another architecture: it differs at {', '.join((wrong + missing)[:3])}")
    model.load_state_dict(stored, strict=False)
    return json.loads(metadata["notes"])


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and values: safetensors itself would read a flipped bit as a number."""
    return hashlib.sha256(save(tensors)).hexdigest()
