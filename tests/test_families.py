"""Reparameterised samples beyond location and scale: densities, laws of samples, and gradients against quantiles."""

import math
import warnings

import mpmath as mp
import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import z_scores
from scipy import integrate, special, stats

from vaecourse.distributions import Affine, Implicit, InverseCDF, VonMises

F64 = torch.float64
mp.mp.dps = 50


def t(value):
    return torch.tensor(value, dtype=F64)


# --------------------------------------------------------------------------------------------- affine maps of noise

BASES = {
    "normal": td.Normal(t(0.0), t(1.0)),
    "laplace": td.Laplace(t(0.0), t(1.0)),
    "student": td.StudentT(t(5.0)),
    "skewed": td.Gumbel(t(0.0), t(1.0)),
}
LOC, TRIL = t([0.5, -1.0]), t([[0.8, 0.0], [-0.6, 1.5]])


def test_affine_normal_is_the_cholesky_gaussian():
    q, exact = Affine(BASES["normal"], LOC, TRIL), td.MultivariateNormal(LOC, scale_tril=TRIL)
    z = torch.randn(7, 2, dtype=F64)
    torch.testing.assert_close(q.log_prob(z), exact.log_prob(z))
    torch.testing.assert_close((q.mean, q.variance), (exact.mean, exact.variance))


@pytest.mark.parametrize("name", BASES)
def test_affine_density_integrates_to_one(name):
    """On a square of 120 x 120 by the trapezoid rule; the tails beyond hold less than 1e-5, kinks cost 1e-3."""
    q = Affine(BASES[name], LOC, TRIL)
    axis = torch.linspace(-60, 60, 1201, dtype=F64)
    mass = q.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * 0.1**2
    assert abs(mass - 1) < 2e-3


@pytest.mark.parametrize("name", BASES)
def test_affine_samples_follow_the_density(name):
    """E log q and the moments: 5 z-scores, one above 4.5 has probability 4e-5."""
    q = Affine(BASES[name], LOC.expand(3, 2), TRIL)
    torch.manual_seed(0)
    z = q.rsample((40_000,))
    assert z.shape == (40_000, 3, 2)
    log_q, z = q.log_prob(z)[:, :1], z[:, 0]
    assert z_scores(z, q.mean[0]).abs().max() < 4.5
    assert z_scores((z - q.mean[0]) ** 2, q.variance).abs().max() < 4.5
    entropy = 2 * stats_entropy(name) + math.log(0.8 * 1.5)
    assert z_scores(-log_q, t([entropy])).abs().max() < 4.5


def stats_entropy(name):
    law = {"normal": stats.norm(), "laplace": stats.laplace(), "student": stats.t(5), "skewed": stats.gumbel_r()}[name]
    return float(law.entropy())


def test_affine_gradient_is_the_noise():
    """dz/dm = 1 and dz_i/dC_il = eps_l."""
    loc, tril = LOC.clone().requires_grad_(), TRIL.clone().requires_grad_()
    z = Affine(BASES["laplace"], loc, tril).rsample()
    by_loc, by_tril = torch.autograd.grad(z[1], [loc, tril])
    noise = torch.linalg.solve_triangular(TRIL, (z.detach() - LOC)[:, None], upper=False)[:, 0]
    torch.testing.assert_close(by_loc, t([0.0, 1.0]))
    torch.testing.assert_close(by_tril[1], noise)


