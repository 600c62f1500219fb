"""The answer ladder: log p - ELBO = KL on every rung, each answer against another way of computing it."""

import copy
import math
import sys

import pytest
import torch
import torch.distributions as td
from cases import all_tuples, belief_net, gauss_hermite, linear_gaussian_model, neural_model, two_state
from torch import nn

from vaecourse import data
from vaecourse.exact import (
    Table,
    enumerated_bound,
    enumeration,
    frozen_log_px,
    frozen_vae,
    linear_gaussian_marginal,
    quadrature,
    quadrature_log_px,
)
from vaecourse.exact import patient as patient_module
from vaecourse.exact import train as train_module
from vaecourse.exact.enumeration import states
from vaecourse.likelihoods import Bernoulli, Binomial, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import elbo, iwae
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import MixtureOfGaussians, StandardNormal

F64 = torch.float64
EXACT = dict(rtol=0, atol=1e-10)


# --------------------------------------------------------------------------------------------- (a) enumeration


@pytest.mark.parametrize("q", [(0.5, 0.5), (0.9, 0.1), (0.75, 0.25), (1.0, 0.0)])
def test_gap_is_the_kl_by_enumeration(q):
    model, x = two_state(q), torch.ones(1, 1, dtype=F64)
    table = enumeration(model, x)
    mass = torch.tensor(q, dtype=F64)
    log_joint = torch.tensor([0.3, 0.1], dtype=F64).log()
    bound = (mass * (log_joint - mass.log())).nansum()  # 0 log 0 = 0
    torch.testing.assert_close(table.log_px - bound, table.kl(model.posterior(x)), **EXACT)


def test_two_state_is_made_of_fractions():
    for x, joint in ((1.0, (0.3, 0.1)), (0.0, (0.2, 0.4))):
        table = enumeration(two_state(), torch.full((1, 1), x, dtype=F64))
        torch.testing.assert_close(table.log_px.exp().item(), sum(joint), **EXACT)
        expected = torch.tensor(joint, dtype=F64)[:, None] / sum(joint)
        torch.testing.assert_close(table.log_mass.exp(), expected, **EXACT)


