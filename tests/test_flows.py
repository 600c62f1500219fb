"""Every bijector against autograd and its inverse, fresh, trained and with random weights; flows as distributions."""

import math

import numpy
import pytest
import torch
import torch.distributions as td
from bijectors import bijectors
from cases import seeded
from test_devices import META, on_meta, reads
from test_distributions import nodes_and_weights
from torch import nn

from vaecourse.distributions import Given, frozen, sample_and_log_prob
from vaecourse.flows import Bijector, Composition, Flow, Permutation, Radial
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

F64 = torch.float64


def perturbed(case, scale=0.3):
    """The same bijector with random changes of all parameters: far from where it starts."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in case.bijector.parameters():
            parameter += scale * torch.randn_like(parameter)
    return case


def trained(case, num_steps=30):
    """The same bijector after some steps of Adam towards a curved density."""
    parameters = list(case.bijector.parameters())
    if not parameters:
        return case
    optimiser = torch.optim.Adam(parameters, lr=0.03)
    noise = points(64, case.dim) / 2
    for _ in range(num_steps):
        y, log_det = case.bijector.forward_and_log_det(noise, case.context)
        curve = y[:, 1:] - 0.5 * y[:, :-1] ** 2  # about which the next coordinate lies, within 0.5
        bound = log_det - 0.5 * y[:, 0].square() - 2 * curve.square().sum(-1)
        optimiser.zero_grad()
        (-bound.mean()).backward()
        optimiser.step()
    optimiser.zero_grad()
    return case


STATES = {"fresh": lambda case: case, "trained": trained, "random": perturbed}
NAMES = list(bijectors())


@pytest.fixture(params=[(name, state) for name in NAMES for state in STATES], ids=str)
def case(request):
    """In two dimensions, where a density can be integrated."""
    name, state = request.param
    return STATES[state](bijectors()[name])


@pytest.fixture(params=[(name, state) for name in NAMES for state in STATES], ids=str)
def wide_case(request):
    """In five."""
    name, state = request.param
    return STATES[state](bijectors(5)[name])


def points(num=6, dim=2):
    return 2 * torch.randn(num, dim, dtype=F64, generator=torch.Generator().manual_seed(0))


def tip(case):
    """Where a radial layer leaves the density a cone, as seen from the end of the flow; None without such a layer."""
    point = None
    for layer in case.bijector.bijectors if isinstance(case.bijector, Composition) else [case.bijector]:
        if isinstance(layer, Radial):
            point = layer.parameters_at(case.context)[0].detach()
        elif point is not None:
            point = layer.forward_and_log_det(point, case.context)[0].detach()
    return point


def nodes_around(centre):
    """A quadrature of the plane for what is smooth along every ray from a point, and round it: [M, 2] and [M]."""
    t, weight = (torch.as_tensor(part, dtype=F64) for part in numpy.polynomial.legendre.leggauss(300))
    r, weight = 20 * (t + 1), 20 * weight
    angle = 2 * math.pi * torch.arange(400, dtype=F64) / 400
    direction = torch.stack([angle.cos(), angle.sin()], -1)
    x = centre + r[:, None, None] * direction
    return x.flatten(0, 1), (r * weight * 2 * math.pi / 400)[:, None].expand(-1, 400).flatten()


def has_inverse(bijector):
    return type(bijector).inverse_and_log_det is not Bijector.inverse_and_log_det


def test_log_det_is_that_of_the_jacobian(case):
    for z in points(dim=case.dim):
        y, log_det = case.bijector.forward_and_log_det(z, case.context)
        jacobian = torch.autograd.functional.jacobian(
            lambda z: case.bijector.forward_and_log_det(z, case.context)[0], z
        )
        torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-12, atol=1e-12)
        assert y.shape == z.shape


def test_inverse_leads_back(case):
    z = points(dim=case.dim)
    y, log_det = case.bijector.forward_and_log_det(z, case.context)
    if not has_inverse(case.bijector):
        with pytest.raises(NotImplementedError, match="has no inverse: only its own samples have a density"):
            case.bijector.inverse_and_log_det(y, case.context)
        return
    back, back_log_det = case.bijector.inverse_and_log_det(y, case.context)
    torch.testing.assert_close(back, z, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(back_log_det, -log_det, rtol=1e-10, atol=1e-10)


def test_gradient_of_the_inverse(case):
    """Through all its passes, by finite differences along a random direction."""
    if not has_inverse(case.bijector) or not list(case.bijector.parameters()):
        pytest.skip("it has no inverse, or nothing to learn")
    y = case.bijector.forward_and_log_det(points(dim=case.dim), case.context)[0].detach()

    def value():
        z, log_det = case.bijector.inverse_and_log_det(y, case.context)
        return (log_det - 0.5 * z.square().sum(-1)).sum()

    parameters = list(case.bijector.parameters())
    gradients = torch.autograd.grad(value(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients):
        direction = torch.randn(parameter.shape, dtype=F64, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            parameter += 1e-6 * direction
            above = value()
            parameter -= 2e-6 * direction
            below = value()
            parameter += 1e-6 * direction
        slope = torch.zeros((), dtype=F64) if gradient is None else (gradient * direction).sum()
        torch.testing.assert_close(slope, (above - below) / 2e-6, rtol=1e-5, atol=1e-6)


def test_samples_and_batch_dimensions_are_mapped_one_by_one(case):
    z = points(12, case.dim).reshape(3, 4, case.dim)
    context = None if case.context is None else torch.arange(1, 5, dtype=F64)[:, None] * case.context
    y, log_det = case.bijector.forward_and_log_det(z, context)
    assert y.shape == (3, 4, case.dim) and log_det.shape == (3, 4)
    for s, b in ((0, 0), (1, 2), (2, 3)):
        one = case.bijector.forward_and_log_det(z[s, b], None if context is None else context[b])
        torch.testing.assert_close((y[s, b], log_det[s, b]), one, rtol=1e-12, atol=1e-12)


def test_single_precision_agrees_with_double(case):
    """Over z of a hundred standard deviations: relative rounding of float32, times a few operations."""
    z = 50 * points(dim=case.dim)
    y, log_det = case.bijector.forward_and_log_det(z, case.context)
    context = None if case.context is None else case.context.float()
    single = case.bijector.float().forward_and_log_det(z.float(), context)
    case.bijector.double()
    assert single[0].dtype == single[1].dtype == torch.float32
    torch.testing.assert_close(single[0].double(), y, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(single[1].double(), log_det, rtol=1e-4, atol=1e-4)


def test_flow_integrates_to_one_and_scores_its_own_samples(case):
    if not has_inverse(case.bijector):
        pytest.skip("its density at a foreign point is unknown")
    flow = Flow(StandardNormal(2), case.bijector).double()
    q = flow() if case.context is None else flow(case.context)
    corner = tip(case)
    x, weights = nodes_and_weights("real") if corner is None else nodes_around(corner)
    with torch.no_grad():
        assert (q.log_prob(x).exp() @ weights).item() == pytest.approx(1, abs=case.quadrature)
    torch.manual_seed(0)
    z, log_q = sample_and_log_prob(q, (50,))
    torch.testing.assert_close(log_q, q.log_prob(z), rtol=1e-10, atol=1e-10)
    assert not frozen(q).log_prob(z.detach()).requires_grad


def test_path_density_is_that_of_the_frozen_inverse(case):
    """The slope of log q by way of the sample, without an inverse; where there is one, they agree."""
    if not has_inverse(case.bijector):
        pytest.skip("there is nothing to compare with")
    context = torch.ones(3, dtype=F64) if case.context is None else case.context
    q = Flow(seeded(lambda: DiagonalGaussian(nn.Linear(3, 2 * case.dim))), case.bijector)(context[None])
    torch.manual_seed(0)
    z, log_q = q.rsample_and_path_log_prob((5,))
    torch.manual_seed(0)
    expected = frozen(q).log_prob(q.rsample((5,)))
    torch.testing.assert_close(log_q, expected, rtol=1e-10, atol=1e-10)
    (slope,) = torch.autograd.grad(log_q.sum(), z)
    target = z.detach().requires_grad_()
    (expected_slope,) = torch.autograd.grad(frozen(q).log_prob(target).sum(), target)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------------------------------ the same in five


@pytest.mark.parametrize(
    "check",
    [
        test_log_det_is_that_of_the_jacobian,
        test_inverse_leads_back,
        test_samples_and_batch_dimensions_are_mapped_one_by_one,
        test_single_precision_agrees_with_double,
        test_path_density_is_that_of_the_frozen_inverse,
    ],
)
def test_in_five_dimensions(wide_case, check):
    check(wide_case)


@pytest.mark.parametrize("name", NAMES)
def test_on_meta(name):
    """Nothing is born on the CPU by accident, and nothing is read back."""
    case = bijectors(5)[name]
    context = None if case.context is None else case.context.to(META)
    case.bijector.to(META)
    z = torch.ones(3, 4, 5, dtype=F64, device=META)
    for direction in (case.bijector.forward_and_log_det, case.bijector.inverse_and_log_det):
        number, (y, log_det) = reads(lambda direction=direction: direction(z, context))
        assert number == 0 and on_meta(y) and on_meta(log_det)
        assert y.shape == (3, 4, 5) and log_det.shape == (3, 4)


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_brings_everything_back(name):
    source, target = perturbed(bijectors(5)[name]), bijectors(5)[name]
    z = points(dim=5)
    expected = source.bijector.forward_and_log_det(z, source.context)
    target.bijector.load_state_dict(source.bijector.state_dict())
    torch.testing.assert_close(target.bijector.forward_and_log_det(z, target.context), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_rounds_networks_alone(name):
    """Samples and log-determinants stay in float32, and lead back to where they came from."""
    case = perturbed(bijectors(5)[name])
    case.bijector.float()
    context = None if case.context is None else case.context.float()
    z = points(dim=5).float()
    with torch.autocast("cpu", torch.bfloat16):
        y, log_det = case.bijector.forward_and_log_det(z, context)
        back, back_log_det = case.bijector.inverse_and_log_det(y, context)
    assert y.dtype == log_det.dtype == back.dtype == torch.float32
    # A network is read twice, and bfloat16 keeps three digits of inputs that differ in the last of float32.
    torch.testing.assert_close(back, z, rtol=0.05, atol=0.2)
    torch.testing.assert_close(back_log_det, -log_det, rtol=0.05, atol=0.2)


# ------------------------------------------------------------------------------------------------ flows


def test_a_flow_shares_the_features_of_a_network():
    calls = []
    net = nn.Linear(3, 2)
    net.register_forward_hook(lambda *_: calls.append(1))
    q = Given(net, Flow(DiagonalGaussian(nn.Linear(2, 4)), Permutation(2)))(torch.zeros(5, 3))
    sample_and_log_prob(q, (7,))
    assert len(calls) == 1


def test_permutations():
    z = torch.tensor([1.0, 2.0, 3.0])
    assert Permutation([2, 0, 1]).forward_and_log_det(z)[0].tolist() == [3.0, 1.0, 2.0]
    assert Permutation(3).forward_and_log_det(z)[0].tolist() == [3.0, 2.0, 1.0]
    with pytest.raises(ValueError, match=r"order must hold each of 0..2 once, and is \[0, 0, 2\]"):
        Permutation([0, 0, 2])


def test_base_matters():
    """A permuted Gaussian is the Gaussian of the permuted means: one number by hand."""
    base = DiagonalGaussian(nn.Identity())
    q = Flow(base, Permutation(2))(torch.tensor([[1.0, -1.0, 0.0, math.log(2.0)]]))
    by_hand = -math.log(2 * math.pi) - math.log(2.0)
    assert q.log_prob(torch.tensor([[-1.0, 1.0]])).item() == pytest.approx(by_hand, abs=1e-6)


class Affine(Bijector):
    """z -> scale z + shift, of which a few in a row are done by hand."""

    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = torch.tensor(scale, dtype=F64), torch.tensor(shift, dtype=F64)

    def forward_and_log_det(self, z, c=None):
        return self.scale * z + self.shift, self.scale.log().sum().expand(z.shape[:-1])

    def inverse_and_log_det(self, y, c=None):
        return (y - self.shift) / self.scale, -self.scale.log().sum().expand(y.shape[:-1])


def test_bijectors_in_a_row_are_a_gaussian_by_hand():
    """The first is nearest to the base, the inverses come in the opposite order, and their determinants add up."""
    row = Affine([2.0, 3.0], [1.0, -1.0]), Permutation(2), Affine([0.5, 5.0], [0.0, 4.0])
    q = Flow(StandardNormal(2), *row).double()()
    expected = td.Independent(td.Normal(torch.tensor([-0.5, 9.0], dtype=F64), torch.tensor([1.5, 10.0], dtype=F64)), 1)
    torch.testing.assert_close(q.log_prob(points()), expected.log_prob(points()), rtol=1e-12, atol=1e-12)
    for draw in (q.rsample_and_log_prob, q.rsample_and_path_log_prob):
        z, log_q = draw((7,))
        torch.testing.assert_close(log_q, expected.log_prob(z), rtol=1e-12, atol=1e-12)


def test_every_bijector_is_tested_here():
    import vaecourse.flows as room

    tested = {type(module) for name in NAMES for module in bijectors()[name].bijector.modules()}
    for name in room.__all__:
        kind = getattr(room, name)
        if isinstance(kind, type) and issubclass(kind, Bijector | room.Elementwise):
            assert kind in tested | {Bijector, room.Elementwise}, f"{name} belongs into bijectors._bijectors()"