def test_affine_refusals():
    with pytest.raises(ValueError, match=r"one scalar distribution, and has shape \[2\]"):
        Affine(td.Normal(torch.zeros(2), 1.0), LOC, TRIL)
    with pytest.raises(ValueError, match="must have rsample, and Poisson has not"):
        Affine(td.Poisson(1.0), LOC, TRIL)
    for loc, tril, sentence in [
        (LOC, TRIL[:, :1], r"\[\.\.\., L, L\]; got \[2\] and \[2, 1\]"),
        (LOC, TRIL[0], r"got \[2\] and \[2\]"),
        (LOC[0], TRIL, r"got \[\] and \[2, 2\]"),
        (LOC.float(), TRIL, "floats of one dtype; got torch.float32 and torch.float64"),
        (LOC.long(), TRIL.long(), "floats of one dtype; got torch.int64"),
        (LOC, TRIL.T, "zero above its diagonal"),
        (LOC, -TRIL, "positive on it"),
        (LOC, TRIL * math.nan, "positive on it"),
        (LOC.expand(3, 2), torch.stack([TRIL, TRIL, TRIL + TRIL.T]), "zero above its diagonal"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            Affine(BASES["normal"], loc, tril)


@pytest.mark.parametrize(
    "base", [td.Laplace(0.1, 1.0), td.StudentT(5.0), td.Gumbel(0.1, 1.0)], ids=lambda b: repr(b)[:6]
)
def test_noise_has_the_digits_of_the_parameters(base):
    """A float32 base of float64 parameters: samples have more than the 24 bits that its own would have."""
    z = Affine(base, t([0.0, 0.0]), torch.eye(2, dtype=F64)).rsample((100,))
    assert z.dtype == F64 and (z != z.float().double()).float().mean() > 0.9
    assert base.rsample().dtype == torch.float32  # the base given is left as it was
    scale = torch.tensor(1.0, requires_grad=True)
    z = Affine(td.Laplace(0.0, scale), t([0.0]), torch.eye(1, dtype=F64)).rsample()
    assert torch.autograd.grad(z.sum(), scale)[0] != 0


# ------------------------------------------------------------------------------------------------------ inverse CDFs

LIMITS = {"none": (None, None), "below": (0.5, None), "above": (None, 1.0), "both": (-1.0, 2.0)}


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("base", [td.Normal, td.Laplace, td.Cauchy])
def test_truncated_density_and_samples(base, limits):
    """A Kolmogorov-Smirnov test of 5,000 samples against the truncated CDF; p below 1e-4 would fail."""
    low, high = LIMITS[limits]
    base = base(t(0.3), t(1.2))
    q = InverseCDF(base, low, high)
    torch.manual_seed(0)
    z = q.rsample((5000,))
    assert q.support.check(z).all()
    below, above = (
        (0.0 if low is None else base.cdf(t(low)).item()),
        (1.0 if high is None else base.cdf(t(high)).item()),
    )
    quantiles = ((base.cdf(z) - below) / (above - below)).numpy()
    assert stats.kstest(quantiles, "uniform").pvalue > 1e-4
    ends = (-np.inf if low is None else low), (np.inf if high is None else high)
    mass = integrate.quad(lambda v: q.log_prob(t(v)).exp().item(), *ends, limit=200)[0]
    assert abs(mass - 1) < 1e-6


def test_truncated_density_is_zero_outside():
    q = InverseCDF(td.Normal(t(0.0), t(1.0)), -1.0, 2.0)
    assert q.log_prob(t([-1.1, 2.1])).tolist() == [-math.inf, -math.inf]
    assert q.log_prob(t([-1.0, 2.0])).isfinite().all()
    q = InverseCDF(td.Exponential(t(1.5)), high=2.0)  # which starts at 0 whatever the limits
    assert q.log_prob(t([-0.1, 2.1])).tolist() == [-math.inf, -math.inf]
    assert q.log_prob(t([0.0, 2.0])).isfinite().all()


@pytest.mark.parametrize("limits", LIMITS)
def test_truncated_gradient_against_moments(limits):
    """The derivative of the mean by finite differences of scipy's: 2 z-scores of 40,000 gradients."""
    low, high = LIMITS[limits]
    values = torch.tensor([0.3, 1.2], dtype=F64)
    rows = values.expand(40_000, 2).clone().requires_grad_()
    torch.manual_seed(0)
    z = InverseCDF(td.Normal(rows[:, 0], rows[:, 1]), low, high).rsample()
    (gradient,) = torch.autograd.grad(z.sum(), rows)

    def mean(loc, scale):
        ends = (-math.inf if low is None else low), (math.inf if high is None else high)
        return stats.truncnorm((ends[0] - loc) / scale, (ends[1] - loc) / scale, loc, scale).mean()

    h = 1e-5
    expected = [
        (mean(0.3 + h, 1.2) - mean(0.3 - h, 1.2)) / (2 * h),
        (mean(0.3, 1.2 + h) - mean(0.3, 1.2 - h)) / (2 * h),
    ]
    error = (gradient.mean(0) - t(expected)).abs()
    assert (error < 4.5 * gradient.std(0) / 200 + 1e-6).all()


def test_inverse_cdf_refusals():
    with pytest.raises(ValueError, match=r"low must be below high, and they are 2.0 and 1.0"):
        InverseCDF(td.Normal(0.0, 1.0), 2.0, 1.0)
    with pytest.raises(ValueError, match=r"scalar distribution, and has events of shape \[2\]"):
        InverseCDF(td.MultivariateNormal(LOC, TRIL @ TRIL.T), 0.0)
    with pytest.raises(ValueError, match="they are nan and None"):
        InverseCDF(td.Normal(t(0.0), t(1.0)), math.nan)
    for call in (lambda q: q.rsample(), lambda q: q.log_prob(t(51.0))):
        with pytest.raises(ValueError, match=r"some mass that torch.float64 resolves, .* they are 50.0 and 51.0"):
            call(InverseCDF(td.Gumbel(t(0.0), t(1.0)), 50.0, 51.0))


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    ("base", "dtype", "limits"),
    [
        (td.Normal, F64, (2e3, math.inf)),  # its gradient would be rounding
        (td.Normal, torch.float32, (200.0, math.inf)),  # a scale of 1/200 holds 300 numbers near 200
        (td.Normal, torch.float32, (1.0, 1.00001)),
        (td.Laplace, torch.float32, (1e5, math.inf)),
        (td.Laplace, F64, (1e7, math.inf)),
        (td.Gumbel, torch.float32, (10.0, math.inf)),  # F is 1 - 4.5e-5 there
        (td.Normal, F64, (1.0, 1 + 1e-12)),
    ],
)
def test_what_a_dtype_cannot_resolve_is_refused(base, dtype, limits, side):
    if side < 0 and base is not td.Gumbel:
        limits = -limits[1], -limits[0]
    q = InverseCDF(base(torch.zeros(2, dtype=dtype), torch.ones(2, dtype=dtype)), *limits)
    with pytest.raises(ValueError, match="must leave the base some mass"):
        q.rsample()
    with pytest.raises(ValueError, match="must leave the base some mass"):
        q.log_prob(torch.ones(2, dtype=dtype))


def exact_survival(base, x):
    return {
        td.Normal: lambda: mp.erfc(x / mp.sqrt(2)) / 2,
        td.Laplace: lambda: mp.exp(-x) / 2 if x > 0 else 1 - mp.exp(x) / 2,
        td.Cauchy: lambda: mp.atan2(1, x) / mp.pi,
        td.Exponential: lambda: mp.exp(-x),
    }[base]()


def exact_density(base, x):
    return {
        td.Normal: lambda: mp.npdf(x),
        td.Laplace: lambda: mp.exp(-abs(x)) / 2,
        td.Cauchy: lambda: 1 / (mp.pi * (1 + x * x)),
        td.Exponential: lambda: mp.exp(-x),
    }[base]()


FAR = [(5.0, None), (8.5, 9.0), (30.0, None), (60.0, None), (-1.0, 2.0), (30.0, 30.2)]
FAR_CASES = [
    (base, side, limits)
    for base in (td.Normal, td.Laplace, td.Cauchy, td.Exponential)
    for side in (-1, 1)
    for limits in FAR
    if base is not td.Exponential or (side > 0 and limits[0] > 0)  # which has one tail, and starts at 0
]


@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("base", "side", "limits"), FAR_CASES, ids=str)
def test_truncation_far_in_a_tail(base, limits, side, dtype):
    """Samples against the survival function of fifty digits, and the gradient by loc and scale of each of a few.

    z keeps its quantile: f(z) dz = (1 - u) f(a) da + u f(b) db in standard units. z is rounded to a spacing of eps z,
    which changes f by a factor of exp(eps z^2) in a Normal's tail: that much of the gradient's terms is not resolved.
    """
    low, high = limits
    if side < 0:
        low, high = (None if high is None else -high), -low
    values = torch.tensor([0.1, 1.1], dtype=dtype)
    rows = values.expand(2000, 2).clone().requires_grad_()
    torch.manual_seed(1)
    q = InverseCDF(base(rows[:, 1]) if base is td.Exponential else base(rows[:, 0], rows[:, 1]), low, high)
    z = q.rsample()
    (gradient,) = torch.autograd.grad(z.sum(), rows)
    assert z.dtype == gradient.dtype == dtype
    assert q.support.check(z).all() and z.unique().numel() > 700

    loc, scale = (mp.mpf(v) for v in values.tolist())
    if base is td.Exponential:  # of rate 1.1: dz / drate = -scale dz / dscale / rate
        loc, scale = mp.mpf(0), 1 / scale
    flip = lambda x: mp.inf if x is None else side * (mp.mpf(x) - loc) / scale  # noqa: E731  the tail, upwards
    first, last = (flip(low), flip(high)) if side > 0 else (flip(high), flip(low))
    above, beyond = exact_survival(base, first), (mp.mpf(0) if last == mp.inf else exact_survival(base, last))
    quantiles = [(exact_survival(base, flip(v)) - beyond) / (above - beyond) for v in z[:500].tolist()]
    assert stats.kstest(np.array(quantiles, float), "uniform").pvalue > 1e-4

    eps = torch.finfo(dtype).eps
    for k in range(20):
        x = flip(z[k].item())
        by_first = quantiles[k] * exact_density(base, first) / exact_density(base, x)
        by_last = 0 if last == mp.inf else (1 - quantiles[k]) * exact_density(base, last) / exact_density(base, x)
        by_scale = side * (x - by_first * first - (by_last * last if by_last else 0))
        tolerance = 64 * eps * float(1 + abs(x)) ** 2
        if base is td.Exponential:
            assert gradient[k, 1].item() == pytest.approx(
                float(-by_scale * scale**2), abs=tolerance * float(1 + abs(x))
            )
        else:
            assert gradient[k, 0].item() == pytest.approx(float(1 - by_first - by_last), abs=tolerance)
            assert gradient[k, 1].item() == pytest.approx(float(by_scale), abs=tolerance * float(1 + abs(x)))


