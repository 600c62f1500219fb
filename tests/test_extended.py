"""Posteriors without a density of their own: auxiliary variables and leapfrog steps, against closed forms."""

import math

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, neural_model, seeded, z_scores
from torch import nn

from vaecourse.distributions import Chain, Conditional, ExtendedDistribution, Given, log_prob, sample_and_log_prob
from vaecourse.estimators import dreg, pathwise, stl
from vaecourse.inference import Hamiltonian
from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Joined
from vaecourse.objectives import elbo, iwae
from vaecourse.posteriors import Auxiliary, DiagonalGaussian
from vaecourse.priors import StandardNormal

F64 = torch.float64
MARGINAL = td.Normal(torch.tensor(0.0, dtype=F64), 2**0.5)
X = torch.randn(5, 3, dtype=F64, generator=torch.Generator().manual_seed(1))


class Line(Conditional):
    """N(slope * z, variance): the exact or a wrong reverse of z = a + noise with unit variances."""

    def __init__(self, slope, variance):
        super().__init__()
        self.slope, self.scale = slope, math.sqrt(variance)

    def forward(self, z, *context):
        return td.Independent(td.Normal(self.slope * z, self.scale), 1)


def sum_of_two(slope=0.5, variance=0.5):
    """a ~ N(0, 1) and z ~ N(a, 1) in one dimension: q(z) = N(0, 2), and q(a|z) = N(z / 2, 1 / 2)."""
    net = nn.Linear(1, 2).double()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0], [0.0]]))
        net.bias.zero_()
    joint = Chain(StandardNormal(1).double(), DiagonalGaussian(net), (1, 1))().expand((4,))
    return ExtendedDistribution(joint, Line(slope, variance), 1)


def test_with_the_exact_reverse_model_a_draw_carries_the_density():
    torch.manual_seed(0)
    z, log_q = sample_and_log_prob(sum_of_two(), (1000,))
    torch.testing.assert_close(log_q, MARGINAL.log_prob(z[..., 0]), rtol=0, atol=1e-12)  # rounding


def test_a_wrong_reverse_model_costs_its_kl():
    """E[log q(a, z) - log r(a|z)] exceeds -H[q] by KL(q(a|z) || r(a|z)), here that of two Gaussians."""
    torch.manual_seed(0)
    slope, variance = 0.2, 0.8
    _, log_q = sample_and_log_prob(sum_of_two(slope, variance), (50_000,))
    mean_square = (0.5 - slope) ** 2 * 2.0  # E (z/2 - slope z)^2 under N(0, 2)
    kl = 0.5 * (math.log(variance / 0.5) + (0.5 + mean_square) / variance - 1)
    negative_entropy = -0.5 * math.log(2 * math.pi * math.e * 2)
    assert abs(z_scores(log_q.flatten(), negative_entropy + kl)).max() < 4


def test_density_is_refused_and_its_estimate_is_unbiased():
    q = sum_of_two(0.2, 0.8)
    with pytest.raises(NotImplementedError, match="log_prob_estimate"):
        q.log_prob(torch.zeros(4, 1, dtype=F64))
    torch.manual_seed(0)
    z = torch.tensor([-1.0, 0.0, 1.0, 3.0], dtype=F64)[:, None]
    ratio = torch.stack([(q.log_prob_estimate(z, 50) - MARGINAL.log_prob(z[:, 0])).exp() for _ in range(500)])
    assert abs(z_scores(ratio, 1.0)).max() < 4
    with pytest.raises(ValueError, match="num_samples must be at least 1, and is 0"):
        q.log_prob_estimate(z, 0)


@pytest.mark.parametrize("size", [0, 2])
def test_number_of_auxiliary_dimensions(size):
    joint = Chain(StandardNormal(1), DiagonalGaussian(nn.Linear(1, 2)), (1, 1))()
    with pytest.raises(ValueError, match=f"num_auxiliary must be between 1 and 1, and is {size}"):
        ExtendedDistribution(joint, Line(0.5, 0.5), size)


# ------------------------------------------------------------------------------------------------ in a model


def of_both(num_inputs, num_outputs):
    """A Gaussian given two things side by side."""
    return Given(Joined(MLP(num_inputs, (4,), num_outputs)), DiagonalGaussian(nn.Identity()))


def auxiliary(features=True):
    def make():
        chain = Chain(DiagonalGaussian(MLP(3, (4,), 2)), of_both(1 + 3, 4), (1, 2), features=nn.Identity())
        reading = nn.Linear(3, 5) if features else None
        return Auxiliary(chain, of_both(2 + (5 if features else 3), 2), reading)

    return seeded(make)


def extended_model(kind):
    model = linear_gaussian_model()
    joint = LatentVariableModel(model.prior, model.likelihood)
    if kind == "auxiliary":
        return LatentVariableModel(model.prior, model.likelihood, auxiliary())
    base = seeded(lambda: DiagonalGaussian(MLP(3, (4,), 4)))
    reverse = seeded(lambda: of_both(2 + 3, 4))
    return LatentVariableModel(model.prior, model.likelihood, Hamiltonian(base, joint, 3, 0.2, reverse).double())


KINDS = ("auxiliary", "Hamiltonian")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_have_the_evidence_as_their_mean(kind):
    """E[exp log_w] = p(x), whatever q and r are."""
    model = extended_model(kind)
    log_px = exact_log_px(X)
    torch.manual_seed(0)
    with torch.no_grad():
        ratio = (model.draw(X, 20_000).log_w - log_px).exp()
    assert abs(z_scores(ratio, 1.0)).max() < 4


