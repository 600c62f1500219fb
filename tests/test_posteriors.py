"""Posteriors: what the encoder's outputs mean."""

import math

import pytest
import scipy.integrate
import scipy.stats
import torch
import torch.distributions as td
from torch import nn

from vaecourse.distributions import Affine, Conditional
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian, Scaled, StudentT

F64 = torch.float64


def test_second_half_is_the_logarithm_of_the_scale():
    q = DiagonalGaussian(nn.Identity())(torch.tensor([[1.0, 2.0, -1.0, 0.5]]))
    torch.testing.assert_close(q.mean, torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(q.stddev, torch.tensor([[-1.0, 0.5]]).exp())


def test_full_covariance_from_its_outputs():
    """Means, then the log-diagonal of C, then its entries below, row by row."""
    outputs = torch.tensor([[1.0, 2.0, 3.0, 0.1, 0.2, 0.3, 21.0, 31.0, 32.0]], dtype=torch.float64)
    q = FullCovarianceGaussian(nn.Identity(), 3)(outputs)
    d = outputs[0, 3:6].exp()
    tril = torch.tensor([[d[0], 0, 0], [21.0, d[1], 0], [31.0, 32.0, d[2]]], dtype=torch.float64)
    torch.testing.assert_close(q.mean[0], outputs[0, :3])
    torch.testing.assert_close(q.covariance_matrix[0], tril @ tril.T)


@pytest.mark.parametrize(("dim", "outputs"), [(1, 2), (2, 5), (3, 9), (10, 65)])
def test_number_of_outputs(dim, outputs):
    assert FullCovarianceGaussian.num_outputs(dim) == outputs
    assert FullCovarianceGaussian(nn.Linear(4, outputs), dim)(torch.zeros(7, 4)).batch_shape == (7,)


def test_wrong_number_of_outputs_is_refused():
    with pytest.raises(ValueError, match="net must give 5 outputs for dim = 2, and gives 4"):
        FullCovarianceGaussian(nn.Identity(), 2)(torch.zeros(1, 4))


def test_odd_number_of_outputs_is_refused():
    with pytest.raises(ValueError, match="even number of outputs"):
        DiagonalGaussian(nn.Identity())(torch.zeros(1, 5))


# ------------------------------------------------------------------------------------------------ heavier and lighter


class Given(Conditional):
    """A posterior that is one distribution, whatever x."""

    def __init__(self, q):
        super().__init__()
        self.q = q

    def forward(self, c=None):
        return self.q


@pytest.mark.parametrize("df", [1.0, 3.0, 5.0])
def test_student_t_against_scipy(df):
    outputs = torch.tensor([[0.3, -0.8, 0.1, -0.5]], dtype=F64)
    q = StudentT(nn.Identity(), df)(outputs)
    assert (q.event_shape, q.batch_shape) == ((2,), (1,))
    z = torch.tensor([[0.2, 40.0]], dtype=F64)
    loc, scale = outputs[0, :2].numpy(), outputs[0, 2:].exp().numpy()
    expected = scipy.stats.t.logpdf(z[0].numpy(), df, loc, scale).sum()
    assert q.log_prob(z).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("df", [2.5, 5.0, 30.0])
def test_kl_of_student_t_from_gaussian(df):
    q, p = td.StudentT(df, torch.tensor(0.7, dtype=F64), 0.4), td.Normal(torch.tensor(-0.2, dtype=F64), 1.3)
    density = scipy.stats.t(df, 0.7, 0.4)

    def integrand(u):
        z = 0.7 + math.sinh(u)  # far enough: at df = 2.5 the tails' share of z^2 falls as z^-0.5 only
        return density.pdf(z) * math.cosh(u) * (density.logpdf(z) - scipy.stats.norm.logpdf(z, -0.2, 1.3))

    expected, _ = scipy.integrate.quad(integrand, -60, 60, limit=500)
    assert td.kl_divergence(q, p).item() == pytest.approx(expected, rel=1e-8)


def test_kl_of_student_t_without_variance_is_infinite():
    heavy = StudentT(nn.Identity(), 2.0)(torch.zeros(1, 4))
    assert td.kl_divergence(heavy, td.Independent(td.Normal(torch.zeros(2), 1.0), 1)).isinf().all()


def scalable():
    loc, scale = torch.tensor([[0.5, -1.0]], dtype=F64), torch.tensor([[0.7, 1.5]], dtype=F64)
    tril = torch.tensor([[1.0, 0.0], [0.6, 0.5]], dtype=F64)
    return {
        "Normal": td.Independent(td.Normal(loc, scale), 1),
        "Laplace": td.Independent(td.Laplace(loc, scale), 1),
        "StudentT": td.Independent(td.StudentT(5.0, loc, scale), 1),
        "MultivariateNormal": td.MultivariateNormal(loc, scale_tril=tril),
        "Affine": Affine(td.Laplace(0.0, 1.0), loc, tril),
    }


@pytest.mark.parametrize("name", scalable())
def test_scaled_is_the_density_of_the_scaled_variable(name):
    """q_f(m + f y) = q(m + y) / f^L, and the samples of one seed are scaled alike."""
    q, factor = scalable()[name], 0.3
    scaled = Scaled(Given(q), factor)(None)
    y = torch.randn(50, 1, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(scaled.log_prob(q.mean + factor * y), q.log_prob(q.mean + y) - 2 * math.log(factor))
    draws = []
    for distribution in (q, scaled):
        torch.manual_seed(0)
        draws.append(distribution.rsample((4,)) - q.mean)
    torch.testing.assert_close(draws[1], factor * draws[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StudentT(nn.Identity(), 0.0), r"df must be above 0 and finite, and is 0\.0"),
        (lambda: StudentT(nn.Identity(), math.nan), "df must be above 0 and finite, and is nan"),
        (lambda: StudentT(nn.Identity(), math.inf), "df must be above 0 and finite, and is inf"),
        (lambda: Scaled(DiagonalGaussian(nn.Identity()), 0.0), r"factor must be above 0 and finite, and is 0\.0"),
        (lambda: Scaled(DiagonalGaussian(nn.Identity()), math.inf), "factor must be above 0 and finite, and is inf"),
        (lambda: StudentT(nn.Identity(), 3.0)(torch.zeros(1, 5)), "even number of outputs"),
        (
            lambda: Scaled(Given(td.OneHotCategorical(torch.ones(2))), 0.5)(None),
            "posterior must give distributions with a location and a scale, and gives OneHotCategorical",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
