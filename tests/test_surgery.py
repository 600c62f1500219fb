"""ELBO surgery: exact on finite latents, against quadrature, and saturated where the number of data decides."""

import copy
import math
import re

import pytest
import torch
import torch.distributions as td
from cases import belief_net, mixture_model, neural_model, z_scores
from methods import Implicit
from torch import nn

from vaecourse import data
from vaecourse.distributions import Conditional, states
from vaecourse.evaluation import aggregate, elbo_surgery
from vaecourse.evaluation.aggregate import pairwise_log_prob
from vaecourse.exact import frozen_vae, linear_vae
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import rate
from vaecourse.posteriors import Categorical, FactorisedBernoulli

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)
BITS = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 4)  # all 16 data of four pixels


def means(surgery):
    return [surgery.average_kl.mean, surgery.mutual_information.mean, surgery.marginal_kl.mean]


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
    torch.testing.assert_close(pairwise_log_prob(q, z), q.log_prob(z[:, None]), rtol=1e-12, atol=1e-8 * scale**-0.5)
    single = td.Independent(td.Normal(loc.float(), q.base_dist.scale.float()), 1)
    error = (pairwise_log_prob(single, loc.float()) - q.log_prob(loc[:, None])).diagonal().abs().max()
    assert error > 1e-6 / scale  # why it is not done in float32


class Own(td.Normal):
    """A Gaussian that is not recognised as one."""


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
    slow = elbo_surgery(model, x, chunk_size=chunk_size)
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


# ------------------------------------------------------------------------------------------------ known answers


def test_frozen_vae_against_quadrature():
    """3.0629 = 2.9559 + 0.1069 on the test digits, on a grid of two dimensions; 20 seeds, z-scores below 4."""
    model, x = frozen_vae(), data.load("digits", "test", protocol="fixed").realise().double()
    axis = torch.linspace(-7, 7, 401, dtype=F64)
    grid, q = torch.cartesian_prod(axis, axis), model.posterior(x)
    base = q.base_dist
    assert base.scale.min() > 14 / 400  # a spacing at which the trapezoid rule is exact to 1e-8
    log_marginal = torch.cat([pairwise_log_prob(q, part).logsumexp(1) for part in grid.split(5000)]) - math.log(len(x))
    mass = (log_marginal + 2 * math.log(14 / 400)).exp()
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    marginal = (mass * (log_marginal - model.prior().log_prob(grid))).sum().item()
    average = td.kl_divergence(q, model.prior()).mean().item()
    assert [average, average - marginal, marginal] == pytest.approx([3.0629, 2.9559, 0.1069], abs=1e-4)
    surgeries = [elbo_surgery(model, x, 4, seed=seed) for seed in range(20)]
    estimates = torch.tensor([means(surgery) for surgery in surgeries], dtype=F64)
    exact = torch.tensor([average, average - marginal, marginal], dtype=F64)
    assert z_scores(estimates, exact).abs().max() < 4
    assert not any(surgery.saturated for surgery in surgeries)


def informed(information, num_latents, num_data, seed=0):
    """A model whose q is its exact posterior, with so many nats of information spread evenly, and data from it."""
    signal = math.exp(2 * information / num_latents)
    best = linear_vae(torch.full((num_latents,), signal, dtype=F64), num_latents)
    model = best.model().requires_grad_(False)
    assert best.rate == pytest.approx(information)
    torch.manual_seed(seed)
    return model, model.sample(num_data)


def test_it_says_when_the_number_of_data_decides():
    """One nat in each of 2, 8, 16 latents: 1,000 data cannot show more than log 1,000 = 6.91."""
    known = elbo_surgery(*informed(2, 2, 1000), 4)
    assert not known.saturated
    assert abs(known.mutual_information.mean - 2) < 4 * known.mutual_information.se - known.bias.mean
    assert known.marginal_kl.mean == pytest.approx(0, abs=0.03)
    missed, growth = [], []
    for information in (8, 16):
        surgery = elbo_surgery(*informed(information, information, 1000), 4)
        assert surgery.saturated and surgery.mutual_information.mean < surgery.ceiling < 6.91
        missed.append(information - surgery.mutual_information.mean)
        growth.append(-surgery.bias.mean)
        # What is missed is booked as marginal KL, where the truth is none.
        assert surgery.marginal_kl.mean == pytest.approx(missed[-1], abs=0.5)
    assert 1.4 < missed[0] < 2 and 9 < missed[1] < 9.2  # the first is two nats below its ceiling, and says so
    assert 0.4 < growth[0] < 0.6 and math.log(2) - 0.01 < growth[1] < math.log(2)