def exact_log_px(x):
    return linear_gaussian_model().draw(x, 1).log_w[0].detach()  # the exact posterior's weight is p(x) itself


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_the_same_by_all_ways(kind):
    q = extended_model(kind).qz_x(X)
    drawn = []
    for sampler in (q.sample, q.rsample, lambda shape: sample_and_log_prob(q, shape)[0]):
        torch.manual_seed(0)
        drawn.append(sampler((7,)).detach())
    assert drawn[0].shape == (7, 5, 2)
    torch.testing.assert_close(drawn[0], drawn[1])
    torch.testing.assert_close(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", KINDS)
def test_sticking_the_landing_has_the_same_mean_gradient(kind):
    """Paired differences of the two estimators' gradients have mean zero for q and for the reverse model alike."""
    model = extended_model(kind)
    parameters = list(model.posterior.parameters())
    torch.manual_seed(0)
    differences = []
    for _ in range(60):
        seed = torch.randint(2**31, ()).item()
        pair = []
        for estimator in (pathwise, stl):
            torch.manual_seed(seed)
            grads = torch.autograd.grad(estimator(model, X, 20).sum(), parameters, allow_unused=True)
            pair.append(torch.cat([g.flatten() for g in grads if g is not None]))
        differences.append(pair[0] - pair[1])
    z = z_scores(torch.stack(differences), 0.0)
    z = z[z.isfinite()]  # exactly equal parts, those of the reverse model, have no scatter
    assert len(z) > 5 and z.abs().max() < 4.5  # the largest of about a hundred
    reverse = sum(p.numel() for p in model.posterior.reverse.parameters())
    assert torch.stack(differences)[:, -reverse:].abs().max() < 1e-10 or kind == "Hamiltonian"


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_learns(kind):
    model = extended_model(kind)
    pathwise(model, X, 4, objective=iwae).sum().backward()
    for name, p in model.posterior.named_parameters():
        if not name.startswith("joint."):
            assert p.grad is not None and p.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_dreg_is_refused(kind):
    with pytest.raises(ValueError, match="has a reverse model in it"):
        dreg(extended_model(kind), X, 3)


def test_auxiliary_wants_its_chain_from_the_top():
    chain = Chain(StandardNormal(1), DiagonalGaussian(nn.Linear(1, 4)), (2, 1), top_first=False)
    with pytest.raises(ValueError, match="top_first=True"):
        Auxiliary(chain, DiagonalGaussian(nn.Identity()))


# ------------------------------------------------------------------------------------------------ leapfrog


def one_latent(num_leapfrog, step_size=0.25):
    """p(z) = N(0, 1), p(x|z) = N(z, 1), q_0 = N(0, 1) at x = 2: leapfrog is a matrix."""
    net = nn.Linear(1, 1).double()
    with torch.no_grad():
        net.weight.fill_(1.0), net.bias.zero_()
    joint = LatentVariableModel(StandardNormal(1), Gaussian(net, 1.0)).double()
    flat = nn.Linear(1, 2).double()
    with torch.no_grad():
        flat.weight.zero_(), flat.bias.zero_()
    q = Hamiltonian(DiagonalGaussian(flat), joint, num_leapfrog, step_size).double()
    return LatentVariableModel(joint.prior, joint.likelihood, q)


@pytest.mark.parametrize(("num_leapfrog", "bound"), [(1, -3.413323), (2, -3.399197)])
def test_bound_in_closed_form(num_leapfrog, bound):
    """The means and covariances of a linear map, worked out apart: six decimals."""
    model, x = one_latent(num_leapfrog), torch.full((1, 1), 2.0, dtype=F64)
    torch.manual_seed(0)
    with torch.no_grad():
        values = model.draw(x, 50_000).log_w[:, 0]
    assert abs(z_scores(values, bound)) < 4
    assert abs(elbo(model.draw(x, 10)).item() - bound) < 3  # and with a gradient it is the same function


def test_trajectory_density_leads_back():
    """log_prob, by the way back, is what a draw says of its own samples."""
    q = extended_model("Hamiltonian").qz_x(X).joint
    torch.manual_seed(0)
    both, log_q = q.rsample_and_log_prob((20,))
    torch.testing.assert_close(log_prob(q, both), log_q, rtol=0, atol=1e-9)  # rounding, along three steps


def test_trajectory_keeps_volumes():
    """The Jacobian of (z, r) -> (z_T, r_T) has determinant one: nothing but the start's density is missing."""
    q = extended_model("Hamiltonian").qz_x(X[:1]).joint

    def run(both):
        z, r = both.chunk(2)
        return torch.cat([part.reshape(-1) for part in q._run(z.reshape(1, 1, 2), r.reshape(1, 1, 2))])

    jacobian = torch.autograd.functional.jacobian(run, torch.randn(4, dtype=F64))
    assert abs(jacobian.det().abs().item() - 1) < 1e-10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_leapfrog": 0}, "num_leapfrog must be at least 1, and is 0"),
        ({"step_size": 0.0}, "step_size must be positive, and is 0.0"),
        ({"joint": neural_model()}, "joint must be a model without posterior"),
    ],
)
def test_wrong_arguments(options, message):
    model = linear_gaussian_model()
    good = dict(joint=LatentVariableModel(model.prior, model.likelihood), num_leapfrog=1, step_size=0.1)
    with pytest.raises(ValueError, match=message):
        Hamiltonian(DiagonalGaussian(nn.Identity()), **good | options)
