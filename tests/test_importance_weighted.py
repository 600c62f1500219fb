"""The importance-weighted bound without sampling, the q behind it, and the gradients of both, against known answers."""

import math
from functools import partial

import pytest
import torch
from cases import linear_gaussian_model, mixture_model, neural_model, seeded, two_state, z_scores
from test_estimators import iwae_2_on_a_grid
from torch import nn

from vaecourse.estimators import dreg, iwae_score_function, pathwise, vimco
from vaecourse.estimators.bench import GradientStatistics, gradient_bench
from vaecourse.exact import enumerated_bound, enumeration, importance_weighted, linear_hierarchy, quadrature
from vaecourse.inference import Resampled
from vaecourse.objectives import elbo, iwae
from vaecourse.posteriors import DiagonalGaussian

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)
ONE = torch.ones(1, 1, dtype=F64)
BITS = torch.tensor([[1, 0, 1], [0, 0, 1]], dtype=F64)


def of_states(model, x, k):
    return importance_weighted(enumeration(model, x), model.posterior(x), k)


def of_nodes(model, x, k, num_points=401):
    return importance_weighted(quadrature(model, x, num_points), model.posterior(x), k)


# ------------------------------------------------------------------------------------------------ without sampling


def test_the_two_state_model_in_fractions():
    """p = (3, 1) / 10 and q = (1, 1) / 2: every tuple by hand."""
    digits = {
        1: (-1.060131768, (1 / 2, 1 / 2)),
        2: (-0.988211250, (5 / 8, 3 / 8)),
        3: (-0.962815070, (47 / 70, 23 / 70)),
    }
    bounds_of_q = {1: -1.060131768, 2: -0.954389174, 3: -0.931783089}
    for k, (bound, mass) in digits.items():
        found = of_states(two_state(), ONE, k)
        assert found.bound.item() == pytest.approx(bound, abs=6e-10)
        torch.testing.assert_close(found.log_mass.exp()[:, 0], torch.tensor(mass, dtype=F64), **EXACT)
        assert math.log(0.4) - found.kl.item() == pytest.approx(bounds_of_q[k], abs=6e-10)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_states_against_every_tuple(k):
    """The bound and its gradient with respect to q, of three states and two data, by all 3^k draws."""
    model, x = mixture_model(), torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=F64)
    parameters = list(model.posterior.parameters())
    found = of_states(model, x, k).bound
    expected = enumerated_bound(model, x, iwae, k)
    torch.testing.assert_close(found, expected, **EXACT)
    of_found, of_expected = (torch.autograd.grad(value.sum(), parameters) for value in (found, expected))
    torch.testing.assert_close(of_found, of_expected, **EXACT)


def test_nodes_against_a_double_integral():
    """L_2 of a neural decoder and its gradient with respect to the encoder."""
    model = neural_model()
    parameters = list(model.posterior.parameters())
    found, expected = of_nodes(model, BITS, 2).bound, iwae_2_on_a_grid(model, BITS)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
    of_found, of_expected = (torch.autograd.grad(value.sum(), parameters) for value in (found, expected))
    torch.testing.assert_close(of_found, of_expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [20, 200])
def test_nodes_against_samples(k):
    """5,000 sampled bounds of two data: |z| above 4.5 has probability 1.4e-5."""
    model = neural_model()
    torch.manual_seed(0)
    with torch.no_grad():
        samples = torch.stack([iwae(model.draw(BITS, k)) for _ in range(5000)])
    assert z_scores(samples, of_nodes(model, BITS, k).bound.detach()).abs().max() < 4.5


def test_theorem_1_and_its_limits():
    """L_k rises to log p, and does not move at the exact posterior; q_EW is the better q for every k above 1.

    With w relative to p(x), k (log p - L_k) goes to Var_q(w) / 2 and k^2 KL(q_EW || p) to Var_p(w) / 2, with errors of
    the order of 1 / k: at k = 1000 they are seen to be below 1 %.
    """
    model = two_state()
    results = {k: of_states(model, ONE, k) for k in (1, 2, 3, 5, 10, 100, 1000)}
    bounds = torch.stack([result.bound for result in results.values()])
    kl = torch.stack([result.kl for result in results.values()])
    log_px = math.log(0.4)
    assert (bounds.diff(dim=0) > 0).all() and (kl.diff(dim=0) < 0).all()
    assert (bounds[1:] < log_px - kl[1:]).all() and (kl > 0).all()
    w, posterior = torch.tensor([1.5, 0.5], dtype=F64), torch.tensor([0.75, 0.25], dtype=F64)
    assert 1000 * (log_px - bounds[-1]).item() == pytest.approx(w.var(correction=0).item() / 2, rel=0.01)
    variance = (posterior @ w**2 - (posterior @ w) ** 2).item()
    assert 1000**2 * kl[-1].item() == pytest.approx(variance / 2, rel=0.01)
    exact = two_state((0.75, 0.25))
    flat = torch.stack([of_states(exact, ONE, k).bound for k in (1, 2, 10, 100)])
    torch.testing.assert_close(flat, torch.full_like(flat, log_px), **EXACT)


