"""Relaxed estimators: a discrete z is made soft for the sake of a gradient, which is therefore biased."""

from __future__ import annotations

import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor

from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.model import LatentVariableModel, check_num_samples


def gumbel_softmax(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    temperature: float | Tensor = 1.0,
) -> Tensor:
    r"""The Gumbel-softmax (Concrete) estimator. *Biased*: the gradient is that of a model which decodes soft latents.

    .. math:: \tilde z = \mathrm{softmax}\big((\log \pi + g) / \tau\big), \qquad g_k \sim \mathrm{Gumbel}(0, 1)

    The largest entry of the soft sample is an exact sample of q(z|x), and the value is the bound at that hard sample.
    The gradient is that of log p(x|z) at the soft one; the KL is in closed form and has no bias. As the temperature
    falls the bias goes, and the variance grows without limit.

    Args:
        model: q(z|x) is one-hot or a factorised Bernoulli, and its KL from the prior is known to torch.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        temperature: tau, above 0.

    Returns:
        The evidence lower bound, [B], in nats.

    References:
        Jang, Gu & Poole (2017), section 2; Maddison, Mnih & Teh (2017), section 3 and appendix B for binary z.
    """
    q, soft, hard = _relaxed_sample(model, x, num_samples, temperature)
    kl = _kl(q, model)
    with torch.no_grad():
        value = model.log_likelihood(x, hard).mean(0) - kl
    return with_gradient_of(value, model.log_likelihood(x, soft).mean(0) - kl)


def straight_through(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    temperature: float | Tensor | None = None,
) -> Tensor:
    r"""The straight-through estimator. *Biased*: the decoder sees a hard z, and the gradient pretends that it was soft.

    Args:
        model: q(z|x) is one-hot or a factorised Bernoulli, and its KL from the prior is known to torch.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        temperature: None sends the gradient to the probabilities, as if z were its own mean; a number sends it to the
            Gumbel-softmax sample of that temperature whose hard version z is.

    Returns:
        The evidence lower bound, [B], in nats.

    References:
        Bengio, Leonard & Courville (2013); Jang, Gu & Poole (2017), section 2.2, with a temperature.
    """
    q, soft, hard = _relaxed_sample(model, x, num_samples, 1.0 if temperature is None else temperature)
    soft = q.mean if temperature is None else soft
    z = hard + (soft - soft.detach())
    return model.log_likelihood(x, z).mean(0) - _kl(q, model)


def _kl(q: td.Distribution, model: LatentVariableModel) -> Tensor:
    """KL(q || p(z)), [B]; torch's, between two Bernoullis, does not broadcast."""
    return td.kl_divergence(q, model.prior().expand(q.batch_shape))


def _relaxed_sample(
    model: LatentVariableModel, x: Tensor, num_samples: int, temperature: float | Tensor
) -> tuple[td.Distribution, Tensor, Tensor]:
    """q, soft samples [S, B, L] that carry a gradient, and the hard samples [S, B, L] that they round to."""
    check_num_samples(num_samples)
    if not isinstance(temperature, Tensor) and not temperature > 0:  # of a tensor, a GPU would have to be waited for
        raise ValueError(f"temperature must be above 0, and is {temperature}")
    q = model.qz_x(x)
    if isinstance(q, td.OneHotCategorical):
        noise = -(-_uniform(q, num_samples).log()).log()  # Gumbel
        soft = ((q.logits + noise) / temperature).softmax(-1)
        hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
    elif isinstance(q, td.Independent) and isinstance(q.base_dist, td.Bernoulli):
        noise = _uniform(q, num_samples).logit()  # logistic: the difference of two Gumbels
        soft = ((q.base_dist.logits + noise) / temperature).sigmoid()
        hard = (soft > 0.5).to(soft)
    else:
        raise ValueError(f"a relaxation needs a one-hot or a factorised Bernoulli q(z|x), and got {type(q).__name__}")
    return q, soft, hard.detach()


def _uniform(q: td.Distribution, num_samples: int) -> Tensor:
    """Uniform noise, one number for each of q's, [S, B, L], away from 0 and 1 where logarithms end."""
    logits = q.logits if isinstance(q, td.OneHotCategorical) else q.base_dist.logits
    tiny = torch.finfo(logits.dtype).eps
    return torch.rand((num_samples, *logits.shape), dtype=logits.dtype, device=logits.device).clamp(tiny, 1 - tiny)
