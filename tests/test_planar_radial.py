"""Planar and radial steps: the constraint, whatever the parameters; their inverses; peers with copied weights."""

import math

import pytest
import torch
import torch.distributions as td
import torch.nn.functional as F
from bijectors import bijectors
from test_flows import points, tip
from torch import nn

from vaecourse import data
from vaecourse.distributions import Conditional, Given
from vaecourse.estimators import pathwise
from vaecourse.flows import Bijector, Coupling, Flow, Permutation, Planar, Radial, iaf, solve_increasing
from vaecourse.flows.planar import above_minus_one
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import Categorical, DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit

F64 = torch.float64


def random_layer(kind, dim, scale, seed=0):
    """A layer with parameters of this scale."""
    layer = kind(dim).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=F64))
    return layer


# ------------------------------------------------------------------------------------------------ roots


def test_root_and_its_gradient():
    """a^3 + a = t, elementwise and with a bracket that broadcasts: da/dt = 1 / (3 a^2 + 1), up to rounding."""
    t = torch.linspace(-5, 5, 7, dtype=F64, requires_grad=True)
    low, high = torch.tensor(-2.0, dtype=F64), torch.full((3, 1), 2.0, dtype=F64)
    root = solve_increasing(lambda a: (a**3 + a - t, 3 * a**2 + 1), low, high)
    assert root.shape == (3, 7)
    torch.testing.assert_close(root**3 + root, t.expand(3, 7), rtol=1e-14, atol=1e-14)
    (slope,) = torch.autograd.grad(root[0].sum(), t)
    torch.testing.assert_close(slope, 1 / (3 * root[0] ** 2 + 1), rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_root_where_the_function_is_almost_flat(dtype):
    """The last step divides rounding by the slope: it must not leave the bracket, nor change the gradient."""
    t = torch.tensor(1e-12, dtype=dtype, requires_grad=True)
    root = solve_increasing(lambda a: (a**3 + 1e-9 * a - t, 3 * a**2 + 1e-9), t.detach() - 1, t.detach() + 1)
    assert abs(root.item()) < 1e-3
    root.backward()
    expected = 1 / (3 * root.item() ** 2 + 1e-9)
    # The step moves the root by rounding, and the slope with it: by 4e-4 where seven digits are kept.
    assert t.grad.item() == pytest.approx(expected, rel=1e-3 if dtype == torch.float32 else 1e-9)


def test_a_bracket_without_the_root_gives_its_end_and_nan_stays_nan():
    ends = torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0])
    found = solve_increasing(lambda a: (a - torch.tensor([5.0, -5.0]), torch.ones_like(a)), *ends)
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0]))
    assert solve_increasing(lambda a: (a * math.nan, torch.ones_like(a)), *ends).isnan().all()


def test_root_under_vmap():
    """One function, a root for each of several parameters, with their gradients."""

    def root(t):
        return solve_increasing(lambda a: (a.exp() - t, a.exp()), torch.tensor(-9.0), torch.tensor(9.0))

    t = torch.tensor([0.5, 1.0, 7.0])
    torch.testing.assert_close(torch.vmap(root)(t), t.log(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(torch.vmap(torch.func.grad(root))(t), 1 / t, rtol=1e-5, atol=0)


# ------------------------------------------------------------------------------------------------ the constraint


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_constraint_cannot_be_broken(dtype):
    """Whatever is loaded, w.u-hat is above -1, and m is zero at zero, increasing, and the paper's but for a shift."""
    x = torch.cat([-torch.logspace(4, -8, 100), torch.logspace(-8, 4, 100)]).to(dtype)
    m = above_minus_one(x)
    assert (m >= -0.999).all() and (m.diff() >= 0).all() and above_minus_one(torch.zeros((), dtype=dtype)) == 0
    shifted = x + math.log(math.e - 1)
    torch.testing.assert_close(m, 0.999 * (F.softplus(shifted) - 1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [Planar, Radial])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 10.0, 1e3])
def test_weights_of_any_size_load_and_stay_invertible(kind, scale):
    """A state dict cannot violate the constraint, because it holds u before it is projected."""
    for seed in range(5):
        state = random_layer(kind, 3, scale, seed).state_dict()
        layer = kind(3).double()
        layer.load_state_dict(state)
        z = points(50, 3)
        y, log_det = layer.forward_and_log_det(z)
        back, back_log_det = layer.inverse_and_log_det(y)
        assert log_det.isfinite().all()
        # The slope is at least 1e-3, and u up to some thousand long: of sixteen digits eight are left, or more.
        torch.testing.assert_close(back, z, rtol=1e-8, atol=1e-8 * max(1, scale))
        if scale <= 10:  # a tanh of a thousand standard deviations has a slope that depends on the last digits
            torch.testing.assert_close(back_log_det, -log_det, rtol=1e-6, atol=1e-6)


def test_planar_never_folds():
    """Points on the line along w keep their order, for u against w as long as one likes."""
    layer = Planar(2).double()
    with torch.no_grad():
        layer.parameters_at.w.copy_(torch.tensor([2.0, 0.0]))
        layer.parameters_at.u.copy_(torch.tensor([-50.0, 3.0]))
        z = torch.stack([torch.linspace(-3, 3, 1001, dtype=F64), torch.zeros(1001, dtype=F64)], -1)
        assert (layer.forward_and_log_det(z)[0][:, 0].diff() > 0).all()


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-6])
def test_planar_where_w_passes_through_zero(length):
    """Nothing leaps: the correction of u is no longer than u, however short w is."""
    layer = Planar(2)
    with torch.no_grad():
        layer.parameters_at.w.copy_(torch.tensor([length, 0.0]))
        layer.parameters_at.u.copy_(torch.tensor([0.5, -1.0]))
        layer.parameters_at.b.fill_(1.0)
    z = torch.zeros(1, 2)
    y, log_det = layer.forward_and_log_det(z)
    assert (y - z).norm() < 2 * math.hypot(0.5, 1.0) and log_det.abs() < 1e-4
    torch.testing.assert_close(layer.inverse_and_log_det(y)[0], z, rtol=0, atol=1e-6)