@pytest.mark.parametrize("k", [1, 2, 7, 50, 1000])
def test_the_law_of_the_kept_one_sums_to_one(k):
    found = of_nodes(neural_model(), BITS, k)
    torch.testing.assert_close(found.log_mass.exp().sum(0), torch.ones(2, dtype=F64), rtol=0, atol=1e-9)


def test_a_state_that_is_never_proposed_is_never_kept():
    found = of_states(two_state((1.0, 0.0)), ONE, 5)
    torch.testing.assert_close(found.log_mass.exp()[:, 0], torch.tensor([1.0, 0.0], dtype=F64), **EXACT)
    assert found.bound.item() == pytest.approx(math.log(0.3)) and found.kl.item() == pytest.approx(-math.log(0.75))


def test_a_table_too_coarse_for_q():
    narrow = DiagonalGaussian(nn.Linear(3, 2)).double()
    with torch.no_grad():
        narrow.net.bias[1] = -6.0
        with pytest.raises(ValueError, match="table must hold the mass of q, and its nodes hold"):
            importance_weighted(quadrature(neural_model(), BITS), narrow(BITS), 2)
    with pytest.raises(ValueError, match="num_samples must be at least 1, and is 0"):
        of_states(two_state(), ONE, 0)


# ------------------------------------------------------------------------------------------------ the q behind it


def test_its_bound_is_the_importance_weighted_one():
    """Draw by draw, and in the gradient of every parameter."""
    model, k, num_samples = neural_model(2), 5, 7
    parameters = list(model.parameters())
    torch.manual_seed(0)
    bound = elbo(model.draw(BITS, num_samples, q=Resampled(model, BITS, k)))
    torch.manual_seed(0)
    log_w = model.draw(BITS, k * num_samples).log_w.reshape(k, num_samples, 2)
    expected = (log_w.logsumexp(0) - math.log(k)).mean(0)
    torch.testing.assert_close(bound, expected, **EXACT)
    slopes = [torch.autograd.grad(value.sum(), parameters) for value in (bound, expected)]
    torch.testing.assert_close(*slopes, **EXACT)


@pytest.mark.parametrize("k", [1, 2, 3, 20])
def test_states_that_are_kept(k):
    """50,000 samples of the two-state model; |z| above 4.5 has probability 7e-6."""
    torch.manual_seed(0)
    samples = Resampled(two_state(), ONE, k).sample((50_000,))[:, 0]
    expected = of_states(two_state(), ONE, k).log_mass.exp()[:, 0]
    assert z_scores(samples, expected.detach()).abs().max() < 4.5


@pytest.mark.parametrize("k", [2, 10])
def test_nodes_that_are_kept(k):
    """Mean and second moment of 20,000 samples for two data; four z-scores, of which one above 4.5 has 3e-5."""
    model = neural_model()
    torch.manual_seed(0)
    z = Resampled(model, BITS, k).sample((20_000,))[..., 0]
    table = quadrature(model, BITS, 401)
    mass = of_nodes(model, BITS, k).log_mass.exp().detach()
    for power in (1, 2):
        assert z_scores(z**power, (table.z**power * mass).sum(0)).abs().max() < 4.5


def test_the_unnormalised_density_has_another_mass():
    """p = (3, 1) / 10, q = (1, 1) / 2, k = 2: its mass is 3/4 or 5/4, by the other proposal, and 1 on average."""
    model = two_state()
    q = Resampled(model, ONE, 2)
    z = torch.eye(2, dtype=F64)[:, None]
    weights = torch.tensor([0.6, 0.2], dtype=F64).log()
    masses = [q.log_tilde(z, weight.reshape(1, 1)).exp().sum().item() for weight in weights]
    assert masses == pytest.approx([0.75, 1.25])
    mean = torch.stack([q.log_tilde(z, weight.reshape(1, 1)).exp() for weight in weights]).mean(0)
    torch.testing.assert_close(mean[:, 0], torch.tensor([5 / 8, 3 / 8], dtype=F64), **EXACT)
    bounds = [
        (q.log_tilde(z, v.reshape(1, 1)).exp() * (model.log_joint(ONE, z) - q.log_tilde(z, v.reshape(1, 1)))).sum()
        for v in weights
    ]
    torch.testing.assert_close(sum(bounds) / 2, of_states(model, ONE, 2).bound[0], **EXACT)


def test_estimated_density():
    """Unbiased: 400 estimates at five points for two data; ten z-scores, one above 4.5 has probability 7e-5."""
    model, k = neural_model(), 4
    table = quadrature(model, BITS, 401)
    places = [160, 180, 200, 220, 240]
    q = Resampled(model, BITS, k)
    torch.manual_seed(0)
    value = table.z[places][:, None].expand(-1, 2, -1)
    estimates = torch.stack([q.log_prob_estimate(value, 20).exp() for _ in range(400)])
    density = (of_nodes(model, BITS, k).log_mass[places] - table.log_cell).exp().detach()
    assert z_scores(estimates, density).abs().max() < 4.5
    alone = Resampled(model, BITS, 1)
    torch.testing.assert_close(alone.log_prob_estimate(value), model.posterior(BITS).log_prob(value), **EXACT)
    torch.testing.assert_close(
        alone.log_tilde(value, torch.empty(0, 2, dtype=F64)), model.posterior(BITS).log_prob(value), **EXACT
    )


