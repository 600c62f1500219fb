"""What test_training_scale.py has torchrun start: a training in shards, whose outcome the first process writes."""

import os
import sys
from pathlib import Path

import torch
from cases import neural_model, seeded

import vaecourse
from vaecourse.data import Dataset
from vaecourse.estimators import pathwise
from vaecourse.training import fit, save_checkpoint


def binary(num_data: int, seed: int, split: str) -> Dataset:
    """Three binary pixels."""
    x = torch.randint(0, 2, (num_data, 3), generator=torch.Generator().manual_seed(seed)).byte()
    return Dataset(x, torch.zeros(num_data).long(), "made", split, "binomial", (1, 3), levels=1)


def train(folder: Path, num_shards: int, checkpoint: Path | None, num_epochs: int, bound=pathwise) -> None:
    """Train a small model in float64 and write it with its history."""
    model = seeded(neural_model)
    if int(os.environ.get("RANK", 0)):  # only the first process's start counts
        torch.nn.init.constant_(next(model.parameters()), 7.0)
    history = fit(
        model,
        bound,
        binary(90, 0, "train"),
        valid=binary(1500, 1, "valid"),
        num_epochs=num_epochs,
        batch_size=25,
        ema=0.9,
        gradient_clip=1.0,
        patience=50,
        num_shards=num_shards,
        checkpoint=checkpoint,
        progress=False,
    )
    if int(os.environ.get("RANK", 0)) == 0:
        records = [record | {"seconds": 0} for record in history.records]
        notes = dict(records=records, interrupted=history.interrupted, package=vaecourse.__file__)
        save_checkpoint(model, folder / "model", **notes)


def broken(model, x):
    """A bound that is not a number in the second process only."""
    return pathwise(model, x) * (float("nan") if os.environ.get("RANK") == "1" else 1.0)


if __name__ == "__main__":
    folder, num_shards, num_epochs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    checkpoint = folder / "training" if "checkpoint" in sys.argv[4:] else None
    train(folder, num_shards, checkpoint, num_epochs, broken if "broken" in sys.argv[4:] else pathwise)
