"""Bidirectional Monte Carlo: log p(x) between a lower and an upper estimate, on data that the model itself made."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse.evaluation.ais import Run
from vaecourse.evaluation.estimate import LogLikelihood
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded


class Sandwich(NamedTuple):
    """log p(x) between two estimates, with the data that it is of."""

    lower: LogLikelihood  # expectation at most log p(x)
    upper: LogLikelihood  # expectation at least log p(x)
    x: Tensor  # [B, D]
    z: Tensor  # [B, L], an exact sample of p(z|x) for each

    @property
    def width(self) -> Tensor:
        """Upper less lower, [B], in nats; its mean over data bounds the mean error of either."""
        return self.upper.log_px - self.lower.log_px


@torch.no_grad()
def bidirectional(
    model: LatentVariableModel,
    data: int | tuple[Tensor, Tensor],
    num_steps: int = 100,
    num_chains: int = 16,
    *,
    seed: int = 0,
    **options,
) -> Sandwich:
    r"""A stochastic lower and upper bound of log p(x) on simulated data, by annealed importance sampling both ways.

    .. math:: z \sim p(z), \quad x \sim p(x|z), \qquad
        \log\hat p_{\text{low}} = \log \frac1S \sum_{s=1}^S w_s, \qquad
        \log\hat p_{\text{up}} = \log \frac1S \Big(v + \sum_{s=2}^S w_s\Big)

    The z that made x is an exact sample of p(z|x), which no real datum comes with. From it a chain goes the way of
    :func:`ais` back, by the same kernels in the opposite order, and v is its weight. The forward chains' w have
    :math:`\mathbb E\, w = p(x)`; putting v in the place of one of them gives
    :math:`\mathbb E[1 / \hat p_{\text{up}}] = 1 / p(x)`, whatever the number of chains and however badly they mix. So

    .. math:: \mathbb E \log\hat p_{\text{low}} \le \log p(x) \le \mathbb E \log\hat p_{\text{up}}, \qquad
        P(\log\hat p_{\text{low}} > \log p + b) \le e^{-b}, \qquad P(\log\hat p_{\text{up}} < \log p - b) \le e^{-b}.

    This is a statement about expectations (over z given x as well) and not about every single datum: of narrow
    sandwiches many miss their log p(x) by a little. The mean width bounds the mean error of both. With T = 1 there is
    no kernel, and this is importance sampling with its reverse.

    On real data only the lower side remains. How wide the sandwich is on data from the model says how good these
    settings are there, as far as simulated data are like real ones.

    Args:
        model: the model.
        data: how many data to simulate, or (x, z) with x [B, D] and z [B, L] for which z is a sample of p(z|x).
        num_steps: number T of steps from beta = 0 to 1.
        num_chains: number S of chains per datum.
        seed: of the data and of all chains; the caller's random state is not changed.
        **options: as of :func:`ais`: start, schedule, num_leapfrog, make_kernel, step_sizes, target_acceptance,
            chunk_size, progress.

    Returns:
        The :class:`Sandwich`. Both sides share all forward chains but one, so that their width is much less noisy than
        either, and together they cost one chain more than the lower side. They also err together: of a single datum
        both may lie above log p(x), or below, by a standard error, which can be more than the width. The standard error
        of the upper side counts v among its weights.

    Raises:
        ValueError: as :func:`ais`; or data are neither a number nor a pair of matching tensors.

    References:
        Grosse, Ghahramani & Adams (2015), section 3; Grosse, Ancha & Roy (2016).

    Example:
        >>> from vaecourse.exact import linear_gaussian, linear_gaussian_marginal
        >>> weight = torch.randn(20, 5, generator=torch.Generator().manual_seed(0)).double() / 2
        >>> model = linear_gaussian(weight, torch.zeros(20).double(), scale=1.0)
        >>> sandwich = bidirectional(model, 50, num_steps=50)
        >>> log_px = linear_gaussian_marginal(model).log_prob(sandwich.x)
        >>> low, high = (side.log_px - log_px for side in (sandwich.lower, sandwich.upper))
        >>> noise = 3 * low.std() / 50**0.5  # three standard errors of a mean over the data
        >>> bool(low.mean() - noise < 0 < high.mean() + noise)
        True
    """
    x, z = _simulated(model, data, seed)
    run = Run(model, x, num_steps, seed=seed, **options).prepared()
    log_w, cost = run.forward(num_chains)
    log_v, _ = run.reverse(z)
    lower, upper = (run.estimate(weights, cost) for weights in (log_w, torch.cat([log_v, log_w[1:]])))
    return Sandwich(lower, upper, x, z)


def _simulated(model: LatentVariableModel, data: int | tuple[Tensor, Tensor], seed: int) -> tuple[Tensor, Tensor]:
    if isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Tensor) and part.ndim == 2 for part in data):
        x, z = data
        if len(x) != len(z):
            raise ValueError(f"data must be x and z of the same length, and have {len(x)} and {len(z)}")
        return x, z
    if isinstance(data, bool) or not isinstance(data, int) or data < 1:
        given = f"a tensor {list(data.shape)}" if isinstance(data, Tensor) else repr(data)
        raise ValueError(f"data must be how many to simulate, from 1, or a pair (x [B, D], z [B, L]), and is {given}")
    device = next(model.parameters(), torch.empty(0)).device
    with seeded(key(seed, "data"), device):
        z = model.prior().sample((data,))
        return model.likelihood(z).sample(), z
