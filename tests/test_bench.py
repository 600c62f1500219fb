"""The gradient-variance bench: draws against a loop, its statistics against enumeration, and what it refuses."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from cases import belief_net, linear_gaussian_model, mixture_model, neural_model, seeded, two_state
from test_exact import linear_gaussian_elbo

from vaecourse.estimators import NVIL, analytic_kl, bench, pathwise, score_function
from vaecourse.estimators.bench import GradientStatistics, gradient_bench, per_draw_gradients, summary
from vaecourse.exact import enumerated_bound
from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import elbo
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import MixtureOfGaussians
from vaecourse.randomness import seeded as seeded_for_a_while

F64 = torch.float64


def gaussian_model():
    def make():
        prior, encoder = MixtureOfGaussians(3, 2), FullCovarianceGaussian(MLP(3, (4,), 5), 2)
        return LatentVariableModel(prior, Gaussian(MLP(2, (4,), 3), learn_scale=True), encoder)

    return seeded(make)


MODELS = {
    "two_state": two_state,
    "belief_net": lambda: belief_net(2, 3),
    "mixture": lambda: mixture_model(3, 3),
    "neural": neural_model,
    "mixture prior, full covariance, learned scale": gaussian_model,
}


@pytest.mark.parametrize("name", MODELS)
def test_draws_against_a_loop(name):
    """With the noise of copy r given to a plain backward pass, row r comes out, for every parameter."""
    model = MODELS[name]()
    x = torch.ones(2, 1 if name == "two_state" else 3, dtype=F64)
    num_draws = 6
    noise = torch.randint(0, 2, (5, num_draws * 2, model.prior().event_shape[0])).double() + 0.3

    def with_noise(z, model, x):
        return elbo(model.score(x, z, model.posterior(x).log_prob(z)))

    names = [name for name, _ in model.named_parameters()]
    if name in ("two_state", "mixture"):
        noise = torch.eye(noise.shape[-1], dtype=F64)[torch.randint(0, noise.shape[-1], noise.shape[:-1])]
    rows = per_draw_gradients(model, x, partial(with_noise, noise), names, num_draws)
    for r in range(num_draws):
        value = with_noise(noise[:, 2 * r : 2 * r + 2], model, x).sum()
        plain = torch.autograd.grad(value, list(model.parameters()))
        torch.testing.assert_close(rows[r], torch.cat([part.flatten() for part in plain]), rtol=1e-10, atol=1e-10)


def test_draws_are_independent():
    rows = per_draw_gradients(
        neural_model(), torch.ones(1, 3, dtype=F64), pathwise, ["posterior.net.layers.2.bias"], 50
    )
    assert len(rows[:, 0].unique()) == 50


def test_statistics_against_enumeration():
    """The variance of each coordinate from the two states, and from 1e5 draws: 5 standard errors of a variance."""
    model, x = two_state(q=(0.4, 0.6)), torch.ones(1, 1, dtype=F64)
    result = gradient_bench(model, x, {"it": score_function}, enumerated_bound, 100_000)["it"]
    q = model.posterior(x)
    rows = []
    for z in torch.eye(2, dtype=F64):
        log_q = q.log_prob(z[None, None])
        log_w = model.score(x, z[None, None], log_q).log_w.detach()
        rows.append(torch.autograd.grad((log_w * log_q).sum(), model.posterior.logits, retain_graph=True)[0])
    mass, rows = torch.tensor([[0.4], [0.6]], dtype=F64), torch.stack(rows)
    mean = (mass * rows).sum(0)
    variance = (mass * (rows - mean) ** 2).sum(0)
    fourth = (mass * (rows - mean) ** 4).sum(0)
    torch.testing.assert_close(result.exact, mean.detach())
    se = ((fourth - variance**2) / 100_000).sqrt()
    assert ((result.variance - variance).abs() < 5 * se).all()
    torch.testing.assert_close(result.z_scores, (result.mean - mean) / (result.variance / 100_000).sqrt())


def test_summary_and_work_times_variance():
    estimators = {"a": score_function, "b": partial(score_function, num_samples=9)}
    results = gradient_bench(belief_net(), torch.ones(2, 4, dtype=F64), estimators, enumerated_bound, 2000)
    table = summary(results)
    assert list(table.index) == ["a", "b"]
    assert (table["coordinates"] == 3 * 4 + 3).all()
    row = table.loc["b"]
    assert row["seconds per unit variance"] == row["seconds per draw"] * row["variance"] > 0
    assert row["variance"] < table.loc["a"]["variance"]


def statistics(mean, variance, exact=(0.5, 2.0)):
    tensors = (torch.tensor(part, dtype=F64) for part in (exact, mean, variance))
    return GradientStatistics("it", *tensors, num_draws=100, seconds_per_draw=1e-6)


def test_coordinates_without_scatter():
    """Right to rounding they pass and are no tests; wrong by more they fail beyond doubt."""
    right = statistics((0.5 + 1e-15, 2.1), (0.0, 1.0))
    assert right.z_scores.tolist() == pytest.approx([0, 1]) and right.num_tests == 1
    wrong = statistics((0.5001, 2.1), (0.0, 1.0))
    assert wrong.max_abs_z == math.inf


def test_threshold_is_bonferroni():
    """Two-sided 1e-3 for one coordinate is 3.29; for a thousand it is what 1e-6 gives."""
    assert statistics((0.5, 2.0), (0.0, 1.0)).threshold == pytest.approx(3.2905, abs=1e-4)
    many = GradientStatistics("it", *(torch.ones(1000, dtype=F64),) * 3, num_draws=10, seconds_per_draw=1.0)
    assert many.threshold == pytest.approx(4.8916, abs=1e-4)


@pytest.mark.parametrize("at_once", [2, 3, 1000])
def test_moments_are_those_of_the_draws(monkeypatch, at_once):
    """Of seven draws, in chunks of unequal size: the mean, and the variance that divides by six."""
    model, x = neural_model(), torch.ones(1, 3, dtype=F64)
    leaves = {name: leaf for name, leaf in model.named_parameters() if name.startswith("posterior.")}
    monkeypatch.setattr(bench, "_ELEMENTS", at_once * sum(leaf.numel() for leaf in leaves.values()))
    exact = lambda model, x: model.posterior(x).mean.sum(-1)  # noqa: E731  nobody asks it here
    result = gradient_bench(model, x, {"it": pathwise}, exact, 7)["it"]
    with seeded_for_a_while(0, x.device):
        sizes = [min(at_once, 7 - start) for start in range(0, 7, at_once)]
        rows = torch.cat([per_draw_gradients(model, x, pathwise, list(leaves), size) for size in sizes])
    assert len(rows[:, 0].unique()) == 7
    torch.testing.assert_close((result.mean, result.variance), (rows.mean(0), rows.var(0)), rtol=1e-10, atol=1e-12)


def test_time_is_that_of_both_passes_for_a_copy_of_the_data(monkeypatch):
    """On a clock that goes by a millisecond for each datum forward and two backward, four data take twelve."""
    now = [0.0]

    def estimator(model, x):
        def backward(gradient):
            now[0] += 2e-3 * len(x)

        now[0] += 1e-3 * len(x)
        values = score_function(model, x)
        values.register_hook(backward)
        return values

    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    x = torch.ones(4, 1, dtype=F64)
    result = gradient_bench(two_state(), x, {"it": estimator}, enumerated_bound, 10)["it"]
    assert result.seconds_per_draw == pytest.approx(12e-3)


def test_modules_are_benched_in_evaluation_mode_and_left_alone():
    """What learns as it is called would be another estimator in every draw."""
    modes = []

    class Watched(NVIL):
        def forward(self, model, x, num_samples=None):
            modes.append(self.training)
            return super().forward(model, x, num_samples)

    nvil, model, x = Watched(), belief_net(), torch.ones(1, 4, dtype=F64)
    gradient_bench(model, x, {"it": nvil}, enumerated_bound, 100)
    assert set(modes) == {False} and nvil.training and nvil.mean == 0


def test_state_is_left_alone():
    model, x = belief_net(), torch.ones(1, 4, dtype=F64)
    before, state = [p.clone() for p in model.parameters()], torch.get_rng_state()
    first = gradient_bench(model, x, {"it": score_function}, enumerated_bound, 100)["it"]
    again = gradient_bench(model, x, {"it": score_function}, enumerated_bound, 100)["it"]
    assert torch.equal(first.mean, again.mean)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, q) and q.grad is None for p, q in zip(before, model.parameters()))


def test_frozen_parameters_are_benched_too():
    model = belief_net().requires_grad_(False)
    result = gradient_bench(model, torch.ones(1, 4, dtype=F64), {"it": score_function}, enumerated_bound, 100)["it"]
    assert result.total_variance > 0
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_continuous_latents():
    """Against the closed form of the linear-Gaussian model."""
    model = linear_gaussian_model()
    model.posterior = seeded(lambda: DiagonalGaussian(MLP(3, (), 4)))
    x = torch.tensor([[0.3, -1.0, 0.5]], dtype=F64)
    exact = lambda model, x: linear_gaussian_elbo(model, x, model.posterior(x))  # noqa: E731
    for result in gradient_bench(model, x, {"a": pathwise, "b": analytic_kl}, exact, 20_000).values():
        assert result.max_abs_z < result.threshold


def test_bad_arguments():
    model, x = belief_net(), torch.ones(1, 4, dtype=F64)
    with pytest.raises(ValueError, match="num_draws must be at least 2, and is 1"):
        gradient_bench(model, x, {}, enumerated_bound, 1)
    with pytest.raises(ValueError, match=r"parameters must begin the name.*'encoder'"):
        gradient_bench(model, x, {}, enumerated_bound, parameters="encoder")
    with pytest.raises(ValueError, match=r"one number per datum, \[B\], and gave \[\]"):
        gradient_bench(model, x, {"it": lambda model, x: score_function(model, x).sum()}, enumerated_bound, 10)
