"""The posterior behind the importance-weighted bound: k proposals from q, of which one is kept by its weight."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import log_prob
from vaecourse.model import Draw, LatentVariableModel

ONE = torch.Size()
_ELEMENTS = 2**22  # of the largest intermediate


class Resampled(td.Distribution):
    r"""Sampling-importance-resampling: :math:`z_1, \dots, z_k \sim q(z|x)`, and one of them, chosen by its weight.

    Given the other proposals, the density of the one that is kept is up to its normaliser

    .. math:: \tilde q(z|x, z_{2:k}) = \frac{p(x, z)}{\frac1k \big(w(z) + \sum_{j=2}^k w(z_j)\big)}, \qquad
              w(z) = \frac{p(x, z)}{q(z|x)}

    and its law without them is :math:`q_{EW}(z|x) = E_{z_{2:k}}\, \tilde q(z|x, z_{2:k})`, which is q for k = 1 and
    goes to the posterior as k grows.

    ``model.draw(x, q=Resampled(model, x, k))`` has for its log q that of :math:`\tilde q` with the proposals that were
    at hand: the draw's log-weight is then :math:`\log \frac1k \sum_j w_j` of these proposals, its ``elbo`` the
    importance-weighted bound, with that bound's gradient. The density of q_EW itself is an expectation:
    :meth:`log_prob_estimate` samples it, and :func:`vaecourse.exact.importance_weighted` has it where z can be visited.

    Args:
        model: gives p(x, z), and q(z|x) where no other is given.
        x: data of shape [B, D].
        num_proposals: number k of proposals for each sample.
        q: the proposals' distribution, batch shape [B]; None for the model's posterior.

    References:
        Rubin (1988) for the resampling; Cremer, Morris & Duvenaud (2017), equations 3 to 6; Bachman & Precup (2015).

    Example:
        >>> from vaecourse.exact import two_state
        >>> x = torch.ones(1, 1).double()
        >>> q = Resampled(two_state(), x, num_proposals=100)
        >>> q.sample((3,)).shape, two_state().draw(x, 3, q=q).log_w.shape
        (torch.Size([3, 1, 2]), torch.Size([3, 1]))
    """

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector
    has_rsample = True  # of sample and ratio together; see rsample
    has_jumps = True  # which proposal is kept

    def __init__(self, model: LatentVariableModel, x: Tensor, num_proposals: int, q: td.Distribution | None = None):
        if num_proposals < 1:
            raise ValueError(f"num_proposals must be at least 1, and is {num_proposals}")
        self.model = model
        self.x = x
        self.num_proposals = num_proposals
        self.q = model.qz_x(x) if q is None else q
        super().__init__(self.q.batch_shape, self.q.event_shape, validate_args=False)

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples of q_EW, each from k proposals of its own, [*sample_shape, B, L], without a gradient."""
        return self.rsample_and_log_prob(sample_shape)[0]

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Refused: the choice among the proposals moves with the parameters too, and no sample would tell."""
        raise NotImplementedError("a resampled q has no reparameterised samples by themselves: draw, then take a bound")

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        r"""Samples [*shape, B, L] with :math:`\log \tilde q(z|x, z_{2:k})`, [*shape, B], given those not kept."""
        shape = torch.Size(shape)
        draw = self._proposals(shape.numel())
        kept = td.Categorical(logits=draw.log_w.detach().movedim(0, -1), validate_args=False).sample()  # [S, B]
        z = draw.z.gather(0, kept[None, ..., None].expand(1, *draw.z.shape[1:]))[0]  # [S, B, L]
        log_joint = (draw.log_px_z + draw.log_pz).gather(0, kept[None])[0]
        log_q = log_joint - draw.log_w.logsumexp(0) + math.log(self.num_proposals)
        return z.reshape(*shape, *z.shape[1:]), log_q.reshape(*shape, *log_q.shape[1:])

    def log_tilde(self, value: Tensor, log_w: Tensor) -> Tensor:
        r"""The unnormalised density :math:`\log \tilde q(z|x, z_{2:k})` at a value, in nats.

        Its mass is not one; that of its expectation over the other proposals is.

        Args:
            value: z, [N, B, L].
            log_w: log-weights of the k - 1 other proposals, [k - 1, B] or [k - 1, N, B].

        Returns:
            [N, B], in nats.
        """
        if len(log_w) != self.num_proposals - 1:
            raise ValueError(
                f"log_w must hold the weights of {self.num_proposals - 1} other proposals, and holds {len(log_w)}"
            )
        log_joint = self.model.log_joint(self.x, value)  # [N, B]
        own = log_joint - log_prob(self.q, value)
        total = torch.logaddexp(own, log_w.logsumexp(0)) if len(log_w) else own
        return log_joint - total + math.log(self.num_proposals)

    def log_prob(self, value: Tensor) -> Tensor:
        """Refused: q_EW has no density in closed form."""
        raise NotImplementedError(
            "the density of a resampled q is an expectation over the other proposals: see log_prob_estimate, "
            "or exact.importance_weighted"
        )

    @torch.no_grad()
    def log_prob_estimate(self, value: Tensor, num_sets: int = 1000) -> Tensor:
        r"""The logarithm of an unbiased estimate of the density of q_EW, [N, B], in nats.

        Args:
            value: z, [N, B, L].
            num_sets: over how many sets of k - 1 other proposals the density is averaged; all values share them.
        """
        if num_sets < 1:
            raise ValueError(f"num_sets must be at least 1, and is {num_sets}")
        log_joint = self.model.log_joint(self.x, value)
        own = log_joint - log_prob(self.q, value)  # [N, B]
        if self.num_proposals == 1:
            return log_joint - own
        others = self._proposals(num_sets, self.num_proposals - 1).log_w.logsumexp(0)  # [M, B]
        at_once = max(1, _ELEMENTS // others.numel())
        means = [
            -torch.logaddexp(part[:, None], others).neg().logsumexp(1) + math.log(num_sets)
            for part in own.split(at_once)
        ]  # [n, B] each: minus the log of the mean of one over the sum of weights
        return log_joint - torch.cat(means) + math.log(self.num_proposals)

    def _proposals(self, num_sets: int, size: int | None = None) -> Draw:
        """A draw whose parts are [k, M, B, ...], k proposals for each of M sets."""
        size = self.num_proposals if size is None else size
        draw = self.model.draw(self.x, size * num_sets, q=self.q)
        return Draw(*(part.reshape(size, num_sets, *part.shape[1:]) for part in draw))
