"""Objectives: exact values by enumeration, how they are ordered, and how they fail in log space."""

import itertools
import math

import pytest
import torch
from cases import all_tuples, neural_model, two_state

from vaecourse.model import Draw
from vaecourse.objectives import beta_elbo, distortion, elbo, iwae, rate, renyi

QS = [(0.5, 0.5), (0.9, 0.1), (0.2, 0.8)]
LOG_PX = math.log(0.4)


def exact(objective, q=(0.5, 0.5), k=1):
    """The expectation of an objective of k samples under the two-state model, by visiting every k-tuple."""
    draw, mass = all_tuples(two_state(q), k)
    return (mass * objective(draw)).sum().item()


def test_fractions_of_the_two_state_model():
    """p(x, z) = (0.3, 0.1), q = (1/2, 1/2): log-weights log 0.6 and log 0.2, worked out by hand."""
    assert exact(elbo) == pytest.approx(0.5 * math.log(0.6 * 0.2), abs=1e-12)
    assert exact(elbo) == pytest.approx(-1.060132, abs=5e-7)
    assert LOG_PX - exact(elbo) == pytest.approx(math.log(2 / math.sqrt(3)), abs=1e-12)
    assert exact(iwae, k=2) == pytest.approx(
        0.25 * math.log(0.6) + 0.25 * math.log(0.2) + 0.5 * math.log(0.4), abs=1e-12
    )
    assert exact(iwae, k=2) == pytest.approx(-0.988211, abs=5e-7)


@pytest.mark.parametrize("q", QS)
def test_elbo_does_not_depend_on_the_number_of_samples(q):
    assert exact(elbo, q, k=3) == pytest.approx(exact(elbo, q, k=1), abs=1e-12)


@pytest.mark.parametrize("q", QS)
def test_importance_weighted_bound_rises_with_k(q):
    bounds = [exact(iwae, q, k) for k in range(1, 11)]
    assert bounds[0] == pytest.approx(exact(elbo, q), abs=1e-12)
    assert all(later > earlier for earlier, later in itertools.pairwise(bounds))
    assert bounds[-1] < LOG_PX


def test_importance_weighted_bound_is_flat_at_the_exact_posterior():
    for k in (1, 2, 5):
        assert exact(iwae, (0.75, 0.25), k) == pytest.approx(LOG_PX, abs=1e-12)


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("k", [2, 5])
def test_renyi_falls_with_alpha(q, k):
    alphas = [-1.0, 0.0, 0.5, 0.999, 1.0, 1.001, 2.0, 5.0]
    bounds = [exact(lambda draw, alpha=alpha: renyi(draw, alpha), q, k) for alpha in alphas]
    assert all(later < earlier for earlier, later in itertools.pairwise(bounds))
    assert bounds[alphas.index(0.0)] == pytest.approx(exact(iwae, q, k), abs=1e-12)
    assert bounds[alphas.index(1.0)] == pytest.approx(exact(elbo, q), abs=1e-12)


@pytest.fixture(scope="module")
def draw():
    torch.manual_seed(0)
    with torch.no_grad():
        return neural_model(num_latents=2).draw(torch.ones(6, 3, dtype=torch.float64), 50)


def test_shapes(draw):
    for value in (elbo(draw), iwae(draw), renyi(draw, 0.3), beta_elbo(draw, 2.0), rate(draw), distortion(draw)):
        assert value.shape == (6,)


