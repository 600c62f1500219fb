"""Priors: what their parameters mean, beyond the tests that every slot shares (test_distributions.py)."""

import math
from functools import partial

import pytest
import torch
import torch.distributions as td
from cases import seeded
from torch import nn

from vaecourse.distributions import Chain, responsibilities
from vaecourse.estimators import dreg, pathwise, score_function, stl
from vaecourse.evaluation import elbo_surgery
from vaecourse.likelihoods import Bernoulli, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, start_at
from vaecourse.objectives import iwae
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import (
    Categorical,
    ConditionalMixture,
    FactorisedBernoulli,
    Fixed,
    MixtureOfGaussians,
    StandardNormal,
    VampPrior,
)


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


# ------------------------------------------------------------------------------------------------ VampPrior


def test_vamp_prior_is_the_mean_of_the_posteriors_at_its_inputs():
    q = seeded(lambda: DiagonalGaussian(MLP(5, (4,), 4)))
    inputs = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    prior = VampPrior(q, 16 * inputs, high=16).double()
    torch.testing.assert_close(prior.inputs, 16 * inputs, rtol=0, atol=1e-5)  # kept in float32 first
    z = torch.randn(7, 2, dtype=torch.float64)
    expected = q(prior.inputs).log_prob(z[:, None]).logsumexp(1) - math.log(3)
    torch.testing.assert_close(prior().log_prob(z), expected, rtol=1e-12, atol=1e-12)


def test_vamp_prior_samples_each_of_its_components():
    """Narrow posteriors far apart: each has its third of the samples, to 4 standard errors, and none lies between."""
    q = DiagonalGaussian(nn.Linear(1, 2))
    with torch.no_grad():
        q.net.weight.copy_(torch.tensor([[100.0], [0.0]])), q.net.bias.copy_(torch.tensor([0.0, -3.0]))
    prior = VampPrior(q, torch.tensor([[0.1], [0.5], [0.9]]))
    torch.manual_seed(0)
    z = prior().sample((9000,))[:, 0]
    distance, nearest = (z[:, None] - torch.tensor([10.0, 50.0, 90.0])).abs().min(1)
    assert distance.max() < 5 * math.exp(-3)
    counts = nearest.bincount(minlength=3)
    assert ((counts - 3000).abs() < 4 * math.sqrt(9000 * 2 / 9)).all(), counts


def test_vamp_prior_is_the_best_of_all_priors_where_its_inputs_are_the_data():
    """Then p(z) = q(z), and no marginal KL is left: to 1e-5, for pseudo-inputs start in float32."""
    x = 0.1 + 0.8 * torch.rand(40, 6, generator=torch.Generator().manual_seed(0)).double()
    q = seeded(lambda: DiagonalGaussian(start_at(MLP(6, (8,), 4), torch.tensor([1.0, -1.0, 0.0, -1.0]))))
    vamp = LatentVariableModel(VampPrior(q, x).double(), Gaussian(MLP(2, (), 6)).double(), q)
    assert abs(elbo_surgery(vamp, x).marginal_kl.mean) < 1e-5
    vamp.prior = StandardNormal(2).double()
    assert elbo_surgery(vamp, x).marginal_kl.mean > 0.1


def test_vamp_prior_shares_the_posterior():
    """The state holds the encoder once by its tensors, and a bound's gradient reaches it along both ways."""
    q = DiagonalGaussian(nn.Linear(6, 4))
    model = LatentVariableModel(VampPrior(q, torch.rand(3, 6)), Bernoulli(MLP(2, (), 6)), q)
    assert model.prior.posterior is model.posterior
    assert len(list(model.parameters())) == 1 + 2 + 2  # inputs, encoder, decoder
    log_pz = model.prior().log_prob(torch.ones(2))
    slopes = torch.autograd.grad(log_pz, [model.prior.logits, *q.parameters()])
    assert all(slope.abs().max() > 0 for slope in slopes)


