"""Two linear-Gaussian layers: marginal, posterior and the layers' terms against integrals, samples and known digits."""

import math

import pytest
import scipy.integrate
import scipy.stats
import torch
import torch.distributions as td

from vaecourse.estimators import layerwise_kl, pathwise
from vaecourse.evaluation import layer_terms
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal, linear_hierarchy
from vaecourse.exact.linear_hierarchy import INFERENCES

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)
every_inference = pytest.mark.parametrize("inference", INFERENCES)


def scalar(variance):
    one = torch.ones(1, 1)
    return linear_hierarchy(one, one, scale_above=math.sqrt(variance)), torch.full((1, 1), 2.0, dtype=F64)


def hierarchy(size_2=2, size_1=3, size_x=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    above, weight = (torch.randn(*s, generator=g, dtype=F64) for s in ((size_1, size_2), (size_x, size_1)))
    bias, x = torch.randn(size_x, generator=g, dtype=F64), torch.randn(6, size_x, generator=g, dtype=F64)
    return linear_hierarchy(above, weight, bias, 0.4, 0.7), x


def test_the_scalar_case_to_its_digits():
    """A = W = t = 1, x = 2, s^2 = 0.01: the bottom layer's term is below zero when the bottom is drawn first."""
    exact, x = scalar(0.01)
    digits = {"top-down": (0.590373, 0.007438), "bottom-up": (2.553841, -1.956030)}
    for inference, expected in digits.items():
        torch.testing.assert_close(
            exact.terms(x, inference)[:, 0], torch.tensor(expected, dtype=F64), rtol=0, atol=6e-7
        )
    assert exact.marginal().log_prob(x).item() == pytest.approx(-2.263031, abs=6e-7)
    assert exact.factorised_gap() == pytest.approx(1.963468, abs=6e-7)


def test_the_scalar_case_by_quadrature():
    """Every term as the integral that defines it, on a grid of z_2 and z_1 over the exact posterior."""
    exact, x = scalar(0.25)
    z_2, z_1 = torch.linspace(-7, 9, 1601, dtype=F64), torch.linspace(-7, 9, 1601, dtype=F64)
    cell = (z_2[1] - z_2[0]).item() ** 2
    top, bottom = torch.meshgrid(z_2, z_1, indexing="ij")
    log_p2, log_p1 = td.Normal(0.0, 1.0).log_prob(top), td.Normal(top, 0.5).log_prob(bottom)
    log_joint = log_p2 + log_p1 + td.Normal(bottom, 1.0).log_prob(x)
    log_px = log_joint.logsumexp((0, 1)) + math.log(cell)
    assert log_px.item() == pytest.approx(exact.marginal().log_prob(x).item(), abs=1e-10)
    log_q = log_joint - log_px
    mass, width = log_q.exp() * cell, math.sqrt(cell)
    log_q2, log_q1 = log_q.logsumexp(1, True) + math.log(width), log_q.logsumexp(0, True) + math.log(width)
    terms = {
        "top-down": (log_q2 - log_p2, log_q - log_q2 - log_p1),
        "bottom-up": (log_q - log_q1 - log_p2, log_q1 - log_p1),
    }
    for inference, (of_top, of_bottom) in terms.items():
        by_hand = torch.stack([(mass * of_top).sum(), (mass * of_bottom).sum()])
        torch.testing.assert_close(exact.terms(x, inference)[:, 0], by_hand, **EXACT)
    information = (mass * (log_q - log_q1 - log_q2)).sum().item()
    assert exact.information() == pytest.approx(information, abs=1e-10)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 3, 4), (3, 2, 2), (4, 2, 1)])
def test_the_bound_of_the_exact_posterior_is_log_p(sizes):
    """However its rate is split; and the best factorised q is short by its gap, at every x."""
    exact, x = hierarchy(*sizes)
    log_px = exact.marginal().log_prob(x)
    for inference in ("top-down", "bottom-up"):
        torch.testing.assert_close(exact.bound(x, inference), log_px, **EXACT)
    torch.testing.assert_close(log_px - exact.bound(x, "factorised"), torch.full_like(log_px, exact.factorised_gap()))
    moved = exact.terms(x, "bottom-up") - exact.terms(x, "top-down")
    information = torch.full_like(moved[0], exact.information())
    torch.testing.assert_close(moved, torch.stack([information, -information]), **EXACT)


@pytest.mark.parametrize("inference", ["top-down", "bottom-up"])
def test_a_chain_of_either_direction_is_the_joint_posterior(inference):
    """And every sample's weight is p(x), to rounding."""
    exact, x = hierarchy()
    model = exact.model(inference)
    draw = model.draw(x, 5)
    torch.testing.assert_close(draw.log_qz_x, exact.posterior(x).log_prob(draw.z), **EXACT)
    torch.testing.assert_close(draw.log_w, exact.marginal().log_prob(x).expand(5, -1), **EXACT)


