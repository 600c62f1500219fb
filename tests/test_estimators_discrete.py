"""Estimators for latents that cannot be reparameterised: unbiased against enumeration, and the biased ones caught."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.distributions as td
import torch.nn.functional as F
from cases import belief_net, in_chunks, mixture_model, neural_model, two_state
from torch import nn

from vaecourse.distributions import FactorisedBernoulli
from vaecourse.estimators import (
    NVIL,
    gumbel_softmax,
    iwae_score_function,
    optimal_control_variate,
    rao_blackwellised,
    score_function,
    straight_through,
    vimco,
)
from vaecourse.estimators.bench import gradient_bench
from vaecourse.estimators.control_variates import scores
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.estimators.vimco import bound_without
from vaecourse.exact import enumerated_bound
from vaecourse.inference import PerDatum
from vaecourse.likelihoods import Bernoulli
from vaecourse.networks import MLP
from vaecourse.objectives import elbo, iwae

F64 = torch.float64
MODELS = {"two_state": partial(two_state, q=(0.4, 0.6)), "belief_net": belief_net, "mixture": mixture_model}
DATA = {
    "two_state": torch.ones(1, 1, dtype=F64),
    "belief_net": torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=F64),
    "mixture": torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=F64),
}
rloo = partial(score_function, baseline="leave_one_out")


def trained_nvil(model, x):
    """An NVIL whose mean and network have seen the data, and are far from zero."""
    torch.manual_seed(3)
    nvil = NVIL(MLP(x.shape[1], (4,), 1).double())
    for _ in range(20):
        nvil(model, x)
    assert abs(nvil.mean) > 0.5
    return nvil


def input_dependent(model, x):
    return partial(score_function, baseline=seeded_network(x.shape[1]))


def seeded_network(num_data_dims):
    torch.manual_seed(5)
    return MLP(num_data_dims, (4,), 1).double()


UNBIASED = {
    "score_function": lambda model, x: score_function,
    "constant": lambda model, x: partial(score_function, baseline=-2.0),
    "any function of x": lambda model, x: partial(score_function, baseline=lambda x: 3 * x.mean(-1) - 2),
    "input-dependent": input_dependent,
    "nvil": trained_nvil,
    "leave-one-out, 2": lambda model, x: partial(rloo, num_samples=2),
    "leave-one-out, 5": lambda model, x: partial(rloo, num_samples=5),
    "optimal_control_variate, 2": lambda model, x: partial(optimal_control_variate, num_samples=2),
    "optimal_control_variate, 5": lambda model, x: partial(optimal_control_variate, num_samples=5),
}
FACTORISED = {
    "rao_blackwellised": lambda model, x: rao_blackwellised,
    "rao_blackwellised, constant": lambda model, x: partial(rao_blackwellised, baseline=-2.0),
    "rao_blackwellised, leave-one-out": lambda model, x: partial(
        rao_blackwellised, num_samples=3, baseline="leave_one_out"
    ),
}
NUM_DRAWS = 100_000


def bench(model, x, estimator, exact=enumerated_bound, num_draws=NUM_DRAWS):
    return gradient_bench(model, x, {"it": estimator}, exact, num_draws, parameters="")["it"]


# ------------------------------------------------------------------------------- unbiased, over all model parameters


@pytest.mark.parametrize("model_name", MODELS)
@pytest.mark.parametrize("name", UNBIASED)
def test_unbiased(name, model_name):
    """The largest of P z-scores of 1e5 draws exceeds the bench's threshold with probability 1e-3 at most."""
    torch.manual_seed(0)
    model, x = MODELS[model_name](), DATA[model_name]
    result = bench(model, x, UNBIASED[name](model, x))
    assert result.num_tests >= 4
    assert result.max_abs_z < result.threshold


@pytest.mark.parametrize("name", FACTORISED)
def test_unbiased_where_q_factorises(name):
    model, x = belief_net(), DATA["belief_net"]
    result = bench(model, x, FACTORISED[name](model, x))
    assert result.max_abs_z < result.threshold


@pytest.mark.parametrize("model_name", MODELS)
@pytest.mark.parametrize("num_samples", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [iwae_score_function, vimco, partial(vimco, mean="arithmetic")],
    ids=["plain", "geometric", "arithmetic"],
)
def test_unbiased_for_the_importance_weighted_bound(estimator, num_samples, model_name):
    model, x = MODELS[model_name](), DATA[model_name]
    exact = partial(enumerated_bound, objective=iwae, num_samples=num_samples)
    result = bench(model, x, partial(estimator, num_samples=num_samples), exact, 50_000)
    assert result.max_abs_z < result.threshold


