"""Refined posteriors: an encoder makes a start, and a few steps up the datum's own bound make q(z|x) of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional, Given, full_precision
from vaecourse.estimators import analytic_kl, dreg, stl
from vaecourse.model import LatentVariableModel, check_num_samples
from vaecourse.posteriors import DiagonalGaussian

Route = Literal["steps", "path", "nothing"]


class Refined(Conditional):
    r"""A posterior whose parameters start at the encoder's and take T steps up the bound of their datum.

    .. math:: \lambda_0 = e_\phi(x), \qquad \lambda_{t+1} = u\big(\lambda_t, \nabla_{\lambda}
              \hat{\mathcal L}(x; \lambda_t)\big), \qquad q(z|x) = q(z; \lambda_T)

    A step costs ``num_samples`` evaluations of the decoder and of its gradient, in training and at test alike;
    :attr:`num_evaluations` is their number per datum, and
    :class:`~vaecourse.inference.DecoderEvaluations` counts what is really run. The samples drawn on the way are
    spent: q is scored on fresh ones, so that its bound stays one, on average over both.

    What the methods of the literature differ in is the update and which way a training gradient goes:

    - ``through="steps"``: through everything, the slopes included (semi-amortised, Kim et al. 2018). The encoder
      learns where to *start*; its own bound is nobody's aim.
    - ``through="path"``: through the updates, with the slopes held constant: they are inputs of a learned update
      (iterative inference, Marino et al. 2018).
    - ``through="nothing"``: the refined parameters are constants, and the bound trains the decoder alone; the encoder
      needs an aim of its own, as :func:`~vaecourse.inference.svi_from_encoder` gives it (Krishnan et al. 2018).

    Args:
        encoder: network from x [B, D] to the parameters [B, P] of the family.
        joint: the model's own prior and likelihood, as ``LatentVariableModel(prior, likelihood)`` without posterior.
        update: ``(parameters, slope, memory) -> (parameters, memory)`` with memory None at first, such as
            :class:`~vaecourse.inference.Ascent`.
        num_steps: T, 0 for the encoder alone.
        num_samples: samples of z per datum and step.
        estimator: ``(model, x, num_samples) -> [B]``, whose gradient is the slope.
        family: conditional from parameters [B, P] to a q with batch shape [B]; a diagonal Gaussian, if none is named.
        through: as above.

    Raises:
        ValueError: an argument is out of its range; or ``through="steps"`` with an estimator that holds a part of q
            constant: the slope of its slope is another function's.

    References:
        Krishnan, Liang & Hoffman (2018), section 3; Kim et al. (2018), section 3; Marino, Yue & Mandt (2018).
    """

    def __init__(
        self,
        encoder: nn.Module,
        joint: LatentVariableModel,
        update: nn.Module,
        num_steps: int,
        *,
        num_samples: int = 1,
        estimator: Callable[..., Tensor] = analytic_kl,
        family: Conditional | None = None,
        through: Route = "steps",
    ):
        super().__init__()
        if joint.posterior is not None:
            raise ValueError("joint must be a model without posterior, LatentVariableModel(prior, likelihood), has one")
        if through not in ("steps", "path", "nothing"):
            raise ValueError(f'through must be "steps", "path" or "nothing", and is {through!r}')
        if through == "steps" and _function(estimator) in (stl, dreg):
            raise ValueError(
                f'through="steps" differentiates the slope, and {_function(estimator).__name__} holds a part of q '
                "constant in it: use analytic_kl or pathwise"
            )
        check_num_samples(num_samples)
        self.encoder, self.joint, self.update = encoder, joint, update
        self.family = DiagonalGaussian(nn.Identity()) if family is None else family
        self.num_steps, self.num_samples = _checked_steps(num_steps), num_samples
        self.estimator, self.through = estimator, through

    @property
    def num_evaluations(self) -> int:
        """Evaluations of the decoder, each with its gradient, that q(z|x) of one datum costs; none of its bound's."""
        return self.num_steps * self.num_samples

    def forward(self, c: Tensor) -> td.Distribution:
        """The refined q, batch shape [B], for x of shape [B, D]; another one in each call, since slopes are sampled."""
        return self.family(self.parameters_along(c)[-1])

    def trajectory(self, x: Tensor, num_steps: int | None = None) -> list[td.Distribution]:
        """The q's on the way, from the encoder's to the one after ``num_steps`` (T, if none is named): T + 1 of them.

        With ``through="nothing"`` the first has the encoder's gradient and the others have none.
        """
        return [self.family(parameters) for parameters in self.parameters_along(x, num_steps)]

    def parameters_along(self, x: Tensor, num_steps: int | None = None) -> list[Tensor]:
        """The parameters on the way, T + 1 tensors [B, P]."""
        if x.ndim != 2:
            raise ValueError(f"x must be [B, D], for each datum is refined on its own, and has shape {list(x.shape)}")
        num_steps = self.num_steps if num_steps is None else _checked_steps(num_steps)
        start = parameters = full_precision(self.encoder(x))
        live, memory, path = torch.is_grad_enabled() and self.through != "nothing", None, []
        for _ in range(num_steps):
            if not (live and parameters.requires_grad):
                parameters = parameters.detach()
            with torch.enable_grad():  # validation, too, has to climb
                at = parameters
                if not (live and self.through == "steps" and parameters.requires_grad):
                    at = parameters.detach().requires_grad_()
                bound = bound_at(at, self.family, self.joint, x, self.num_samples, self.estimator)
                (slope,) = torch.autograd.grad(bound.sum(), at, create_graph=live and self.through == "steps")
            with torch.set_grad_enabled(live):
                parameters, memory = self.update(parameters, slope, memory)
            path.append(parameters)
        return [start, *path]


def bound_at(
    parameters: Tensor,
    family: Conditional,
    joint: LatentVariableModel,
    x: Tensor,
    num_samples: int,
    estimator: Callable[..., Tensor] = analytic_kl,
) -> Tensor:
    """The bound [B], in nats, of the q's with given parameters [B, P], by an estimator that asks a model for its q."""
    q = Given(_Held(parameters), family)
    return estimator(LatentVariableModel(joint.prior, joint.likelihood, q, joint.chunk_size), x, num_samples)


class _Held(nn.Module):
    """In the place of an encoder: given outputs, live, whatever the data."""

    def __init__(self, outputs: Tensor):
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs


def _function(estimator: Callable[..., Tensor]) -> Callable[..., Tensor]:
    while isinstance(estimator, partial):
        estimator = estimator.func
    return estimator


def _checked_steps(num_steps: int) -> int:
    if isinstance(num_steps, bool) or not isinstance(num_steps, int) or num_steps < 0:
        raise ValueError(f"num_steps must be a whole number of at least 0, and is {num_steps!r}")
    return num_steps
