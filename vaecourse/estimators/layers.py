"""The bound of a model with several layers, one KL a layer."""

from __future__ import annotations

import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import Layer, full_precision_arithmetic, layers_of, sample_and_log_prob
from vaecourse.estimators.pathwise import smooth_q_and_prior
from vaecourse.model import LatentVariableModel


def layerwise_kl(model: LatentVariableModel, x: Tensor, num_samples: int = 1, beta: float | Tensor = 1.0) -> Tensor:
    r"""The bound of a hierarchy as a sum of one KL a layer, the inner ones in closed form where torch knows them.

    .. math:: E_q[\log p(x|z_1)] - \beta \sum_{l=1}^{L-1} E_{q(z_{>l}|x)}\,
              \mathrm{KL}\big(q(z_l|z_{>l}, x) \,\|\, p(z_l|z_{>l})\big)
              - \beta\, \mathrm{KL}\big(q(z_L|x) \,\|\, p(z_L)\big)

    The layers have to be drawn in the prior's order, from the top down. PixelVAE's q, whose layers are independent
    given x, can be drawn in any order, and is the case :math:`q(z_l|z_{>l}, x) = q(z_l|x)`. For a q that is drawn from
    the bottom up the same terms are no divergences, and :func:`pathwise` is the estimator. A layer whose KL has no
    closed form is sampled. With one layer this is :func:`analytic_kl`.

    Args:
        model: a model whose q(z|x) and p(z) have the same layers, drawn in the same order.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        beta: weight of the KLs, as in :func:`~vaecourse.objectives.beta_elbo`.

    Returns:
        The evidence lower bound, where beta is 1, [B], in nats.

    Raises:
        ValueError: q cannot be reparameterised, has other layers than the prior, or draws them in another order.

    References:
        Gulrajani et al. (2017), PixelVAE, equation 2.
    """
    q, pz = smooth_q_and_prior(model, x, num_samples, "layerwise_kl")
    if hasattr(q, "rsample_and_layers"):
        z, of_q = q.rsample_and_layers((num_samples,))
    else:
        z, log_q = sample_and_log_prob(q, (num_samples,))
        of_q = [Layer(q, z, log_q, 0)]
    of_p = layers_of(pz, z)
    check_layers(of_q, of_p)
    if not all(is_kl(of_q, of_p)):
        raise ValueError(
            "layerwise_kl needs a q(z|x) that draws its layers in the prior's order, or the terms of the layers are "
            "no KLs: use pathwise"
        )
    kl = sum(_over_samples(_kl(one, other)) for one, other in zip(of_q, of_p))
    return model.log_likelihood(x, z).mean(0) - beta * kl


def check_layers(of_q: list[Layer], of_p: list[Layer]) -> None:
    """Refuse a q and a prior that split z in different ways.

    Raises:
        ValueError: with the sizes of both, from the top down.
    """
    sizes = [[layer.value.shape[-1] for layer in layers] for layers in (of_q, of_p)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"q(z|x) must have the layers of p(z), which are of sizes {sizes[1]} from the top down, and has {sizes[0]}"
        )


def is_kl(of_q: list[Layer], of_p: list[Layer]) -> list[bool]:
    """Whether the mean of log q - log p of a layer is a divergence whatever q and p are.

    It is where q has drawn, before that layer, everything that p's conditional looks at: the mean over the layer, given
    what was drawn before, is then a KL. Where p looks at something that q draws later, it is none in general.
    """

    def before(layers: list[Layer], turn: int) -> set[int]:
        return {position for position, layer in enumerate(layers) if layer.turn < turn}

    return [before(of_p, p.turn) <= before(of_q, q.turn) for q, p in zip(of_q, of_p)]


def _kl(of_q: Layer, of_p: Layer) -> Tensor:
    """KL of a layer, [B] or [S, B]: in closed form, or else from its sample."""
    try:
        with full_precision_arithmetic(of_q.distribution, of_p.distribution):
            return td.kl_divergence(of_q.distribution, of_p.distribution)
    except NotImplementedError:
        return of_q.log_prob - of_p.log_prob


def _over_samples(values: Tensor) -> Tensor:
    """The mean over samples, where there are any: the top layer's KL depends on none."""
    return values.mean(0) if values.ndim > 1 else values