@pytest.mark.parametrize(
    "bound", [pathwise, stl, dreg, partial(score_function, num_samples=4), partial(pathwise, objective=iwae)]
)
def test_a_bound_calls_the_prior_once(bound):
    q = DiagonalGaussian(nn.Linear(6, 4))
    model = LatentVariableModel(VampPrior(q, torch.rand(3, 6)), Bernoulli(MLP(2, (), 6)), q, chunk_size=2)
    calls = []
    model.prior.register_forward_hook(lambda *_: calls.append(1))
    bound(model, torch.zeros(5, 6))
    assert len(calls) == 1


def test_pseudo_inputs_from_data():
    x = torch.arange(24.0).reshape(4, 6)
    q = DiagonalGaussian(nn.Linear(6, 4))
    prior = VampPrior.from_data(q, x, num_inputs=4)
    assert (prior.low, prior.high) == (0, 23)
    rows = (prior.inputs[:, None] - x.clamp(0.05 * 23, 0.95 * 23)).abs().amax(-1).argmin(1)
    assert sorted(rows.tolist()) == [0, 1, 2, 3]
    for number in (0, 5):
        with pytest.raises(
            ValueError, match=f"num_inputs must be between 1 and the number of data, 4, and is {number}"
        ):
            VampPrior.from_data(q, x, number)
    with pytest.raises(ValueError, match=r"inputs must be \[K, D\] with values in 0..1, .* with values in 0..23"):
        VampPrior(q, x)
    with pytest.raises(ValueError, match="low must be below high"):
        VampPrior(q, x, 1.0, 1.0)


# ------------------------------------------------------------------------------------------------ clusters


def test_conditional_mixture_and_responsibilities_by_hand():
    """Bayes' rule over three components whose parameters the context moves."""
    mixture = seeded(lambda: ConditionalMixture(MLP(2, (4,), 3 * 2 * 2), 3))
    with torch.no_grad():
        mixture.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
    c, z = torch.randn(5, 2, dtype=torch.float64), torch.randn(7, 5, 2, dtype=torch.float64)
    outputs = mixture.net(c).reshape(5, 3, 4)
    joint = []
    for k, weight in enumerate(mixture.logits.softmax(0)):
        normal = td.Normal(outputs[:, k, :2], outputs[:, k, 2:].exp())
        joint.append(weight * normal.log_prob(z).sum(-1).exp())
    joint = torch.stack(joint, -1)  # [7, 5, 3]
    torch.testing.assert_close(mixture(c).log_prob(z).exp(), joint.sum(-1))
    torch.testing.assert_close(responsibilities(mixture(c), z), joint / joint.sum(-1, keepdim=True))


def test_gmvae_sums_its_clusters_out():
    """log p(z) of the chain against the logarithm of a sum over clusters, written out, to 1e-12."""
    second = seeded(lambda: ConditionalMixture(MLP(2, (4,), 4 * 2 * 3), 4))
    prior = Chain(StandardNormal(2).double(), second, (2, 3))
    z = torch.randn(6, 5, dtype=torch.float64)
    top, bottom = z.split([2, 3], -1)
    components = second(top).component_distribution
    one_by_one = [components.log_prob(bottom[:, None])[:, k] - math.log(4) for k in range(4)]
    expected = StandardNormal(2).double()().log_prob(top) + torch.stack(one_by_one).logsumexp(0)
    torch.testing.assert_close(prior().log_prob(z), expected, rtol=1e-12, atol=1e-12)


def test_clusters_take_only_what_fits():
    with pytest.raises(ValueError, match="num_components must be at least 1, and is 0"):
        ConditionalMixture(nn.Identity(), 0)
    with pytest.raises(ValueError, match="net must give a multiple of 6 outputs, and gives 8"):
        ConditionalMixture(nn.Linear(2, 8), 3)(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="mixture must be a mixture, and is Independent"):
        responsibilities(StandardNormal(2)(), torch.zeros(2))
