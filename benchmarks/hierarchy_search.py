"""The learning rates of chapter 11, searched for on validation data alone, for its rivals and its hierarchies alike.

    python benchmarks/hierarchy_search.py 0        # training seeds, one or more

Adds to ``results/11_hierarchies.search.json``: the bound on the validation digits of every model trained with warm-up
at every rate. What the file holds already is not run again. The models are the chapter's own, from its cells.
"""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import torch

from vaecourse.estimators import layerwise_kl, pathwise
from vaecourse.files import write_whole

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "11_hierarchies.search.json"
FACTORS = (0.25, 0.5, 1, 2)  # of the chapter's rate
SETTINGS = {"tier", "seed", "num_epochs", "rows", "config", "sizes", "width", "top", "bottom", "train", "valid", "test"}
SETTINGS |= {"x_test", "D", "steps_per_epoch", "bound", "settings", "structures", "makers"}


def is_definition(statement: ast.stmt) -> bool:
    """Whether a statement of the chapter defines a model or a setting, and trains nothing."""
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef):
        return True
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return any(isinstance(node, ast.Name) and node.id in SETTINGS for node in map(leftmost, targets) if node)


def leftmost(target: ast.expr | None) -> ast.expr | None:
    """The first name of ``a, b = ...``; the target itself otherwise."""
    return target.elts[0] if isinstance(target, ast.Tuple) else target


def definitions(seed: int) -> dict[str, Any]:
    """The names that the chapter defines, as it defines them at this seed."""
    names: dict[str, Any] = {}
    notebook = nbformat.read(ROOT / "chapters" / "11_hierarchies.ipynb", 4)
    for cell in notebook.cells:
        if cell.cell_type != "code" or "quote" in cell.metadata.get("tags", []):
            continue
        if cell.id.startswith("exercise"):
            break
        for statement in filter(is_definition, ast.parse(cell.source).body):
            if "makers" in ast.unparse(statement) and "models" not in names:
                names["models"] = {("top-down", "warm"): names["two_layers"](names["top_down"])}  # for its size
            exec(compile(ast.Module([statement], []), cell.id, "exec"), names)
            names["seed"] = seed
    return names


def main(seeds: list[int]) -> None:
    """Run what is missing and store after each model."""
    tried = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    for seed in seeds:
        chapter = definitions(seed)
        x_valid = chapter["valid"].realise(seed)[:1000]
        for name, make in chapter["makers"].items():
            for rate in (factor * chapter["config"]["rate"] for factor in FACTORS):
                setting = {"model": name, "rate": rate, "seed": seed}
                if any(setting.items() <= earlier.items() for earlier in tried):
                    continue
                by = layerwise_kl if name == "factorised" else chapter["bound"]
                try:
                    model = chapter["trained"](make(), True, rate=rate, by=by)
                    torch.manual_seed(seed)
                    value = round(pathwise(model, x_valid, num_samples=20).mean().item(), 3)
                except FloatingPointError:  # fit stops where the bound or its gradient overflows
                    value = None
                tried.append({**setting, "valid_bound": value})
                print(tried[-1], flush=True)
                write_whole(RESULTS, (json.dumps(tried, indent=1) + "\n").encode())


if __name__ == "__main__":
    if not sys.argv[1:] or not all(value.isdigit() for value in sys.argv[1:]):
        sys.exit("say which training seeds, such as 0 1 2")
    main([int(value) for value in sys.argv[1:]])