@pytest.mark.parametrize("num_latents", [2, 8, 16])
def test_the_line_is_where_a_third_of_a_nat_is_missed(num_latents):
    """Over five draws of 1,000 data, on both sides of the line."""
    below = [elbo_surgery(*informed(4, num_latents, 1000, seed), 4) for seed in range(5)]
    above = [elbo_surgery(*informed(6, num_latents, 1000, seed), 4) for seed in range(5)]
    assert not any(surgery.saturated for surgery in below) and all(surgery.saturated for surgery in above)
    short = [
        4 - sum(s.mutual_information.mean for s in below) / 5,
        6 - sum(s.mutual_information.mean for s in above) / 5,
    ]
    assert 0 < short[0] < 1 / 3 < short[1] < 1
    growth = [-sum(s.bias.mean for s in group) / 5 for group in (below, above)]
    assert growth[0] < short[0] and growth[1] < short[1]  # the bias that it admits is too small


def test_the_information_grows_with_the_number_of_data():
    """From half of the data to all of them by the bias, up to its noise: as a second run on half of them says too."""
    model, x = informed(5, 8, 1000)
    whole = elbo_surgery(model, x, 8)
    halves = [elbo_surgery(model, part, 8) for part in x.split(500)]
    growth = whole.mutual_information.mean - sum(half.mutual_information.mean for half in halves) / 2
    assert -whole.bias.mean == pytest.approx(growth, abs=4 * whole.bias.se)
    assert 0.1 < -whole.bias.mean < math.log(2)


def test_sorted_data_are_split_at_random():
    """Halves in the order of the data would be two clusters, and look like saturation."""
    model, x = informed(1, 2, 400)
    x = x[x[:, 0].argsort()]
    surgery = elbo_surgery(model, x, 4)
    assert -surgery.bias.mean < 0.03
    in_order = aggregate.sampled_averages(([model.posterior(x[:200])], [model.posterior(x[200:])]), model.prior(), 4)
    assert (in_order[2] - in_order[1]).mean() > 0.15


# ------------------------------------------------------------------------------------------------ its answer


def test_statements():
    true = elbo_surgery(*informed(2, 2, 1000))
    full = elbo_surgery(*informed(16, 16, 100))
    pattern = (
        r".* information, 1\.\d\d nats \(s\.e\. 0\.03\), is not saturated: log N = 6\.91, and it grew by 0\.0\d\d of .*"
    )
    assert re.fullmatch(pattern, true.statement)
    assert full.statement.startswith(
        "The mutual information, 4.61 nats (s.e. 0.00), is saturated: N = 100 data allow log"
    )
    assert "true one may be any number above it" in full.statement
    assert str(true).endswith(true.statement) and re.match(r"\d\.\d{4} = \d\.\d{4} \+ \d\.\d{4} nats\. ", str(true))


def test_standard_errors_are_those_over_data():
    model = mixture_model().requires_grad_(False)
    surgery = elbo_surgery(model, BITS)
    information = surgery.log_q - surgery.log_aggregate
    assert surgery.mutual_information.se == pytest.approx((information.var() / 16).sqrt().item())
    torch.manual_seed(0)
    sampled = rate(model.draw(BITS, 4000)).mean().item()
    assert surgery.average_kl.mean == pytest.approx(sampled, abs=0.02)


def test_the_seed_and_the_callers_noise():
    model, x = neural_model(2).requires_grad_(False), BITS[:, :3]
    before = torch.get_rng_state()
    first, again, other = (elbo_surgery(model, x, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert means(first) == means(again) and means(first) != means(other)


def test_a_model_in_float32_is_scored_in_float64():
    model, x = neural_model(2).requires_grad_(False), BITS[:, :3]
    double = elbo_surgery(model, x)
    single = elbo_surgery(copy.deepcopy(model).float(), x.float())
    assert single.log_q.dtype == F64 and next(model.parameters()).dtype == F64
    torch.testing.assert_close(means(single), means(double), rtol=0, atol=1e-5)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "num_samples must be at least 1, and is 0"),
        ({"chunk_size": 0}, "chunk_size must be at least 1, and is 0"),
        ({"x": BITS[:1, :3]}, r"x must hold at least two data, of which z tells one; got \[1, 3\]"),
        ({"x": 0.5 * BITS[:, :3]}, r"Bernoulli on 0 and 1, and has values such as 0\.5"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        elbo_surgery(neural_model(), **{"x": BITS[:, :3], **options})


def test_a_q_without_a_density_is_refused_by_name():
    model = neural_model(num_latents=4)
    model.posterior = Implicit(MLP(3 + 8, (4,), 4).double())
    with pytest.raises(ValueError, match=r"elbo_surgery needs a q\(z\|x\) with a density, and Pushed has none"):
        elbo_surgery(model, BITS[:, :3])


def test_a_prior_that_is_no_number_is_named():
    model = belief_net()
    with torch.no_grad():
        model.prior.logits[0] = torch.nan
    with pytest.raises(
        ValueError, match=r"p\(z\) has parameters that are not a number, because the weights prior.logits"
    ):
        elbo_surgery(model, BITS)


@pytest.mark.parametrize("make", [neural_model, belief_net, mixture_model])
def test_weights_that_are_no_numbers_are_named(make):
    model, x = make(), BITS[:, :3] if make is neural_model else BITS
    name, weight = next(iter(model.posterior.named_parameters()))
    with torch.no_grad():
        weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=rf"not a number, because the weights posterior.{name} are not all finite"):
        elbo_surgery(model, x)