# ------------------------------------------------------------------------------------------------- biased, and caught


def _own_sample_in_the_baseline(model, x, num_samples=3):
    """The mean over all samples, the scored one included."""
    draw = model.draw(x, num_samples, through="density")
    signal = draw.log_w.detach() - draw.log_w.detach().mean(0)
    return with_gradient_of(elbo(draw), (draw.log_px_z + draw.log_pz + signal * draw.log_qz_x).mean(0))


def _baseline_of_z(model, x):
    """Half the log-weight itself: a baseline that saw its sample."""
    draw = model.draw(x, 1, through="density")
    return with_gradient_of(elbo(draw), (draw.log_px_z + draw.log_pz + 0.5 * draw.log_w.detach() * draw.log_qz_x)[0])


def _entropy_forgotten(model, x):
    """The signal is log p(x, z), without - log q."""
    draw = model.draw(x, 1, through="density")
    signal = (draw.log_px_z + draw.log_pz).detach()
    return with_gradient_of(elbo(draw), (draw.log_px_z + draw.log_pz + signal * draw.log_qz_x)[0])


def _vimco_whose_guess_saw_its_sample(model, x):
    draw = model.draw(x, 3, through="density")
    bound = iwae(draw)
    signal = bound.detach() - draw.log_w.detach()
    return with_gradient_of(bound, bound + (signal * draw.log_qz_x).sum(0))


BIASED = {
    "gumbel_softmax": partial(gumbel_softmax, temperature=1.0),
    "gumbel_softmax, 5 samples": partial(gumbel_softmax, num_samples=5, temperature=1.0),
    "straight_through": straight_through,
    "straight_through, temperature 1": partial(straight_through, temperature=1.0),
    "own sample in the baseline": _own_sample_in_the_baseline,
    "baseline of z": _baseline_of_z,
    "entropy forgotten": _entropy_forgotten,
}


@pytest.mark.parametrize("model_name", MODELS)
@pytest.mark.parametrize("name", BIASED)
def test_biased_is_caught(name, model_name):
    result = bench(MODELS[model_name](), DATA[model_name], BIASED[name])
    assert result.max_abs_z > 10


def test_biased_vimco_is_caught():
    exact = partial(enumerated_bound, objective=iwae, num_samples=3)
    assert bench(belief_net(), DATA["belief_net"], _vimco_whose_guess_saw_its_sample, exact).max_abs_z > 10


def test_relaxation_bias_falls_with_the_temperature():
    model, x = mixture_model(), DATA["mixture"]
    biases, variances = [], []
    for temperature in (2.0, 0.5, 0.125):
        result = bench(model, x, partial(gumbel_softmax, temperature=temperature), num_draws=50_000)
        biases.append((result.mean - result.exact).norm())
        variances.append(result.total_variance)
    assert biases[0] > 2 * biases[1] > 4 * biases[2]
    assert variances[0] < variances[1] < variances[2]


# ------------------------------------------------------------------------------------------------- less variance


def test_each_remedy_has_its_effect():
    """Relative error of a variance from 1e5 draws is about 1 %, and every step is larger than 10 %."""
    model, x = belief_net(), DATA["belief_net"]
    table = {
        "plain": score_function,
        "4 samples": partial(score_function, num_samples=4),
        "baseline": partial(score_function, baseline=lambda x: enumerated_bound(model, x)),
        "leave-one-out": partial(rloo, num_samples=4),
        "rao_blackwellised": rao_blackwellised,
        "both": partial(rao_blackwellised, num_samples=4, baseline="leave_one_out"),
    }
    results = gradient_bench(model, x, table, enumerated_bound, NUM_DRAWS)
    variance = {name: result.total_variance for name, result in results.items()}
    assert abs(variance["plain"] / variance["4 samples"] - 4) < 0.2
    assert variance["baseline"] < 0.9 * variance["plain"]
    assert variance["leave-one-out"] < 0.9 * variance["4 samples"]
    assert variance["rao_blackwellised"] < 0.9 * variance["plain"]
    assert variance["both"] < 0.9 * variance["leave-one-out"]


