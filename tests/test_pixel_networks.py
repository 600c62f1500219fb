"""Networks over pixels in an order: causality pixel by pixel, the blind spot, the reach, the cache, and bad input."""

import itertools

import pytest
import torch
from cases import seeded
from torch import nn

from vaecourse.distributions import frozen
from vaecourse.likelihoods import Autoregressive, Bernoulli, CategoricalPixels, DiscretisedLogistic, Gaussian
from vaecourse.networks import MLP, GatedPixelCNN, MaskedConv2d, MaskedPixelCNN

F64 = torch.float64
SHAPE = (1, 8, 8)


def dependences(make, num_inputs=6):
    """Which dimensions' parameters depend on which dimension's value, [D, D], by autograd.

    At several inputs and with several weights: where a unit is off, its connections cannot be seen.
    """
    seen = None
    for seed in range(num_inputs):
        net = seeded(make, seed)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(std=0.5)
        size = torch.Size(net.image_shape).numel()
        x = (2 * torch.rand(size, dtype=F64)).requires_grad_()
        z = None if net.decoder is None else torch.randn(2, dtype=F64)
        outputs = net(x, z).view(size, -1).sum(-1)
        how = {"retain_graph": True, "materialize_grads": True}  # where x is not read at all, zeros
        rows = torch.stack([torch.autograd.grad(output, x, **how)[0] for output in outputs])
        seen = rows != 0 if seen is None else seen | (rows != 0)
    return seen


def before(net_shape, order):
    """Which dimension comes before which, [D, D]: row j has the ones before j."""
    rank = torch.empty(len(order), dtype=torch.long)
    rank[torch.tensor(order)] = torch.arange(len(order))
    return rank[:, None] > rank


MAKERS = {
    "masked, 3 layers": lambda: MaskedPixelCNN(SHAPE, 4, 3),
    "masked, 7 layers": lambda: MaskedPixelCNN(SHAPE, 4, 7),
    "gated, 1 layer": lambda: GatedPixelCNN(SHAPE, 4, 1),
    "gated, 3 layers": lambda: GatedPixelCNN(SHAPE, 4, 3),
    "gated, 7 layers": lambda: GatedPixelCNN(SHAPE, 4, 7),
    "gated, 2 layers of size 5": lambda: GatedPixelCNN(SHAPE, 4, 2, kernel_size=5),
    "gated, with z": lambda: GatedPixelCNN(SHAPE, 4, 3, decoder=MLP(2, (), 4 * 64)),
    "gated, reach 2": lambda: GatedPixelCNN(SHAPE, 4, 3, reach=2),
    "gated, colour": lambda: GatedPixelCNN((3, 4, 4), 4, 2, num_outputs=2, num_levels=3),
    "masked, colour": lambda: MaskedPixelCNN((3, 4, 4), 4, 2, num_outputs=2, num_levels=3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_depends_on_what_comes_later(name):
    net = MAKERS[name]()
    assert not (dependences(MAKERS[name]) & ~before(net.image_shape, net.order)).any()


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (lambda: MaskedPixelCNN(SHAPE, 4, 3), 9),
        (lambda: MaskedPixelCNN(SHAPE, 4, 7), 35),
        (lambda: MaskedPixelCNN(SHAPE, 4, 9), 35),
        (lambda: GatedPixelCNN(SHAPE, 4, 3), 16),
        (lambda: GatedPixelCNN(SHAPE, 4, 7), 56),
    ],
    ids=["masked 3", "masked 7", "masked 9", "gated 3", "gated 7"],
)
def test_the_blind_spot_of_the_last_row_s_first_pixel(make, seen):
    """56 pixels come before it. A wedge of 21 stays hidden from masked layers, however many there are."""
    assert dependences(make)[56].sum() == seen


def test_the_gated_network_sees_every_pair():
    seen = dependences(lambda: GatedPixelCNN(SHAPE, 4, 7))
    assert torch.equal(seen, torch.ones(64, 64).tril(-1).bool())
    colours = dependences(lambda: GatedPixelCNN((3, 4, 4), 4, 3, num_levels=3))
    net = GatedPixelCNN((3, 4, 4), 4, 3)
    assert torch.equal(colours, before(net.image_shape, net.order))


@pytest.mark.parametrize("reach", [0, 1, 2, 3, 7])
def test_a_pixel_sees_its_reach_and_no_further(reach):
    """Of the pixels before, those within so many rows and columns: all of them, where the layers are enough."""
    seen = dependences(lambda: GatedPixelCNN(SHAPE, 4, 8, reach=reach))
    place = torch.cartesian_prod(torch.arange(8), torch.arange(8))
    distance = (place[:, None] - place).abs().amax(-1)
    within = (distance <= reach) & torch.ones(64, 64).tril(-1).bool()
    assert not (seen & ~within).any()
    corner = (place[:, None] - place == torch.tensor([reach, -reach])).all(-1)  # up and to the right, the last to come
    assert torch.equal(seen | corner, within | corner)