def test_the_top_layer_needs_no_datum_once_the_bottom_is_known():
    """q(z_2|z_1, x) = p(z_2|z_1): the regression on x is zero, and of the bottom layer it is not."""
    exact, _ = hierarchy()
    for inference, reads in (("bottom-up", False), ("top-down", True)):
        weight = exact.model(inference).posterior.second.net.net.weight[:, -4:]  # [outputs, D]
        assert (weight.abs().max() > 0.1) == reads and (reads or weight.abs().max() < 1e-12)


def test_the_factorised_q_is_the_best_of_its_kind():
    """The gap is its KL, by the joint Gaussians; no other block-diagonal covariance and no other mean does better."""
    exact, x = hierarchy()
    p = exact.posterior(x)
    size_2 = exact.sizes[0]
    q = exact.model("factorised").posterior(x)
    z = q.rsample((3,))
    best = exact._covariance_of_q("factorised")
    joint = td.MultivariateNormal(p.loc, best)
    torch.testing.assert_close(q.log_prob(z), joint.log_prob(z), **EXACT)
    gap = td.kl_divergence(joint, p)
    torch.testing.assert_close(gap, torch.full_like(gap, exact.factorised_gap()), **EXACT)
    torch.manual_seed(0)
    for _ in range(50):
        root = torch.linalg.cholesky(best) + 0.03 * torch.randn(5, 5, dtype=F64).tril()
        root[size_2:, :size_2] = 0
        near = td.MultivariateNormal(p.loc + 0.03 * torch.randn(5, dtype=F64), scale_tril=root)
        assert (td.kl_divergence(near, p) > gap).all()


@every_inference
def test_terms_against_samples(inference):
    """Within five standard errors of the sampling, of every layer and datum."""
    exact, x = hierarchy()
    torch.manual_seed(0)
    model = exact.model(inference)
    runs = torch.stack([layer_terms(model, x, 500).terms for _ in range(40)])  # [40, layers, B]
    error = runs.std(0) / math.sqrt(40)
    assert ((runs.mean(0) - exact.terms(x, inference)).abs() < 5 * error + 1e-12).all()


@pytest.mark.parametrize("inference", ["top-down", "factorised"])
def test_the_layerwise_bound_against_its_closed_form(inference):
    exact, x = hierarchy()
    model = exact.model(inference)
    torch.manual_seed(0)
    with torch.no_grad():
        runs = {estimator: torch.stack([estimator(model, x, 500) for _ in range(40)])
                for estimator in (layerwise_kl, pathwise)}  # fmt: skip
    for values in runs.values():
        error = values.std(0) / math.sqrt(40)
        assert ((values.mean(0) - exact.bound(x, inference)).abs() < 5 * error + 1e-12).all()


def test_two_layers_are_one():
    r"""The same p(x) from one layer of weight W chol(A A^T + s^2 I)."""
    exact, x = hierarchy()
    one = linear_gaussian(exact.single_layer_weight(), exact.bias, exact.scale)
    with torch.no_grad():
        one.likelihood.log_scale.fill_(math.log(exact.scale))  # which was rounded to float32
    log_px = linear_gaussian_marginal(one).log_prob(x)
    torch.testing.assert_close(log_px, exact.marginal().log_prob(x), **EXACT)
    covariance = exact.weight @ (exact.above @ exact.above.T + 0.16 * torch.eye(3, dtype=F64)) @ exact.weight.T
    torch.testing.assert_close(exact.marginal().covariance_matrix, covariance + 0.49 * torch.eye(4, dtype=F64), **EXACT)


def test_the_middle_integrated_out():
    """p(x|z_2) by an integral over z_1, in one dimension, averaged over z_2: log p(x)."""
    exact, x = scalar(0.25)

    def p(z_1, z_2):
        pdf = scipy.stats.norm.pdf
        return pdf(z_2) * pdf(z_1, z_2, 0.5) * pdf(x.item(), z_1, 1.0)

    value, _ = scipy.integrate.dblquad(p, -9, 9, -9, 9, epsabs=1e-12)
    assert math.log(value) == pytest.approx(exact.marginal().log_prob(x).item(), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale_above": 0.0}, r"scale_above must be a number above 0, and is 0\.0"),
        ({"scale": math.nan}, "scale must be a number above 0, and is nan"),
        (
            {"weight": torch.ones(4, 2)},
            r"above must be \[L1, L2\], weight \[D, L1\] and bias \[D\], and they are \[3, 2\]",
        ),
        ({"bias": torch.ones(3)}, r"and they are \[3, 2\], \[4, 3\], \[3\]"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        linear_hierarchy(**{"above": torch.ones(3, 2), "weight": torch.ones(4, 3), **change})


def test_an_unknown_inference_is_named():
    exact, x = hierarchy()
    for call in (exact.model, lambda name: exact.terms(x, name), lambda name: exact.bound(x, name)):
        with pytest.raises(ValueError, match=r'must be "top-down", "bottom-up" or "factorised", and is .up.'):
            call("up")
