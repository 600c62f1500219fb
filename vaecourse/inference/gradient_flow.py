"""Gradient ascent as a posterior: samples of q climb log p(x, z) for T steps, and the entropy they lose is counted."""

from __future__ import annotations

from typing import Literal

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import log_prob
from vaecourse.model import Draw, LatentVariableModel, check_num_samples


def gradient_flow(
    model: LatentVariableModel,
    x: Tensor,
    q: td.Distribution,
    num_steps: int,
    step_size: float,
    num_samples: int = 100,
    log_det: Literal["probe", "exact"] = "probe",
) -> list[Draw]:
    r"""The implicit posteriors of an optimiser that was stopped after 0, 1, ... T steps.

    .. math:: z_{t+1} = z_t + a\, \nabla_z \log p(x, z_t), \qquad
              \log q_{t+1}(z_{t+1}) = \log q_t(z_t) - \log\big|\det\big(I + a H(z_t)\big)\big|

    with H the Hessian of :math:`\log p(x, z)`. Ascent narrows a distribution where the density is concave, so that the
    bound of :math:`q_t` first rises and then falls: early stopping has an optimum that needs no held-out data.

    ``log_det="exact"`` builds the Hessian, L products with it a step. "probe" takes two, with one random vector r:

    .. math:: r^\top\big(-2 I + 3 J - J^2\big) r, \quad J = I + a H, \qquad
              \text{whose mean is } \sum_l -a\lambda_l - a^2\lambda_l^2 \;\le\; \log\det J

    for eigenvalues :math:`\lambda_l` of -H with :math:`a \lambda_l < 0.68`. Beyond, what comes out is no bound.

    Args:
        model: gives log p(x, z); it is not changed.
        x: data of shape [B, D].
        q: where the samples start, batch shape [B].
        num_steps: T.
        step_size: a, positive.
        num_samples: samples per datum.
        log_det: as above.

    Returns:
        The draws of q_0 to q_T, T + 1 of them, without a gradient; ``elbo`` of each is the bound of that q.

    Raises:
        ValueError: an argument is out of its range.

    References:
        Duvenaud, Maclaurin & Adams (2016), algorithms 1 and 2.
    """
    check_num_samples(num_samples)
    if num_steps < 0:
        raise ValueError(f"num_steps must be at least 0, and is {num_steps}")
    if not step_size > 0:
        raise ValueError(f"step_size must be positive, and is {step_size}")
    if log_det not in ("probe", "exact"):
        raise ValueError(f'log_det must be "probe" or "exact", and is {log_det!r}')
    with torch.no_grad():
        z = q.sample((num_samples,))
        log_q = log_prob(q, z)
        draws = [model.score(x, z, log_q)]
    for _ in range(num_steps):
        with torch.enable_grad():
            live = z.requires_grad_()
            (slope,) = torch.autograd.grad(model.log_joint(x, live).sum(), live, create_graph=True)
            log_q = log_q - (_probed if log_det == "probe" else _exact)(slope, live, step_size)
        z = (live + step_size * slope).detach()
        with torch.no_grad():
            draws.append(model.score(x, z, log_q))
    return draws


def _exact(slope: Tensor, z: Tensor, step_size: float) -> Tensor:
    """log |det(I + a H)|, [S, B]; samples do not meet, so that the slope's sums keep their Hessians apart."""
    rows = [torch.autograd.grad(part.sum(), z, retain_graph=True)[0] for part in slope.unbind(-1)]
    hessian = torch.stack(rows, -2).detach()  # [S, B, L, L]
    eye = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    return torch.linalg.slogdet(eye + step_size * hessian)[1]


def _probed(slope: Tensor, z: Tensor, step_size: float) -> Tensor:
    """The estimate of log det(I + a H) by one probe, [S, B]."""

    def through_jacobian(vector: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(slope, z, vector, retain_graph=True)
        return vector + step_size * product

    r_0 = torch.randn_like(z)
    r_1 = through_jacobian(r_0)
    r_2 = through_jacobian(r_1)
    return (r_0 * (-2 * r_0 + 3 * r_1 - r_2)).sum(-1).detach()
