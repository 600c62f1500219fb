"""Search for the learning rates of chapter 19, and its table: ``python benchmarks/weighted_search.py``, an hour.

Each cell (layers, kind of bound, k, steps) starts at the rate 0.012 and walks, by factors of two, in the direction in
which log p on the validation digits rises, until it falls: the best rate is never the last one tried. Two seeds are
trained for a rate; with the best, five fresh ones, which are scored on the test digits once. The functions are those
of the chapter's own cells, at tier quick. Writes ``results/19_iwae.search.json`` after each cell, and leaves out cells
that are there; ``--cells 1`` ends after one more.
"""

import argparse
import ast
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
CHAPTER = ROOT / "chapters" / "19_iwae.ipynb"
RESULTS = ROOT / "results" / "19_iwae.search.json"
NAMES = {"tier", "seed", "digits", "mnist", "paper", "config", "splits", "images", "grey_of_data", "bounds_by_name"}
CELLS = [
    *[(1, kind, k, 1500) for kind, k in (("IWAE", 1), ("VAE", 5), ("IWAE", 5), ("DReG", 5))],
    *[(1, kind, 50, 1500) for kind in ("VAE", "IWAE", "DReG")],
    # As many evaluations of the decoder as fifty samples in 1500 steps:
    *[(1, kind, 5, 15_000) for kind in ("IWAE", "VAE", "DReG")],
    (1, "VAE", 50, 4500),
    (1, "IWAE", 50, 4500),
    *[(2, kind, k, 1500) for kind, k in (("IWAE", 1), ("VAE", 50), ("IWAE", 50))],
    *[(2, kind, k, 1500) for kind, k in (("IWAE", 5), ("DReG", 50), ("VAE", 5))],
]


def definitions(chapter: Path = CHAPTER, names: set[str] = NAMES) -> dict[str, Any]:
    """What a chapter's cells import, define and configure (the variables of these names), without its experiments."""
    kept: list[ast.stmt] = []
    for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code" or "### BEGIN SOLUTION" in "".join(cell["source"]):
            continue
        for node in ast.parse("".join(cell["source"])).body:
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            named = any(_name(target) in names for target in targets)
            if named or isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef):
                kept.append(node)
            elif isinstance(node, ast.FunctionDef):
                node.args.defaults = [  # what an experiment made is no default here
                    default if isinstance(default, ast.Constant) else ast.Constant(None)
                    for default in node.args.defaults
                ]
                kept.append(node)
    scope: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(ast.Module(kept, [])), str(chapter), "exec"), scope)
    return scope


def _name(target: ast.expr | None) -> str:
    target = target.elts[0] if isinstance(target, ast.Tuple) else target
    return getattr(target.value if isinstance(target, ast.Subscript) else target, "id", "")


def fill(scope: dict[str, Any], cell: tuple[int, str, int, int]) -> dict[str, Any]:
    """One cell: every rate tried with its validation log p, and five seeds with the best rate."""
    layers, kind, k, steps = cell
    tried: dict[int, float] = {}

    def score(step: int) -> float:
        if step not in tried:
            scope["seed"] = 1000  # not one of those that are judged
            models = scope["side_by_side"](layers, kind, k, 0.012 * 2.0**step, steps, seeds=2)
            tried[step] = sum(log_p(scope, model) for model in models) / 2
        return tried[step]

    for direction in (1, -1):
        step = 0
        while abs(step) < 4 and score(step + direction) > score(step):
            step += direction
        if step:
            break
    rate, scope["seed"] = 0.012 * 2.0**step, 0
    start = time.perf_counter()
    models = scope["side_by_side"](layers, kind, k, rate, steps)
    seconds = time.perf_counter() - start
    found = {"layers": layers, "kind": kind, "k": k, "steps": steps, "rate": rate, "seconds": round(seconds, 1)}
    valid = {step: round(value, 3) if math.isfinite(value) else None for step, value in sorted(tried.items())}
    found["tried"] = [{"rate": 0.012 * 2.0**step, "valid": value} for step, value in valid.items()]
    found["test"] = [round(scope["judged"](model).mean().item(), 4) for model in models]
    found["units"] = [scope["units"](model) for model in models]
    return found


def log_p(scope: dict[str, Any], model: torch.nn.Module) -> float:
    """Of the validation digits, in nats; below everything where the training has run away."""
    try:
        value = scope["judged"](model, "valid").mean().item()
    except (RuntimeError, ValueError):  # a scale or a weight that is not a number
        return -math.inf
    return value if math.isfinite(value) else -math.inf


def main() -> None:
    """Every cell that is not there yet."""
    parser = argparse.ArgumentParser(description="The learning rates of chapter 19, and its table.")
    parser.add_argument("--cells", type=int, default=len(CELLS), help="how many cells at the most")
    num_cells = parser.parse_args().cells
    scope = definitions()
    result = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"cells": []}
    there = {(c["layers"], c["kind"], c["k"], c["steps"]) for c in result["cells"]}
    for cell in [cell for cell in CELLS if cell not in there][:num_cells]:
        result["cells"].append(fill(scope, cell))
        result |= {"torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
        print(result["cells"][-1], flush=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
