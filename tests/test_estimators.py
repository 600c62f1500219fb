"""Estimators: their gradients against exact ones, sticking the landing, and the refusal of a discrete q."""

import math
from functools import partial

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, neural_model, seeded, two_state
from test_exact import linear_gaussian_elbo
from torch import nn

from vaecourse.distributions import Chain, Conditional
from vaecourse.estimators import analytic_kl, dreg, pathwise, stl
from vaecourse.likelihoods import Bernoulli, Binomial, ContinuousBernoulli, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import beta_elbo, iwae, renyi
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import Categorical, MixtureOfGaussians, StandardNormal

F64 = torch.float64
ESTIMATORS = {"pathwise": pathwise, "analytic_kl": analytic_kl, "stl": stl}
REPARAMETERISED = {**ESTIMATORS, "dreg": dreg}
every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


# ---------------------------------------------------------------------------------------- against exact gradients

NUM_ESTIMATES = 400


def gradient(value, parameters):
    """The gradient as one vector; parameters that play no part have zeros."""
    parts = torch.autograd.grad(value, parameters, allow_unused=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, parts)])


def gradient_scores(estimator, model, x, exact):
    """z-scores of the mean of NUM_ESTIMATES gradients, one for each coordinate of all parameters."""
    parameters = list(model.parameters())
    torch.manual_seed(0)
    samples = torch.stack([gradient(estimator(model, x).sum(), parameters) for _ in range(NUM_ESTIMATES)])
    se = samples.std(0) / math.sqrt(NUM_ESTIMATES)
    difference = samples.mean(0) - exact
    # A coordinate without noise (the bias of an encoder under a closed-form KL) may differ by rounding.
    return torch.where(difference.abs() < 1e-9, 0.0, difference / se)


def threshold(num_coordinates):
    """|z| that the largest of so many exceeds with probability 1e-4, by Bonferroni; t with 399 d.o.f. is close."""
    return (
        1.02 * torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(1 - 0.5e-4 / num_coordinates, dtype=F64)).item()
    )


def conjugate(kind):
    """Rung (b) with a q that is not the posterior, and data."""
    model = linear_gaussian_model()
    model.likelihood = seeded(lambda: Gaussian(model.likelihood.net, 0.8, learn_scale=True))
    encoders = {
        "diagonal": lambda: DiagonalGaussian(MLP(3, (), 4)),
        "full": lambda: FullCovarianceGaussian(MLP(3, (), 5), 2),
    }
    model.posterior = seeded(encoders[kind])
    return model, torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(1))


@every_estimator
@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_gradient_against_the_closed_form(name, kind):
    model, x = conjugate(kind)
    exact = gradient(linear_gaussian_elbo(model, x, model.posterior(x)).sum(), list(model.parameters()))
    scores = gradient_scores(partial(ESTIMATORS[name], num_samples=4), model, x, exact)
    assert scores.abs().max() < threshold(len(scores)), scores


def elbo_on_a_grid(model, x):
    """The bound by the trapezoid rule over z, [B], differentiable; q's density moves instead of its samples."""
    z = torch.linspace(-12, 12, 481, dtype=F64)[:, None, None]
    log_q = model.posterior(x).log_prob(z)
    return (log_q.exp() * (model.log_joint(x, z) - log_q)).sum(0) * (24 / 480)


def iwae_2_on_a_grid(model, x):
    """L_2 as a double integral over z_1 and z_2, [B]."""
    z = torch.linspace(-12, 12, 241, dtype=F64)[:, None, None]
    log_q = model.posterior(x).log_prob(z)  # [K, B]
    log_w = model.log_joint(x, z) - log_q
    mean_w = torch.logaddexp(log_w[:, None], log_w[None]) - math.log(2)
    return torch.einsum("ib,jb,ijb->b", log_q.exp(), log_q.exp(), mean_w) * 0.1**2