def test_the_optimal_coefficient_removes_what_it_can():
    """One binary latent: at the best coefficient (log w - a) h is the same number in both states, and has no variance.

    The coefficient comes from the S - 1 other samples, so that what is left is of order 1 / S^2: four times the samples
    leave a sixteenth, where plain samples leave a quarter. A variance from 20,000 draws is known to a few per cent.
    """
    model, x = belief_net(1, seed=1), DATA["belief_net"][:1]
    table = {f"plain, {s}": partial(score_function, num_samples=s) for s in (10, 40)}
    table |= {f"best, {s}": partial(optimal_control_variate, num_samples=s) for s in (10, 40)}
    results = gradient_bench(model, x, table, enumerated_bound, 20_000)
    variance = {name: result.total_variance for name, result in results.items()}
    assert variance["plain, 10"] / variance["plain, 40"] == pytest.approx(4, rel=0.1)
    assert 10 < variance["best, 10"] / variance["best, 40"] < 30
    assert variance["best, 10"] < 0.1 * variance["plain, 10"]


def test_vimco_has_less_variance():
    model, x = belief_net(), DATA["belief_net"]
    table = {"plain": partial(iwae_score_function, num_samples=3), "vimco": partial(vimco, num_samples=3)}
    exact = partial(enumerated_bound, objective=iwae, num_samples=3)
    results = gradient_bench(model, x, table, exact, 20_000)
    assert results["vimco"].total_variance < 0.5 * results["plain"].total_variance


def test_optimal_coefficient():
    """d/dmu E z^2 at N(0, 1): the coefficient 3 leaves the variance 6, of 15 with none and 10 with 1."""
    node, weight = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(20))
    weight = weight / weight.sum()
    q = td.Independent(td.Normal(torch.zeros(1, 1, dtype=F64), torch.ones(1, 1, dtype=F64)), 1)
    (_, score), _ = scores(q, node[:, None, None])
    score, f = score[:, 0, 0], node**2
    best = (weight @ (score**2 * f)) / (weight @ score**2)
    variances = [weight @ ((f - a) * score) ** 2 - (weight @ ((f - a) * score)) ** 2 for a in (0, 1, best)]
    torch.testing.assert_close(torch.stack([best, *variances]), torch.tensor([3, 15, 10, 6], dtype=F64))


def test_neighbours():
    """Two blocks that do not touch: each latent's signal is its own block's, and half the noise goes."""
    model = belief_net(4, 6)
    blocks = torch.zeros(4, 6, dtype=torch.bool)
    blocks[:2, :3] = blocks[2:, 3:] = True
    with torch.no_grad():
        model.likelihood.net.layers[0].weight.mul_(blocks.T)
    x = torch.tensor([[1, 0, 1, 1, 0, 1]], dtype=F64)
    table = {"all": rao_blackwellised, "own": partial(rao_blackwellised, neighbours=blocks)}
    table["wrong"] = partial(rao_blackwellised, neighbours=~blocks)
    results = gradient_bench(model, x, table, enumerated_bound, NUM_DRAWS)
    assert results["own"].max_abs_z < results["own"].threshold
    assert results["own"].total_variance < 0.8 * results["all"].total_variance
    assert results["wrong"].max_abs_z > 10


# ---------------------------------------------------------------------------------------------------- what each is


@pytest.mark.parametrize("name", [*UNBIASED, *FACTORISED])
def test_value_is_the_bound_of_the_same_draw(name):
    model, x = belief_net(), DATA["belief_net"]
    estimator = (UNBIASED | FACTORISED)[name](model, x)
    num_samples = 5
    torch.manual_seed(0)
    value = estimator(model, x, num_samples=num_samples)
    torch.manual_seed(0)
    torch.testing.assert_close(value, elbo(model.draw(x, num_samples)))


@pytest.mark.parametrize("estimator", [iwae_score_function, vimco, partial(vimco, mean="arithmetic")])
def test_value_is_the_importance_weighted_bound(estimator):
    model, x = belief_net(), DATA["belief_net"]
    torch.manual_seed(0)
    value = estimator(model, x, 4)
    torch.manual_seed(0)
    torch.testing.assert_close(value, iwae(model.draw(x, 4)))


