"""Priors: what their parameters mean, beyond the tests that every slot shares (test_distributions.py)."""

import math

import pytest
import torch
from cases import seeded
from torch import nn

from vaecourse.priors import Categorical, FactorisedBernoulli, Fixed, MixtureOfGaussians, StandardNormal


def test_standard_normal_at_its_mode():
    torch.testing.assert_close(StandardNormal(5)().log_prob(torch.zeros(5)).item(), -2.5 * math.log(2 * math.pi))


def test_standard_normal_has_no_parameters_and_takes_the_models_dtype():
    prior = StandardNormal(2).double()
    assert not list(prior.parameters())
    assert prior().sample().dtype == torch.float64


def test_priors_read_nothing_of_a_context_but_its_batch():
    """As a q of every datum or a layer of a chain they have samples for each, not one for all."""
    for prior in (StandardNormal(2), MixtureOfGaussians(3, 2), Fixed(MixtureOfGaussians(3, 2)())):
        assert prior().batch_shape == torch.Size() and prior(torch.ones(5, 7, 4)).batch_shape == (5, 7)
        z = prior(torch.ones(7, 4)).sample()
        assert z.shape == (7, 2) and len(z.unique(dim=0)) == 7
        torch.testing.assert_close(prior(torch.ones(7, 4)).log_prob(z), prior().log_prob(z))


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


@pytest.mark.parametrize("family", [FactorisedBernoulli, Categorical])
def test_one_family_serves_two_slots(family):
    """As a prior its logits are learned from where they start; as a posterior a network gives them."""
    start = torch.tensor([0.3, -1.0, 2.0])
    prior = family(start)
    of = lambda q: getattr(q, "base_dist", q).logits  # noqa: E731
    logits = [of(prior()), of(prior(torch.zeros(4, 7)))]
    assert [tuple(value.shape) for value in logits] == [(3,), (4, 3)] and prior.logits.requires_grad
    torch.testing.assert_close(logits[1], logits[0].expand(4, 3))
    posterior = family(nn.Linear(7, 3))
    x = torch.randn(4, 7)
    expected = posterior.logits(x)
    expected = expected if family is FactorisedBernoulli else expected.log_softmax(-1)
    torch.testing.assert_close(of(posterior(x)), expected)
    for bad in (3, torch.ones(2, 2), torch.tensor([1, 2])):
        with pytest.raises(ValueError, match="logits must be a network or a tensor of real numbers"):
            family(bad)