def test_radial_at_its_centre():
    """Value, determinant and gradient where the direction is undefined: the slope is (alpha + beta) / alpha."""
    layer = random_layer(Radial, 3, 1.0)
    centre = layer.parameters_at.centre.detach()
    z = centre.clone().requires_grad_()
    y, log_det = layer.forward_and_log_det(z)
    slope = 1 + above_minus_one(layer.parameters_at.b)
    torch.testing.assert_close(y, centre)
    torch.testing.assert_close(log_det, 3 * slope.log().squeeze())
    jacobian = torch.autograd.functional.jacobian(lambda z: layer.forward_and_log_det(z)[0], z)
    torch.testing.assert_close(jacobian, slope * torch.eye(3, dtype=F64), rtol=1e-9, atol=1e-9)
    back, _ = layer.inverse_and_log_det(centre)
    torch.testing.assert_close(back, centre)


def test_a_planar_step_has_rank_one():
    """The Jacobian less the identity has one direction; two steps have two."""
    first, second = (random_layer(Planar, 6, 1.0, seed) for seed in (0, 1))
    z = points(1, 6)[0]
    for number, layers in enumerate(([first], [first, second]), 1):

        def move(z, layers=layers):
            for layer in layers:
                z, _ = layer.forward_and_log_det(z)
            return z

        spectrum = torch.linalg.svdvals(torch.autograd.functional.jacobian(move, z) - torch.eye(6, dtype=F64))
        assert (spectrum > 1e-12).sum() == number


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("kind", [Planar, Radial])
def test_context_and_value_of_the_wrong_width(kind):
    layer = kind(4, num_context=3)
    z = torch.zeros(5, 4)
    with pytest.raises(ValueError, match="c must be a context of 3 numbers, and is None"):
        layer.forward_and_log_det(z)
    for direction in (layer.forward_and_log_det, layer.inverse_and_log_det):
        with pytest.raises(ValueError, match=r"c must be a context of 3 numbers, and is of shape \[5, 2\]"):
            direction(z, torch.zeros(5, 2))
        with pytest.raises(ValueError, match=r"have 4 coordinates in its last dimension, and is of shape \[5, 1\]"):
            direction(torch.zeros(5, 1), torch.zeros(5, 3))


def test_context_of_the_wrong_width_in_a_network():
    layer = Coupling(4, (8,), num_context=3)
    with pytest.raises(ValueError, match=r"c must be a context of 3 numbers, and is of shape \[5, 1\]"):
        layer.forward_and_log_det(torch.zeros(5, 4), torch.zeros(5, 1))


class Bits(Conditional):
    """Two coins."""

    def forward(self, c=None):
        return td.Independent(td.Bernoulli(logits=torch.zeros(2)), 1)


@pytest.mark.parametrize("base", [Bits(), Categorical(nn.Linear(1, 4))])
def test_a_flow_over_a_discrete_base(base):
    with pytest.raises(ValueError, match="base must be continuous, because a bijector stretches a density, and"):
        Flow(base, Permutation(4))(torch.zeros(1))


