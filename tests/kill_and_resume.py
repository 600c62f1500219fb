"""Kill a training with SIGKILL again and again, continue it each time, and compare it with one that was left in peace.

    python tests/kill_and_resume.py --trials 100

Everything random is switched on: shuffling, binarisation, dropout, samples of z; so are labels in the batch, of which
most are withheld, three learning rates, an annealed weight, a monitor, the moving average, a schedule, clipping and
validation. A trial counts as different if one bit differs in the parameters, the optimiser's state, the average, the
best epoch's parameters, or in the history (but for its seconds).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from vaecourse import data
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import beta_elbo, rate
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import MixtureOfGaussians
from vaecourse.training import fit, ramp
from vaecourse.training.machinery.weights import read


class Classified(nn.Module):
    """The evidence lower bound with a weight on its rate, and a classifier of z that learns from the labels at hand."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10))

    def forward(self, model: LatentVariableModel, x: torch.Tensor, y: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        draw = model.draw(x)
        return beta_elbo(draw, beta) + (y * self.classifier(draw.z).log_softmax(-1).mean(0)).sum(-1)


def monitor(model: LatentVariableModel, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """The rate of one draw, and how much of each datum's label is seen."""
    return {"rate": rate(model.draw(x)), "seen": y.sum(-1)}


def train(checkpoint: Path) -> None:
    """Train for five epochs of twelve steps, writing the checkpoint after every one of them."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Dropout(0.2), nn.Linear(32, 8))
    decoder = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 64))
    model = LatentVariableModel(MixtureOfGaussians(3, 4), Bernoulli(decoder), DiagonalGaussian(encoder))
    fit(
        model,
        Classified(),
        data.load("digits", "train", "dynamic").with_labels(100),
        valid=data.load("digits", "valid", "dynamic").with_labels(),
        num_epochs=5,
        learning_rate={"": 3e-3, "posterior.": 1e-3, "bound.": 1e-2},
        monitor=monitor,
        schedule="cosine",
        anneal={"beta": ramp(24)},
        ema=0.99,
        gradient_clip=20.0,
        num_shards=2,
        checkpoint=checkpoint,
        checkpoint_seconds=0,
        progress=False,
    )


def outcome(checkpoint: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """What a finished training left in its file, but for the seconds it took."""
    tensors, notes = read(checkpoint)
    state = notes["state"]
    records = [
        {name: value for name, value in record.items() if name != "seconds"} for record in state["history"]["records"]
    ]
    return tensors, {"place": state["place"], "records": records, "best_epoch": state["history"]["best_epoch"]}


def same(first: Path, second: Path) -> bool:
    """Whether two finished trainings agree in every bit."""
    (tensors, notes), (others, other_notes) = outcome(first), outcome(second)
    return (
        notes == other_notes
        and tensors.keys() == others.keys()
        and all(
            torch.equal(value.view(-1).view(torch.uint8), others[name].view(-1).view(torch.uint8))
            for name, value in tensors.items()
        )
    )


def started(checkpoint: Path) -> int:
    """Start a training in a process of its own, and return its number."""
    process = os.fork()
    if process == 0:
        try:
            train(checkpoint)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return process


def killed_and_continued(checkpoint: Path, delays: random.Random, duration: float) -> int:
    """Train with kills at random moments, at least one, until a run comes to its end; return their number."""
    kills = 0
    while True:
        process = started(checkpoint)
        time.sleep(delays.uniform(0, duration) if kills < 3 else duration)
        if kills < 3:
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            if os.waitstatus_to_exitcode(status) != 0:
                raise RuntimeError("a training failed instead of going on")
            if kills:
                return kills
            checkpoint.unlink()  # it came to its end before the kill: once more
        else:
            kills += 1


def run(trials: int, seed: int = 0, progress: bool = True) -> tuple[int, int]:
    """Return the number of kills and of trials that ended otherwise than the training left in peace."""
    torch.set_num_threads(1)  # a process with threads must not be forked
    data.load("digits"), torch.optim.Adam([torch.zeros(1)])  # imported here, or each process would do it again
    delays = random.Random(seed)
    kills, different = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        os.waitpid(started(folder / "peace"), 0)
        duration = time.perf_counter() - start
        for trial in tqdm(range(trials), unit="trial", disable=not progress):
            kills += killed_and_continued(folder / f"{trial}", delays, duration)
            different += not same(folder / "peace", folder / f"{trial}")
    return kills, different


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    arguments = parser.parse_args()
    kills, different = run(arguments.trials, arguments.seed)
    print(f"{arguments.trials} trials, {kills} kills, {different} differences")
    sys.exit(different > 0)
