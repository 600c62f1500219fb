"""Search for the learning rates of chapter 20: ``python benchmarks/scoreboard_search.py``, ten minutes.

Each encoder and each contestant starts at the rate 0.01 and walks, by factors of two, in the direction in which its
bound, or log p, on the validation digits rises, until it falls: the best rate is never the last one tried. Two seeds
are trained for a rate, none of them one that is judged; with its best rate each contestant trains five fresh ones,
which are scored on the test digits once. The functions are those of the chapter's own cells. Writes
``results/20_summary.search.json`` after each row, and leaves out rows that are there.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from weighted_search import definitions

ROOT = Path(__file__).parent.parent
CHAPTER = ROOT / "chapters" / "20_summary.ipynb"
RESULTS = ROOT / "results" / "20_summary.search.json"
NAMES = {
    "tier",
    "seed",
    "config",
    "vae",
    "joint",
    "train",
    "valid",
    "x_valid",
    "test",
    "x_test",
    "iwae_bound",
    "contestants",
    "grey",
}


def walk(score: Callable[[float], float]) -> dict[str, Any]:
    """The best rate of a walk by factors of two, and all rates that were tried with their scores."""
    tried: dict[int, float] = {}

    def at(step: int) -> float:
        if step not in tried:
            tried[step] = score(0.01 * 2.0**step)
        return tried[step]

    step = 0
    for direction in (1, -1):
        while abs(step) < 6 and at(step + direction) > at(step):
            step += direction
        if step:
            break
    rows = [{"rate": 0.01 * 2.0**key, "valid": round(value, 3)} for key, value in sorted(tried.items())]
    return {"rate": 0.01 * 2.0**step, "tried": rows}


def bound_of(scope: dict[str, Any], method: Callable, rate: float) -> float:
    """The mean bound of an encoder's q on validation digits over two trainings, in nats."""
    total = 0.0
    for seed in (1000, 1001):
        torch.manual_seed(seed)
        q = method(scope["vae"], scope["x_valid"], rate=rate)
        with torch.no_grad():
            total += scope["vae"].draw(scope["x_valid"], 50, q=q).log_w.mean().item() / 2
    return total


def log_p_of(scope: dict[str, Any], name: str, rate: float) -> float:
    """The mean log p of validation digits over two models, in nats."""
    scope["seed"] = 1000
    models = scope["side_by_side"](name, rate, seeds=2)
    return sum(scope["judged"](model, scope["x_valid"]).mean().item() for model in models) / 2


def on_test(scope: dict[str, Any], name: str, rate: float) -> list[float]:
    """The mean log p of test digits for each of five models, in nats."""
    scope["seed"] = 0
    return [
        round(scope["judged"](model, scope["x_test"]).mean().item(), 4) for model in scope["side_by_side"](name, rate)
    ]


def main() -> None:
    """Every row that is not there yet."""
    scope = definitions(CHAPTER, NAMES)
    new_encoder = scope["new_encoder"]
    encoders = {"new encoder": partial(new_encoder, width=64), "larger encoder": partial(new_encoder, width=256)}
    encoders["IAF encoder"] = scope["iaf_encoder"]
    scores = {name: partial(bound_of, scope, method) for name, method in encoders.items()}
    scores |= {name: partial(log_p_of, scope, name) for name in scope["contestants"]}
    result = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"rows": []}
    there = {row["name"] for row in result["rows"]}
    for name in [name for name in scores if name not in there]:
        row = {"name": name, **walk(scores[name])}
        if name in scope["contestants"]:
            row["test"] = on_test(scope, name, row["rate"])
        result["rows"].append(row)
        result |= {"torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
        print(result["rows"][-1], flush=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
