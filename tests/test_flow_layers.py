"""What each bijector promises of itself: masks, bounds of scales, the start; flows in the slots of a model."""

import math

import pytest
import torch
from bijectors import bijectors
from cases import z_scores
from test_flows import points
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vaecourse import data
from vaecourse.distributions import Given
from vaecourse.estimators import dreg, pathwise, stl
from vaecourse.evaluation import importance_log_likelihood
from vaecourse.flows import (
    MADE,
    Autoregressive,
    Coupling,
    ElementwiseAffine,
    Flow,
    Gate,
    Inverse,
    Shift,
    ShiftAndScale,
    Sigmoids,
    iaf,
    maf,
    naf,
    nice,
    real_nvp,
)
from vaecourse.likelihoods import Autoregressive as AutoregressiveLikelihood
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import elbo, iwae
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit

F64 = torch.float64

# ------------------------------------------------------------------------------------------------ masks


def dependence(net, num_inputs, *context, trials=20):
    """Which outputs [O] move with which inputs [I] at any of several random points (a ReLU hides some at each)."""
    generator = torch.Generator().manual_seed(0)
    seen = 0
    for _ in range(trials):
        x = torch.randn(num_inputs, generator=generator, dtype=F64)
        seen = seen + (torch.autograd.functional.jacobian(lambda x: net(x, *context), x) != 0).int()
    return seen > 0


@pytest.mark.parametrize("hidden", [(), (64,), (64, 48), (3,), (3, 40)])
@pytest.mark.parametrize("num_context", [0, 2])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_outputs_see_what_comes_before_and_all_of_it(hidden, num_context, activation):
    """Nothing else; and, where the layers are wide enough, everything: with hidden units for each degree."""
    dim, num_outputs = 6, 3
    torch.manual_seed(0)
    made = MADE(dim, hidden, num_outputs, num_context, activation).double()
    context = (torch.randn(num_context, dtype=F64),) if num_context else ()
    seen = dependence(made, dim, *context).view(num_outputs, dim, dim)
    before = torch.ones(dim, dim).tril(-1).bool()
    assert not seen[:, ~before].any()
    if 3 not in hidden:
        assert seen[:, before].all()
    else:  # a narrow network still reads of each input but the last, by the last output
        assert seen[:, -1, :-1].any(0).sum() == dim - 1


@pytest.mark.parametrize("hidden", [(), (64,), (3,), (64, 48)])
def test_a_context_reaches_every_output(hidden):
    """The first output, too, which depends on no input: masks as in the paper would cut it off."""
    torch.manual_seed(0)
    made = MADE(5, hidden, 2, num_context=3).double()
    x = torch.randn(5, dtype=F64)
    jacobian = torch.autograd.functional.jacobian(lambda c: made(x, c), torch.randn(3, dtype=F64))
    assert (jacobian != 0).all()


def test_made_as_a_decoder():
    """The network of an autoregressive likelihood: probabilities of all 2^6 images add up to one for any z."""
    torch.manual_seed(0)
    likelihood = AutoregressiveLikelihood(MADE(6, (20,), num_context=2), Bernoulli, 6).double()
    images = torch.cartesian_prod(*[torch.arange(2, dtype=F64)] * 6)
    px_z = likelihood(torch.randn(1, 2, dtype=F64))
    assert px_z.log_prob(images).exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert px_z.sample((3,)).shape == (3, 1, 6)


@pytest.mark.parametrize("order", [[4, 2, 0, 3, 1], [0, 1, 2, 3, 4], None])
@pytest.mark.parametrize("num_context", [0, 2])
def test_any_order(order, num_context):
    """Outputs see the inputs that come before in the order, all of them, and no other."""
    torch.manual_seed(0)
    made = MADE(5, (64,), 2, num_context, order=order).double()
    context = (torch.randn(num_context, dtype=F64),) if num_context else ()
    seen = dependence(made, 5, *context).view(2, 5, 5)
    place = torch.tensor(order or range(5)).argsort()
    assert torch.equal(seen, (place[:, None] > place).expand(2, -1, -1))


def test_a_bad_order():
    with pytest.raises(ValueError, match=r"order must hold each of 0..2 once, and is \[0, 2, 2\]"):
        MADE(3, (8,), order=[0, 2, 2])