def test_gradient_far_in_a_tail_is_accurate_to_its_own_size():
    """At 30 standard deviations dz/dloc = 1 - M(z) / M(a) is 1e-3, M the Mills ratio; four digits in float32."""
    for dtype, tolerance in ((F64, 1e-8), (torch.float32, 1e-4)):
        loc = torch.zeros(4000, dtype=dtype, requires_grad=True)
        torch.manual_seed(0)
        z = InverseCDF(td.Normal(loc, 1.0), low=30.0).rsample()
        (gradient,) = torch.autograd.grad(z.sum(), loc)
        expected = 1 - special.erfcx(z.detach().double().numpy() / math.sqrt(2)) / special.erfcx(30 / math.sqrt(2))
        assert np.abs(gradient.double().numpy() - expected).mean() < tolerance * expected.mean()
        assert 0.001 < expected.mean() < 0.0013


@pytest.mark.parametrize("u", [0.0, 1 - 2.0**-53])
@pytest.mark.parametrize("base", [td.Normal, td.Laplace, td.Cauchy, td.Gumbel])
def test_rounding_leads_over_no_limit(base, u, monkeypatch):
    """The first and the last uniform number, for a thousand bases: z lies within, and keeps its gradient."""
    monkeypatch.setattr(torch, "rand", lambda shape, **kwargs: torch.full(shape, u, dtype=F64))
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand_like(torch.zeros(1000, 2, dtype=F64), generator=generator).add(0.5).requires_grad_()
    low, high = 1 / 3, 1.7
    z = InverseCDF(base(*rows.unbind(-1)), low, high).rsample()
    assert low <= z.min() and z.max() <= high
    assert (z - (high if u > 0.5 else low)).abs().max() < 1e-14  # these are the ends, the same for every base
    (gradient,) = torch.autograd.grad(z.sum(), rows)
    assert gradient.abs().max() < 1e-12  # an end stays where it is


