"""Search for the learning rates of chapter 13a: ``python benchmarks/prior_search.py``, about three minutes of one core.

Each pair of likelihood and prior starts at the rate 0.01 and walks, by factors of three, in the direction in which the
bound on the validation digits rises, until it falls: the best rate is never the last one tried. The models are those of
the chapter's own cells, at tier quick and seed 0. Writes ``results/13a_priors.search.json``.
"""

import ast
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CHAPTER = ROOT / "chapters" / "13a_priors.ipynb"
RESULTS = ROOT / "results" / "13a_priors.search.json"
NAMES = {"tier", "seed", "num_epochs", "protocols", "digits", "mnist", "config", "splits", "L", "makers"}


def definitions() -> dict[str, Any]:
    """What the chapter's cells import, define and configure, without its experiments."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    kept: list[ast.stmt] = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        for node in ast.parse("".join(cell["source"])).body:
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            named = any(isinstance(target, ast.Subscript | ast.Name) and _name(target) in NAMES for target in targets)
            if named or isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
                kept.append(node)
        if "makers" in "".join(cell["source"]):
            break
    scope: dict[str, Any] = {}
    exec(compile(ast.Module(kept, []), str(CHAPTER), "exec"), scope)
    return scope


def _name(target: ast.expr) -> str:
    return getattr(target.value if isinstance(target, ast.Subscript) else target, "id", "")


def search(scope: dict[str, Any], kind: str, prior: str) -> list[dict[str, Any]]:
    """Every rate tried for one pair, with the validation bound of its best epoch in nats, in ascending order."""
    tried: dict[int, float] = {}

    def bound(step: int) -> float:
        if step not in tried:
            _, history = scope["trained"](kind, scope["makers"][prior], rate=1e-2 * 3.0**step)
            tried[step] = max(history.frame()["valid_bound"])
        return tried[step]

    for direction in (1, -1):
        step = 0
        while abs(step) < 4 and bound(step + direction) > bound(step):
            step += direction
        if step:
            break
    return [{"rate": 1e-2 * 3.0**step, "valid_bound": round(value, 3)} for step, value in sorted(tried.items())]


if __name__ == "__main__":
    scope = definitions()
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for kind in scope["config"]["protocols"]:
        found[kind] = {}
        for prior in scope["makers"]:
            found[kind][prior] = search(scope, kind, prior)
            print(kind, prior, found[kind][prior], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
