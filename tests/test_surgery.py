"""ELBO surgery: exact on finite latents, against quadrature, and saturated where the number of data decides."""

import copy
import math
import re

import pytest
import torch
import torch.distributions as td
from cases import belief_net, mixture_model, neural_model, z_scores
from methods import Implicit

from vaecourse import data
from vaecourse.evaluation import aggregate, elbo_surgery
from vaecourse.evaluation.aggregate import pairwise_log_prob
from vaecourse.exact import frozen_vae, linear_vae
from vaecourse.networks import MLP

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)
BITS = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 4)  # all 16 data of four pixels


def means(surgery):
    return [surgery.average_kl.mean, surgery.mutual_information.mean, surgery.marginal_kl.mean]


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
    assert short[0] < 1 / 3 < short[1] < 1
    assert -sum(s.bias.mean for s in above) / 5 < short[1]  # the bias that it admits is too small there


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


def test_its_table():
    surgery = elbo_surgery(mixture_model(), BITS)
    assert list(surgery.table()["mean"]) == [*means(surgery), surgery.bias.mean]
    assert list(surgery.table().index) == ["average KL", "mutual information", "marginal KL", "bias in N"]


def test_standard_errors_are_those_over_data():
    model = mixture_model().requires_grad_(False)
    surgery = elbo_surgery(model, BITS)
    information = surgery.log_q - surgery.log_aggregate
    assert surgery.mutual_information.se == pytest.approx((information.var() / 16).sqrt().item())
    torch.manual_seed(0)
    draw = model.draw(BITS, 4000)
    log_ratio = (draw.log_qz_x - draw.log_pz).mean(1)  # over data: what is left is the noise of the samples
    assert z_scores(log_ratio, torch.tensor(surgery.average_kl.mean, dtype=F64)).abs() < 4


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
