"""How fast and in how much memory log p(x) is estimated: beside pythae, and beside a loop over chains.

    python benchmarks/evaluation.py --help

Contenders take turns in rounds; the first round is warm-up. benchmarks/README.md says how to read what comes out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from chains import looped_ais
from common import FOLDER, circumstances, natural, peak_memory
from contenders import HIDDEN, LATENT_DIM, UnavailableError, course_model, pythae_model
from presentation import spread, write
from torch import Tensor
from tqdm import tqdm

from vaecourse import data
from vaecourse.evaluation import adapt_path, ais, importance_log_likelihood
from vaecourse.evaluation.annealing import temperatures
from vaecourse.exact import frozen_vae
from vaecourse.model import LatentVariableModel

NUM_LEAPFROG = 10
COURSE, LOOP = "vaecourse", "loop over chains"


def importance_contenders(x: Tensor, num_samples: int) -> dict[str, Callable[[], float]]:
    """Ways to the same estimate of log p(x), each giving its mean over the data."""
    model = course_model(x.shape[1])
    contenders = {COURSE: lambda: importance_log_likelihood(model, x, num_samples).log_px.mean().item()}
    try:
        rival = pythae_model(x.shape[1])
    except UnavailableError:
        return contenders
    for batch_size in (100, num_samples):  # its default, and all samples of a datum at once
        contenders[f"pythae, batch_size {batch_size}"] = torch.no_grad()(
            lambda batch_size=batch_size: float(rival.get_nll(x, num_samples, batch_size))
        )
    return contenders


def take_turns(contenders: dict[str, Callable[[], float]], rounds: int, bar: tqdm) -> dict:
    """Seconds of every round but the first, and the last value, of each contender."""
    rows = {name: {"seconds": [], "value": None} for name in contenders}
    for repetition in range(1 + rounds):
        for name, contender in contenders.items():
            bar.set_postfix_str(name)
            torch.manual_seed(repetition)
            start = time.perf_counter()
            rows[name]["value"] = contender()
            if repetition:
                rows[name]["seconds"].append(time.perf_counter() - start)
            bar.update()
    return rows


def measure_importance(x: Tensor, arguments, bar: tqdm) -> dict:
    """Seconds for all data, and the ratio to each row of pythae, round by round."""
    rows = take_turns(importance_contenders(x, arguments.samples), arguments.rounds, bar)
    own = rows[COURSE]["seconds"]
    ratios = {
        name: [other / mine for mine, other in zip(own, row["seconds"])] for name, row in rows.items() if name != COURSE
    }
    return {"num_data": len(x), "num_samples": arguments.samples, "rows": rows, "ratios": ratios}


def measure_chains(model: LatentVariableModel, x: Tensor, arguments, bar: tqdm) -> dict:
    """Chains per second in parallel and in a loop, for the same path and step sizes."""
    betas, options = temperatures("sigmoid", arguments.steps), dict(num_leapfrog=NUM_LEAPFROG)
    sizes = adapt_path(model, x, arguments.steps, **options).step_sizes
    some = slice(2)  # of the loop each chain costs the same

    def parallel() -> float:
        return ais(model, x, arguments.steps, arguments.chains, step_sizes=sizes, **options).log_px[some].mean().item()

    def loop() -> float:
        log_w = looped_ais(model.likelihood.net, x[some], betas, sizes[:, some], 1, NUM_LEAPFROG)
        return log_w.mean().item()

    rows = take_turns({COURSE: parallel, LOOP: loop}, arguments.rounds, bar)
    for row, num_chains in zip(rows.values(), (arguments.chains * len(x), len(x[some]))):
        row["chains_per_second"] = [num_chains / seconds for seconds in row["seconds"]]
    ratios = [own / other for own, other in zip(*(row["chains_per_second"] for row in rows.values()))]
    setting = {"num_data": len(x), "num_chains": arguments.chains, "num_steps": arguments.steps}
    return setting | options | {"rows": rows, "ratios": ratios}


def measure_memory(arguments, bar: tqdm) -> list[dict]:
    """Peak MiB of both estimates against chunk_size."""
    rows = []
    for kind in ("importance", "ais"):
        for chunk_size in arguments.chunk_sizes:
            bar.set_postfix_str(f"memory of {kind}, chunk_size {chunk_size}")
            peak = peak_memory("evaluation_memory.py", kind, chunk_size)
            rows.append({"kind": kind, "chunk_size": chunk_size, "peak_mib": peak})
            bar.update()
    return rows


def table(result: dict) -> str:
    """The tables for the terminal: medians over rounds, with the lowest and highest in brackets."""
    importance = result["importance"]
    lines = ["", f"{result['date']}; {result['cpu']}, threads: {result['threads']}; {result['data']}", ""]
    lines.append(f"{'log p(x) by ' + str(importance['num_samples']) + ' importance samples':44}data/s")
    for name, row in importance["rows"].items():
        lines.append(f"  {name:42}{spread([importance['num_data'] / s for s in row['seconds']], '.1f')}")
    for name, ratios in importance["ratios"].items():
        lines.append(f"  {'ratio to ' + name:42}{spread(ratios, '.1f')}")
    if len(importance["rows"]) == 1:
        lines.append("  pythae is not installed")
    for network, chains in result["chains"].items():
        lines += ["", f"{'AIS of ' + str(chains['num_steps']) + ' steps, ' + network:44}chains/s"]
        lines += [f"  {name:42}{spread(row['chains_per_second'], '.1f')}" for name, row in chains["rows"].items()]
        lines += [f"  {'ratio':42}{spread(chains['ratios'], '.1f')}"]
    lines += ["", f"{'peak memory':44}MiB"]
    for row in result["memory"]:
        name = f"{row['kind']}, chunk_size {row['chunk_size']}"
        lines.append(f"  {name:42}{'-' if row['peak_mib'] is None else round(row['peak_mib'])}")
    return "\n".join(lines)


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time and weigh estimates of log p(x), on the CPU.")
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of evaluation.json")
    parser.add_argument("--rounds", type=natural, default=5, help="turns of every contender, after one (5)")
    parser.add_argument("--images", type=natural, default=50, help="test images (50)")
    parser.add_argument("--threads", type=natural, help="threads of PyTorch (its own choice)")
    parser.add_argument("--quick", action="store_true", help="digits, few images: to see that it runs")
    arguments = parser.parse_args(given)
    arguments.name, arguments.samples, arguments.chains, arguments.steps = "mnist", 1000, 16, 20
    arguments.chunk_sizes = [500, 2000, 8000]
    if arguments.quick:
        arguments.name, arguments.images, arguments.rounds, arguments.samples = "digits", 5, 2, 200
        arguments.steps, arguments.chunk_sizes = 3, [500]
    return arguments


def main() -> None:
    """Measure, print, and write when all is measured."""
    arguments = parse()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    test = data.load(arguments.name, "test", protocol="dynamic").head(arguments.images)
    x = test.realise()
    sizes = (x.shape[1], *HIDDEN, LATENT_DIM)
    result = circumstances() | {"rounds": arguments.rounds, "data": test.label, "network": "-".join(map(str, sizes))}
    with tqdm(unit="run") as bar:
        result["importance"] = measure_importance(x, arguments, bar)
        digits = data.load("digits", "test", protocol="fixed").head(2 * arguments.images).realise()
        models = {result["network"]: (course_model(x.shape[1]), x), "the frozen VAE": (frozen_vae(x.dtype), digits)}
        result["chains"] = {name: measure_chains(*pair, arguments, bar) for name, pair in models.items()}
        result["memory"] = measure_memory(arguments, bar)
    print(table(result))
    print(f"written: {write(result, arguments.out / 'evaluation.json')}")


if __name__ == "__main__":
    main()
