"""Semi-supervised learning: the bound of a model with a class among its latents, which some of the data bring along."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import sample_and_log_prob, states
from vaecourse.distributions.chain import ChainDistribution
from vaecourse.model import LatentVariableModel, check_num_samples
from vaecourse.objectives import elbo


def semi_supervised(
    model: LatentVariableModel,
    x: Tensor,
    y: Tensor | None = None,
    num_samples: int = 1,
    objective: Callable[..., Tensor] = elbo,
    alpha: float | Tensor = 0.0,
    **options: Any,
) -> Tensor:
    r"""The bound of M2, in which a label is a latent that was seen: on log p(x, y) with a label, on log p(x) without.

    .. math:: \mathcal L(x, y) &= E_{q(z|x,y)}[\log p(x|y,z) + \log p(y) + \log p(z|y) - \log q(z|x,y)] \\
              \mathcal U(x) &= \sum_y q(y|x) \, \big(\mathcal L(x, y) - \log q(y|x)\big)

    The sum over the C classes is exact, with S samples of z for each, so that C S pairs (y, z) are decoded for every
    datum. It has a gradient by q(y|x), while L(x, y) has none: the classifier would learn from unlabelled data alone.
    Kingma et al. add :math:`\alpha \log q(y|x)` for data with a label. That is no part of the bound, and is zero or
    below: the sum is still not above log p(x, y). Their weight of the mean over labels, 0.1 times the number N of all
    data, is :math:`\alpha = 0.1\, N / N_\text{labelled}` here, where each datum counts alike.

    Args:
        model: with latents (y, z). The prior is ``Chain(p(y), p(z|y), sizes=(C, L))``, the likelihood reads y and z
            side by side, the posterior is ``Chain(q(y|x), q(z|y, h(x)), sizes=(C, L), features=h)``; p(y) and q(y|x)
            are :class:`~vaecourse.distributions.Categorical`.
        x: data of shape [B, D].
        y: labels of shape [B, C], one-hot; a row of zeros where one is withheld, as `Dataset.with_labels` gives them.
        num_samples: number S of samples of z for each class.
        objective: a function of a draw that takes ``log_mass``. Under ``iwae`` the bound of unlabelled data does not
            depend on q(y|x), whose place the exact sum takes.
        alpha: weight of the classifier's own term, at least 0.
        options: handed on to the objective, such as ``beta`` for ``beta_elbo``.

    Returns:
        One number per datum, [B], in nats.

    Raises:
        ValueError: y is missing or has other classes than the model; the posterior has no class; alpha is below 0.

    References:
        Kingma, Rezende, Mohamed & Welling (2014), Semi-supervised learning with deep generative models, equations 6
        to 9.

    Example:
        >>> from functools import partial
        >>> bound = partial(semi_supervised, alpha=1.0)  # for fit(model, bound, train.with_labels(100), ...)
    """
    check_num_samples(num_samples)
    if not isinstance(alpha, Tensor) and not alpha >= 0:
        raise ValueError(f"alpha must be at least 0, and is {alpha}")
    q = _with_a_class(model.qz_x(x))
    classes = states(q.first)  # [C, C]
    _check_labels(y, x, len(classes))
    log_qy = q.first.logits.T  # [C, B], normalised
    seen = y.sum(-1) > 0  # [B]

    every = classes[:, None].expand(-1, len(x), -1)  # [C, B, C]
    z, log_qz = sample_and_log_prob(q.second(every, *q.features), (num_samples,))  # [S, C, B, L], [S, C, B]
    latents = torch.cat([every.expand(num_samples, -1, -1, -1), z], -1).flatten(0, 1)  # [S C, B, C + L]
    log_q = torch.where(seen, log_qz, log_qz + log_qy).flatten(0, 1)  # a label that was seen has cost nothing
    log_mass = torch.where(seen, y.T.log(), log_qy) - math.log(num_samples)  # [C, B]
    bound = objective(model.score(x, latents, log_q), log_mass=log_mass.repeat(num_samples, 1), **options)
    return bound + alpha * (log_qy.T * y).sum(-1)


def classify(model: LatentVariableModel, x: Tensor) -> Tensor:
    """The model's q(y|x) as log-probabilities of the classes, [B, C]; see :func:`semi_supervised` for the model."""
    return _with_a_class(model.qz_x(x)).first.logits


def accuracy(model: LatentVariableModel, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether the class of largest q(y|x) is the label, [B] of zeros and ones: a monitor of ``fit``.

    Raises:
        ValueError: a label is withheld. What is measured needs all of them, whatever the training was told.
    """
    if y.numel() and not (y.sum(-1) > 0).all():
        withheld = int((y.sum(-1) == 0).sum())
        raise ValueError(
            f"accuracy needs a label for each datum, and {withheld} of {len(y)} are withheld: valid data "
            "may keep them all, data.load(..., 'valid').with_labels()"
        )
    return {"accuracy": (classify(model, x).argmax(-1) == y.argmax(-1)).to(x)}


def _with_a_class(q: td.Distribution) -> ChainDistribution:
    """The posterior, if the part that it draws first, and puts first, is a class."""
    if not (isinstance(q, ChainDistribution) and q.top_first and isinstance(q.first, td.OneHotCategorical)):
        raise ValueError(
            "semi_supervised needs a posterior Chain(q(y|x), q(z|y, h(x)), sizes=(C, L)) whose first part is a "
            f"Categorical, and the model has {type(q).__name__}"
        )
    return q


def _check_labels(y: Tensor | None, x: Tensor, num_classes: int) -> None:
    if y is None:
        raise ValueError(
            "y must be labels, and there are none: batches bring them after train.with_labels(observed), and rows of "
            "zeros where one is withheld"
        )
    if y.shape != (len(x), num_classes):
        raise ValueError(
            f"y must be [{len(x)}, {num_classes}], one-hot in the {num_classes} classes of q(y|x), and has shape "
            f"{list(y.shape)}"
        )