@pytest.mark.parametrize("model_name", MODELS)
@pytest.mark.parametrize(
    "estimator",
    [gumbel_softmax, partial(gumbel_softmax, temperature=5.0), straight_through, BIASED["straight_through"]],
)
def test_relaxed_value_is_the_bound_at_hard_samples(estimator, model_name):
    """20,000 values have the bound as their mean, whatever the temperature: |z| > 4.5 has probability 7e-6 a datum."""
    model, x = MODELS[model_name](), DATA[model_name]
    torch.manual_seed(0)
    with torch.no_grad():
        values = estimator(model, x.repeat(20_000, 1)).reshape(20_000, -1)
        exact = enumerated_bound(model, x)
    z = (values.mean(0) - exact) / (values.std(0) / math.sqrt(20_000))
    assert z.abs().max() < 4.5


@pytest.mark.parametrize("make", [belief_net, mixture_model, neural_model])
def test_scores_against_autograd(make):
    """Summed over the parameters that the network gives, through which both must be the same."""
    model = make()
    (net,) = model.posterior.children()
    x = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=F64)[:, : net.layers[0].in_features]
    q = model.posterior(x)
    z = q.sample((1,))
    weights = list(model.posterior.parameters())
    by_hand = sum((score[0] * parameter).sum() for parameter, score in scores(q, z))
    torch.testing.assert_close(
        torch.autograd.grad(by_hand, weights, retain_graph=True), torch.autograd.grad(q.log_prob(z).sum(), weights)
    )


def test_each_latent_has_a_baseline_of_its_own():
    """Of its own signal, log p(x|z) + log p(z_l) - log q(z_l|x), the mean over the two other samples."""
    model, x = belief_net(), DATA["belief_net"]
    model.posterior = PerDatum(FactorisedBernoulli(nn.Identity()), model.posterior(x).base_dist.logits)
    torch.manual_seed(0)
    value = rao_blackwellised(model, x, 3, baseline="leave_one_out").sum()
    (found,) = torch.autograd.grad(value, model.posterior.rows)
    torch.manual_seed(0)
    draw, q = model.draw(x, 3), model.posterior().base_dist
    signal = draw.log_px_z[..., None] + model.prior().base_dist.log_prob(draw.z) - q.log_prob(draw.z)  # [S, B, L]
    others = torch.stack([(signal.sum(0) - part) / 2 for part in signal])
    expected = ((signal - others) * (draw.z - q.probs)).mean(0)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-10, atol=1e-10)


def test_leave_one_out_by_hand():
    model, x = belief_net(), DATA["belief_net"]
    torch.manual_seed(0)
    draw = model.draw(x, 3, through="density")
    log_w, expected = draw.log_w.detach(), 0.0
    for s in range(3):
        others = sum(log_w[t] for t in range(3) if t != s) / 2
        expected = expected + (log_w[s] - others) * draw.log_qz_x[s] / 3
    weights = list(model.posterior.parameters())
    expected = torch.autograd.grad(expected.sum(), weights)
    torch.manual_seed(0)
    torch.testing.assert_close(torch.autograd.grad(rloo(model, x, 3).sum(), weights), expected)


@pytest.mark.parametrize("mean", ["geometric", "arithmetic"])
def test_missing_weight_by_hand(mean):
    log_w = torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(0)) * 3
    result = bound_without(log_w, mean)
    for s in range(4):
        rest = torch.cat([log_w[:s], log_w[s + 1 :]])
        guess = rest.mean(0).exp() if mean == "geometric" else rest.exp().mean(0)
        torch.testing.assert_close(result[s], ((rest.exp().sum(0) + guess) / 4).log())


def test_missing_weight_beyond_floating_point():
    log_w = torch.tensor([[-10_000.0], [-10_001.0], [-12_000.0]], dtype=F64)
    for mean in ("geometric", "arithmetic"):
        assert bound_without(log_w, mean).isfinite().all()


def test_samples_of_a_continuous_q_carry_no_gradient():
    """The score function is what it says for a Gaussian too."""
    model = neural_model()
    model.likelihood = Bernoulli(NoGradient(model.likelihood.net))
    score_function(model, torch.ones(2, 3, dtype=F64), 3).sum().backward()


class NoGradient(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, z):
        assert not z.requires_grad
        return self.net(z)


# ------------------------------------------------------------------------------------------------------ relaxations


def decoded(model, call):
    """The latents that the decoder is given in a call, and what the call returns; always under the same noise."""
    seen = []
    handle = model.likelihood.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    torch.manual_seed(0)
    value = call()
    handle.remove()
    return seen, value