def test_limits_may_be_infinite_and_batches_broadcast():
    loc = torch.tensor([-40.0, 0.0, 40.0], dtype=F64, requires_grad=True)  # its mass below, around and above
    q = InverseCDF(td.Normal(loc, 1.0), -math.inf, 1.0)
    z = q.rsample((5,))
    assert z.shape == (5, 3) and z.max() <= 1 and z[:, 0].max() < -30 and z[:, 2].min() > 0.5
    log_q = q.log_prob(z)
    assert log_q.shape == (5, 3) and log_q.isfinite().all()
    (gradient,) = torch.autograd.grad(z.sum() + log_q.sum(), loc)
    assert gradient.isfinite().all()
    whole = InverseCDF(td.Normal(loc, 1.0), -math.inf, math.inf)
    torch.testing.assert_close(whole.log_prob(z), td.Normal(loc, 1.0).log_prob(z))


# ------------------------------------------------------------------------------------------------ implicit gradients


def implicit_gradient(make, parameters, num_samples=40):
    """Samples, and the gradient of each by each parameter, [N] and [N, P]."""
    rows = t(parameters).expand(num_samples, -1).clone().requires_grad_()
    torch.manual_seed(0)
    z = make(*rows.unbind(-1)).rsample()
    (gradient,) = torch.autograd.grad(z.sum(), rows)
    return z.detach(), gradient


