"""Every family of the package over its whole range, in float64 and in float32: densities that integrate to one."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.distributions as td
from torch import nn

from vaecourse import distributions
from vaecourse.distributions import Affine, ContinuousBernoulli, Implicit, InverseCDF, VonMises
from vaecourse.likelihoods import Bernoulli, Binomial, Gaussian
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import MixtureOfGaussians

DTYPES = [torch.float64, torch.float32]
both = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])


class Family(NamedTuple):
    """How to make a member from a parameter (in a dtype), its range, and where and how wide a member's mass lies."""

    make: object  # (parameter, dtype) -> a distribution of one number
    parameters: list
    where: object  # parameter -> (places of mass, scale there, lower end, upper end)


def tensor(value, dtype):
    return torch.tensor(value, dtype=dtype)


def cut(base):
    """A truncated standard member of a base, for parameters (low, high)."""

    def make(limits, dtype):
        return InverseCDF(base(dtype), *limits)

    return make


def where_normal(limits):
    """At the limit that is nearer to the mode; the tail beyond a is some 1 / a wide."""
    low, high = (-math.inf if limits[0] is None else limits[0]), (math.inf if limits[1] is None else limits[1])
    nearest = min(max(0.0, low), high)
    return [nearest], 1 / max(1.0, abs(nearest)), low, high


def where_exponential(limits):
    low, high = (0.0 if limits[0] is None else max(limits[0], 0.0)), (math.inf if limits[1] is None else limits[1])
    return [low], 1.0, low, high


def where_heavy(limits):
    """A Laplace or a Gumbel tail keeps its scale, a Cauchy's grows: panels that double reach either."""
    nearest, _, low, high = where_normal(limits)
    return [0.0, *nearest], 1.0, low, high


def mixture(gap, dtype):
    components = td.Normal(tensor([-gap / 2, gap / 2], dtype), tensor(1.0, dtype))
    return Implicit(td.MixtureSameFamily(td.Categorical(tensor([0.3, 0.7], dtype)), components))


def affine(scale, dtype):
    return Affine(td.Laplace(0.0, 1.0), tensor([0.5], dtype) * scale, tensor([[1.0]], dtype) * scale)


def mixture_prior(gap, dtype):
    prior = MixtureOfGaussians(2, 1).to(dtype)
    with torch.no_grad():
        prior.loc.copy_(tensor([[-gap / 2], [gap / 2]], dtype))
        prior.logits.copy_(tensor([0.0, 3.0], dtype))
    return prior()


LOGITS = [0.0, 1e-6, 0.5, 0.99, 1.01, 3.0, 8.0, 15.0, 17.0, 35.0, 37.0, 100.0, 1e3, 1e4]
TAILS = [(-1.0, 2.0), (5.0, None), (8.5, 9.0), (30.0, None), (30.0, 31.0), (80.0, None), (-3.0, None), (0.0, 1e-3)]
TAILS += [tuple(None if end is None else -end for end in reversed(limits)) for limits in TAILS]  # the other tail
FAMILIES = {
    "ContinuousBernoulli": Family(
        lambda logit, dtype: ContinuousBernoulli(tensor(logit, dtype)),
        sorted({sign * logit for logit in LOGITS for sign in (-1, 1)}),
        lambda logit: ([float(logit > 0)], min(1.0, 1 / abs(logit)) if logit else 1.0, 0.0, 1.0),
    ),
    "VonMises": Family(
        lambda kappa, dtype: VonMises(tensor(0.25, dtype), tensor(kappa, dtype)),
        [1e-3, 0.1, 1.0, 5.0, 14.0, 29.0, 31.0, 100.0, 1e3, 1e4, 1e5, 1e6],
        lambda kappa: ([0.25], min(1.0, kappa**-0.5), 0.25 - math.pi, 0.25 + math.pi),
    ),
    "InverseCDF, Normal": Family(cut(lambda dtype: td.Normal(tensor(0.0, dtype), 1.0)), TAILS, where_normal),
    "InverseCDF, Laplace": Family(cut(lambda dtype: td.Laplace(tensor(0.0, dtype), 1.0)), TAILS, where_heavy),
    "InverseCDF, Cauchy": Family(cut(lambda dtype: td.Cauchy(tensor(0.0, dtype), 1.0)), TAILS, where_heavy),
    "InverseCDF, Exponential": Family(
        cut(lambda dtype: td.Exponential(tensor(1.0, dtype))),
        [limits for limits in TAILS if limits[1] is None or limits[1] > 0],
        where_exponential,
    ),
    "InverseCDF, any base": Family(
        cut(lambda dtype: td.Gumbel(tensor(0.0, dtype), 1.0)), [(-1.0, 2.0), (1.0, None), (None, 0.0)], where_heavy
    ),
    "Implicit": Family(mixture, [0.0, 1.0, 8.0, 40.0], lambda gap: ([-gap / 2, gap / 2], 1.0, -math.inf, math.inf)),
    "Affine": Family(affine, [1e-6, 1e-3, 1.0, 1e3, 1e6], lambda scale: ([0.5 * scale], scale, -math.inf, math.inf)),
}
SLOTS = {  # conditionals with one number as their variable, made by networks that say what they are given
    "Gaussian": Family(
        lambda scale, dtype: Gaussian(nn.Identity(), scale).to(dtype)(tensor([0.5], dtype) * scale),
        [1e-6, 1e-3, 1.0, 1e3, 1e6],
        lambda scale: ([0.5 * scale], scale, -math.inf, math.inf),
    ),
    "DiagonalGaussian": Family(
        lambda log_scale, dtype: DiagonalGaussian(nn.Identity())(tensor([0.0, log_scale], dtype)),
        [-14.0, -7.0, 0.0, 7.0, 14.0],
        lambda log_scale: ([0.0], math.exp(log_scale), -math.inf, math.inf),
    ),
    "FullCovarianceGaussian": Family(
        lambda log_scale, dtype: FullCovarianceGaussian(nn.Identity(), 1)(tensor([0.0, log_scale], dtype)),
        [-14.0, -7.0, 0.0, 7.0, 14.0],
        lambda log_scale: ([0.0], math.exp(log_scale), -math.inf, math.inf),
    ),
    "MixtureOfGaussians": Family(
        mixture_prior, [0.0, 8.0, 40.0, 1e3], lambda gap: ([-gap / 2, gap / 2], 1.0, -math.inf, math.inf)
    ),
}
ALL = FAMILIES | SLOTS
CASES = [(name, parameter) for name, family in ALL.items() for parameter in family.parameters]


