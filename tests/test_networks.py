"""Networks: shapes, units and leading dimensions."""

import pytest
import torch
from torch import nn

from vaecourse.networks import MLP, Joined, LeadingDims, Rescale, start_at


def test_mlp_layers():
    net = MLP(2, (5, 6), 3, activation=nn.ReLU)
    assert [type(layer) for layer in net.layers] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [tuple(layer.weight.shape) for layer in net.layers[::2]] == [(5, 2), (6, 5), (3, 6)]
    assert net(torch.zeros(4, 7, 2)).shape == (4, 7, 3)


def test_mlp_without_hidden_layers_is_affine():
    net = MLP(2, (), 3).double()
    a, b = torch.randn(2, 5, 2, dtype=torch.float64)
    torch.testing.assert_close(net(a) + net(b), net(a + b) + net(torch.zeros(2, dtype=torch.float64)))


def test_rescale_moves_with_its_module_and_has_no_parameters():
    net = Rescale(torch.tensor([1.0, 2.0]), 4.0).double()
    torch.testing.assert_close(net(torch.tensor([[5.0, 0.0]]).double()), torch.tensor([[1.0, -0.5]]).double())
    assert not list(net.parameters()) and set(net.state_dict()) == {"shift", "scale"}


@pytest.mark.parametrize("leading", [(), (3,), (6, 5), (2, 3, 4)])
def test_leading_dims_changes_the_shape_only(leading):
    net = nn.Conv2d(1, 4, 3).double()
    x = torch.randn(*leading, 1, 8, 8, dtype=torch.float64)
    y = LeadingDims(net, event_ndim=3)(x)
    assert y.shape == (*leading, 4, 6, 6)
    one = net(x.reshape(-1, 1, 8, 8)[-1:])[0]
    torch.testing.assert_close(y.reshape(-1, 4, 6, 6)[-1], one)


def test_joined_reads_its_inputs_side_by_side():
    """Features of a datum stand beside every sample; the first input comes first."""
    net = nn.Linear(5, 2).double()
    z, features = torch.randn(7, 4, 2, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    expected = z @ net.weight[:, :2].T + features @ net.weight[:, 2:].T + net.bias
    torch.testing.assert_close(Joined(net)(z, features), expected)


def test_start_at_sets_the_bias_of_the_last_layer():
    net = nn.Sequential(Rescale(0.5, 0.5), MLP(2, (5,), 3))
    before = [value.clone() for value in net.parameters()]
    outputs = torch.tensor([1.0, -2.0, 0.5])
    assert start_at(net, outputs) is net
    *others, bias = net.parameters()
    assert torch.equal(bias, outputs) and bias.requires_grad
    assert all(torch.equal(value, old) for value, old in zip(others, before))
    with pytest.raises(ValueError, match=r"outputs must have the shape of the last layer's bias, \[3\], and has \[2\]"):
        start_at(net, outputs[:2])
    for bad in (nn.Tanh(), nn.Linear(2, 3, bias=False)):
        with pytest.raises(ValueError, match="net must end in a linear layer with a bias"):
            start_at(bad, outputs)