def quantile_gradient(cdf, ppf, z, parameters, h=1e-5):
    """Central differences of the quantile function at the quantile of z, [N, P]."""
    u, columns = cdf(z, *parameters), []
    for k in range(len(parameters)):
        up, down = list(parameters), list(parameters)
        up[k] += h
        down[k] -= h
        columns.append((ppf(u, *up) - ppf(u, *down)) / (2 * h))
    return torch.from_numpy(np.stack(columns, -1))


def mixture_cdf(z, logit, m1, m2):
    w = special.expit(logit)
    return w * stats.norm.cdf(z, m1, 0.5) + (1 - w) * stats.norm.cdf(z, m2, 0.8)


def invert(cdf, low, high):
    def ppf(u, *parameters):
        a, b = np.full_like(u, low), np.full_like(u, high)
        for _ in range(80):
            middle = (a + b) / 2
            below = cdf(middle, *parameters) < u
            a, b = np.where(below, middle, a), np.where(below, b, middle)
        return (a + b) / 2

    return ppf


def von_mises_cdf(z, loc, kappa):
    def one(end):
        return integrate.quad(lambda v: math.exp(kappa * (math.cos(v) - 1)), 0, end - loc, epsabs=1e-13)[0]

    return 0.5 + np.array([one(end) for end in np.atleast_1d(z)]) / (2 * math.pi * special.i0e(kappa))


def mixture(logit, m1, m2):
    weights = td.Categorical(logits=torch.stack([logit, torch.zeros_like(logit)], -1))
    scale = torch.tensor([0.5, 0.8], dtype=F64)
    return Implicit(td.MixtureSameFamily(weights, td.Normal(torch.stack([m1, m2], -1), scale)))