@pytest.mark.parametrize(
    ("estimator", "exact"),
    [
        (partial(pathwise, num_samples=4), elbo_on_a_grid),
        (partial(analytic_kl, num_samples=4), elbo_on_a_grid),
        (partial(stl, num_samples=4), elbo_on_a_grid),
        (partial(pathwise, num_samples=2, objective=iwae), iwae_2_on_a_grid),
        (partial(dreg, num_samples=2), iwae_2_on_a_grid),
    ],
    ids=["pathwise", "analytic_kl", "stl", "pathwise of iwae", "dreg"],
)
def test_gradient_against_quadrature(estimator, exact):
    """A neural decoder, where nothing is linear."""
    model = neural_model()
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=F64)
    value = exact(model, x)
    scores = gradient_scores(estimator, model, x, gradient(value.sum(), list(model.parameters())))
    assert scores.abs().max() < threshold(len(scores)), scores


@pytest.mark.parametrize("name", ESTIMATORS)
def test_value_is_the_bound(name):
    """Unbiased in value too: 4 z-scores from 4,000 estimates, one above 4.5 has probability 3e-5."""
    model, x = conjugate("diagonal")
    torch.manual_seed(0)
    with torch.no_grad():
        values = ESTIMATORS[name](model, x.repeat(4000, 1)).reshape(4000, 4)
        exact = linear_gaussian_elbo(model, x, model.posterior(x))
    scores = (values.mean(0) - exact) / (values.std(0) / math.sqrt(4000))
    assert scores.abs().max() < 4.5, scores


def _detached_samples(model, x):
    """What a discrete q would do silently: the samples forget q's parameters."""
    q = model.posterior(x)
    z = q.rsample((4,)).detach()
    return (model.log_joint(x, z) - q.log_prob(z)).mean(0)


def _half_kl(model, x):
    return pathwise(model, x, 4, objective=partial(beta_elbo, beta=0.5))


@pytest.mark.parametrize("biased", [_detached_samples, _half_kl])
def test_gradient_test_can_fail(biased):
    model, x = conjugate("diagonal")
    exact = gradient(linear_gaussian_elbo(model, x, model.posterior(x)).sum(), list(model.parameters()))
    scores = gradient_scores(biased, model, x, exact)
    assert scores.abs().max() > threshold(len(scores))


# -------------------------------------------------------------------------------------- every parameter, every slot

PRIORS = {"StandardNormal": lambda: StandardNormal(2), "MixtureOfGaussians": lambda: MixtureOfGaussians(3, 2)}
LIKELIHOODS = {
    "Bernoulli": Bernoulli,
    "ContinuousBernoulli": ContinuousBernoulli,
    "Binomial": lambda net: Binomial(net, 16),
    "Gaussian": lambda net: Gaussian(net, learn_scale=True),
}
POSTERIORS = {
    "DiagonalGaussian": lambda: DiagonalGaussian(MLP(4, (5,), 4)),
    "FullCovarianceGaussian": lambda: FullCovarianceGaussian(MLP(4, (5,), 5), 2),
}
OBJECTIVES = {
    "pathwise elbo": pathwise,
    "pathwise iwae": partial(pathwise, num_samples=5, objective=iwae),
    "pathwise renyi": partial(pathwise, num_samples=5, objective=partial(renyi, alpha=0.5)),
    "analytic_kl": analytic_kl,
    "stl": stl,
    "dreg": partial(dreg, num_samples=5),
}


@pytest.mark.parametrize("estimator", OBJECTIVES)
@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("prior", PRIORS)
def test_every_parameter_receives_a_gradient(prior, likelihood, posterior, estimator):
    make = lambda: LatentVariableModel(  # noqa: E731
        PRIORS[prior](), LIKELIHOODS[likelihood](MLP(2, (5,), 4)), POSTERIORS[posterior]()
    )
    model = seeded(make)
    torch.manual_seed(0)
    x = torch.randint(0, 2, (6, 4)).double()
    if estimator == "analytic_kl" and prior == "MixtureOfGaussians":
        with pytest.raises(NotImplementedError):  # there is no closed form, and nothing pretends there were
            OBJECTIVES[estimator](model, x)
        return
    value = OBJECTIVES[estimator](model, x)
    assert value.shape == (6,)
    value.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.count_nonzero() > 0, name


# ----------------------------------------------------------------------------------------------- sticking the landing