# Made of other families, which are here, or with sums in place of integrals, on levels or bins: their own tests sum up
# (test_autoregressive.py, test_discretised_logistic.py, test_piecewise.py).
COMPOSED = {distributions.Autoregression, distributions.DiscretisedLogistic, distributions.PiecewiseConstant}
WITHOUT_DENSITY = {distributions.ExtendedDistribution}  # tests/test_extended.py


def test_every_family_is_here():
    kinds = {value for value in vars(distributions).values() if isinstance(value, type)} - COMPOSED - WITHOUT_DENSITY
    made = {type(family.make(family.parameters[0], torch.float64)) for family in FAMILIES.values()}
    assert {kind for kind in kinds if issubclass(kind, td.Distribution)} == made


def panels(places, scale, low, high):
    """Gauss-Legendre nodes and weights on panels whose widths double with the distance from the places of mass."""
    steps = np.concatenate([[0.0], scale * 2.0 ** np.arange(-4, 45)])
    edges = np.unique(np.concatenate([[place - steps, place + steps] for place in places], None))
    edges = np.unique(np.concatenate([edges.clip(low, high), [end for end in (low, high) if math.isfinite(end)]]))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half, middle = np.diff(edges)[:, None] / 2, (edges[:-1] + edges[1:])[:, None] / 2
    return torch.from_numpy((middle + half * nodes).ravel()), torch.from_numpy((half * weights).ravel())


def mass(name, parameter, dtype):
    family = ALL[name]
    q = family.make(parameter, dtype)
    points, weights = panels(*family.where(parameter))
    points = points.to(dtype)
    log_q = q.log_prob(points[:, None] if q.event_shape else points)
    assert log_q.dtype == dtype
    return (log_q.double().exp() @ weights).item()


@both
@pytest.mark.parametrize(("name", "parameter"), CASES, ids=[f"{name} {parameter}" for name, parameter in CASES])
def test_density_integrates_to_one(name, parameter, dtype):
    """To rounding: of log q, a few eps, and of the nodes, whose spacing near a place p is eps p, against the scale.

    The errors of some hundred nodes do not add up, so that 4 of these are many. The quadrature is good to 1e-9, which
    the Cauchy's tail beyond 2^44 scales is too.
    """
    places, scale, *_ = ALL[name].where(parameter)
    eps = torch.finfo(dtype).eps
    tolerance = 1e-9 + 4 * eps * (4 + max(map(abs, places)) / scale)
    assert mass(name, parameter, dtype) == pytest.approx(1.0, abs=tolerance)
    assert tolerance < 0.02


@both
@pytest.mark.parametrize("name", FAMILIES)
def test_the_test_of_ranges_can_fail(name, dtype, monkeypatch):
    """A hundredth of a nat is found at every parameter."""
    kind = type(FAMILIES[name].make(FAMILIES[name].parameters[0], dtype))
    right = kind.log_prob
    monkeypatch.setattr(kind, "log_prob", lambda self, value: right(self, value) + 0.02)
    for parameter in FAMILIES[name].parameters:
        assert abs(mass(name, parameter, dtype) - 1) > 0.01


@both
@pytest.mark.parametrize("logit", sorted({sign * logit for logit in LOGITS for sign in (-1, 1)}))
@pytest.mark.parametrize("num_trials", [1, 16, 255])
def test_masses_sum_to_one(num_trials, logit, dtype):
    """Counts: log(n!) is some n log n nats, and so are the terms that cancel in log p; each costs eps of its size."""
    slot = Bernoulli(nn.Identity()) if num_trials == 1 else Binomial(nn.Identity(), num_trials)
    x = torch.arange(num_trials + 1, dtype=dtype)[:, None]
    log_p = slot(tensor([logit], dtype)).log_prob(x)
    assert log_p.dtype == dtype
    size = num_trials * (1 + math.log(num_trials) + min(abs(logit), 50.0))
    assert log_p.double().exp().sum().item() == pytest.approx(1.0, abs=4 * torch.finfo(dtype).eps * size)
