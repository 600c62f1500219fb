"""Gauss-Hermite quadrature of the bound: against moments and closed forms, and the best Gaussian against theory."""

import math

import pytest
import torch
import torch.distributions as td
from cases import in_chunks, linear_gaussian_model, neural_model, seeded
from test_exact import linear_gaussian_elbo

from vaecourse.exact import best_gaussian, draw_at_nodes, gauss_hermite, gaussian_bound, quadrature
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian

F64 = torch.float64
X = torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
ENCODERS = {
    "diagonal": lambda: DiagonalGaussian(MLP(3, (), 4)),
    "full": lambda: FullCovarianceGaussian(MLP(3, (), 5), 2),
}


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_moments_of_a_gaussian(dim):
    """E prod e_l^(2 m) = prod (2m - 1)!!, exact up to degree 2 order - 1 in each coordinate, and not beyond."""
    nodes, weights = gauss_hermite(4, dim)
    assert nodes.shape == (4**dim, dim) and weights.shape == (4**dim,)
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15), (7, 0)):
        torch.testing.assert_close(weights @ (nodes**power).prod(-1), torch.tensor(float(moment) ** dim, dtype=F64))
    assert abs(weights @ nodes[:, 0] ** 8 - 105) > 1


@pytest.mark.parametrize("kind", ENCODERS)
def test_bound_and_gradient_in_closed_form(kind):
    """log w is a polynomial of degree two in z, which two nodes already integrate."""
    model = linear_gaussian_model()
    model.posterior = seeded(ENCODERS[kind])
    parameters = list(model.parameters())
    exact = linear_gaussian_elbo(model, X, model.posterior(X))
    for order, chunk_size in ((2, None), (5, None), (5, 7)):
        bound = gaussian_bound(in_chunks(model, chunk_size), X, order=order)
        torch.testing.assert_close(bound, exact)
        gradients = (torch.autograd.grad(value.sum(), parameters, retain_graph=True) for value in (bound, exact))
        torch.testing.assert_close(*gradients)


def test_bound_of_a_neural_decoder():
    """The evidence less the divergence on a grid that knows nothing of the nodes.

    The rule's error falls geometrically, so that what two orders differ by bounds the error of the higher one.
    """
    model = neural_model(num_latents=2)
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    table = quadrature(model, x, num_points=301, half_width=12.0)  # 8 standard deviations of the widest q
    with torch.no_grad():
        low, high = (gaussian_bound(model, x, order=order) for order in (48, 64))
        error = (high - low).abs().max().item()
        assert error < 1e-5
        torch.testing.assert_close(high, table.log_px - table.kl(model.posterior(x)), rtol=0, atol=error)
        draw = draw_at_nodes(model, x, model.posterior(x), gauss_hermite(3)[0])
    assert draw.z.shape == (9, 8, 2) and draw.log_w.shape == (9, 8)


def test_best_gaussian_in_closed_form():
    """The posterior itself with a full covariance; without, its mean and the inverse of its precision's diagonal.

    L-BFGS stops at gradients of 1e-5, and a mean is off by the gradient over the precision, which is above 1.
    """
    model = linear_gaussian_model()
    exact = model.posterior(X)
    start = td.Independent(td.Normal(torch.zeros(4, 2, dtype=F64), 1.0), 1)
    full, diagonal = (best_gaussian(model, X, start, family) for family in ("full", "diagonal"))
    assert td.kl_divergence(full, exact).max() < 1e-8
    torch.testing.assert_close(diagonal.mean, exact.mean.detach(), rtol=0, atol=2e-5)
    variance = 1 / exact.precision_matrix.diagonal(dim1=-2, dim2=-1).detach()
    torch.testing.assert_close(diagonal.variance, variance, rtol=1e-4, atol=0)
    assert not full.mean.requires_grad and not diagonal.mean.requires_grad


def test_best_is_not_below_its_neighbours():
    model = neural_model(num_latents=2)
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    best = best_gaussian(model, x, family="full")
    torch.manual_seed(0)
    with torch.no_grad():
        top = gaussian_bound(model, x, best, order=20)
        for _ in range(10):
            loc, scale_tril = (part + 0.05 * torch.randn_like(part) for part in (best.loc, best.scale_tril))
            near = td.MultivariateNormal(loc, scale_tril=scale_tril.tril(), validate_args=False)
            assert (gaussian_bound(model, x, near, order=20) < top + 1e-8).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="order and dim must be at least 1, and are 0 and 2"):
        gauss_hermite(0)
    with pytest.raises(ValueError, match="family must be"):
        best_gaussian(neural_model(num_latents=2), X, family="banana")
    assert math.isclose(gauss_hermite(5)[1].sum(), 1.0)
