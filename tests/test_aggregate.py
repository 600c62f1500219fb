"""The aggregate posterior: exact on finite latents, and every pair scored in chunks, for any q with a density."""

import math
from typing import ClassVar

import pytest
import torch
import torch.distributions as td
from cases import belief_net, linear_gaussian_model, mixture_model, neural_model, z_scores
from test_surgery import BITS, means
from torch import nn

from vaecourse.distributions import Conditional, states
from vaecourse.evaluation import aggregate, elbo_surgery
from vaecourse.evaluation.aggregate import pairwise_log_prob
from vaecourse.exact import linear_vae
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import Categorical, FactorisedBernoulli

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)


# ------------------------------------------------------------------------------------------------ finite latents


def two_data(kind):
    """q(z|x_1) = (.9, .1), q(z|x_2) = (.1, .9) and p(z) = (.8, .2), as a category or as a bit that is the second."""
    net = nn.Linear(2, 2 if kind == "category" else 1, bias=False, dtype=F64)
    table = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=F64)
    with torch.no_grad():
        net.weight.copy_(table.log() if kind == "category" else torch.tensor([[0.1, 0.9]], dtype=F64).logit())
    if kind == "category":
        prior, posterior = Categorical(torch.tensor([0.8, 0.2], dtype=F64).log()), Categorical(net)
    else:
        prior, posterior = FactorisedBernoulli(torch.tensor([0.2], dtype=F64).logit()), FactorisedBernoulli(net)
    likelihood = Bernoulli(nn.Linear(2 if kind == "category" else 1, 2, dtype=F64))
    return LatentVariableModel(prior, likelihood, posterior), torch.eye(2, dtype=F64)


@pytest.mark.parametrize("kind", ["category", "bit"])
def test_two_data_by_hand(kind):
    """.591208 = .368064 + .223144: (.1 log .5 + .9 log 4.5 + .9 log 1.125 + .1 log .125) / 2, and q(z) is uniform."""
    surgery = elbo_surgery(*two_data(kind))
    average = 0.45 * math.log(4.5) + 0.5 * 0.9 * math.log(1.125) + 0.05 * math.log(0.5) + 0.05 * math.log(0.125)
    information = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    marginal = 0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2)
    assert means(surgery) == pytest.approx([average, information, marginal], abs=1e-10)
    assert means(surgery) == pytest.approx([0.591208, 0.368064, 0.223144], abs=5e-7)
    # Each half holds one datum, of which no index is to be told: all of the information comes with the second.
    assert surgery.bias.mean == pytest.approx(-information, abs=1e-10)
    assert surgery.ceiling == math.log(2)


def by_enumeration(model, x):
    """The three terms by the definitions, from the table of all probabilities q(z_k|x_n)."""
    z = states(model.prior())
    q = torch.stack([model.posterior(row[None]).log_prob(z) for row in x]).exp()  # [N, K]
    p, m = model.prior().log_prob(z).exp(), q.mean(0)
    return [(q * (q / p).log()).sum(1).mean(), (q * (q / m).log()).sum(1).mean(), (m * (m / p).log()).sum()]


@pytest.mark.parametrize("make", [belief_net, mixture_model])
@pytest.mark.parametrize("chunk_size", [1, 20, 1_000_000])
def test_finite_latents_are_summed_over(make, chunk_size):
    model = make().requires_grad_(False)
    surgery = elbo_surgery(model, BITS, chunk_size=chunk_size)
    assert means(surgery) == pytest.approx([value.item() for value in by_enumeration(model, BITS)], abs=1e-10)
    torch.testing.assert_close(surgery.log_q, expected_log_q(model, BITS), **EXACT)  # in the order of the data


def expected_log_q(model, x):
    q = model.posterior(x)
    return -(q.base_dist.entropy().sum(-1) if isinstance(q, td.Independent) else q.entropy())


def test_states_of_no_mass_count_as_nothing():
    """A q that is certain: z tells which of two it is, log 2, and 0 log 0 is 0."""
    model, x = two_data("category")
    model.posterior = Categorical(Certain())
    surgery = elbo_surgery(model, x)
    assert surgery.mutual_information.mean == pytest.approx(math.log(2), abs=1e-12)
    assert surgery.marginal_kl.mean == pytest.approx(0.223144, abs=5e-7)


class Certain(nn.Module):
    """Logits 0 for the state of the datum and -inf for the rest."""

    def forward(self, x):
        return x.log()


def test_samples_agree_with_the_sum(monkeypatch):
    """The same terms where the states are taken for too many: 20 seeds, z-scores below 4."""
    model = mixture_model().requires_grad_(False)
    exact = torch.tensor(means(elbo_surgery(model, BITS)), dtype=F64)
    monkeypatch.setattr(aggregate, "MOST_STATES", 2)
    estimates = torch.tensor([means(elbo_surgery(model, BITS, 50, seed=seed)) for seed in range(20)], dtype=F64)
    assert estimates.std(0).min() > 1e-4  # they were sampled
    assert z_scores(estimates, exact).abs().max() < 4