def test_weights_keep_their_order():
    """Weights trained in one order, loaded into a network built for another, stay the function that they were."""
    torch.manual_seed(0)
    source, target = (MADE(4, (16,), order=order) for order in ([2, 0, 3, 1], [3, 1, 0, 2]))
    target.load_state_dict(source.state_dict())
    x = torch.randn(6, 4)
    torch.testing.assert_close(target(x), source(x), rtol=0, atol=0)
    with pytest.raises(RuntimeError, match="place"):
        MADE(4, (16,)).load_state_dict(source.state_dict())


def test_a_step_loaded_from_another_order_has_its_inverse():
    torch.manual_seed(0)
    source, target = (Autoregressive(4, (16,), order=order) for order in ([2, 0, 3, 1], [3, 1, 0, 2]))
    for p in source.parameters():
        nn.init.normal_(p, std=0.3)
    target.load_state_dict(source.state_dict())
    y = torch.randn(6, 4)
    torch.testing.assert_close(target.inverse_and_log_det(y), source.inverse_and_log_det(y), rtol=0, atol=0)
    torch.testing.assert_close(target.forward_and_log_det(target.inverse_and_log_det(y)[0])[0], y)


@pytest.mark.parametrize("num_context", [0, 3])
@pytest.mark.parametrize("hidden", [(), (2,), (16,), (5, 7)])
@pytest.mark.parametrize("dim", [1, 2, 6])
def test_outputs_in_order_are_those_of_a_pass(dim, hidden, num_context):
    """One after the other, for any numbers of units: fewer than degrees, or as many of each."""
    torch.manual_seed(0)
    made = MADE(dim, hidden, 3, num_context, order=torch.randperm(dim).tolist()).double()
    x, c = torch.randn(4, dim, dtype=F64), torch.randn(4, num_context, dtype=F64) if num_context else None
    at_once = made(x, c).unflatten(-1, (3, dim))  # [N, P, D]
    steps, sent = made.in_order(c, 4), None
    for place in range(dim):
        j, outputs = steps.send(sent)
        assert j == made.order[place]
        torch.testing.assert_close(outputs, at_once[..., j])
        sent = x[:, j]
    with pytest.raises(StopIteration):
        steps.send(sent)


@pytest.mark.parametrize("make", [iaf, naf])
def test_own_samples_cost_one_pass_a_layer_and_foreign_points_as_many_steps_as_coordinates(make):
    layers, num_steps = make(5, (16,), 3), []
    for layer in layers:
        if isinstance(layer, Autoregressive):  # once in a pass; backwards at each coordinate but the first
            layer.net.net.activation.register_forward_hook(lambda *_: num_steps.append(1))
    q = Flow(StandardNormal(5), *layers)()
    z, _ = q.rsample_and_log_prob((7,))
    assert len(num_steps) == 3
    q.log_prob(z.detach())
    assert len(num_steps) == 3 + 3 * 4
    backwards = Flow(StandardNormal(5), *[Inverse(layer) for layer in layers])()
    num_steps.clear()
    backwards.log_prob(z.detach())
    assert len(num_steps) == 3
    backwards.sample((7,))
    assert len(num_steps) == 3 + 3 * 4


def test_the_way_back_multiplies_no_more_than_the_way_there():
    step, y = Autoregressive(32, (64, 64)), torch.randn(10, 32)
    counts = []
    for direction in (step.forward_and_log_det, step.inverse_and_log_det):
        with FlopCounterMode(display=False) as counter:
            direction(y)
        counts.append(counter.get_total_flops())
    assert 0 < counts[1] <= counts[0]


# ------------------------------------------------------------------------------------------------ sigmoids


