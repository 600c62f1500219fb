"""How fast the course trains: side by side with other libraries, against the number of samples, and in evaluation.

    python benchmarks/training.py --help

Contenders take turns in rounds, so that whatever else the machine does meets all of them; of each run the epochs after
the first count. benchmarks/README.md says how to read what comes out.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from common import FOLDER, circumstances, natural, peak_memory
from contenders import (
    BATCH_SIZE,
    HIDDEN,
    LATENT_DIM,
    Run,
    UnavailableError,
    course,
    course_model,
    matrix_products,
    plain_loop,
    pyro_svi,
    pythae_vae,
    silence,
)
from presentation import draw, table, write
from tqdm import tqdm

from vaecourse import data
from vaecourse.data import Dataset
from vaecourse.evaluation import importance_log_likelihood

FLOOR = "matrix products alone"
# What ratios are taken to: of several rows, the fastest.
RIVALS = {"pythae": ("pythae", "pythae, fused Adam"), "Pyro": ("Pyro SVI",), "floor": (FLOOR,)}

Contender = Callable[[int], Run]  # number of epochs -> what they took


class Samples(NamedTuple):
    """How many samples of z a step draws for each datum, and how many pairs it decodes at once."""

    k: int
    chunk_size: int | None = None

    def __str__(self) -> str:
        return f"k = {self.k}" + ("" if self.chunk_size is None else f", chunk_size = {self.chunk_size}")


def trainers(train: Dataset, compiled: bool) -> dict[str, Contender]:
    """Every way to train the same VAE."""
    modes = {"fp32": {}, "bf16": {"precision": "bf16"}}
    if compiled:
        modes |= {f"{name} compiled": mode | {"compile": True} for name, mode in modes.items()}
    return {f"vaecourse {name}": partial(course, train, **mode) for name, mode in modes.items()} | {
        "pythae": partial(pythae_vae, train),
        "pythae, fused Adam": partial(pythae_vae, train, fused=True),
        "Pyro SVI": partial(pyro_svi, train),
        "plain DataLoader loop": partial(plain_loop, train),
        FLOOR: partial(matrix_products, train),
    }


def sample_costs(train: Dataset, numbers: list[int], chunk_size: int) -> dict[Samples, Contender]:
    """Training with k samples a datum; the largest k, and four times as many, also in chunks.

    A step with k samples takes longer, so fewer data make an epoch of it.
    """
    most = max(numbers)
    settings = [*map(Samples, numbers), Samples(most, chunk_size), Samples(4 * most, chunk_size)]
    return {
        setting: partial(
            course,
            train.head(max(2 * BATCH_SIZE, len(train) // setting.k)),
            num_samples=setting.k,
            chunk_size=setting.chunk_size,
        )
        for setting in settings
    }


def take_turns(contenders: dict, rounds: int, epochs: int, bar: tqdm) -> dict:
    """Seconds of a steady epoch, one value a round, and the last bound; or why a contender is not available."""
    results = {name: {"seconds": [], "bound": None} for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            result = results[name]
            bar.set_postfix_str(str(name))
            if "unavailable" not in result:
                gc.collect()
                try:
                    with silence():
                        run = contender(1 + epochs)
                except UnavailableError as error:
                    result["unavailable"] = str(error)
                else:
                    result["seconds"].append(statistics.mean(run.seconds[1:]))
                    result["bound"] = run.bound
            bar.update()
    return results


def measure_training(train: Dataset, arguments, bar: tqdm) -> dict:
    """Images per second of every contender and the ratios to those of RIVALS, round by round."""
    rows = take_turns(trainers(train, not arguments.quick), arguments.rounds, arguments.epochs, bar)
    for row in rows.values():
        row["images_per_second"] = [len(train) / seconds for seconds in row["seconds"]]
    for row in rows.values():
        row["ratios"] = {}
        for rival, names in RIVALS.items():
            speeds = max((rows[name]["images_per_second"] for name in names), key=lambda s: statistics.median(s or [0]))
            if speeds and row["seconds"]:
                row["ratios"][rival] = [own / other for own, other in zip(row["images_per_second"], speeds)]
    return rows


def measure_samples(train: Dataset, arguments, bar: tqdm) -> list[dict]:
    """Milliseconds and peak memory of a step against k."""
    contenders = sample_costs(train, arguments.samples, arguments.chunk_size)
    rows = []
    for setting, row in take_turns(contenders, arguments.rounds, arguments.epochs, bar).items():
        num_steps = -(-len(contenders[setting].args[0]) // BATCH_SIZE)
        row |= {"name": str(setting), **setting._asdict()}
        row["ms_per_step"] = [1e3 * seconds / num_steps for seconds in row["seconds"]]
        row["peak_mib"] = None
        if not arguments.quick or not rows:  # each is a process: when in a hurry, one shows that it runs
            row["peak_mib"] = peak_memory("memory.py", *(number for number in setting if number is not None))
        bar.update()
        rows.append(row)
    one = rows[0]["ms_per_step"]
    for row in rows:  # against k steps with one sample, round by round
        row["relative"] = [own / (row["k"] * first) for own, first in zip(row["ms_per_step"], one)]
    return rows


def measure_evaluation(test: Dataset, arguments, bar: tqdm) -> dict:
    """Throughput of log p(x) by importance sampling; one run before the clock starts."""
    x = test.realise()
    model = course_model(x.shape[1])
    seconds = []
    for repetition in range(1 + arguments.rounds):
        torch.manual_seed(repetition)
        start = time.perf_counter()
        importance_log_likelihood(model, x, num_samples=arguments.importance_samples)
        seconds.append(time.perf_counter() - start)
        bar.update()
    per_second = [len(x) / value for value in seconds[1:]]
    return {"data": test.label, "num_samples": arguments.importance_samples, "images_per_second": per_second}


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time training and evaluation, on the CPU.")

    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of training.json and training.png")
    parser.add_argument("--images", type=natural, default=20_000, help="training images of an epoch (20000)")
    parser.add_argument("--rounds", type=natural, default=5, help="turns of every contender (5)")
    parser.add_argument("--epochs", type=natural, default=2, help="epochs that count in each turn, after one (2)")
    parser.add_argument("--threads", type=natural, help="threads of PyTorch (its own choice)")
    parser.add_argument(
        "--quick", action="store_true", help="digits, few images, no compiled mode: to see that it runs"
    )
    arguments = parser.parse_args(given)
    arguments.name, arguments.samples, arguments.importance_samples, arguments.test_images = (
        "mnist",
        [1, 5, 50],
        5000,
        20,
    )
    arguments.chunk_size = 1000  # a fifth of a batch with 50 samples
    if arguments.quick:
        arguments.name, arguments.samples, arguments.importance_samples = "digits", [1, 5], 200
        arguments.images, arguments.rounds, arguments.epochs = min(arguments.images, 500), 2, 1
        arguments.chunk_size = 200
    return arguments


def main() -> None:
    """Measure, print, and write when all is measured."""
    arguments = parse()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    train = data.load(arguments.name, "train", protocol="dynamic").head(arguments.images)
    test = data.load(arguments.name, "test", protocol="dynamic").head(arguments.test_images)
    sizes = (train.x.shape[1], *HIDDEN, LATENT_DIM)
    result = circumstances() | {
        "rounds": arguments.rounds,
        "epochs_per_round": arguments.epochs,
        "batch_size": BATCH_SIZE,
        "data": train.label,
        "images": len(train),
        "network": "-".join(map(str, sizes)) + " tanh",
    }
    num_sample_costs = len(arguments.samples) + 2
    turns = arguments.rounds * (len(trainers(train, not arguments.quick)) + num_sample_costs)
    with tqdm(total=turns + num_sample_costs + 1 + arguments.rounds, unit="run") as bar:
        result["training"] = measure_training(train, arguments, bar)
        result["samples"] = measure_samples(train, arguments, bar)
        bar.set_postfix_str("importance sampling")
        result["evaluation"] = measure_evaluation(test, arguments, bar)
    print(table(result))
    written = write(result, arguments.out / "training.json"), draw(result, arguments.out / "training.png")
    print("written: " + ", ".join(str(path) for path in written))


if __name__ == "__main__":
    main()