CASES = {
    "normal": (
        lambda a, b: Implicit(td.Normal(a, b)),
        [0.4, 1.3],
        lambda z, a, b: stats.norm.cdf(z, a, b),
        lambda u, a, b: stats.norm.ppf(u, a, b),
    ),
    "mixture": (mixture, [0.4, -1.0, 1.5], mixture_cdf, invert(mixture_cdf, -20, 20)),
    "gamma, torch's own": (
        td.Gamma,
        [1.7, 0.6],
        lambda z, a, b: stats.gamma.cdf(z, a, scale=1 / b),
        lambda u, a, b: stats.gamma.ppf(u, a, scale=1 / b),
    ),
    "von Mises, wide": (
        lambda m, k: Implicit(VonMises(m, k)),
        [0.0, 0.7],
        von_mises_cdf,
        invert(von_mises_cdf, -math.pi, math.pi),
    ),
    "von Mises, narrow": (
        lambda m, k: Implicit(VonMises(m, k)),
        [0.3, 60.0],
        von_mises_cdf,
        invert(von_mises_cdf, -math.pi + 0.3, math.pi + 0.3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_implicit_gradient_against_finite_differences_of_the_quantile(name):
    """Central differences with h = 1e-5 are good to about 1e-8; torch's Gamma gradient is a float-grade series."""
    make, parameters, cdf, ppf = CASES[name]
    z, gradient = implicit_gradient(make, parameters)
    expected = quantile_gradient(cdf, ppf, z.numpy(), parameters)
    tolerance = 2e-4 if "gamma" in name else 1e-6
    torch.testing.assert_close(gradient, expected, rtol=tolerance, atol=tolerance)


def test_implicit_normal_is_the_pathwise_one():
    loc, scale = t(0.4).requires_grad_(), t(1.3).requires_grad_()
    torch.manual_seed(0)
    z = Implicit(td.Normal(loc, scale)).rsample((5,))
    by_loc, by_scale = torch.autograd.grad(z[2], [loc, scale])
    torch.testing.assert_close((by_loc, by_scale), (t(1.0), (z[2].detach() - 0.4) / 1.3))


def test_implicit_refuses_vectors():
    with pytest.raises(ValueError, match=r"scalar distribution, and has events of shape \[2\]"):
        Implicit(td.MultivariateNormal(torch.zeros(2), torch.eye(2)))


@pytest.mark.parametrize("kappa", [0.01, 0.7, 5.0, 60.0, 5000.0])
def test_von_mises_against_quadrature(kappa):
    loc = 0.3
    q = VonMises(t(loc), t(kappa))
    width = min(math.pi - 1e-3, 3 / math.sqrt(kappa))
    z = t(loc) + torch.linspace(-width, width, 11, dtype=F64)
    torch.testing.assert_close(q.cdf(z), torch.from_numpy(von_mises_cdf(z.numpy(), loc, kappa)), rtol=0, atol=1e-12)
    torch.testing.assert_close(q.log_prob(z), torch.from_numpy(stats.vonmises(kappa, loc).logpdf(z.numpy())))
    ends = q.cdf(t([loc - math.pi, loc + math.pi - 1e-9]))
    torch.testing.assert_close(ends, t([0.0, 1.0]), rtol=0, atol=1e-8)


def test_von_mises_samples_follow_the_density():
    """A Kolmogorov-Smirnov test of 5,000 samples; p below 1e-4 would fail."""
    q = VonMises(t(2.0), t(3.0))
    torch.manual_seed(0)
    assert stats.kstest(q.cdf(q.sample((5000,))).numpy(), "uniform").pvalue > 1e-4


def test_von_mises_gradient_of_a_mean():
    """d E cos(z - mu) / d kappa = 1 - A/kappa - A^2 with A = I1/I0; one z-score of 40,000 gradients."""
    kappa = 2.5
    rows = t([kappa]).expand(40_000).clone().requires_grad_()
    torch.manual_seed(0)
    z = Implicit(VonMises(torch.zeros_like(rows), rows)).rsample()
    (gradient,) = torch.autograd.grad(z.cos().sum(), rows)
    ratio = special.i1e(kappa) / special.i0e(kappa)
    assert z_scores(gradient[:, None], t([1 - ratio / kappa - ratio**2])).abs() < 4


@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("kappa", [1e-3, 0.3, 3.0, 14.0, 29.9, 30.1, 200.0, 1e4, 1e6])
def test_von_mises_at_every_concentration(kappa, dtype):
    """log q, its derivative by kappa, and the CDF to rounding; the density is 0.1 nats off where cos - 1 is used."""
    q = VonMises(torch.tensor(0.0, dtype=dtype), torch.tensor(kappa, dtype=dtype).requires_grad_())
    exact, eps = mp.mpf(q.concentration.item()), torch.finfo(dtype).eps
    width = min(1.0, kappa**-0.5)
    for unit in (-3.0, -1.0, 0.0, 0.5, 2.0):
        z = torch.tensor(unit * width, dtype=dtype)
        angle = mp.mpf(z.item())
        log_q, cdf = q.log_prob(z), q.cdf(z)
        (by_kappa,) = torch.autograd.grad(log_q, q.concentration)
        scaled = mp.besseli(0, exact) * mp.exp(-exact)
        assert log_q.item() == pytest.approx(
            float(exact * (mp.cos(angle) - 1) - mp.log(2 * mp.pi * scaled)), abs=12 * eps * (1 + abs(log_q.item()))
        )
        expected = float(mp.cos(angle) - mp.besseli(1, exact) / mp.besseli(0, exact))
        assert by_kappa.item() == pytest.approx(expected, abs=40 * eps / max(1.0, kappa))
        part = mp.quad(lambda v: mp.exp(exact * (mp.cos(v) - 1)), mp.linspace(0, angle, 4)) if unit else 0
        assert cdf.item() == pytest.approx(float(0.5 + part / (2 * mp.pi * scaled)), abs=8 * eps)


@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("kappa", [1e-3, 0.7, 50.0, 1e6, 1e12, 1e20])
def test_von_mises_samples_at_every_concentration(kappa, dtype):
    """Against scipy's law, or from 1e6 on the Gaussian's, which differs by 1e-6; torch's sampler hangs from 1e16 on."""
    torch.manual_seed(0)
    q = VonMises(torch.zeros(2, dtype=dtype), torch.tensor([1.0, kappa], dtype=dtype))  # two samplers side by side
    z = q.sample((4000,))
    assert z.dtype == dtype and z.abs().max() <= math.pi
    for column, law in enumerate(
        [stats.vonmises(1.0), stats.norm(scale=kappa**-0.5) if kappa >= 1e6 else stats.vonmises(kappa)]
    ):
        assert stats.kstest(z[:, column].double().numpy(), law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("kappa", [0.0, -1.0, math.nan, math.inf])
def test_von_mises_refuses_what_is_no_concentration(kappa):
    with pytest.raises(ValueError, match=f"concentration must be above 0 and finite, and has values such as {kappa:g}"):
        VonMises(t([0.0, 0.0]), t([1.0, kappa]))
    with pytest.raises(ValueError, match="loc must be finite, and has values such as nan"):
        VonMises(t(math.nan), t(1.0))


# ------------------------------------------------------------------------------------------- the valleys of mixtures


def two_gaussians(gap, logit=0.0):
    """A mixture of two unit Gaussians this far apart."""
    logits = torch.stack([torch.as_tensor(logit, dtype=F64), t(0.0)])
    return Implicit(td.MixtureSameFamily(td.Categorical(logits=logits), td.Normal(t([-gap / 2, gap / 2]), t(1.0))))


def variance_of_gradient(gap):
    """Mean and variance of dz/dlogit over samples of an even mixture, by quadrature of (dF/dlogit)^2 / q."""
    z = np.linspace(-gap / 2 - 12, gap / 2 + 12, 100_001)
    below, above = stats.norm(-gap / 2), stats.norm(gap / 2)
    density, by_logit = (below.pdf(z) + above.pdf(z)) / 2, (below.cdf(z) - above.cdf(z)) / 4
    mean = -integrate.trapezoid(by_logit, z)
    return mean, integrate.trapezoid(by_logit**2 / density, z) - mean**2


def test_a_deep_valley_makes_the_gradient_useless_and_is_named():
    """Its relative variance times the valley stays within two orders of magnitude while either moves by seven."""
    for gap in (4.0, 6.0, 8.0, 10.0, 12.0):
        mean, variance = variance_of_gradient(gap)
        assert mean == pytest.approx(-gap / 4, rel=1e-6)  # E z = tanh(-logit / 2) gap / 2
        valley = two_gaussians(gap).valley().item()
        z = math.exp(-(gap**2) / 8)
        assert valley == pytest.approx(2 * z / (1 + math.exp(-(gap**2) / 2)), rel=1e-9)
        assert 0.01 < variance / mean**2 * valley < 1


@pytest.mark.parametrize(("gap", "warns"), [(0.0, False), (6.0, False), (7.7, False), (7.9, True), (40.0, True)])
def test_a_mixture_far_apart_warns(gap, warns):
    q = two_gaussians(gap, torch.zeros((), dtype=F64, requires_grad=True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        q.rsample((5,))
    assert [str(w.message)[:61] for w in caught] == warns * [
        "the implicit gradient of this mixture has a useless variance:"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        two_gaussians(gap).rsample((5,))  # without a gradient there is nothing to warn of
        Implicit(td.Normal(t(0.0).requires_grad_(), 1.0)).rsample()


def test_valleys_of_a_batch_and_under_a_wide_component():
    """[B, K] components in any order; a wide one bridges the gap; what is no mixture has none."""
    loc = t([[4.0, -4.0, 0.0], [4.0, -4.0, 0.0], [12.0, 0.0, -12.0]])
    scale = t([[1.0, 1.0, 1.0], [1.0, 1.0, 5.0], [1.0, 1.0, 1.0]])
    q = Implicit(td.MixtureSameFamily(td.Categorical(torch.ones(3, 3, dtype=F64)), td.Normal(loc, scale)))
    valley = q.valley()
    assert valley[0].item() == pytest.approx(2 * math.exp(-2), rel=1e-3)  # four apart: both neighbours reach the middle
    assert valley[1] > 0.5 and valley[2] < 1e-6
    assert Implicit(td.Normal(t([0.0, 1.0]), 1.0)).valley().tolist() == [1.0, 1.0]


def test_a_valley_by_hand():
    """Three unlike components, in another order than their means: two valleys, the deeper beside the lower peak."""
    weights, loc, scale = t([0.1, 0.6, 0.3]), t([13.0, 0.0, 4.0]), t([1.5, 0.5, 1.0])
    q = Implicit(td.MixtureSameFamily(td.Categorical(weights), td.Normal(loc, scale)))

    def density(z):
        return (weights * td.Normal(loc, scale).log_prob(t(z)).exp()).sum().item()

    # As many standard deviations from either: 4 / 1.5 of them from 0 and 4, 9 / 2.5 from 4 and 13.
    shallow, deep = density(0.5 * 4 / 1.5) / density(4.0), density(4.0 + 9 / 2.5) / density(13.0)
    assert shallow > 1.5 * deep
    assert q.valley().item() == pytest.approx(min(shallow, deep), rel=1e-9)
    floor = min(density(v) for v in np.linspace(0, 4, 401)) / density(4.0)  # the true one, of a grid
    other = min(density(v) for v in np.linspace(4, 13, 901)) / density(13.0)
    assert min(floor, other) <= q.valley() < 3 * min(floor, other)


def test_wrong_gradients_are_caught():
    """The reader's likely slips: the sign of dF, and the density forgotten."""
    _, parameters, cdf, ppf = CASES["normal"]

    class Slip(Implicit):
        def rsample(self, sample_shape=()):
            z = self.base.sample(sample_shape)
            value = self.base.cdf(z)
            return z - (value - value.detach())

    z, gradient = implicit_gradient(lambda a, b: Slip(td.Normal(a, b)), parameters)
    expected = quantile_gradient(cdf, ppf, z.numpy(), parameters)
    assert (gradient - expected).abs().max() > 0.1