def test_a_flow_over_numbers():
    class Scalar(Conditional):
        def forward(self, c=None):
            return td.Normal(torch.zeros(3), 1.0)

    with pytest.raises(ValueError, match=r"base must be of vectors, event shape \[L\], and its event shape is \[\]"):
        Flow(Scalar(), Permutation(3))()


class OneWay(Bijector):
    """A map whose inverse nobody wrote."""

    def forward_and_log_det(self, z, c=None):
        return z + z**3, torch.log1p(3 * z**2).sum(-1)


def test_no_inverse():
    """Its own samples have a density, with both gradients; a foreign point has none, and the reason is said."""
    q = Flow(StandardNormal(2), Planar(2), OneWay())()
    z, log_q = q.rsample_and_log_prob((5,))
    _, path = q.rsample_and_path_log_prob((5,))
    assert z.shape == (5, 2) and log_q.shape == path.shape == (5,)
    with pytest.raises(NotImplementedError, match="OneWay has no inverse: only its own samples have a density"):
        q.log_prob(z)


@pytest.mark.parametrize("prior", [False, True])
def test_a_nan_is_named_by_its_layer(prior):
    """Parameters are finite, the third layer overflows; as a prior it is met on the way back."""

    class Overflow(Planar):
        def forward_and_log_det(self, z, c=None):
            return super().forward_and_log_det(z * torch.inf, c)

        def inverse_and_log_det(self, y, c=None):
            return super().inverse_and_log_det(y * torch.inf, c)

    layers = [Planar(4), Planar(4), Overflow(4), Planar(4)]
    encoder, decoder = MLP(64, (8,), 8), Bernoulli(MLP(4, (8,), 64))
    if prior:
        model = LatentVariableModel(Flow(StandardNormal(4), *layers), decoder, DiagonalGaussian(encoder))
    else:
        model = LatentVariableModel(StandardNormal(4), decoder, Flow(DiagonalGaussian(encoder), *layers))
    slot = "prior" if prior else "posterior"
    with pytest.raises(FloatingPointError, match=rf"the bound is nan and began at the output of {slot}.bijectors.2$"):
        fit(model, pathwise, data.load("digits", "train", "fixed").head(100), num_epochs=1, progress=False)


# ------------------------------------------------------------------------------------------------ batch dimensions

BROADCASTS = [  # places of z, places of the context, places of the result
    ((), (), ()),
    ((5,), (), (5,)),
    ((), (4,), (4,)),
    ((3, 1), (4,), (3, 4)),
    ((2, 3, 4), (3, 1), (2, 3, 4)),
    ((0,), (), (0,)),
    ((3, 0), (0,), (3, 0)),
]