def sigmoids_by_hand(z, log_slope, shift, logits):
    """As the formula stands, in mpmath's 50 digits: y and the slope, for one z."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50):
        total = mpmath.fsum(mpmath.exp(w) for w in logits)
        share = density = mpmath.mpf(0)
        for s, b, w in zip(log_slope, shift, logits):
            a = 2 * mpmath.exp(mpmath.mpf(s) / (1 + abs(mpmath.mpf(s)) / mpmath.log(1000)))
            p = 1 / (1 + mpmath.exp(-(a * z + b)))
            share += mpmath.exp(w) / total * p
            density += mpmath.exp(w) / total * a * p * (1 - p)
        return float(mpmath.log(share / (1 - share))), float(mpmath.log(density / (share * (1 - share))))


@pytest.mark.parametrize("z", [-40.0, -3.0, 0.0, 0.7, 25.0])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_sigmoids_by_hand(z, dtype):
    """Far out as well, where a sigmoid is one to the last digit: relative rounding, times a few operations."""
    elementwise = Sigmoids(3).to(dtype)
    raw = torch.randn(9, 1, generator=torch.Generator().manual_seed(0), dtype=F64).to(dtype)
    log_slope, shift, logits = raw.view(3, 3).double()
    y, log_slope_at_z = elementwise.forward(torch.tensor([z], dtype=dtype), raw.flatten())
    start = elementwise.start.flatten().double()
    expected = sigmoids_by_hand(z, *(part.tolist() for part in (log_slope, shift + start, logits)))
    tolerance = 50 * torch.finfo(dtype).eps
    assert (y.item(), log_slope_at_z.item()) == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("num_sigmoids", [2, 8, 32])
def test_sigmoids_increase_whatever_a_network_says(num_sigmoids):
    """Over extreme parameters, also in float32; and the roots of the single sigmoids enclose the one wanted."""
    torch.manual_seed(0)
    elementwise = Sigmoids(num_sigmoids)
    parameters = torch.randn(200, 3 * num_sigmoids) * torch.logspace(-2, 2, 200)[:, None]
    z = torch.linspace(-30, 30, 301).expand(200, -1).unsqueeze(-1)
    y, log_slope = elementwise.forward(z, parameters[:, None])
    assert (y.diff(dim=1) >= 0).all() and log_slope.isfinite().all()
    back, _ = elementwise.double().inverse(y.double(), parameters[:, None].double())
    again, _ = elementwise.forward(back, parameters[:, None].double())
    torch.testing.assert_close(again, y.double(), rtol=1e-9, atol=1e-9)


def test_sigmoids_start_near_the_identity_and_apart():
    """Within 0.05 up to two standard deviations; no two of them have the same gradient."""
    elementwise = Sigmoids(8).double()
    z = torch.linspace(-2, 2, 81, dtype=F64).unsqueeze(-1)
    parameters = torch.zeros(24, dtype=F64, requires_grad=True)
    y, log_slope = elementwise.forward(z, parameters)
    assert (y - z).abs().max() < 0.05
    (gradient,) = torch.autograd.grad(((y - 1).square() + log_slope).sum(), parameters)
    for part in gradient.view(3, 8)[:2]:
        assert (part[:, None] - part).abs().add(torch.eye(8)).min() > 1e-3
    with pytest.raises(ValueError, match="num_sigmoids must be at least 2, and is 1"):
        Sigmoids(1)


# ------------------------------------------------------------------------------------------------ scales


@pytest.mark.parametrize("elementwise", [ShiftAndScale(), Gate()])
def test_scales_stay_within_three_decades(elementwise):
    """Whatever a network says, also in float32: no overflow, an inverse, and gradients that are numbers."""
    raw = torch.tensor([-1e30, -1e4, -3.0, 0.0, 3.0, 1e4, 1e30])
    z = torch.tensor([-100.0, -1.0, -0.01, 0.3, 0.02, 1.0, 100.0])
    parameters = torch.cat([torch.linspace(-1, 1, 7), raw]).requires_grad_()
    y, log_slope = elementwise.forward(z, parameters)
    assert log_slope.abs().max() <= math.log(1000) * (1 + 1e-6)
    back, back_log_slope = elementwise.inverse(y, parameters)
    torch.testing.assert_close(back, z, rtol=1e-4, atol=1e-3)  # three of seven digits lost at the smallest scale
    torch.testing.assert_close(back_log_slope, -log_slope, rtol=0, atol=0)
    for value in (y, log_slope, back):
        assert torch.autograd.grad(value.sum(), parameters, retain_graph=True)[0].isfinite().all()


def test_the_bound_by_hand():
    """a = log 1000 is halved, and exp(s) z + m is y: 1000^(1/2) 2 + 1."""
    y, log_slope = ShiftAndScale().forward(torch.tensor([2.0]), torch.tensor([1.0, math.log(1000)]))
    assert log_slope.item() == pytest.approx(0.5 * math.log(1000), rel=1e-6)
    assert y.item() == pytest.approx(2 * math.sqrt(1000) + 1, rel=1e-6)


def test_the_gate_by_hand():
    """Between the number and another, by sigmoid(2) where the network says zero."""
    y, log_slope = Gate().forward(torch.tensor([1.0]), torch.tensor([-1.0, 0.0]))
    gate = 1 / (1 + math.exp(-2))
    assert y.item() == pytest.approx(gate - (1 - gate), rel=1e-6)
    assert log_slope.item() == pytest.approx(math.log(gate), rel=1e-5)


def test_nice_keeps_volumes():
    layer = Coupling(5, (8,), elementwise=Shift()).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    y, log_det = layer.forward_and_log_det(points(dim=5))
    assert (log_det == 0).all() and not torch.equal(y, points(dim=5))


# ------------------------------------------------------------------------------------------------ the start


NOT_AT_FIRST = "Permutation", "gated", "NAF", "sigmoids"  # the last two nearly


@pytest.mark.parametrize("name", [name for name in bijectors() if not any(word in name for word in NOT_AT_FIRST)])
def test_the_start_is_the_identity(name):
    """In every stack as well: a latent keeps its name and its units until training says otherwise."""
    case = bijectors(5)[name]
    z = points(dim=5)
    y, log_det = case.bijector.forward_and_log_det(z, case.context)
    torch.testing.assert_close((y, log_det), (z, torch.zeros(len(z), dtype=F64)), rtol=0, atol=0)


@pytest.mark.parametrize("make", [real_nvp, nice, iaf, maf, naf])
@pytest.mark.parametrize("num_layers", [1, 2, 3, 4])
def test_stacks(make, num_layers):
    """So many layers with parameters; with two or more, every coordinate depends on every other or is moved."""
    layers = make(5, (16,), num_layers)
    assert sum(any(True for _ in layer.parameters()) for layer in layers) == num_layers
    for parameter in nn.ModuleList(layers).double().parameters():
        nn.init.normal_(parameter, std=0.5)
    flow = Flow(StandardNormal(5), *layers).double()()
    z, log_q = flow.rsample_and_log_prob((4,))
    torch.testing.assert_close(flow.log_prob(z), log_q, rtol=1e-9, atol=1e-9)
    if num_layers > 1:
        assert not (flow.forward_and_log_det(points(dim=5))[0] == points(dim=5)).any()


@pytest.mark.parametrize("make", [real_nvp, iaf])
def test_a_stack_of_nothing(make):
    with pytest.raises(ValueError, match="num_layers must be at least 1, and is 0"):
        make(4, (8,), 0)


def test_bad_couplings():
    with pytest.raises(ValueError, match="dim must be at least 2, one coordinate that stays and one that moves, and i"):
        Coupling(1, (8,))
    with pytest.raises(ValueError, match='moves must be "first" or "second", and is \'third\''):
        Coupling(4, (8,), moves="third")
    with pytest.raises(ValueError, match="c must be a context of 3 numbers, and is None"):
        Coupling(4, (8,), num_context=3).forward_and_log_det(torch.zeros(4))


def test_one_coordinate_is_moved_by_the_context_alone():
    layer = Autoregressive(1, (8,), num_context=2).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    z, c = torch.zeros(3, 1, dtype=F64), torch.eye(2, dtype=F64)[[0, 1, 0]]
    y, _ = layer.forward_and_log_det(z, c)
    assert y[0] == y[2] != y[1]


def test_units_of_data():
    """The layer from data standardises them backwards; data that do not vary have no units."""
    y = torch.randn(500, 3, dtype=F64) * torch.tensor([0.1, 3.0, 40.0], dtype=F64) + 7
    layer = ElementwiseAffine.from_data(y)
    z, log_det = layer.inverse_and_log_det(y)
    torch.testing.assert_close(z.mean(0), torch.zeros(3, dtype=F64), rtol=0, atol=1e-12)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3, dtype=F64), rtol=1e-12, atol=0)
    torch.testing.assert_close(log_det[0], -y.std(0, correction=0).log().sum(), rtol=1e-12, atol=0)
    y[:, 1] = 2.0
    with pytest.raises(ValueError, match="y must vary in each coordinate, and has one value alone in coordinate 1"):
        ElementwiseAffine.from_data(y)


# ------------------------------------------------------------------------------------------------ flows in a model


def bent(layers):
    """Layers with random weights where they start at zero."""
    for parameter in nn.ModuleList(layers).parameters():
        nn.init.normal_(parameter, std=0.3)
    return layers


def flow_posterior(make=iaf):
    """A model of three pixels and two latents with a flow over the encoder's Gaussian, float64."""
    torch.manual_seed(0)
    layers = bent(make(2, (6,), 2, num_context=4))
    posterior = Given(nn.Linear(3, 4), Flow(DiagonalGaussian(nn.Linear(4, 4)), *layers))
    return LatentVariableModel(StandardNormal(2), Bernoulli(MLP(2, (4,), 3)), posterior).double()