def test_what_a_resampled_q_refuses():
    model = neural_model()
    q = Resampled(model, BITS, 3)
    value = torch.zeros(1, 2, 1, dtype=F64)
    with pytest.raises(NotImplementedError, match="see log_prob_estimate"):
        q.log_prob(value)
    with pytest.raises(NotImplementedError, match="no reparameterised samples"):
        q.rsample()
    with pytest.raises(ValueError, match="weights of 2 other proposals, and holds 3"):
        q.log_tilde(value, torch.zeros(3, 2))
    with pytest.raises(ValueError, match="num_proposals must be at least 1, and is 0"):
        Resampled(model, BITS, 0)
    with pytest.raises(ValueError, match="num_sets must be at least 1, and is 0"):
        q.log_prob_estimate(value, 0)


def test_a_given_q_makes_the_proposals():
    """From the exact posterior every weight is p(x), and whichever is kept is a sample of it."""
    model = linear_gaussian_model(3, 1)
    exact, model.posterior = model.posterior, seeded(lambda: DiagonalGaussian(nn.Linear(3, 2)))
    draw = model.draw(BITS, 4, q=Resampled(model, BITS, 6, exact(BITS)))
    log_px = quadrature(model, BITS, 401).log_px
    torch.testing.assert_close(draw.log_w, log_px.expand(4, 2), rtol=0, atol=1e-8)


# ------------------------------------------------------------------------------------------------ gradients


def of_encoder(k):
    return lambda model, x: of_nodes(model, x, k, 201).bound


@pytest.mark.parametrize("k", [5, 50])
def test_encoder_gradients_for_many_samples(k):
    """Unbiased for a neural decoder."""
    model = neural_model()
    table = {"iwae": partial(pathwise, num_samples=k, objective=iwae), "dreg": partial(dreg, num_samples=k)}
    results = gradient_bench(model, BITS, table, of_encoder(k), 20_000)
    for result in results.values():
        assert result.num_tests > 10 and result.max_abs_z < result.threshold


def two_layers(inference):
    """One latent in each of two linear layers, and a q that is moved away from the posterior."""
    hierarchy = linear_hierarchy(torch.ones(1, 1), torch.ones(3, 1), scale_above=0.8, scale=1.2)
    model = hierarchy.model(inference)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator, dtype=F64))
    return model


@pytest.mark.parametrize("inference", ["bottom-up", "top-down"])
def test_encoder_gradients_of_two_layers(inference):
    """Both layers' latents are visited on a grid of the plane. Near the posterior DReG's noise is far the smaller, and
    falls like 1 / k in size where the signal falls like 1 / k and the other's noise like its root: five times as many
    samples as before leave a quarter of DReG's variance at the most (its law says a 25th), and more of the other's.
    """
    variances = {}
    for k in (5, 25):
        table = {"iwae": partial(pathwise, num_samples=k, objective=iwae), "dreg": partial(dreg, num_samples=k)}
        exact = lambda model, x: of_nodes(model, x, k, 121).bound  # noqa: E731, B023
        results = gradient_bench(two_layers(inference), BITS, table, exact, 10_000)
        for result in results.values():
            assert result.num_tests > 6 and result.max_abs_z < result.threshold
        variances[k] = {name: result.total_variance for name, result in results.items()}
        assert variances[k]["dreg"] < variances[k]["iwae"] / 10
    falls = {name: variances[5][name] / variances[25][name] for name in table}
    assert falls["dreg"] > 4 > falls["iwae"]


def test_score_functions_to_their_digits():
    """q = (1/2, 1/2): exact gradients, and the variances that every pair of states gives, to 2 %."""
    table = {"plain": partial(iwae_score_function, num_samples=2), "geometric": partial(vimco, num_samples=2)}
    table["arithmetic"] = partial(vimco, num_samples=2, mean="arithmetic")
    exact = partial(enumerated_bound, objective=iwae, num_samples=2)
    results = gradient_bench(two_state(), ONE, table, exact, 100_000)
    digits = {"plain": 1.376728, "geometric": 0.147396, "arithmetic": 0.147396}
    for name, result in results.items():
        assert result.exact[0].item() == pytest.approx(0.14965307, abs=1e-8)
        assert result.max_abs_z < result.threshold
        assert result.variance[0].item() == pytest.approx(digits[name], rel=0.02)


def test_signal_to_noise_of_what_does_not_scatter():
    exact, variance = torch.tensor([1.0, -2.0], dtype=F64), torch.tensor([0.25, 0.0], dtype=F64)
    statistics = GradientStatistics("it", exact, exact, variance, 10, 1.0)
    torch.testing.assert_close(statistics.signal_to_noise, torch.tensor([2.0, math.inf], dtype=F64))
