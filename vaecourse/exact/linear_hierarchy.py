"""Two linear-Gaussian layers, where the marginal, both layers' posterior and every layer's share of the rate are known.

One layer of the same width does as well, because only :math:`A A^\\top + s^2 I` reaches the data; what the second layer
changes is how a q has to be built, and here that is a matter of closed forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Chain, Conditional, Given
from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import Joined, Part
from vaecourse.posteriors import FullCovarianceGaussian, OfFeatures
from vaecourse.priors import StandardNormal

Inference = Literal["top-down", "bottom-up", "factorised"]
INFERENCES = ("top-down", "bottom-up", "factorised")


@dataclass(frozen=True)
class LinearHierarchy:
    r"""Two linear layers, all densities Gaussian, with :math:`z = (z_2, z_1)`, the top layer first.

    .. math:: z_2 \sim \mathcal N(0, I), \qquad z_1|z_2 \sim \mathcal N(A z_2, s^2 I), \qquad
              x|z_1 \sim \mathcal N(W z_1 + b, t^2 I)

    Attributes:
        above: A, [L1, L2], float64.
        weight: W, [D, L1].
        bias: b, [D].
        scale_above: s, in units of z_1.
        scale: t, in the data's units.
    """

    above: Tensor
    weight: Tensor
    bias: Tensor
    scale_above: float
    scale: float

    @property
    def sizes(self) -> tuple[int, int]:
        """How many dimensions the top and the bottom layer have."""
        size_1, size_2 = self.above.shape
        return size_2, size_1

    @property
    def prior_covariance(self) -> Tensor:
        """Of z = (z_2, z_1), [L2 + L1, L2 + L1]."""
        size_2, size_1 = self.sizes
        corner = self.above @ self.above.T + self.scale_above**2 * _eye(size_1)
        return torch.cat([torch.cat([_eye(size_2), self.above.T], 1), torch.cat([self.above, corner], 1)])

    @property
    def covariance(self) -> Tensor:
        """Of z given any x, [L2 + L1, L2 + L1]."""
        return torch.linalg.inv(self._precision)

    @property
    def _precision(self) -> Tensor:
        down = torch.cat([-self.above, _eye(self.sizes[1])], 1) / self.scale_above  # z_1 - A z_2 in units of s
        top = torch.eye(self.sizes[0], sum(self.sizes), dtype=torch.float64)
        return top.T @ top + down.T @ down + self._loading.T @ self._loading / self.scale**2

    @property
    def _loading(self) -> Tensor:
        """What z = (z_2, z_1) does to x, [D, L2 + L1]."""
        return torch.cat([self.weight.new_zeros(len(self.weight), self.sizes[0]), self.weight], 1)

    def marginal(self) -> td.MultivariateNormal:
        r"""p(x) without the layers, event shape [D]: its covariance is :math:`W(AA^\top + s^2 I)W^\top + t^2 I`."""
        covariance = self._loading @ self.prior_covariance @ self._loading.T + self.scale**2 * _eye(len(self.bias))
        return td.MultivariateNormal(self.bias, covariance, validate_args=False)

    def posterior(self, x: Tensor) -> td.MultivariateNormal:
        """p(z|x) of both layers together, event shape [L2 + L1], for x [B, D] in float64."""
        loc = (x - self.bias) @ self._gain.T
        return td.MultivariateNormal(loc, self.covariance.expand(len(x), -1, -1), validate_args=False)

    @property
    def _gain(self) -> Tensor:
        """From x - b to the posterior mean, [L2 + L1, D]."""
        return self.covariance @ self._loading.T / self.scale**2

    def single_layer_weight(self) -> Tensor:
        r"""W' [D, L1] of the one-layer model with the same p(x), :math:`W' = W\,\mathrm{chol}(A A^\top + s^2 I)`."""
        size_2 = self.sizes[0]
        return self.weight @ torch.linalg.cholesky(self.prior_covariance[size_2:, size_2:])

    def factorised_gap(self) -> float:
        r"""The least KL(q || p(z|x)) of all :math:`q(z_1|x)\,q(z_2|x)`, in nats, the same for every x.

        It is attained at the posterior's means with the layers' conditional covariances.
        """
        size_2, precision = self.sizes[0], self._precision
        blocks = precision[:size_2, :size_2].logdet() + precision[size_2:, size_2:].logdet()
        return 0.5 * (blocks - precision.logdet()).item()

    def information(self) -> float:
        """The mutual information of the two layers given x, in nats, the same for every x.

        It is what a q that is drawn from the bottom up moves from the bottom layer's term to the top layer's.
        """
        size_2, covariance = self.sizes[0], self.covariance
        blocks = covariance[:size_2, :size_2].logdet() + covariance[size_2:, size_2:].logdet()
        return 0.5 * (blocks - covariance.logdet()).item()

    def terms(self, x: Tensor, inference: Inference) -> Tensor:
        r"""The term of each layer, :math:`E_q[\log q(z_l|\cdot) - \log p(z_l|z_{l+1})]`, [2, B] in nats, from the top.

        Args:
            x: data of shape [B, D], float64.
            inference: the exact posterior drawn "top-down" or "bottom-up", or the best "factorised" q.

        Raises:
            ValueError: inference is none of these.
        """
        _check_inference(inference)
        size_2, size_1 = self.sizes
        loc, covariance = self.posterior(x).loc, self._covariance_of_q(inference)
        top, bottom = covariance[:size_2, :size_2], covariance[size_2:, size_2:]
        both = covariance.logdet()
        log_det = {
            "top-down": (top.logdet(), both - top.logdet()),
            "bottom-up": (both - bottom.logdet(), bottom.logdet()),
            "factorised": (top.logdet(), bottom.logdet()),
        }[inference]
        down = torch.cat([-self.above, _eye(size_1)], 1) / self.scale_above
        of_top = loc[:, :size_2].square().sum(-1) + top.trace()
        of_bottom = (loc @ down.T).square().sum(-1) + (down @ covariance @ down.T).trace()
        return 0.5 * torch.stack(
            [of_top - size_2 - log_det[0], of_bottom - size_1 + 2 * size_1 * math.log(self.scale_above) - log_det[1]]
        )

    def bound(self, x: Tensor, inference: Inference) -> Tensor:
        """The evidence lower bound of that q, [B] in nats; of the exact posterior it is log p(x)."""
        terms = self.terms(x, inference)  # which refuses a wrong name
        error = (x - self.bias - self.posterior(x).loc @ self._loading.T).square().sum(-1)
        error = error + (self._loading @ self._covariance_of_q(inference) @ self._loading.T).trace()
        size = len(self.bias)
        return -0.5 * (error / self.scale**2 + size * math.log(2 * math.pi * self.scale**2)) - terms.sum(0)

    def model(self, inference: Inference = "top-down") -> LatentVariableModel:
        """The hierarchy as a model, float64 and trainable, with that q as its posterior, built as a chain.

        Raises:
            ValueError: inference is none of those of :meth:`terms`.
        """
        _check_inference(inference)
        size_2, size_1 = self.sizes
        p_1 = Gaussian(_linear(self.above, self.above.new_zeros(size_1)), self.scale_above).double()
        likelihood = Gaussian(Part(_linear(self.weight, self.bias), slice(size_2, None)), self.scale).double()
        with torch.no_grad():  # which were rounded to float32
            p_1.log_scale.fill_(math.log(self.scale_above))
            likelihood.log_scale.fill_(math.log(self.scale))
        prior = Chain(StandardNormal(size_2).double(), p_1, self.sizes)
        return LatentVariableModel(prior, likelihood, self._posterior(inference))

    def _posterior(self, inference: Inference) -> Chain:
        """Of each layer the regression on what is drawn before it, and on x."""
        size_2 = self.sizes[0]
        covariance, gain = self._covariance_of_q(inference), self._gain
        a, b = slice(0, size_2), slice(size_2, None)  # top and bottom
        if inference == "bottom-up":
            a, b = b, a
        across = torch.linalg.solve(covariance[a, a], covariance[a, b]).T  # of the second part on the first
        left = covariance[b, b] - across @ covariance[a, b]
        first = _gaussian(gain[a], -gain[a] @ self.bias, covariance[a, a])
        if inference == "factorised":
            second: Conditional = OfFeatures(_gaussian(gain[b], -gain[b] @ self.bias, left))
        else:  # in Gaussian hierarchies the upper layer does not look at x once the lower is known: then the gain is 0
            of_x = gain[b] - across @ gain[a]
            net = Joined(_linear(*_outputs(torch.cat([across, of_x], 1), -of_x @ self.bias, left)))
            second = Given(net, FullCovarianceGaussian(nn.Identity(), len(left)))
        return Chain(first, second.double(), self.sizes, inference != "bottom-up", nn.Identity()).double()

    def _covariance_of_q(self, inference: Inference) -> Tensor:
        if inference != "factorised":
            return self.covariance
        size_2, precision = self.sizes[0], self._precision
        blocks = precision[:size_2, :size_2], precision[size_2:, size_2:]
        return torch.block_diag(*(torch.linalg.inv(block) for block in blocks))


def linear_hierarchy(
    above: Tensor, weight: Tensor, bias: Tensor | None = None, scale_above: float = 1.0, scale: float = 1.0
) -> LinearHierarchy:
    """Two linear-Gaussian layers, see :class:`LinearHierarchy`.

    Args:
        above: A of shape [L1, L2].
        weight: W of shape [D, L1].
        bias: b of shape [D]; zeros where left out.
        scale_above: s, above 0.
        scale: t, in the data's units, above 0.

    Returns:
        The :class:`LinearHierarchy`, float64.

    Raises:
        ValueError: shapes that do not fit, or a scale that is not above 0.

    Example:
        >>> one = torch.ones(1, 1)
        >>> hierarchy, x = linear_hierarchy(one, one, scale_above=0.1), torch.full((1, 1), 2.0).double()
        >>> [round(term.item(), 6) for term in hierarchy.terms(x, "bottom-up")]  # of the top layer, of the bottom one
        [2.553841, -1.95603]
    """
    for name, value in (("scale_above", scale_above), ("scale", scale)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number above 0, and is {value}")
    bias = torch.zeros(weight.shape[0]) if bias is None else bias
    tensors = _check_shapes(above, weight, bias)
    return LinearHierarchy(*tensors, float(scale_above), float(scale))


def _check_shapes(above: Tensor, weight: Tensor, bias: Tensor) -> Sequence[Tensor]:
    if above.ndim != 2 or weight.ndim != 2 or weight.shape[1] != above.shape[0] or bias.shape != weight.shape[:1]:
        got = ", ".join(str(list(part.shape)) for part in (above, weight, bias))
        raise ValueError(f"above must be [L1, L2], weight [D, L1] and bias [D], and they are {got}")
    return [part.detach().cpu().double() for part in (above, weight, bias)]


def _check_inference(inference: str) -> None:
    if inference not in INFERENCES:
        raise ValueError(f'inference must be "top-down", "bottom-up" or "factorised", and is {inference!r}')


def _eye(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _gaussian(weight: Tensor, bias: Tensor, covariance: Tensor) -> FullCovarianceGaussian:
    """N(weight c + bias, covariance) as a conditional on c."""
    return FullCovarianceGaussian(_linear(*_outputs(weight, bias, covariance)), len(covariance)).double()


def _outputs(weight: Tensor, bias: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of the outputs that a full Gaussian wants: its mean moves with the input, its factor does not."""
    factor = torch.linalg.cholesky(covariance)
    below = factor[tuple(torch.tril_indices(len(factor), len(factor), offset=-1))]
    constant = torch.cat([factor.diagonal().log(), below])
    weight = torch.cat([weight, weight.new_zeros(len(constant), weight.shape[1])])
    return weight, torch.cat([bias, constant])