def gated(*sizes, **options):
    """An IAF with gates."""
    return iaf(*sizes, elementwise=Gate(), **options)


@pytest.mark.parametrize("slot", ["prior", "likelihood", "posterior", "both"])
@pytest.mark.parametrize("make", [real_nvp, iaf, maf])
def test_flow_prior_equals_flow_posterior(make, slot):
    r"""A prior that is a flow of epsilon is a flow between posterior and epsilon: every log-weight is the same.

    With z = f(epsilon): p(z) = N(epsilon) / |det f'| and q(z|x) on one side, and on the other N(epsilon), the decoder
    behind f, and q's samples sent through f's inverse, of which the determinant cancels.
    """
    torch.manual_seed(0)
    layers = bent(make(2, (6,), 3))
    decoder, encoder = MLP(2, (4,), 3), MLP(3, (4,), 4)
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=F64)
    first = LatentVariableModel(Flow(StandardNormal(2), *layers), Bernoulli(decoder), DiagonalGaussian(encoder))

    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.net = nn.ModuleList(layers), decoder

        def forward(self, z):
            for layer in self.layers:
                z, _ = layer.forward_and_log_det(z)
            return self.net(z)

    backwards = [Inverse(layer) for layer in reversed(layers)]
    second = LatentVariableModel(StandardNormal(2), Bernoulli(Behind()), Flow(DiagonalGaussian(encoder), *backwards))
    draws = []
    for model in (first, second):
        torch.manual_seed(1)
        draws.append(model.double().draw(x, 50))
    torch.testing.assert_close(draws[0].log_w, draws[1].log_w, rtol=0, atol=1e-12)
    parts = {"prior": "log_pz", "posterior": "log_qz_x"}
    if slot in parts:  # not because the parts are the same
        assert (getattr(draws[0], parts[slot]) - getattr(draws[1], parts[slot])).abs().max() > 0.1