@pytest.mark.parametrize("name", ["belief_net", "mixture"])
def test_the_hard_sample_is_the_soft_ones_largest_entry(name):
    model, x = MODELS[name](), DATA[name]
    (hard, soft), _ = decoded(model, lambda: gumbel_softmax(model, x, 50, temperature=0.7))
    rounded = soft > 0.5 if name == "belief_net" else soft == soft.amax(-1, keepdim=True)
    assert torch.equal(hard, rounded.double()) and 0 < hard.mean() < 1
    (straight,), _ = decoded(model, lambda: straight_through(model, x, 50, temperature=0.7))
    torch.testing.assert_close(straight, hard, rtol=0, atol=1e-12)  # hard too, and of the same noise


@pytest.mark.parametrize("temperature", [None, 0.7, 1.0])
@pytest.mark.parametrize("estimator", [gumbel_softmax, straight_through])
def test_which_way_a_relaxed_gradient_goes(estimator, temperature):
    """From z to the logits by the slope of the mean, p (1 - p), or of the soft sample, s (1 - s) / temperature.

    The KL's own gradient, in closed form, comes on top.
    """
    model, x = belief_net(), DATA["belief_net"]
    model.posterior = PerDatum(FactorisedBernoulli(nn.Identity()), model.posterior(x).base_dist.logits)
    logits = model.posterior.rows
    (_, soft), relaxed = decoded(model, lambda: gumbel_softmax(model, x, 5, temperature=temperature or 1.0))
    (z,), value = decoded(model, lambda: straight_through(model, x, 5, temperature))
    p = logits.sigmoid()
    slope = p * (1 - p) if temperature is None else soft * (1 - soft) / temperature
    if estimator is gumbel_softmax:
        z, value, slope = soft, relaxed, soft * (1 - soft) / (temperature or 1.0)
    slope_of_z, found = torch.autograd.grad(value.sum(), [z, logits], retain_graph=True)
    prior = model.prior().base_dist.logits
    kl = (p * (logits - prior) + F.softplus(prior) - F.softplus(logits)).sum()
    expected = (slope_of_z * slope).sum(0) - torch.autograd.grad(kl, logits)[0]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


# ------------------------------------------------------------------------------------------------------------- NVIL


def test_nvil_learns_the_mean_of_the_signal():
    """Least squares on x: after training the baseline is the bound, the regression of log w on x.

    The running mean averages the last 40 steps of 100 log-weights, whose standard deviation is 3: its standard error is
    0.05, and the tolerance five of them. The two data are 2.7 nats apart.
    """
    model, x = belief_net(), DATA["belief_net"]
    torch.manual_seed(0)
    nvil = NVIL(nn.Linear(4, 1).double(), num_samples=50, decay=0.95)
    optimiser = torch.optim.Adam(nvil.parameters(), lr=0.02)
    for step in range(600):
        optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / 600)
        optimiser.zero_grad()
        (-nvil(model, x).mean()).backward()
        optimiser.step()
    exact = enumerated_bound(model, x).detach()
    assert (exact[0] - exact[1]).abs() > 2.5  # a constant could not
    torch.testing.assert_close(nvil.eval().baseline(x).detach(), exact, rtol=0, atol=0.25)


def test_nvil_does_not_move_the_model_otherwise():
    """Its squared error must not reach the model's parameters: with q's signal at its baseline nothing is left."""
    model, x = belief_net(), DATA["belief_net"]
    nvil = trained_nvil(model, x).eval()
    torch.manual_seed(0)
    value = torch.autograd.grad(nvil(model, x).sum(), list(model.parameters()))
    torch.manual_seed(0)
    same = torch.autograd.grad(
        score_function(model, x, baseline=nvil.baseline).sum(), list(model.parameters()), allow_unused=True
    )
    torch.testing.assert_close(value, same)


def test_nvil_in_training_does_not_know_the_samples_that_it_judges():
    """Its gradient is that of the baseline as it was before the call, and its moments move for the next one."""
    model, x = belief_net(), DATA["belief_net"]
    nvil = trained_nvil(model, x)
    before = copy.deepcopy(nvil)
    assert nvil.training
    gradients = []
    for estimator in (nvil, partial(score_function, baseline=before.baseline)):
        torch.manual_seed(0)
        value = estimator(model, x, num_samples=3).sum()
        gradients.append(torch.autograd.grad(value, list(model.parameters()), allow_unused=True))
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert nvil.mean != before.mean