def at_the_posterior():
    """Rung (b) with an encoder that gives exactly the posterior, through parameters of its own."""
    model = linear_gaussian_model()
    x = torch.randn(5, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
    exact = model.posterior
    encoder = nn.Linear(3, 5, dtype=F64)
    with torch.no_grad():
        origin, axes = exact(torch.zeros(1, 3, dtype=F64)), exact(torch.eye(3, dtype=F64))
        tril = origin.scale_tril[0]
        encoder.weight.zero_()
        encoder.weight[:2] = (axes.loc - origin.loc).T  # the posterior mean is affine in x
        encoder.bias.copy_(torch.cat([origin.loc[0], tril.diagonal().log(), tril[1, :1]]))
    model.posterior = FullCovarianceGaussian(encoder, 2)
    torch.testing.assert_close(model.posterior(x).covariance_matrix, exact(x).covariance_matrix)
    return model, x


def test_sticking_the_landing():
    """At the exact posterior every single gradient of q's parameters is zero, while the plain one is loud."""
    model, x = at_the_posterior()
    parameters = list(model.posterior.parameters())
    torch.manual_seed(0)
    for _ in range(20):
        assert gradient(stl(model, x).sum(), parameters).abs().max() < 1e-12
        assert gradient(pathwise(model, x).sum(), parameters).abs().max() > 1e-3


def test_dreg_sticks_the_landing_for_any_k():
    """At the exact posterior all weights are equal, and each sample's log-weight is flat in z."""
    model, x = at_the_posterior()
    parameters = list(model.posterior.parameters())
    torch.manual_seed(0)
    for _ in range(5):
        assert gradient(dreg(model, x, 4).sum(), parameters).abs().max() < 1e-12
        assert gradient(pathwise(model, x, 4, iwae).sum(), parameters).abs().max() > 1e-3


@pytest.mark.parametrize("estimator", [stl, partial(dreg, num_samples=8)], ids=["stl", "dreg"])
def test_noise_goes_with_the_square_of_the_distance_to_the_posterior(estimator):
    """Each log-weight's slope in z is proportional to the distance, so that its variance falls to a quarter at half.

    The same noise at both distances, so that the ratio is exact up to terms of higher order; the noise of the plain
    estimators is there at no distance at all.
    """
    model, x = at_the_posterior()
    parameters = list(model.posterior.parameters())
    bias = model.posterior.net.bias
    variances = []
    for step in (2e-3, -1e-3):  # to a distance of 2e-3, then back to 1e-3
        with torch.no_grad():
            bias[0] += step
        torch.manual_seed(0)
        samples = [gradient(estimator(model, x).sum(), parameters) for _ in range(100)]
        variances.append(torch.stack(samples).var(0).sum().item())
    assert variances[0] / variances[1] == pytest.approx(4, rel=0.02)


def test_dreg_leaves_the_decoder_as_it_was():
    """Its gradient is that of the plain estimator, sample by sample."""
    model, x = conjugate("full")
    gradients = []
    for estimator in (partial(pathwise, objective=iwae), dreg):
        torch.manual_seed(0)
        gradients.append(gradient(estimator(model, x, num_samples=16).sum(), list(model.likelihood.parameters())))
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_stl_equals_pathwise_in_value():
    model, x = conjugate("full")
    values = []
    for estimator in (stl, pathwise):
        torch.manual_seed(0)
        values.append(estimator(model, x, 3))
    torch.testing.assert_close(*values)


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_discrete_q_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} needs a q.* that can be reparameterised, and OneHotCategorical"):
        REPARAMETERISED[name](two_state(), torch.ones(2, 1, dtype=F64))


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_no_samples_are_refused(name):
    with pytest.raises(ValueError, match="num_samples must be at least 1, and is 0"):
        REPARAMETERISED[name](neural_model(), torch.ones(2, 3, dtype=F64), 0)


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_posterior_is_called_once(name):
    """Under dropout a second call would be another q."""
    model, x = neural_model(), torch.ones(2, 3, dtype=F64)
    calls = []
    model.posterior.register_forward_hook(lambda *args: calls.append(1))
    REPARAMETERISED[name](model, x, 3)
    assert len(calls) == 1


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_a_discrete_q_that_claims_rsample_is_refused(name):
    """torch's straight-through one-hot has an rsample, whose gradient is that of another function."""

    class StraightThrough(Conditional):
        def forward(self, c=None):
            return td.OneHotCategoricalStraightThrough(logits=c, validate_args=False)

    model = LatentVariableModel(Categorical(torch.zeros(3).double()), Bernoulli(nn.Linear(3, 3)), StraightThrough())
    with pytest.raises(ValueError, match="whose samples move with its parameters, and those of OneHotCategoricalStr"):
        REPARAMETERISED[name](model.double(), torch.ones(2, 3, dtype=F64))