def test_elbo_splits_into_rate_and_distortion(draw):
    torch.testing.assert_close(elbo(draw), -(rate(draw) + distortion(draw)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(beta_elbo(draw, 1.0), elbo(draw), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(beta_elbo(draw, 4.0) - beta_elbo(draw, 1.0), -3 * rate(draw), rtol=1e-12, atol=1e-12)


def test_every_draw_is_ordered(draw):
    """Power means: on the same samples elbo <= renyi(1/2) <= iwae, with equality for one sample."""
    assert (elbo(draw) < renyi(draw, 0.5)).all() and (renyi(draw, 0.5) < iwae(draw)).all()
    one = Draw(*(part[:1] for part in draw))
    torch.testing.assert_close(iwae(one), elbo(one), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(renyi(one, 0.5), elbo(one), rtol=1e-12, atol=1e-12)


def test_repeated_samples_change_nothing(draw):
    """An average over S, not a sum: where log S is lost, twice the samples add log 2."""
    twice = Draw(*(torch.cat([part, part]) for part in draw))
    for objective in (elbo, iwae, lambda d: renyi(d, 0.5), rate, distortion):
        torch.testing.assert_close(objective(twice), objective(draw), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shift", [-5000.0, 5000.0])
def test_weights_beyond_floating_point(draw, shift):
    moved = draw._replace(log_px_z=draw.log_px_z + shift)
    for objective in (elbo, iwae, lambda d: renyi(d, 0.5)):
        torch.testing.assert_close(objective(moved), objective(draw) + shift, rtol=1e-10, atol=1e-9)


# ------------------------------------------------------------------------------------------------ weighted averages


@pytest.mark.parametrize("q", QS)
def test_all_states_with_their_mass_are_the_expectation(q):
    """One sample for each state, weighted by q: the ELBO, its rate and distortion exactly, and log p(x) for iwae."""
    draw, _ = all_tuples(two_state(q), 1)  # [1, 2]
    draw = Draw(*(part.transpose(0, 1) for part in draw))  # [2, 1]: the states as samples of one datum
    log_mass = draw.log_qz_x
    assert elbo(draw, log_mass).item() == pytest.approx(exact(elbo, q), abs=1e-12)
    assert rate(draw, log_mass[:, :1]).item() == pytest.approx(exact(rate, q), abs=1e-12)
    assert distortion(draw, log_mass).item() == pytest.approx(exact(distortion, q), abs=1e-12)
    assert beta_elbo(draw, 3.0, log_mass).item() == pytest.approx(exact(lambda d: beta_elbo(d, 3.0), q), abs=1e-12)
    assert iwae(draw, log_mass).item() == pytest.approx(LOG_PX, abs=1e-12)
    assert renyi(draw, 1.0, log_mass).item() == pytest.approx(exact(elbo, q), abs=1e-12)
    # E_q[w^2] with w = p / q: sum p^2 / q, and alpha = -1 takes half its logarithm.
    moment = 0.3**2 / q[0] + 0.1**2 / q[1]
    assert renyi(draw, -1.0, log_mass).item() == pytest.approx(0.5 * math.log(moment), abs=1e-12)


def test_even_masses_are_the_plain_average():
    draw = neural_model().draw(torch.ones(4, 3, dtype=torch.float64), 5)
    even = torch.full((5, 1), -math.log(5), dtype=torch.float64)
    for objective in (elbo, iwae, rate, distortion):
        torch.testing.assert_close(objective(draw, even), objective(draw), rtol=1e-12, atol=1e-12)


def test_a_state_without_mass_counts_as_nothing():
    """q = (1, 0): the log-weight of the second state is infinite, and its mass zero."""
    draw, _ = all_tuples(two_state((1.0, 0.0)), 1)
    draw = Draw(*(part.transpose(0, 1) for part in draw))
    for objective in (elbo, iwae, lambda d, m: renyi(d, 0.5, m), lambda d, m: renyi(d, 2.0, m)):
        assert objective(draw, draw.log_qz_x).item() == pytest.approx(math.log(0.3), abs=1e-12)


def test_masses_have_a_row_for_each_sample():
    """[S] against [S, B] would be read as masses of the data, wherever there are as many of them as samples."""
    draw = neural_model().draw(torch.ones(2, 3, dtype=torch.float64), 2)
    for wrong in (torch.zeros(2), torch.zeros(1, 2), torch.zeros(())):
        for objective in (elbo, iwae):
            with pytest.raises(ValueError, match=r"log_mass must be \[2, B\] or \[2, 1\], and has shape"):
                objective(draw, wrong.double())


@pytest.mark.parametrize("alpha", [1 - 1e-7, 1 - 1e-5, 1 + 1e-6, 0.999, 1.01, 0.5, 2.0])
def test_renyi_in_single_precision(alpha):
    """Also next to alpha = 1, where the power mean of the weights is one plus a rounding error of float32."""
    log_w = -96.5 + torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    values = []
    for dtype in (torch.float32, torch.float64):
        weights = log_w.to(dtype).requires_grad_()
        draw = Draw(torch.zeros(50, 3, 1), weights, torch.zeros(50, 3, dtype=dtype), torch.zeros(50, 3, dtype=dtype))
        value = renyi(draw, alpha)
        values.append((value.double().detach(), torch.autograd.grad(value.sum(), weights)[0].double()))
    torch.testing.assert_close(values[0][0], values[1][0], rtol=0, atol=1e-4)  # float32 near 100 has steps of 8e-6
    torch.testing.assert_close(values[0][1], values[1][1], rtol=1e-3, atol=1e-6)
    at_one = elbo(draw).detach().double() + (1 - alpha) / 2 * log_w.double().var(0, correction=0)  # to first order
    if abs(1 - alpha) < 1e-4:
        torch.testing.assert_close(values[1][0], at_one, rtol=0, atol=1e-6)