# ------------------------------------------------------------------------------------------------ pairs


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_matrix_product_is_the_density(scale):
    generator = torch.Generator().manual_seed(0)
    loc, z = (3 * torch.randn(40, 5, generator=generator, dtype=F64) for _ in range(2))
    q = td.Independent(td.Normal(loc, scale * (1 + torch.rand(40, 5, generator=generator, dtype=F64))), 1)
    z = torch.cat([z, loc])
    terms = ((z[:, None].abs() + loc.abs()) / q.base_dist.scale).square().sum(-1)  # what cancels, to so many roundings
    error = (pairwise_log_prob(q, z) - q.log_prob(z[:, None])).abs()
    assert (error <= 10 * torch.finfo(F64).eps * terms.clamp(min=1)).all()
    single = td.Independent(td.Normal(loc.float(), q.base_dist.scale.float()), 1)
    error = (pairwise_log_prob(single, loc.float()) - q.log_prob(loc[:, None])).diagonal().abs().max()
    assert error > 1e-6 / scale  # why it is not done in float32


class Own(td.Normal):
    """A Gaussian that is not recognised as one, and notes how large the tensors are that it is asked about."""

    sizes: ClassVar = []

    def log_prob(self, value):
        self.sizes.append(value.broadcast_to(torch.broadcast_shapes(value.shape, self.loc.shape)).numel())
        return super().log_prob(value)


class OtherGaussian(Conditional):
    def __init__(self, posterior):
        super().__init__()
        self.posterior = posterior

    def forward(self, c=None):
        base = self.posterior(c).base_dist
        return td.Independent(Own(base.loc, base.scale, validate_args=False), 1)


@pytest.mark.parametrize("chunk_size", [1, 10, 10_000])
def test_any_q_by_broadcasting(chunk_size):
    """The same samples scored pair by pair give the same numbers."""
    model = neural_model(2).requires_grad_(False)
    x = torch.randint(0, 2, (25, 3), generator=torch.Generator().manual_seed(0)).double()
    fast = elbo_surgery(model, x, chunk_size=chunk_size)
    model.posterior = OtherGaussian(model.posterior)
    Own.sizes.clear()
    slow = elbo_surgery(model, x, chunk_size=chunk_size)
    assert max(Own.sizes) <= max(2, chunk_size)  # two latents of one pair are the least
    torch.testing.assert_close(means(slow), means(fast), **EXACT)
    assert means(fast)[0] == pytest.approx(sum(means(fast)[1:]), abs=1e-12)  # the identity


@pytest.mark.parametrize("chunk_size", [1, 30, 400, 10_000])
def test_chunks_bound_the_memory_and_not_the_law(chunk_size, monkeypatch):
    pairs, encoded = [], []

    def counted(q, z):
        pairs.append(len(z) * q.batch_shape[0])
        return pairwise_log_prob(q, z)

    monkeypatch.setattr(aggregate, "pairwise_log_prob", counted)
    model = neural_model(2).requires_grad_(False)
    x = torch.randint(0, 2, (25, 3), generator=torch.Generator().manual_seed(0)).double()
    model.posterior.register_forward_pre_hook(lambda module, args: encoded.append(len(args[0])))
    runs = [means(elbo_surgery(model, x, 3, chunk_size, seed)) for seed in range(4)]
    assert max(pairs) <= chunk_size and sum(pairs) == 4 * 3 * 25 * 25
    assert max(encoded) <= max(1, math.isqrt(chunk_size)) and sum(encoded) == 4 * (25 + 1)
    monkeypatch.undo()
    others = [means(elbo_surgery(model, x, 3, 1_000_000, 100 + seed)) for seed in range(4)]
    one, other = (torch.tensor(part, dtype=F64) for part in (runs, others))
    assert ((one.mean(0) - other.mean(0)).abs() < 6 * (one.var(0) / 4 + other.var(0) / 4).sqrt() + 1e-9).all()


def test_a_full_covariance_is_scored_like_any_other():
    """Of the same linear model, turned: q is the exact posterior, correlated in one basis and not in the other."""
    weight = torch.tensor([[2.0, 0.0], [0.0, 0.5], [0.0, 0.0]], dtype=F64)
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=F64)
    full = linear_gaussian_model(3, 2, 0.7).requires_grad_(False)
    full.likelihood.net.weight.copy_(weight @ turn)
    variances = weight.square().sum(1) + 0.7**2
    diagonal = linear_vae(variances, 2, 1.0, 0.7, full.likelihood.net.bias).model().requires_grad_(False)
    torch.manual_seed(0)
    x = full.sample(300)
    assert full.posterior(x).covariance_matrix[0, 0, 1].abs() > 0.1
    one, other = (
        torch.tensor([means(elbo_surgery(model, x, 4, seed=seed)) for seed in range(12)], dtype=F64)
        for model in (full, diagonal)
    )
    assert z_scores(one - other, torch.zeros(3, dtype=F64)).abs().max() < 4.5
    assert one[:, 1].mean() > 1