class Steps(td.Uniform):
    """A density with jumps, at both ends of its support."""

    has_jumps = True


class StepPrior(Conditional):
    def forward(self, c=None):
        shape = (1,) if c is None else (len(c), 1)
        return td.Independent(Steps(torch.full(shape, -50.0, dtype=F64), 50.0, validate_args=False), 1)


@pytest.mark.parametrize("name", ["pathwise", "stl", "dreg"])
def test_jumps_are_refused(name):
    """Where a density jumps, the bound changes by what crosses the jump, which no derivative along a sample sees."""
    model, x = neural_model(), torch.ones(2, 3, dtype=F64)
    model.prior = StepPrior()
    with pytest.raises(ValueError, match=rf"{name} needs densities without jumps, and p\(z\), Independent, has some"):
        REPARAMETERISED[name](model, x)
    model = neural_model()
    model.posterior = StepPrior()
    with pytest.raises(ValueError, match=rf"{name} needs densities without jumps, and q\(z\|x\), Independent, has"):
        REPARAMETERISED[name](model, x)


@pytest.mark.parametrize("estimator", [pathwise, stl])
def test_what_an_estimator_does_not_know_goes_to_its_objective(estimator):
    model, x = conjugate("diagonal")
    values = []
    for objective, options in ((partial(beta_elbo, beta=0.3), {}), (beta_elbo, {"beta": torch.tensor(0.3).double()})):
        torch.manual_seed(0)
        values.append(estimator(model, x, 3, objective, **options))
    torch.testing.assert_close(*values, rtol=1e-7, atol=1e-7)  # 0.3 as float32
    with pytest.raises(TypeError, match="beta"):
        estimator(model, x, beta=0.5)  # the plain ELBO has no beta, and says so


def test_autocast_rounds_no_samples_where_the_kl_is_in_closed_form():
    """Of a full Gaussian, whose matrix products it would round to three digits; nothing here is a network."""
    torch.manual_seed(0)
    likelihood = Gaussian(nn.ZeroPad1d((0, 3)))  # x has five dimensions, as the parameters of q do
    model = LatentVariableModel(StandardNormal(2), likelihood, FullCovarianceGaussian(nn.Identity(), 2))
    x, values = torch.randn(50, 5), []
    for rounding in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=rounding):
            values.append(analytic_kl(model, x, 3))
    assert torch.equal(*values)


def test_analytic_kl_takes_the_weight_of_the_kl():
    model, x = conjugate("diagonal")
    kl = td.kl_divergence(model.posterior(x), model.prior())
    values = []
    for beta in (1.0, 0.25):
        torch.manual_seed(0)
        values.append(analytic_kl(model, x, 2, beta=beta))
    torch.testing.assert_close(values[1] - values[0], 0.75 * kl, rtol=1e-10, atol=1e-10)


def test_jumps_within_a_chain_are_refused():
    """Which the second part has is known only once the first has been drawn; evaluation needs no gradient."""

    class StepsGiven(Conditional):
        def forward(self, z):
            return td.Independent(Steps(z - 50.0, z + 50.0, validate_args=False), 1)

    q = Chain(DiagonalGaussian(nn.Linear(3, 2)), StepsGiven(), (1, 1)).double()
    model = LatentVariableModel(StandardNormal(2).double(), Bernoulli(nn.Linear(2, 3)).double(), q)
    with pytest.raises(ValueError, match="the second part of a chain needs a density without jumps, and Independent"):
        pathwise(model, torch.ones(2, 3, dtype=F64))
    with torch.no_grad():
        assert pathwise(model, torch.ones(2, 3, dtype=F64)).isfinite().all()
