"""Layers of a hierarchy: how many nats each of them carries, and whether that number is a divergence."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from vaecourse.distributions import layers_of
from vaecourse.estimators.layers import check_layers, is_kl
from vaecourse.evaluation.averages import mean_and_se
from vaecourse.evaluation.refusals import check_parameters, checked_prior
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import distortion, rate


@dataclass(frozen=True)
class LayerTerms:
    r"""The rate of a hierarchy, one term a layer from the top down, each averaged over samples.

    .. math:: E_q[\log q(z|x) - \log p(z)] = \sum_l E_q\big[\log q(z_l|\cdot) - \log p(z_l|z_{l+1})\big]

    What q conditions on depends on the order in which it draws. The sum does not.

    Attributes:
        terms: of every layer and datum, [layers, N] in nats.
        is_kl: for every layer, whether its term is a divergence (given what q drew before it), so that it is at least
            0 and 0 only where the layer carries nothing; False where p's conditional looks at a layer that q draws
            later, and then the term may be any number.
    """

    terms: Tensor
    is_kl: tuple[bool, ...]

    @property
    def names(self) -> list[str]:
        """z_L, ..., z_1, from the top down."""
        return [f"z_{number}" for number in range(len(self.terms), 0, -1)]

    def mean_and_se(self, name: str) -> tuple[float, float]:
        """Mean over data and its standard error of the term of a layer, such as ``"z_1"``, in nats."""
        return mean_and_se(self.terms[self.names.index(name)])

    def table(self) -> pd.DataFrame:
        """Mean over data, standard error and kind of every term, and their sum, the rate."""
        rows = [(*mean_and_se(term), self._kind(layer)) for layer, term in enumerate(self.terms)]
        rows.append((*mean_and_se(self.terms.sum(0)), "KL"))
        return pd.DataFrame(rows, index=[*self.names, "sum"], columns=["mean", "se", "kind"])

    def _kind(self, layer: int) -> str:
        if not self.is_kl[layer]:
            return "no divergence"
        return "KL" if layer == 0 and all(self.is_kl) else "KL given the layers drawn before"


@torch.no_grad()
def layer_terms(model: LatentVariableModel, x: Tensor, num_samples: int = 64, batch_size: int = 1000) -> LayerTerms:
    """The rate of each layer of a hierarchy, from samples of q.

    Args:
        model: a model whose prior and posterior are a :class:`~vaecourse.distributions.Chain` of the same layers (or
            have one layer).
        x: data of shape [N, D].
        num_samples: number S of samples per datum.
        batch_size: how many data are encoded at once.

    Returns:
        The :class:`LayerTerms`, float64 on the CPU.

    Raises:
        ValueError: q splits z in other layers than the prior, or a number is out of its range, or x has a value to
            which the likelihood gives no density.
    """
    for name, value in (("num_samples", num_samples), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, and is {value}")
    pz, terms = checked_prior(model, x), []
    check_parameters(pz, "p(z)", model)
    for part in x.split(batch_size):
        q = model.qz_x(part)
        check_parameters(q, "q(z|x)", model)
        z = q.sample((num_samples,))
        of_q, of_p = layers_of(q, z), layers_of(pz, z)
        check_layers(of_q, of_p)
        terms.append(torch.stack([(a.log_prob - b.log_prob).mean(0) for a, b in zip(of_q, of_p)]).cpu().double())
    return LayerTerms(torch.cat(terms, 1), tuple(is_kl(of_q, of_p)))


def layer_rates(model: LatentVariableModel, x: Tensor, *rest: Tensor) -> dict[str, Tensor]:
    """A monitor for :func:`~vaecourse.training.fit`: rate and distortion of one draw, and the term of every layer.

    Returns:
        ``rate``, ``distortion``, and ``rate_z1`` for the bottom layer, ``rate_z2`` for the one above it and so on, each
        [B] in nats.
    """
    q, pz = model.qz_x(x), model.prior()
    draw = model.draw(x, q=q, pz=pz)
    of_q, of_p = layers_of(q, draw.z), layers_of(pz, draw.z)
    check_layers(of_q, of_p)
    terms = [(a.log_prob - b.log_prob).mean(0) for a, b in zip(of_q, of_p)]
    names = [f"rate_z{number}" for number in range(len(terms), 0, -1)]
    return {"rate": rate(draw), "distortion": distortion(draw), **dict(zip(names, terms))}
