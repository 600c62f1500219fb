"""Networks in integers: the same numbers in any batch and with any number of threads, near those of the original."""

import numpy as np
import pytest
import torch
from cases import seeded
from torch import nn

from vaecourse.coding import FloatNetwork, IntegerNetwork
from vaecourse.coding.integer_network import UNIT, integers
from vaecourse.exact import frozen_vae
from vaecourse.networks import MLP, Rescale

NETWORKS = {
    "tanh": lambda: MLP(20, (64, 64), 30),
    "relu": lambda: MLP(20, (64, 64), 30, nn.ReLU),
    "sigmoid": lambda: MLP(20, (64,), 30, nn.Sigmoid),
    "affine": lambda: nn.Sequential(Rescale(torch.linspace(0, 1, 20), torch.linspace(1, 2, 20)), nn.Linear(20, 30)),
    "no bias": lambda: nn.Linear(20, 30, bias=False),
    "large": lambda: MLP(784, (400,), 30),
}


def inputs(number=257, size=20):
    return integers(torch.randn(number, size, generator=torch.Generator().manual_seed(0)).clamp(-4, 4))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "large"])
def test_outputs_are_the_networks_up_to_rounding(name):
    """Each layer adds at most 2^-13 for its own rounding, and 2^-13 for each weight times what is multiplied by it."""
    net, x = seeded(NETWORKS[name]), inputs()
    with torch.no_grad():
        expected = net(torch.from_numpy(x) / UNIT).numpy()
    errors = np.abs(IntegerNetwork(net, 4.0)(x) / UNIT - expected)
    assert 0 < errors.max() < 40 / UNIT and errors.mean() < 3 / UNIT


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_exact_arithmetic(name):
    """The same sums and tables in Python's integers, which have no last digit: three images, and all as a batch."""
    net = seeded(NETWORKS[name])
    x = inputs(2000, 784) if name == "large" else inputs(40)  # a product that is worth more than one thread
    batch = IntegerNetwork(net, 4.0)(x)
    assert (batch == np.rint(batch)).all()
    np.testing.assert_array_equal(batch[:3].astype(object), by_hand(net, x[:3]))


def by_hand(net, x):
    layers = [layer for layer in net.modules() if not list(layer.children())]
    x = x.astype(np.int64).astype(object)  # Python's own integers
    for layer in layers:
        if isinstance(layer, nn.Linear):
            weight = integers(layer.weight).astype(np.int64).astype(object)
            bias = 0 if layer.bias is None else integers(layer.bias, 24).astype(np.int64).astype(object)
            x = (2 * (x @ weight.T + bias) + UNIT) // (2 * UNIT)
        elif isinstance(layer, Rescale):
            factor, offset = integers(1 / layer.scale), integers(-layer.shift / layer.scale, 24)
            factor, offset = (part.astype(np.int64).astype(object) for part in (factor, offset))
            x = (2 * (x * factor + offset) + UNIT) // (2 * UNIT)
        elif isinstance(layer, nn.ReLU):
            x = np.maximum(x, 0)
        else:
            values = torch.from_numpy(np.clip(x, -10 * UNIT, 10 * UNIT).astype(float)) / UNIT
            x = integers(layer(values)).astype(np.int64).astype(object)
    return x


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batches_change_nothing(size):
    net, x = IntegerNetwork(seeded(NETWORKS["tanh"]), 4.0), inputs()
    parts = np.concatenate([net(x[start : start + size]) for start in range(0, len(x), size)])
    np.testing.assert_array_equal(parts, net(x))


def test_batches_change_a_float_network():
    """The reason for all this: float32, one image at a time and all at once, rounded to 2^-20 to see it."""
    model, z = frozen_vae(), inputs(300, 2)
    net = FloatNetwork(model.likelihood.net, torch.float32)
    single = np.concatenate([net._net(torch.from_numpy(row / UNIT).float()).numpy() for row in np.split(z, 300)])
    assert (single != net._net(torch.from_numpy(z / UNIT).float()).numpy()).any()
    assert np.abs(net(z) / UNIT - IntegerNetwork(model.likelihood.net, 4.0)(z) / UNIT).max() < 0.02


def test_a_network_is_copied():
    net, x = seeded(NETWORKS["tanh"]), inputs()
    exact, plain = IntegerNetwork(net, 4.0), FloatNetwork(net, torch.float64)
    before, digests = exact(x), (exact.digest, plain.digest)
    with torch.no_grad():
        net.layers[0].weight += 1
    np.testing.assert_array_equal(exact(x), before)
    assert (exact.digest, plain.digest) == digests
    assert IntegerNetwork(net, 4.0).digest != digests[0] and FloatNetwork(net, torch.float64).digest != digests[1]


@pytest.mark.parametrize(
    ("net", "named"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1)), "Dropout"),
        (MLP(4, (4,), 4, nn.GELU), "GELU"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), "ParametrizedLinear"),
        (nn.Conv2d(1, 1, 3), "Conv2d"),
    ],
)
def test_other_layers_are_refused(net, named):
    with pytest.raises(ValueError, match=f"must be made of MLP, Sequential, Linear, .*; it has a {named}"):
        IntegerNetwork(net, 1.0)


def test_sums_that_float64_may_round_are_refused():
    """The bound follows the largest input through the layers: of a ReLU network it grows, of tanh it does not."""
    for activation, refused in ((nn.Tanh, False), (nn.ReLU, True)):
        net = MLP(2, (4, 4, 4), 2, activation)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.fill_(2.0**10)
        if refused:
            with pytest.raises(ValueError, match=r"sums in Linear\(in_features=4, .* may reach .*too large"):
                IntegerNetwork(net, 1.0)
        else:
            assert np.isfinite(IntegerNetwork(net, 1.0)(np.full((1, 2), UNIT))).all()


def ones(num_inputs, bias=0.0):
    layer = nn.Linear(num_inputs, 1)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, bias)
    return layer


@pytest.mark.parametrize(
    ("net", "largest"),
    [
        (ones(1), 2**28),
        (ones(4), 2**26),
        (ones(1, 1.0), 2**28 - 1),
        (Rescale(0.0, 1.0), 2**28),
        (Rescale(1.0, 1.0), 2**28 - 1),
    ],
)
def test_sums_are_refused_from_2_to_the_52_on(net, largest):
    """In units of 2^-24: weights of 1, which are 2^12, times inputs in units of 2^-12, and the bias."""
    IntegerNetwork(net, largest - 1)
    with pytest.raises(ValueError, match=r"sums in .* may reach 4\.5e\+15"):
        IntegerNetwork(net, largest)
