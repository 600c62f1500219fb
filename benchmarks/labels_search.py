"""The settings of chapter 13b's last comparison, a hundred labels on the digits, searched for on validation digits.

    python benchmarks/labels_search.py

Adds to ``results/13b_clusters_and_labels.search.json``: every setting tried, with the share of validation digits that
it recognises, the mean of two draws of the labels that the chapter does not use. What the file holds already is not run
again. No test set is loaded.
"""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from vaecourse import data
from vaecourse.distributions import Categorical, Chain, Given
from vaecourse.estimators import pathwise
from vaecourse.estimators.semi_supervised import classify, semi_supervised
from vaecourse.files import write_whole
from vaecourse.likelihoods import Bernoulli, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Joined, Rescale
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import MixtureOfGaussians, StandardNormal
from vaecourse.training import fit

RESULTS = Path(__file__).parent.parent / "results" / "13b_clusters_and_labels.search.json"
DRAWS = (100, 101)  # the chapter's are 0 to 4
COPIES = 10  # binarisations of each digit whose codes M1+M2 learns from
# From a start one thing at a time. The classifier is cheap, and gets every pair of its first two.
STARTS = {
    "M2": {"epochs": 150, "alpha": 10, "latents": 2, "rate": 3e-3},
    "M1+M2": {"epochs": 15, "alpha": 10, "latents": 2, "rate": 3e-3},
    "classifier": {"steps": 3000, "decay": 0.0, "rate": 3e-3},
}
CHANGES = {
    "M2": {"alpha": [1, 100], "latents": [1, 8], "rate": [1e-3, 1e-2], "epochs": [300, 600]},
    "M1+M2": {"alpha": [1, 100], "latents": [4, 8], "epochs": [60]},
    "classifier": {"rate": [1e-3, 1e-2]},
}
STEPS, DECAYS = (300, 1000, 3000, 7200), (0.0, 0.1, 1.0)


def settings(method: str):
    """The start, then one change at a time, then the classifier's grid."""
    start = STARTS[method]
    yield start
    for key, values in CHANGES[method].items():
        yield from ({**start, key: value} for value in values)
    if method == "classifier":
        yield from ({**start, "steps": steps, "decay": decay} for steps in STEPS for decay in DECAYS)


def model_of(num_inputs: int, num_styles: int, real: bool) -> LatentVariableModel:
    """M2 with one hidden layer of 64 units in each network."""
    sizes, read = (10, num_styles), nn.Identity() if real else Rescale(0.5, 0.5)
    of_style = Given(Joined(MLP(10 + num_inputs, (64,), 2 * num_styles)), DiagonalGaussian(nn.Identity()))
    of_class = Categorical(nn.Sequential(read, MLP(num_inputs, (64,), 10)))
    decoder = MLP(10 + num_styles, (64,), num_inputs)
    return LatentVariableModel(
        Chain(Categorical(torch.zeros(10)), StandardNormal(num_styles), sizes),
        Gaussian(decoder, 1.0, learn_scale=True) if real else Bernoulli(decoder),
        Chain(of_class, of_style, sizes, features=read),
    )


def hundred_of(train: data.Dataset, draw: int) -> torch.Tensor:
    """Which digits keep their label: ten of each class, [N]."""
    generator, chosen = torch.Generator().manual_seed(draw), torch.zeros(len(train), dtype=torch.bool)
    for k in range(10):
        of_class = (train.y == k).nonzero()[:, 0]
        chosen[of_class[torch.randperm(len(of_class), generator=generator)[:10]]] = True
    return chosen


def labels_only(model, x, y):
    """The classifier's own objective."""
    return (classify(model, x) * y).sum(-1)


def codes(train, valid, draw: int):
    """M1: means of q(z|x) of a VAE without labels, standardised; `COPIES` binarisations of the training digits."""
    torch.manual_seed(draw)
    encoder = nn.Sequential(Rescale(0.5, 0.5), MLP(64, (64, 64), 16))
    vae = LatentVariableModel(MixtureOfGaussians(10, 8), Bernoulli(MLP(8, (64, 64), 64)), DiagonalGaussian(encoder))
    settings = dict(num_epochs=60, learning_rate=1e-2, schedule="cosine", monitor=None, seed=draw, progress=False)
    fit(vae, pathwise, train, **settings)
    with torch.no_grad():
        of_train = torch.cat([vae.posterior(train.realise(draw + s)).mean for s in range(COPIES)])
        of_valid = vae.posterior(valid.realise(0)).mean
    loc, scale = of_train.mean(0), of_train.std(0)
    return (of_train - loc) / scale, (of_valid - loc) / scale


def recognised(method: str, setting: dict, draw: int, train, valid) -> float:
    """Share of validation digits whose class is right."""
    hundred, x_valid, inputs = hundred_of(train, draw), valid.realise(0), 64
    options = dict(learning_rate=setting["rate"], schedule="cosine", monitor=None, seed=draw, progress=False)
    if method == "M1+M2":
        of_train, x_valid = codes(train, valid, draw)
        made = data.from_tensors(of_train, train.y.repeat(COPIES), protocol="real", num_classes=10, name="codes of M1")
        partly, inputs = made.with_labels(hundred.repeat(COPIES)), of_train.shape[1]
    torch.manual_seed(draw)
    model = model_of(inputs, setting.get("latents", 2), real=method == "M1+M2")
    if method == "classifier":
        few = replace(train, x=train.x[hundred], y=train.y[hundred]).with_labels()
        adamw = partial(torch.optim.AdamW, weight_decay=setting["decay"])
        fit(model, labels_only, few, num_epochs=setting["steps"], optimizer=adamw, **options)
    else:
        partly = train.with_labels(hundred) if method == "M2" else partly
        bound = partial(semi_supervised, alpha=float(setting["alpha"]))
        fit(model, bound, partly, num_epochs=setting["epochs"], **options)
    with torch.no_grad():
        return (classify(model, x_valid).argmax(1) == valid.y).double().mean().item()


def main() -> None:
    """Run what is missing and store after each setting."""
    content = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    train, valid = (data.load("digits", split, protocol=p) for split, p in (("train", "dynamic"), ("valid", "fixed")))
    for method in ("classifier", "M2", "M1+M2"):
        tried = content.setdefault(method, [])
        for setting in settings(method):
            if any(setting.items() <= earlier.items() for earlier in tried):
                continue
            start = time.perf_counter()
            shares = [recognised(method, setting, draw, train, valid) for draw in DRAWS]
            valid_right = round(100 * sum(shares) / len(shares), 1)
            seconds = round((time.perf_counter() - start) / len(shares), 1)
            tried.append({**setting, "valid_right": valid_right, "seconds": seconds})
            print(method, tried[-1], flush=True)
            write_whole(RESULTS, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