@pytest.mark.parametrize("make", [real_nvp, iaf, gated, naf])
def test_estimators_of_a_flow_posterior(make):
    """Sticking the landing and the doubly reparameterised gradient have the means of the plain ones."""
    model = flow_posterior(make)
    x = torch.tensor([[1.0, 0.0, 1.0]], dtype=F64).expand(300, -1)
    parameters = list(model.posterior.parameters())
    for estimator, plain in ((stl, elbo), (dreg, iwae)):
        torch.manual_seed(0)
        differences = []
        for _ in range(60):
            values = estimator(model, x, 5).mean(), pathwise(model, x, 5, objective=plain).mean()
            first, second = (torch.cat([g.flatten() for g in torch.autograd.grad(v, parameters)]) for v in values)
            differences.append(first - second)
        scores = z_scores(torch.stack(differences), torch.zeros_like(differences[0]))
        assert scores.abs().max() < 5, estimator  # some hundred t variables: one above 5 has probability 1e-3


@pytest.mark.parametrize("kind", ["prior", "posterior"])
@pytest.mark.parametrize("bound", [pathwise, stl, dreg])
def test_flows_train(kind, bound):
    """Through `fit` on digits: the bound rises, every parameter of the flow moves."""
    torch.manual_seed(0)
    encoder, decoder = MLP(64, (32,), 8), Bernoulli(MLP(4, (32,), 64))
    if kind == "prior":
        model = LatentVariableModel(Flow(StandardNormal(4), *maf(4, (16,), 2)), decoder, DiagonalGaussian(encoder))
    else:
        flow = Flow(DiagonalGaussian(MLP(8, (), 8)), *iaf(4, (16,), 2, num_context=8, elementwise=Gate()))
        model = LatentVariableModel(StandardNormal(4), decoder, Given(encoder, flow))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    train, valid = (data.load("digits", split, "fixed").head(size) for split, size in (("train", 400), ("valid", 100)))
    history = fit(model, bound, train, valid=valid, num_epochs=3, learning_rate=3e-3, progress=False)
    assert history.records[-1]["valid_bound"] > history.records[0]["valid_bound"] + 1
    for (name, parameter), old in zip(model.named_parameters(), before):
        assert not torch.equal(parameter, old), name
    assert model.sample(3).shape == (3, 64)


