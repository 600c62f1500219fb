"""Priors: what their parameters mean, beyond the tests that every slot shares (test_distributions.py)."""

import math

import torch
from cases import seeded

from vaecourse.priors import MixtureOfGaussians, StandardNormal


def test_standard_normal_at_its_mode():
    torch.testing.assert_close(StandardNormal(5)().log_prob(torch.zeros(5)).item(), -2.5 * math.log(2 * math.pi))


def test_standard_normal_has_no_parameters_and_takes_the_models_dtype():
    prior = StandardNormal(2).double()
    assert not list(prior.parameters())
    assert prior().sample().dtype == torch.float64


def test_priors_ignore_the_context():
    for prior in (StandardNormal(2), MixtureOfGaussians(3, 2)):
        assert prior(torch.ones(7, 4)).batch_shape == torch.Size()


def test_mixture_by_hand():
    prior = seeded(lambda: MixtureOfGaussians(3, 2))
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
        prior.log_scale.normal_(generator=torch.Generator().manual_seed(0))
    z = torch.randn(5, 2, dtype=torch.float64)
    scale = prior.log_scale.exp()
    densities = (-(((z[:, None] - prior.loc) / scale) ** 2) / 2).exp() / (scale * math.sqrt(2 * math.pi))  # [5, K, L]
    expected = (densities.prod(-1) * prior.logits.softmax(0)).sum(-1).log()
    torch.testing.assert_close(prior().log_prob(z), expected, rtol=1e-12, atol=1e-12)


def test_mixture_far_from_every_component_stays_finite():
    assert seeded(lambda: MixtureOfGaussians(3, 2))().log_prob(torch.full((2,), 1e3).double()).isfinite()


def test_mixture_starts_with_spread_components():
    loc = seeded(lambda: MixtureOfGaussians(2000, 2, spread=3.0)).loc
    # 4,000 draws: the sample standard deviation has a relative standard error of 1 / sqrt(8000) = 0.011.
    assert abs(loc.std().item() / 3 - 1) < 4 * 0.0112
