"""The settings of chapter 08, searched for on validation data alone.

    python benchmarks/vae_search.py digits
    VAECOURSE_DATA=... python benchmarks/vae_search.py mnist

Adds to ``results/08_vae.search.json``: every setting tried, with the validation bound of its best epoch. What the file
holds already is not run again. No test set is loaded.
"""

import json
import sys
import time
from pathlib import Path

import torch

from vaecourse import data
from vaecourse.estimators import analytic_kl
from vaecourse.files import write_whole
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit

RESULTS = Path(__file__).parent.parent / "results" / "08_vae.search.json"
SEED = 0
# One thing at a time from a start. On MNIST the chapter trains what is chosen here for longer; there wider networks are
# better and slower, so that the width ends where the chapter's time does, and the rate is searched again at that width.
SEARCHES = {
    "mnist": (
        {"latents": 50, "width": 200, "rate": 2e-3, "batch": 100, "epochs": 30},
        {"rate": [5e-4, 1e-3, 4e-3, 8e-3], "latents": [20, 30, 100], "width": [100, 400], "batch": [50, 200, 400]},
    ),
    "digits": (
        {"latents": 8, "width": 128, "rate": 4e-3, "batch": 100, "epochs": 300},
        {"rate": [1e-3, 2e-3, 8e-3], "latents": [4, 6, 12, 16], "width": [64, 256], "epochs": [150, 600]},
    ),
}


def settings(name: str):
    """The start, then one change at a time."""
    start, grid = SEARCHES[name]
    yield start
    for key, values in grid.items():
        yield from ({**start, key: value} for value in values)
    if name == "mnist":
        yield from ({**start, "width": 400, "rate": rate} for rate in (1e-3, 3e-3))


def validation_bound(setting: dict, train, valid) -> dict:
    """Train one setting; the best validation bound in nats, its epoch, and the seconds it took."""
    torch.manual_seed(SEED)
    hidden, num_pixels = (setting["width"], setting["width"]), train.batch(slice(0, 1)).shape[1]
    model = LatentVariableModel(
        StandardNormal(setting["latents"]),
        Bernoulli(MLP(setting["latents"], hidden, num_pixels)),
        DiagonalGaussian(MLP(num_pixels, hidden, 2 * setting["latents"])),
    )
    start = time.perf_counter()
    history = fit(
        model,
        analytic_kl,
        train,
        valid=valid,
        num_epochs=setting["epochs"],
        batch_size=setting["batch"],
        learning_rate=setting["rate"],
        schedule="cosine",
        seed=SEED,
    )
    return {
        "valid_bound": round(float(history.frame().valid_bound.max()), 3),
        "best_epoch": int(history.best_epoch),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main(name: str) -> None:
    """Run what is missing and store after each setting."""
    content = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    tried = content.setdefault(name, [])
    train, valid = (data.load(name, split, protocol="dynamic") for split in ("train", "valid"))
    for setting in settings(name):
        if any(setting.items() <= earlier.items() for earlier in tried):
            continue
        tried.append({**setting, **validation_bound(setting, train, valid)})
        print(tried[-1])
        write_whole(RESULTS, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    if sys.argv[1:2] not in [[name] for name in SEARCHES]:
        sys.exit(f"say which data to search on: {' or '.join(SEARCHES)}")
    main(sys.argv[1])