def test_a_flow_posterior_is_evaluated_as_any():
    """The mean importance weight is p(x): two proposals, one of them a flow, agree within their errors."""
    model = flow_posterior()
    plain = LatentVariableModel(model.prior, model.likelihood, DiagonalGaussian(nn.Linear(3, 4)).double())
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=F64)
    torch.manual_seed(0)
    first, second = (importance_log_likelihood(m, x, 20_000) for m in (model, plain))
    assert ((first.log_px - second.log_px).abs() < 4 * (first.se**2 + second.se**2).sqrt()).all()


# ------------------------------------------------------------------------------------------------ peers


def test_real_nvp_of_zuko():
    """With copied weights: zuko moves the coordinates that its mask marks with zeros, and squashes scales alike."""
    zuko = pytest.importorskip("zuko")
    layer = perturbed_layer(Coupling(5, (16, 16), num_context=3))
    mask = torch.tensor([1, 1, 0, 0, 0])
    theirs = zuko.flows.GeneralCouplingTransform(5, 3, mask, hidden_features=(16, 16), activation=nn.Tanh).double()
    copy_conditioner(layer.net, [m for m in theirs.hyper if hasattr(m, "weight")], interleaved(3))
    z, c = points(7, 5), torch.randn(7, 3, dtype=F64)
    expected = theirs(c).call_and_ladj(z)
    torch.testing.assert_close(layer.forward_and_log_det(z, c), expected, rtol=1e-12, atol=1e-12)