def test_z_stands_in_every_gate():
    """The gradient of every layer's gates by every plane, at every pixel: none of them is left without z."""
    net = seeded(lambda: GatedPixelCNN(SHAPE, 4, 3))
    planes = torch.zeros(1, 4, 8, 8, dtype=F64, requires_grad=True)
    x = torch.rand(1, 1, 8, 8, dtype=F64)
    v = h = x
    for layer in net.layers:
        v, h = layer(v.detach(), h.detach(), planes)  # each layer by itself
        for stack in (h,) if layer.last else (v, h):
            (by_plane,) = torch.autograd.grad(stack.sum(), planes, retain_graph=True)
            assert by_plane.abs().min() > 0


# ------------------------------------------------------------------------------------------------ samples

FAMILIES = {  # of each dimension, its number of outputs and of levels
    "Bernoulli": (Bernoulli, 1, 2),
    "CategoricalPixels": (lambda net: CategoricalPixels(net, 5), 5, 5),
    "logistic": (lambda net: DiscretisedLogistic(net, 5), 2, 5),
    "mixture": (lambda net: DiscretisedLogistic(net, 5, 3), 9, 5),
    "Gaussian": (Gaussian, 1, 2),
}
SHAPES = [(1, 5, 6), (3, 4, 3)]


def likelihood(family, shape, num_layers=3, with_z=True, reach=None, dtype=F64):
    of_each, num_outputs, num_levels = FAMILIES[family]

    def make():
        decoder = MLP(2, (8,), 4 * shape[1] * shape[2]) if with_z else None
        net = GatedPixelCNN(
            shape, 6, num_layers, reach=reach, num_outputs=num_outputs, num_levels=num_levels, decoder=decoder
        )
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.4)
        return Autoregressive(net, of_each, torch.Size(shape).numel())

    return seeded(make).to(dtype)


@pytest.mark.parametrize("dtype", [F64, torch.float32])
@pytest.mark.parametrize(("family", "shape"), list(itertools.product(FAMILIES, SHAPES)))
def test_cached_samples_are_the_naive_ones(family, shape, dtype):
    """For the same noise. Levels agree to the last bit; real values, which have none, to rounding."""
    torch.manual_seed(1)
    px_z = likelihood(family, shape, dtype=dtype)(torch.randn(4, 2, dtype=dtype))
    u = torch.rand(3, 4, torch.Size(shape).numel(), dtype=dtype)
    cached, naive = px_z.quantile(u), px_z.quantile(u, cached=False)
    assert cached.shape == u.shape
    if family == "Gaussian":
        torch.testing.assert_close(cached, naive)
    else:
        assert torch.equal(cached, naive)
    assert naive.std() > 0.3  # a constant would be equal, too


@pytest.mark.parametrize("settings", [{"with_z": False}, {"reach": 0}, {"reach": 1}, {"reach": 2}, {"num_layers": 1}])
@pytest.mark.parametrize("shape", SHAPES)
def test_cached_samples_of_every_architecture(shape, settings):
    torch.manual_seed(1)
    z = None if settings.get("with_z") is False else torch.randn(6, 2, dtype=F64)
    px_z = likelihood("CategoricalPixels", shape, **settings)(z)
    u = torch.rand(6, torch.Size(shape).numel(), dtype=F64)
    assert torch.equal(px_z.quantile(u), px_z.quantile(u, cached=False))


@pytest.mark.parametrize("family", ["Bernoulli", "mixture"])
def test_samples_have_the_density(family):
    """The mean of log p(x) over samples is minus the entropy, by enumeration of the images of 2 x 2 pixels."""
    px = likelihood(family, (1, 2, 2), with_z=False)()
    num_levels = FAMILIES[family][2]
    x = torch.cartesian_prod(*[torch.arange(num_levels, dtype=F64)] * 4)
    log_p = px.log_prob(x).detach()
    torch.testing.assert_close(log_p.logsumexp(0).item(), 0.0, rtol=0, atol=1e-13)
    torch.manual_seed(0)
    sampled = px.log_prob(px.sample((20_000,))).detach()
    entropy = -(log_p.exp() @ log_p)
    assert abs(sampled.mean() + entropy) < 4 * sampled.std() / 20_000**0.5
    torch.manual_seed(0)
    assert px.sample((3,)).shape == (3, 4)