def test_nvil_moments_and_least_squares_by_hand():
    """Two steps: moments with weights 1/3 and 2/3, and the gradient of the squared misfit in units of the scale."""
    model, x = belief_net(), DATA["belief_net"]
    torch.manual_seed(1)
    nvil = NVIL(nn.Linear(4, 1).double(), num_samples=30, decay=0.5)
    variance = 0.0
    for seed, weight in ((2, 1 / 3), (3, 2 / 3)):
        torch.manual_seed(seed)
        nvil(model, x)
        torch.manual_seed(seed)
        variance += weight * model.draw(x, 30).log_w.var(correction=0).item()
    assert nvil.scale.item() == pytest.approx(math.sqrt(variance), rel=1e-6) and nvil.scale > 1.5
    nvil.eval()
    torch.manual_seed(4)
    found = torch.autograd.grad(nvil(model, x).sum(), list(nvil.parameters()))
    torch.manual_seed(4)
    misfit = (model.draw(x, 30).log_w.detach() - nvil.baseline(x)) / nvil.scale
    expected = torch.autograd.grad(-misfit.square().mean(0).sum(), list(nvil.parameters()))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_nvil_scale_is_at_least_a_nat():
    """Where all weights are alike, as at the exact posterior, the network's outputs must not lose their unit."""
    nvil, model, x = NVIL(), two_state(q=(0.75, 0.25)), DATA["two_state"]
    for _ in range(5):
        nvil(model, x)
    assert nvil.variance < 1e-9 and nvil.scale == 1


def test_a_baseline_per_datum():
    model, x = belief_net(), DATA["belief_net"]
    gradients = []
    for baseline in (torch.tensor([-3.0, 1.0]), lambda x: torch.tensor([[-3.0], [1.0]])):
        torch.manual_seed(0)
        value = score_function(model, x, 3, baseline=baseline).sum()
        gradients.append(torch.autograd.grad(value, list(model.posterior.parameters())))
    torch.testing.assert_close(*gradients)


def test_nvil_mean_is_taken_before_the_samples_and_only_in_training():
    model, x = belief_net(), DATA["belief_net"]
    nvil = NVIL(decay=0.5)
    assert nvil.baseline(x).tolist() == [0.0, 0.0]
    torch.manual_seed(0)
    first = nvil(model, x).mean()
    torch.testing.assert_close(nvil.baseline(x).mean(), first, check_dtype=False, rtol=1e-6, atol=0)
    second = nvil(model, x).mean()
    torch.testing.assert_close(nvil.baseline(x).mean(), (first + 2 * second) / 3, rtol=1e-6, atol=0)
    kept = nvil.baseline(x)
    with torch.no_grad():
        nvil(model, x)
    nvil.eval()(model, x)
    assert torch.equal(nvil.baseline(x), kept)


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (partial(score_function, num_samples=0), "num_samples must be at least 1, and is 0"),
        (partial(gumbel_softmax, num_samples=0), "num_samples must be at least 1, and is 0"),
        (rloo, "num_samples of at least 2, and it is 1"),
        (partial(vimco, num_samples=1), "num_samples of at least 2, and it is 1"),
        (partial(vimco, num_samples=1, mean="arithmetic"), "num_samples of at least 2, and it is 1"),
        (partial(optimal_control_variate, num_samples=1), "num_samples of at least 2, and it is 1"),
        (partial(score_function, baseline="mean"), "baseline must be None.*not 'mean'"),
        (partial(score_function, baseline=torch.zeros(3)), r"one per datum, \[2\], and has shape \[3\]"),
        (partial(vimco, mean="harmonic"), "mean must be .*'harmonic'"),
        (partial(gumbel_softmax, temperature=0.0), "temperature must be above 0, and is 0.0"),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call(belief_net(), DATA["belief_net"])


def test_unfit_posteriors_are_refused():
    x = torch.ones(2, 3, dtype=F64)
    with pytest.raises(ValueError, match="a relaxation needs a one-hot or a factorised Bernoulli"):
        gumbel_softmax(neural_model(), x)
    with pytest.raises(ValueError, match=r"needs a factorised q.*OneHotCategorical"):
        rao_blackwellised(mixture_model(), DATA["mixture"])
    with pytest.raises(ValueError, match="not for Gamma"):
        scores(td.Gamma(torch.ones(2), 1.0), torch.ones(1, 2))
    with pytest.raises(ValueError, match="chunk_size must be None"):
        rao_blackwellised(in_chunks(belief_net(), 1), DATA["belief_net"], neighbours=torch.ones(3, 4))
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1, and is 1"):
        NVIL(decay=1)