class Bits(nn.Module):
    """A prior of L independent Bernoullis."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = torch.tensor(logits, dtype=F64)

    def forward(self, c=None):
        return td.Independent(td.Bernoulli(logits=self.logits), 1)


def test_states_of_binary_vectors():
    z = states(Bits(0.1, -0.4, 2.0)())
    assert z.shape == (8, 3) and len({tuple(row) for row in z.tolist()}) == 8
    torch.testing.assert_close(Bits(0.1, -0.4, 2.0)().log_prob(z).exp().sum().item(), 1.0, **EXACT)


def test_binary_latents_sum_to_one_over_the_data():
    """p(x) of every x adds up to one: no state is missed or counted twice."""
    model = LatentVariableModel(Bits(0.1, -0.4, 2.0), Bernoulli(MLP(3, (4,), 2).double()))
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 2)
    torch.testing.assert_close(enumeration(model, x).log_px.exp().sum().item(), 1.0, **EXACT)


def test_enumeration_refuses_a_continuous_latent():
    with pytest.raises(ValueError, match="finitely many states"):
        enumeration(neural_model(), torch.ones(1, 3, dtype=F64))


# ------------------------------------------------------------------------------------------ (b) linear-Gaussian


def linear_gaussian_elbo(model, x, q):
    """The bound of a Gaussian q in closed form, [B]: E_q |x - b - Wz|^2 by moments, the KL to N(0, I) written out."""
    weight, bias = model.likelihood.net.weight, model.likelihood.net.bias
    variance = (2 * model.likelihood.log_scale).exp()
    covariance = torch.diag_embed(q.variance) if isinstance(q, td.Independent) else q.covariance_matrix
    square = (x - bias - q.mean @ weight.T).square().sum(-1) + torch.einsum("dl,blm,dm->b", weight, covariance, weight)
    reconstruction = -0.5 * (square / variance + x.shape[1] * torch.log(2 * math.pi * variance))
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    kl = 0.5 * (trace + q.mean.square().sum(-1) - q.mean.shape[-1] - torch.logdet(covariance))
    return reconstruction - kl


def some_q(kind, num_data, dim=2):
    torch.manual_seed(4)
    c = torch.randn(num_data, 5, dtype=F64)
    if kind == "diagonal":
        return DiagonalGaussian(nn.Identity())(c[:, : 2 * dim])
    return FullCovarianceGaussian(nn.Identity(), dim)(c)


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_gap_is_the_kl_in_closed_form(kind):
    model, x = linear_gaussian_model(), torch.randn(6, 3, dtype=F64)
    q = some_q(kind, 6)
    gap = linear_gaussian_marginal(model).log_prob(x) - linear_gaussian_elbo(model, x, q)
    torch.testing.assert_close(gap, td.kl_divergence(q, model.posterior(x)), **EXACT)
    assert gap.min() > 0.1  # the q is another one


def test_evidence_does_not_depend_on_z():
    model, x = linear_gaussian_model(), torch.randn(6, 3, dtype=F64)
    draw = model.draw(x, 10)
    log_px = linear_gaussian_marginal(model).log_prob(x)
    torch.testing.assert_close(draw.log_w, log_px.expand(10, 6), **EXACT)


def test_linear_gaussian_posterior_follows_its_likelihood():
    model = linear_gaussian_model()
    x = torch.randn(2, 3, dtype=F64)
    before = model.posterior(x).mean
    with torch.no_grad():
        model.likelihood.net.weight.mul_(2.0)
    assert not torch.allclose(before, model.posterior(x).mean)
    log_px = linear_gaussian_marginal(model).log_prob(x)
    torch.testing.assert_close(model.draw(x).log_w[0], log_px, **EXACT)


# ---------------------------------------------------------------------------------------------- (c) quadrature


def test_gap_is_the_kl_by_quadrature():
    """The bound's expectation by Gauss-Hermite and a closed-form KL, against the grid's KL; the grids err by 1e-8."""
    model, x = neural_model(), torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    q = model.posterior(x)
    z, weights = gauss_hermite(q.mean, q.stddev)
    bound = weights @ model.likelihood(z).log_prob(x) - td.kl_divergence(q, model.prior())
    table = quadrature(model, x)
    torch.testing.assert_close(table.log_px - bound, table.kl(q), rtol=0, atol=1e-8)
    assert table.kl(q).min() > 1e-3


def test_evidence_of_every_binary_vector_adds_to_one():
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    for num_latents in (1, 2):
        log_px = quadrature(neural_model(num_latents), x).log_px
        assert log_px.exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("num_latents", [1, 2])
def test_quadrature_agrees_with_the_closed_form(num_latents):
    model, x = linear_gaussian_model(3, num_latents), torch.randn(4, 3, dtype=F64)
    table = quadrature(model, x, num_points=321, half_width=10.0)
    torch.testing.assert_close(table.log_px, linear_gaussian_marginal(model).log_prob(x), **EXACT)
    posterior = model.posterior(x)
    torch.testing.assert_close(table.log_density, posterior.log_prob(table.z[:, None]), rtol=0, atol=1e-8)
    torch.testing.assert_close(table.expectation(table.z[:, None]), posterior.mean, **EXACT)
    torch.testing.assert_close(table.log_mass.exp().sum(0), torch.ones(4, dtype=F64), **EXACT)


@pytest.mark.parametrize("make", [Bernoulli, lambda net: Binomial(net, 5)])
def test_matrix_product_is_the_log_likelihood(make):
    """Exponential families take a shortcut through one matrix product; it must be log_prob at every pair."""
    torch.manual_seed(0)
    model = LatentVariableModel(StandardNormal(1), make(MLP(1, (4,), 3))).double()
    x = torch.randint(0, 2, (7, 3)).double()
    table = quadrature(model, x)
    expected = model.log_joint(x, table.z[:, None]) - table.log_px
    torch.testing.assert_close(table.log_density, expected.detach(), **EXACT)


def test_quadrature_under_a_mixture_prior():
    torch.manual_seed(0)
    model = LatentVariableModel(MixtureOfGaussians(3, 2), Gaussian(MLP(2, (4,), 2))).double()
    axis = torch.linspace(-9, 9, 46, dtype=F64)
    x = torch.cartesian_prod(axis, axis)
    total = quadrature(model, x, num_points=81).log_px.exp().sum() * (axis[1] - axis[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-6)  # x beyond 9 has less mass than that


def test_quadrature_refuses_three_latents():
    with pytest.raises(ValueError, match="1 or 2 latent dimensions, and this model has 3"):
        quadrature(neural_model(3), torch.ones(1, 3, dtype=F64))


def test_reverse_kl():
    model, x = linear_gaussian_model(3, 2), torch.randn(5, 3, dtype=F64)
    q = some_q("full", 5)
    table = quadrature(model, x, num_points=321, half_width=12.0)
    torch.testing.assert_close(table.reverse_kl(q), td.kl_divergence(model.posterior(x), q), rtol=1e-8, atol=1e-8)


def test_expectations_say_which_axis_is_which():
    """With as many data as latents, z itself [K, L] would pass for f(z, x) [K, B]: it is refused."""
    mass = torch.tensor([[0.25, 1.0], [0.75, 0.0]], dtype=F64)
    table = Table(torch.eye(2, dtype=F64), mass.log(), torch.zeros(2, dtype=F64), 0.0)
    torch.testing.assert_close(table.expectation(table.z[:, None]), mass.T)
    torch.testing.assert_close(table.expectation(torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double()), mass.new([2.5, 2.0]))
    torch.testing.assert_close(table.expectation(torch.ones(2, 1).double()), torch.ones(2).double())
    for wrong in (torch.ones(2).double(), torch.ones(2, 3).double()):
        with pytest.raises(ValueError, match="values must have shape"):
            table.expectation(wrong)


# --------------------------------------------------------------------------------------------- the common patient


def test_stored_evidence_of_the_patient():
    """A subset against a finer and wider grid than it was made with, to the 1e-6 nats that are promised."""
    data_of, stored_of = [], []
    for split in patient_module.SPLITS:
        x, stored = data.load("digits", split, protocol="fixed").realise().double(), frozen_log_px(split)
        assert stored.shape == (len(x),) and stored.dtype == F64
        index = torch.cat([stored.argmin()[None], stored.argmax()[None], torch.arange(0, len(x), len(x) // 6)])
        data_of.append(x[index])
        stored_of.append(stored[index])
    finer = quadrature(frozen_vae(), torch.cat(data_of), num_points=641, half_width=9.0)
    torch.testing.assert_close(torch.cat(stored_of), finer.log_px, rtol=0, atol=1e-6)


def test_patient_is_frozen_and_worth_treating():
    model = frozen_vae()
    assert not any(parameter.requires_grad for parameter in model.parameters()) and not model.training
    assert {value.dtype for value in model.state_dict().values()} == {F64}
    x = data.load("digits", "test", protocol="fixed").realise().double()
    pixels = data.load("digits", "train", protocol="dynamic").realise().double().mean(0).clamp(1e-3, 1 - 1e-3)
    gain = frozen_log_px() - td.Independent(td.Bernoulli(pixels), 1).log_prob(x)  # over no latent at all, nats
    assert gain.mean() > 10 * gain.std() / math.sqrt(len(gain))


def test_patient_refuses_an_unknown_split():
    with pytest.raises(ValueError, match="split must be one of train, valid, test, and is 'all'"):
        frozen_log_px("all")


def test_patient_can_be_trained_again(tmp_path, monkeypatch, capsys):
    """One epoch of the script makes a file of the same form, which loads in the patient's place."""
    # After one epoch the posteriors are so wide that a quarter of the nodes an axis will do.
    coarser = lambda model, x, num_points: quadrature_log_px(model, x, num_points // 4)  # noqa: E731
    monkeypatch.setattr(train_module, "quadrature_log_px", coarser)
    train_module.train(tmp_path / "patient.safetensors", num_epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["patient.safetensors"]
    assert "test: mean log p(x) -" in capsys.readouterr().out
    monkeypatch.setattr(patient_module, "files", lambda package: tmp_path)
    x = data.load("digits", "test", protocol="fixed").realise()[:5]
    torch.testing.assert_close(quadrature_log_px(frozen_vae(), x, 201), frozen_log_px("test")[:5], rtol=0, atol=1e-6)
    frozen = (parameter for parameter in frozen_vae().parameters())
    assert not any(parameter.requires_grad for parameter in frozen)


@pytest.mark.parametrize("elements", [2**24, 1000, 1])
def test_evidence_of_many_data(monkeypatch, elements):
    """In float64 whatever the model's dtype, however many nodes at once; the model stays as it is."""
    monkeypatch.setattr(sys.modules[quadrature.__module__], "_ELEMENTS", elements)
    model = neural_model(2)
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    expected = quadrature(model, x, num_points=81).log_px
    torch.testing.assert_close(quadrature_log_px(model, x, 81), expected, **EXACT)
    single = copy.deepcopy(model).float()
    log_px = quadrature_log_px(single, x.float(), 81)
    assert log_px.dtype == F64 and next(single.parameters()).dtype == torch.float32
    torch.testing.assert_close(log_px, expected, rtol=1e-5, atol=1e-5)  # the parameters were rounded to float32


# ------------------------------------------------------------------------------------- a bound over every possible draw


def test_enumerated_bounds_by_hand():
    """p(x, z) = (0.3, 0.1) and q = (1/2, 1/2): the ELBO, L_2 and L_3, whose values are fractions' logarithms."""
    model, x = two_state(), torch.ones(1, 1, dtype=F64)
    values = [enumerated_bound(model, x, objective, k).item() for objective, k in ((elbo, 1), (elbo, 3), (iwae, 2))]
    assert values == pytest.approx([-1.060132, -1.060132, -0.988211], abs=1e-6)
    draw, mass = all_tuples(model, 3)
    torch.testing.assert_close(enumerated_bound(model, x, iwae, 3).sum(), (mass * iwae(draw)).sum())


def test_enumerated_bound_is_the_evidence_less_the_divergence():
    model, x = belief_net(), torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=F64)
    table = enumeration(model, x)
    torch.testing.assert_close(enumerated_bound(model, x), table.log_px - table.kl(model.posterior(x)))


def test_enumerated_bound_where_q_has_no_mass():
    """A state that q never visits adds nothing, though its weight is infinite."""
    model, x = two_state(q=(1.0, 0.0)), torch.ones(1, 1, dtype=F64)
    assert enumerated_bound(model, x).item() == pytest.approx(math.log(0.3), abs=1e-12)


def test_too_many_tuples_are_refused():
    with pytest.raises(ValueError, match="num_samples = 7 draws from 8 states make too many tuples"):
        enumerated_bound(belief_net(), torch.ones(1, 4, dtype=F64), iwae, 7)
