"""The best encoder of its size: an encoder fitted alone, to a decoder that is held fixed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch

from vaecourse.data import Dataset
from vaecourse.distributions import Conditional
from vaecourse.estimators import pathwise
from vaecourse.evaluation.gaps import LocalOptimumWarning
from vaecourse.inference import AGREEMENT, sampled_bound
from vaecourse.model import LatentVariableModel
from vaecourse.training import fit

FOUR_SAMPLES = partial(pathwise, num_samples=4)


class Refit(NamedTuple):
    """An encoder fitted alone, and what each start came to."""

    posterior: Conditional  # the best of the ends, in evaluation mode, with constant parameters
    bounds: dict[
        str, float
    ]  # start to the mean bound on the training data, nats; "encoder" is what nothing was done to


def refit_encoder(
    model: LatentVariableModel,
    train: Dataset,
    *,
    num_epochs: int,
    fresh: Callable[[], Conditional] | None = None,
    restarts: int = 1,
    bound: Callable = FOUR_SAMPLES,
    learning_rate: float | Mapping[str, float] = 3e-3,
    num_scored: int = 50,
    seed: int = 0,
    **options,
) -> Refit:
    r"""Fit the encoder alone, :math:`q^*_\phi = \arg\max_\phi \sum_i \mathcal L(x_i; q_\phi)`, from several starts.

    The decoder is held fixed, which is what makes the targets stand still: in the joint training they moved at every
    step, and the encoder ran after them. The first start is the encoder as it is; others have fresh weights. What the
    search returns is a lower estimate of the best encoder, and Gap 2 with it an upper one.

    Args:
        model: its encoder is copied, and nothing of it is changed.
        train: the data that the encoder is fitted to and judged by: Gap 3 is not negative on their average.
        num_epochs: of each fit.
        fresh: makes an encoder of the same size with new weights, for the restarts; None for no restart.
        restarts: how many fits begin there.
        bound: ``(model, x) -> [B]``, whose gradient is followed.
        learning_rate: as for :func:`~vaecourse.training.fit`; it falls along a cosine, unless ``schedule`` is given.
        num_scored: samples per datum of the bound that the ends are judged by, on one realisation of ``train``.
        seed: of shuffling, noise and fresh weights; the caller's random state is not changed.
        options: of :func:`~vaecourse.training.fit`, such as ``batch_size`` or ``gradient_clip``.

    Returns:
        The :class:`Refit`.

    Raises:
        ValueError: the model has no encoder.

    Warns:
        LocalOptimumWarning: no other end comes within 0.1 nats of the best.
    """
    if model.posterior is None:
        raise ValueError("model must have an encoder, and its posterior is None")
    x = train.realise(seed)
    x = (x[0] if isinstance(x, tuple) else x).to(next(model.parameters()).device)
    still = copy.deepcopy(model).requires_grad_(False).eval()
    made = {"encoder": copy.deepcopy(model.posterior)}
    settings = dict(num_epochs=num_epochs, learning_rate=learning_rate, schedule="cosine", progress=False) | options
    starts = {"refitted": lambda: copy.deepcopy(model.posterior)}
    starts |= {f"fresh {k + 1}": fresh for k in range(restarts if fresh else 0)}
    for k, (name, make) in enumerate(starts.items()):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed + k)
            encoder = make().to(x.device).requires_grad_(True).train()
        fit(LatentVariableModel(still.prior, still.likelihood, encoder), bound, train, seed=seed + k, **settings)
        made[name] = encoder
    made = {name: encoder.eval().requires_grad_(False) for name, encoder in made.items()}
    with torch.no_grad():
        qs = {name: encoder(x) for name, encoder in made.items()}
    bounds = {name: sampled_bound(still, x, q, num_scored, seed)[0].mean().item() for name, q in qs.items()}
    best, *others = sorted((value for name, value in bounds.items() if name != "encoder"), reverse=True)
    if others and best - others[0] > AGREEMENT:
        warnings.warn(
            f"refitted encoder: a local optimum is suspected, since the best of {len(starts)} fits ended "
            f"{best - others[0]:.2f} nats above the next",
            LocalOptimumWarning,
            stacklevel=2,
        )
    return Refit(made[max(bounds, key=bounds.get)], bounds)