def test_maf_of_zuko():
    """A masked step, weight by weight and mask by mask; both run from data to noise in one pass."""
    zuko = pytest.importorskip("zuko")
    layer = perturbed_layer(Autoregressive(5, (16, 16)))
    theirs = zuko.flows.MaskedAutoregressiveTransform(5, 0, hidden_features=(16, 16), activation=nn.Tanh).double()
    linear = [m for m in theirs.hyper if isinstance(m, nn.Linear)]
    copy_conditioner(layer.net.net, linear, interleaved(5))
    for own, other, order in zip(layer.net.net.layers, linear, (slice(None), slice(None), interleaved(5))):
        other.mask.copy_(torch.empty_like(other.mask).index_copy_(0, rows(order, own), own.mask.bool()))
    y = points(7, 5)
    noise, log_det = Inverse(layer).inverse_and_log_det(y)
    torch.testing.assert_close((noise, log_det), theirs().call_and_ladj(y), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(theirs().inv(noise), Inverse(layer).forward_and_log_det(noise)[0], rtol=1e-9, atol=1e-9)


def test_coupling_of_nflows():
    """Shifts alone, as in NICE, are theirs to the last digits (their scale is another function of the network)."""
    transforms = pytest.importorskip("nflows.transforms")
    layer = perturbed_layer(Coupling(5, (16,), elementwise=Shift()))
    mask = torch.tensor([0, 0, 1, 1, 1])

    class Net(nn.Module):
        def __init__(self, *_):
            super().__init__()
            self.net = layer.net

        def forward(self, z, context=None):
            return self.net(z)

    theirs = transforms.AdditiveCouplingTransform(mask, Net)
    z = points(7, 5)
    expected = theirs(z)
    y, log_det = layer.forward_and_log_det(z)
    torch.testing.assert_close((y, log_det), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.inverse_and_log_det(y), theirs.inverse(y), rtol=1e-12, atol=1e-12)


def test_iaf_of_pyro():
    """Backwards and forwards as theirs, with their network's masks replaced by ours; their log-scale is clamped."""
    transforms, networks = (pytest.importorskip(f"pyro.{room}") for room in ("distributions.transforms", "nn"))
    layer = perturbed_layer(Autoregressive(5, (16, 16)))
    net = networks.AutoRegressiveNN(5, [16, 16], permutation=torch.arange(5), nonlinearity=nn.Tanh()).double()
    copy_conditioner(layer.net.net, net.layers, slice(None))
    for own, other in zip(layer.net.net.layers, net.layers):
        other.mask.copy_(own.mask)

    class Bounded(nn.Module):
        def forward(self, z):
            shift, log_scale = net(z)
            return shift, log_scale / (1 + log_scale.abs() / math.log(1000))

    theirs = transforms.AffineAutoregressive(Bounded())
    z = points(7, 5)
    y, log_det = layer.forward_and_log_det(z)
    torch.testing.assert_close(theirs(z), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(theirs.log_abs_det_jacobian(z, theirs(z)), log_det, rtol=1e-12, atol=1e-12)


def test_naf_of_pyro():
    """Their deep sigmoidal flow on our network; slopes are the softplus of what theirs is given."""
    transforms = pytest.importorskip("pyro.distributions.transforms")
    elementwise = Sigmoids(8)
    layer = perturbed_layer(Autoregressive(5, (16,), elementwise=elementwise))
    z = points(7, 5)
    log_slope, shift, log_weight = elementwise._of(layer.net(z))  # each [7, 8, 5]

    class Net(nn.Module):
        def forward(self, _):
            return log_slope.exp().expm1().log(), log_weight, shift

    theirs = transforms.NeuralAutoregressive(Net(), hidden_units=8, activation="sigmoid")
    y, log_det = layer.forward_and_log_det(z)
    expected = theirs(z)
    torch.testing.assert_close(expected, y, rtol=1e-6, atol=1e-6)  # theirs adds an epsilon before its logarithms
    torch.testing.assert_close(theirs.log_abs_det_jacobian(z, expected), log_det, rtol=1e-6, atol=1e-6)


def test_curves_of_zuko():
    """Our curve through their bisection: the inverse, and the slope that they find by differentiation."""
    zuko = pytest.importorskip("zuko")
    elementwise = Sigmoids(8).double()
    parameters = 0.5 * torch.randn(24 * 5, dtype=F64, generator=torch.Generator().manual_seed(0))
    curve = zuko.transforms.MonotonicTransform(lambda z: elementwise.forward(z, parameters)[0], bound=30.0, eps=1e-10)
    z = points(7, 5)
    y, log_slope = elementwise.forward(z, parameters)
    torch.testing.assert_close(curve.call_and_ladj(z), (y, log_slope), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(curve.inv(y), elementwise.inverse(y, parameters)[0], rtol=1e-8, atol=1e-8)


def test_made_of_nflows():
    """Their degrees and ours differ; under the same masks and weights the networks are the same function."""
    made = pytest.importorskip("nflows.transforms.made")
    ours = perturbed_layer(MADE(5, (16, 16), 2))
    theirs = made.MADE(5, 16, num_blocks=1, output_multiplier=2, use_residual_blocks=False, activation=torch.tanh)
    theirs.double()
    linear = [theirs.initial_layer, theirs.blocks[0].linear, theirs.final_layer]
    copy_conditioner(ours.net, linear, interleaved(5))
    for own, other, order in zip(ours.net.layers, linear, (slice(None), slice(None), interleaved(5))):
        other.mask.copy_(torch.empty_like(other.mask).index_copy_(0, rows(order, own), own.mask))
    x = points(7, 5)
    shift, log_scale = ours(x).chunk(2, -1)
    torch.testing.assert_close(theirs(x).unflatten(-1, (5, 2)).unbind(-1), (shift, log_scale), rtol=1e-12, atol=1e-12)


def perturbed_layer(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return module


def interleaved(size, kinds=2):
    """Where our outputs, kind by kind, stand in a network whose outputs come coordinate by coordinate."""
    return torch.arange(size * kinds).view(size, kinds).T.flatten()


def rows(order, linear):
    return torch.arange(linear.out_features) if isinstance(order, slice) else order


def copy_conditioner(net, linear, order):
    """Our weights into theirs, the context's beside those of the first layer; the last layer's rows in their order."""
    with torch.no_grad():
        for k, (own, other) in enumerate(zip(net.layers, linear)):
            weight = own.weight if k or net.context is None else torch.cat([own.weight, net.context.weight], 1)
            places = order if own is net.layers[-1] else torch.arange(own.out_features)
            other.weight[places] = weight
            other.bias[places] = own.bias
