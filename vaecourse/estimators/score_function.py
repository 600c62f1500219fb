"""The score-function estimator (REINFORCE): no derivative of the sample is needed, so that z may be discrete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.model import Draw, LatentVariableModel
from vaecourse.objectives import elbo

Baseline = float | Tensor | Callable[[Tensor], Tensor] | Literal["leave_one_out"] | None


def score_function(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    baseline: Baseline = None,
) -> Tensor:
    r"""The score-function estimator of the evidence lower bound's gradient, for any q that can be sampled and scored.

    .. math:: \nabla_\phi \mathcal L = E_q\big[(\log w - b)\, \nabla_\phi \log q(z|x)\big], \qquad
              \nabla_\theta \mathcal L = E_q\big[\nabla_\theta \log p(x, z)\big]

    A baseline b leaves the expectation alone, since the score has mean zero, *if it does not depend on the sample whose
    score it multiplies*; it may depend on x and on other samples.

    Args:
        model: any model; gradients never pass through its samples.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        baseline: b in nats. None for none; a number or a tensor [B]; a function of x that gives [B], such as a trained
            network; or ``"leave_one_out"``, for each sample the mean log-weight of the others (RLOO, VarGrad).

    Returns:
        The evidence lower bound, [B], in nats.

    Raises:
        ValueError: ``"leave_one_out"`` with a single sample, which has no others, or an unknown baseline.

    References:
        Williams (1992), theorem 1; Mnih & Gregor (2014), section 2.3; Kool, van Hoof & Welling (2019) for
        leave-one-out.
    """
    draw = model.draw(x, num_samples, through="density")
    return with_gradient_of(elbo(draw), _surrogate(draw, baseline_at(baseline, x, draw.log_w)))


class NVIL(nn.Module):
    r"""The score function with a learned baseline: a running mean of log w, plus a network of x for what is left.

    .. math:: b(x) = \bar\mu + \bar\sigma\, C_\psi(x)

    Neural variational inference and learning. Mean and standard deviation of the log-weights are running ones, so that
    the network's outputs are of order one whatever the number of pixels; it is fitted by least squares, along with the
    model and by the same optimiser. Without a network the baseline is constant. The network's parameters never change
    what the model's gradient is on average, only how much that gradient scatters.

    The paper divides the signal itself by the standard deviation, which rescales the encoder's gradient. That is left
    to the optimiser here, so that the gradient is the bound's.

    Args:
        net: C, from x [B, D] to [B] or [B, 1]; None for a constant.
        num_samples: number S of samples per datum, used where a call names none.
        decay: of the running moments, per training step.

    References:
        Mnih & Gregor (2014), section 2.3.
    """

    def __init__(self, net: nn.Module | None = None, num_samples: int = 1, decay: float = 0.8):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, and is {decay}")
        self.net = net
        self.num_samples = num_samples
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, model: LatentVariableModel, x: Tensor, num_samples: int | None = None) -> Tensor:
        """The evidence lower bound, [B], in nats, for x of shape [B, D]."""
        draw = model.draw(x, self.num_samples if num_samples is None else num_samples, through="density")
        baseline = self.baseline(x)  # [B]; made before the running moments take in the samples at hand
        log_w = draw.log_w.detach()  # [S, B]
        misfit = ((log_w - baseline) / self.scale).square().mean(0)
        if self.training and torch.is_grad_enabled():
            self._update(log_w)
        return with_gradient_of(elbo(draw), _surrogate(draw, baseline) - misfit)

    def baseline(self, x: Tensor) -> Tensor:
        """The baseline at x [B, D], of shape [B], in nats: what has been learned so far."""
        constant = self.mean.to(x.dtype).expand(len(x))  # 0 before the first step
        return constant if self.net is None else constant + self.scale.to(x.dtype) * self.net(x).reshape(len(x))

    @property
    def scale(self) -> Tensor:
        """The running standard deviation of log w in nats, at least 1."""
        return self.variance.clamp_min(1.0).sqrt()

    @torch.no_grad()
    def _update(self, log_w: Tensor) -> None:
        """Exponential moving averages whose weights sum to one from the first step on."""
        self.weight.mul_(self.decay).add_(1 - self.decay)
        rate = (1 - self.decay) / self.weight
        self.variance.lerp_((log_w - log_w.mean()).square().mean().to(self.variance), rate)
        self.mean.lerp_(log_w.mean().to(self.mean), rate)


def baseline_at(baseline: Baseline, x: Tensor, signal: Tensor) -> Tensor | float:
    """The baseline as something that broadcasts against the signal [S, B] or, per latent, [S, B, L]."""
    if baseline is None:
        return 0.0
    if isinstance(baseline, str):
        if baseline != "leave_one_out":
            raise ValueError(f'baseline must be None, a number, a function of x or "leave_one_out", not {baseline!r}')
        return mean_of_others(signal.detach())
    value = baseline(x).detach() if callable(baseline) else torch.as_tensor(baseline, dtype=x.dtype, device=x.device)
    if value.ndim == 0:
        return value
    if value.numel() != len(x):
        raise ValueError(f"baseline must be one number or one per datum, [{len(x)}], and has shape {list(value.shape)}")
    return value.reshape(-1, *[1] * (signal.ndim - 2))


def mean_of_others(values: Tensor) -> Tensor:
    """For each of S samples [S, ...] the mean of the S - 1 others."""
    num_samples = len(values)
    if num_samples < 2:
        raise ValueError(f"leave-one-out needs num_samples of at least 2, and it is {num_samples}")
    return (values.sum(0) - values) / (num_samples - 1)


def _surrogate(draw: Draw, baseline: Tensor | float) -> Tensor:
    """[B]; its gradient is (log w - b) times the score, and that of log p(x, z) as it is."""
    signal = draw.log_w.detach() - (baseline.detach() if isinstance(baseline, Tensor) else baseline)
    return (draw.log_px_z + draw.log_pz + signal * draw.log_qz_x).mean(0)