@pytest.mark.parametrize("name", list(bijectors()))
def test_batch_shapes_broadcast_as_elsewhere(name):
    """Of value and context, both ways; at every place it is what it would be alone."""
    case = bijectors(5)[name]
    for of_z, of_c, of_y in BROADCASTS:
        z = points(max(1, math.prod(of_z)), 5)[: math.prod(of_z)].reshape(*of_z, 5)
        if case.context is None:
            c, of_y = None, of_z
        else:
            factor = torch.arange(1, math.prod(of_c) + 1, dtype=F64).reshape(*of_c, 1)
            c = factor * case.context
        for direction in (case.bijector.forward_and_log_det, case.bijector.inverse_and_log_det):
            y, log_det = direction(z, c)
            assert y.shape == (*of_y, 5) and log_det.shape == of_y, (of_z, of_c)
            if math.prod(of_y):
                last = direction(
                    z.expand(*of_y, 5).reshape(-1, 5)[-1],
                    None if c is None else c.expand(*of_y, c.shape[-1]).reshape(-1, c.shape[-1])[-1],
                )
                torch.testing.assert_close((y.reshape(-1, 5)[-1], log_det.reshape(-1)[-1]), last, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------------------------------ in a model


@pytest.mark.parametrize("kind", [Planar, Radial])
def test_amortised_steps_train(kind):
    """Parameters from the encoder: the bound rises, all of them move, and each datum has a flow of its own."""
    torch.manual_seed(0)
    encoder = MLP(64, (32,), 16)
    layers = [kind(4, num_context=16) for _ in range(2)]
    posterior = Given(nn.Sequential(encoder, nn.Tanh()), Flow(DiagonalGaussian(nn.Linear(16, 8)), *layers))
    model = LatentVariableModel(StandardNormal(4), Bernoulli(MLP(4, (32,), 64)), posterior)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    train, valid = (data.load("digits", split, "fixed").head(size) for split, size in (("train", 400), ("valid", 100)))
    history = fit(model, pathwise, train, valid=valid, num_epochs=3, learning_rate=3e-3, progress=False)
    assert history.records[-1]["valid_bound"] > history.records[0]["valid_bound"] + 1
    assert not any(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
    features = torch.randn(2, 16)
    y, _ = layers[0].forward_and_log_det(torch.zeros(4), features)
    assert not torch.allclose(y[0], y[1])


# ------------------------------------------------------------------------------------------------ peers


def of_the_papers(layer, u):
    """Set our u so that u-hat is what the paper makes of theirs."""
    w = layer.parameters_at.w
    wu = w @ u
    projected = u + (F.softplus(wu) - 1 - wu) * w / w.square().sum()
    along = torch.expm1(w @ projected / 0.999 + 1).add(1).sub(1).log() - math.log(math.e - 1)
    layer.parameters_at.u.data = projected + (along - w @ projected) * w / w.square().sum()


def planar_and_u():
    layer = random_layer(Planar, 5, 0.7)
    u = torch.randn(5, dtype=F64, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        of_the_papers(layer, u)
    return layer, u


def test_planar_of_normflows():
    """With copied weights; theirs cannot be inverted, ours leads back to what was put in."""
    theirs = pytest.importorskip("normflows.flows")
    layer, u = planar_and_u()
    w, b = layer.parameters_at.w.detach(), layer.parameters_at.b.detach()
    peer = theirs.Planar((5,), u=u[None], w=w[None], b=b)
    z = points(7, 5)
    expected = peer(z)
    y, log_det = layer.forward_and_log_det(z)
    torch.testing.assert_close((y, log_det), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(layer.inverse_and_log_det(expected[0])[0], z, rtol=1e-6, atol=1e-6)


def test_planar_of_pyro():
    transforms = pytest.importorskip("pyro.distributions.transforms")
    layer, u = planar_and_u()
    peer = transforms.Planar(5).double()
    with torch.no_grad():
        for name, value in (("u", u), ("w", layer.parameters_at.w), ("bias", layer.parameters_at.b)):
            getattr(peer, name).copy_(value)
    z = points(7, 5)
    y, log_det = layer.forward_and_log_det(z)
    torch.testing.assert_close(peer(z), y, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(peer.log_abs_det_jacobian(z, peer(z)), log_det, rtol=1e-6, atol=1e-6)


def test_radial_of_normflows():
    theirs = pytest.importorskip("normflows.flows")
    layer = random_layer(Radial, 5, 0.7)
    centre, alpha, beta = layer._of(None)
    peer = theirs.Radial((5,), z_0=centre.detach()[None])
    with torch.no_grad():
        peer.alpha.data = alpha.detach()
        peer.beta.data = (alpha + beta).expm1().log().detach()  # theirs is softplus(.) - alpha
    z = points(7, 5)
    torch.testing.assert_close(layer.forward_and_log_det(z), peer(z), rtol=1e-6, atol=1e-6)


def test_radial_of_pyro():
    transforms = pytest.importorskip("pyro.distributions.transforms")
    layer = random_layer(Radial, 5, 0.7)
    centre, alpha, beta = layer._of(None)
    peer = transforms.Radial(5).double()
    with torch.no_grad():
        peer.x0.copy_(centre)
        peer.alpha_prime.copy_(alpha.expm1().log())
        peer.beta_prime.copy_((alpha + beta).expm1().log())
    z = points(7, 5)
    y, log_det = layer.forward_and_log_det(z)
    torch.testing.assert_close(peer(z), y, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(peer.log_abs_det_jacobian(z, peer(z)), log_det, rtol=1e-6, atol=1e-6)


def test_the_tip_of_a_radial_density_is_where_the_tests_look_for_it():
    """The second difference of the log-density jumps there and nowhere near."""
    case = bijectors()["radial"]
    with torch.no_grad():
        case.bijector.parameters_at.b.fill_(1.0)
    centre, step = tip(case), torch.tensor([1e-4, 0.0], dtype=F64)
    q = Flow(StandardNormal(2), case.bijector).double()()

    def bend(point):
        return (q.log_prob(point + step) - 2 * q.log_prob(point) + q.log_prob(point - step)).item() / 1e-8

    assert abs(bend(centre)) > 100 * abs(bend(centre + 0.1))


def test_stacks_of_iaf_read_planar_layers_between():
    """Layers of any kind in one row: the density of its own samples is that of the inverse."""
    flow = Flow(
        StandardNormal(3), *iaf(3, (8,), 1), random_layer(Planar, 3, 1.0), random_layer(Radial, 3, 1.0)
    ).double()
    z, log_q = flow().rsample_and_log_prob((9,))
    torch.testing.assert_close(flow().log_prob(z), log_q, rtol=1e-9, atol=1e-9)
