"""The gradient of the importance-weighted bound with all samples in one call, beside a loop over samples; and training.

    python benchmarks/weighted.py --help

Both make the same DReG gradient of the same batch from the same noise, which is checked. The loop is what a formula
reads like: one sample is drawn, decoded and scored after the other, twice, since the weights are known only at the end.
Then the steps of ``fit`` with fifty samples: in float32, in bfloat16, compiled, and both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import FOLDER, circumstances, natural
from presentation import spread, write
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse import data
from vaecourse.distributions import frozen
from vaecourse.estimators import dreg, pathwise
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import Draw, LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import iwae
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit

# Pixels, hidden layers, latents: the digits' VAE of chapter 19, and that of Burda et al. (2016).
NETWORKS = {"digits": (64, (64,), 20), "MNIST": (784, (200, 200), 50)}
NUM_SAMPLES = 50
BATCH_SIZE = 16  # noise for sixteens of numbers is the same, drawn at once or in parts

BOUNDS: dict[str, Callable[..., Tensor]] = {"IWAE": partial(pathwise, objective=iwae), "DReG": dreg}
MODES: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16": {"precision": "bf16"},
    "compiled": {"compile": True},
    "compiled bfloat16": {"precision": "bf16", "compile": True},
}


def network(pixels: int, hidden: tuple[int, ...], latents: int) -> LatentVariableModel:
    """A VAE with random weights."""
    torch.manual_seed(0)
    encoder, decoder = MLP(pixels, hidden, 2 * latents), MLP(latents, hidden[::-1], pixels)
    return LatentVariableModel(StandardNormal(latents), Bernoulli(decoder), DiagonalGaussian(encoder))


def looped_dreg(model: LatentVariableModel, x: Tensor, num_samples: int) -> Tensor:
    """The estimator, value and gradient, one sample at a time."""
    q = model.qz_x(x)
    still = frozen(q)
    z, log_w = [], []
    for _ in range(num_samples):
        sample = q.rsample()
        with torch.no_grad():
            log_w.append(model.likelihood(sample).log_prob(x) + model.prior().log_prob(sample) - q.log_prob(sample))
        z.append(sample)
    log_w = torch.stack(log_w)
    weight = log_w.softmax(0)
    total = torch.zeros(len(x))
    for w, sample in zip(weight, z):
        moved = sample.detach() + w[:, None] * (sample - sample.detach())
        again = model.likelihood(moved).log_prob(x) + model.prior().log_prob(moved) - still.log_prob(moved)
        total = total + w * again
    value = iwae(Draw(torch.stack(z), log_w, torch.zeros_like(log_w), torch.zeros_like(log_w)))
    return with_gradient_of(value, total)


WAYS: dict[str, Callable[..., Tensor]] = {"vaecourse": dreg, "loop over samples": looped_dreg}


def gradient(model: LatentVariableModel, x: Tensor, way: str, num_samples: int) -> tuple[float, tuple[Tensor, ...]]:
    """Wall time of a gradient, and the gradient."""
    torch.manual_seed(1)
    start = time.perf_counter()
    value = WAYS[way](model, x, num_samples).mean()
    parts = torch.autograd.grad(value, list(model.parameters()))
    return time.perf_counter() - start, parts


def measure(name: str, num_samples: int, rounds: int, repeats: int, bar: tqdm) -> dict:
    """Milliseconds a gradient, both ways in turn, and their ratio within each round."""
    model, x = network(*NETWORKS[name]), torch.bernoulli(torch.full((BATCH_SIZE, NETWORKS[name][0]), 0.3))
    parts = {way: gradient(model, x, way, num_samples)[1] for way in WAYS}
    first, second = (nn.utils.parameters_to_vector(found) for found in parts.values())
    row = {"network": name, "k": num_samples, "batch": BATCH_SIZE, "ms": {way: [] for way in WAYS}, "ratios": []}
    row["difference"] = ((first - second).norm() / first.norm()).item()  # relative: rounding, of float32
    for _ in range(rounds):
        for way in WAYS:
            seconds = min(gradient(model, x, way, num_samples)[0] for _ in range(repeats))
            row["ms"][way].append(1e3 * seconds)
            bar.update()
        row["ratios"].append(row["ms"]["loop over samples"][-1] / row["ms"]["vaecourse"][-1])
    return row


def ms_per_step(kind: str, mode: str, num_samples: int) -> float:
    """Milliseconds of a step of ``fit`` on 100 images of 784 pixels, the first epoch of ten steps left out."""
    model, images = network(*NETWORKS["MNIST"]), torch.full((1000, NETWORKS["MNIST"][0]), 0.3)
    train = data.from_tensors(images, protocol="dynamic")
    settings = dict(batch_size=100, monitor=None, progress=False, **MODES[mode])
    history = fit(model, partial(BOUNDS[kind], num_samples=num_samples), train, num_epochs=4, **settings)
    return 1e3 * (history.records[-1]["seconds"] - history.records[0]["seconds"]) / 30


def training(kind: str, modes: list[str], num_samples: int, rounds: int, bar: tqdm) -> dict:
    """Milliseconds a step in every mode, in turn, and the ratios of float32 to each within a round."""
    row: dict = {"bound": kind, "k": num_samples, "ms": {mode: [] for mode in modes}, "ratios": {}}
    for _ in range(rounds):
        for mode in modes:
            row["ms"][mode].append(ms_per_step(kind, mode, num_samples))
            bar.update()
    for mode in modes[1:]:
        row["ratios"][mode] = [one / other for one, other in zip(row["ms"]["float32"], row["ms"][mode])]
    return row


def table(result: dict) -> str:
    """Medians over rounds, with the lowest and highest in brackets."""
    lines = [
        "",
        f"{result['date']}; {result['cpu']}, threads: {result['threads']}; load before: {result['load_before']}",
        f"DReG, batches of {BATCH_SIZE}; {result['rounds']} rounds",
        "",
        f"{'':24}{'vaecourse, ms':>24}{'loop over samples, ms':>28}{'loop / vaecourse':>24}",
    ]
    for row in result["gradients"]:
        times = (spread(row["ms"][way], ".1f") for way in WAYS)
        one, other = times
        lines.append(f"{row['network']}, k = {row['k']:<12}{one:>24}{other:>28}{spread(row['ratios'], '.1f'):>24}")
    lines += ["", f"steps of fit, 100 images of 784 pixels{'':18}ms{'float32 / this':>28}"]
    for row in result["training"]:
        for mode, ms in row["ms"].items():
            ratio = spread(row["ratios"][mode], ".2f") if mode in row["ratios"] else ""
            lines.append(f"{row['bound']}, k = {row['k']}, {mode:<20}{spread(ms, '.0f'):>28}{ratio:>24}")
    return "\n".join(lines)


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time the gradient of the importance-weighted bound, on the CPU.")
    parser.add_argument("--rounds", type=natural, default=5, help="turns of the two ways")
    parser.add_argument("--threads", type=natural, help="threads of PyTorch (its own choice)")
    parser.add_argument(
        "--quick", action="store_true", help="five samples, two rounds, nothing compiled: to see that it runs"
    )
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder for weighted.json")
    return parser.parse_args(given)


def main() -> None:
    """Measure, print, store."""
    given = parse()
    if given.threads:
        torch.set_num_threads(given.threads)
    rounds, repeats, num_samples = (2, 1, 5) if given.quick else (given.rounds, 10, NUM_SAMPLES)
    result = circumstances() | {"rounds": rounds}
    modes = list(MODES)[:2] if given.quick else list(MODES)
    with tqdm(total=rounds * (2 * len(NETWORKS) + len(BOUNDS) * len(modes))) as bar:
        result["gradients"] = [measure(name, num_samples, rounds, repeats, bar) for name in NETWORKS]
        result["training"] = [training(kind, modes, num_samples, rounds, bar) for kind in BOUNDS]
    print(table(result))
    given.out.mkdir(parents=True, exist_ok=True)
    print("written:", write(result, given.out / "weighted.json"))


if __name__ == "__main__":
    main()