def test_each_feature_is_computed_once():
    """The convolutions of the vertical stack run once a row, and the parallel pass not at all."""
    model = likelihood("Bernoulli", (1, 5, 6))
    calls = []
    net = model.pixels.net
    net.layers[1].vertical.register_forward_hook(lambda *_: calls.append(1))
    net.register_forward_hook(lambda *_: pytest.fail("the parallel pass ran"))
    model(torch.zeros(4, 2, dtype=F64)).sample()
    assert len(calls) == 5


def test_samples_of_other_shapes_and_held_constant():
    px_z = likelihood("Bernoulli", (1, 5, 6))(torch.zeros(2, 3, 2, dtype=F64))
    assert px_z.sample().shape == (2, 3, 30) and px_z.sample((4,)).shape == (4, 2, 3, 30)
    assert not frozen(px_z).log_prob(torch.zeros(3, 30, dtype=F64)).requires_grad
    one = likelihood("Bernoulli", (1, 5, 6))(torch.zeros(2, dtype=F64))
    assert one.sample().shape == (30,) and one.quantile(torch.rand(30, dtype=F64)).shape == (30,)


def test_a_datum_s_z_is_its_own():
    """Log-densities of [S, B] pairs are those of the pairs one by one, cached samples of each z those of each z."""
    model = likelihood("CategoricalPixels", (3, 4, 3))
    torch.manual_seed(0)
    z, x = torch.randn(3, 4, 2, dtype=F64), torch.randint(5, (4, 36)).double()
    together = model(z).log_prob(x)
    alone = torch.stack([torch.stack([model(z[s, b]).log_prob(x[b]) for b in range(4)]) for s in range(3)])
    torch.testing.assert_close(together, alone)
    u = torch.rand(3, 4, 36, dtype=F64)
    assert torch.equal(model(z).quantile(u)[1, 2], model(z[1, 2]).quantile(u[1, 2]))
    assert torch.equal(model(z[0]).quantile(u)[2, 1], model(z[0, 1]).quantile(u[2, 1]))


def test_noise_of_another_shape_is_refused():
    px_z = likelihood("Bernoulli", (1, 5, 6))(torch.zeros(3, 4, 2, dtype=F64))
    for shape in ((4, 30), (3, 4, 29), (4, 3, 30)):
        with pytest.raises(ValueError, match=r"u must be of shape \[\.\.\., 3, 4, 30\], and is \["):
            px_z.quantile(torch.rand(shape, dtype=F64))


def test_without_a_decoder_z_is_ignored():
    """Only its batch counts, so that a PixelCNN can stand in a model as a likelihood."""
    model = likelihood("Bernoulli", (1, 5, 6), with_z=False)
    x = torch.randint(2, (4, 30)).double()
    z = torch.randn(3, 4, 2, dtype=F64)
    torch.testing.assert_close(model(z).log_prob(x), model().log_prob(x).expand(3, 4))
    u = torch.rand(3, 4, 30, dtype=F64)
    assert torch.equal(model(z).quantile(u), model().quantile(u))


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GatedPixelCNN(SHAPE, 4, 9, reach=8), "reach must be from 0 to 7, the pixels beside the first one"),
        (lambda: GatedPixelCNN(SHAPE, 4, 3, reach=-1), "reach must be from 0 to 7"),
        (lambda: GatedPixelCNN(SHAPE, 4, 2, reach=3), "reach must be at most 2, as far as 2 layers .* and is 3"),
        (lambda: GatedPixelCNN(SHAPE, 4, 0), "num_layers must be at least 1, and is 0"),
        (lambda: MaskedPixelCNN(SHAPE, 4, 0), "num_layers must be at least 1, and is 0"),
        (lambda: GatedPixelCNN(SHAPE, 4, 2, kernel_size=4), "kernel_size must be odd, and is 4"),
        (lambda: MaskedConv2d("A", 1, 4, 2), "kernel_size must be odd, and is 2"),
        (lambda: MaskedConv2d("C", 1, 4, 3), 'kind must be "A" or "B", and is \'C\''),
        (lambda: GatedPixelCNN((8, 8), 4, 2), r"image_shape must be \(channels, height, width\), .* and is \(8, 8\)"),
        (lambda: GatedPixelCNN(SHAPE, 4, 2, num_levels=1), "num_levels must be at least 2, and is 1"),
        (lambda: GatedPixelCNN(SHAPE, 4, 2)(torch.zeros(3, 192)), "x must have 64 dimensions, .* and has 192"),
        (lambda: MAKERS["gated, with z"]()(torch.zeros(3, 64)), "z must be given"),
        (
            lambda: GatedPixelCNN(SHAPE, 4, 2, decoder=nn.Linear(2, 65))(torch.zeros(3, 64), torch.zeros(3, 2)),
            r"decoder must give 256 outputs, 4 planes of 8 x 8, and gives 65",
        ),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
