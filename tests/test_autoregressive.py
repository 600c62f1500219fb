"""Autoregressive distributions: the density against enumeration and against the samples, in any batch."""

import itertools

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vaecourse.distributions import frozen
from vaecourse.likelihoods import Autoregressive, Bernoulli, Binomial, check_support

D, L = 4, 2
BITS = torch.tensor(list(itertools.product((0.0, 1.0), repeat=D)), dtype=torch.float64)  # [16, D]


class Raster(nn.Module):
    """Parameters of pixel j from the pixels before it and from z (or from the pixels alone)."""

    def __init__(self, num_latents=L):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(2 * torch.randn(D, D, dtype=torch.float64, generator=generator))
        self.of_z = nn.Linear(num_latents, D, dtype=torch.float64)

    def forward(self, x, z=None):
        logits = x @ self.weight.tril(-1).T
        return logits if z is None else logits + self.of_z(z)


@pytest.fixture
def z():
    return torch.randn(3, L, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_probabilities_of_all_states_sum_to_one(z):
    px_z = Autoregressive(Raster(), Bernoulli, D)(z)
    total = px_z.log_prob(BITS[:, None]).logsumexp(0)
    assert_close(total, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-14)
    counts = torch.cartesian_prod(*[torch.arange(3, dtype=torch.float64)] * D)
    of_counts = Autoregressive(Raster(), lambda net: Binomial(net, 2), D)(z)
    total = of_counts.log_prob(counts[:, None]).logsumexp(0)
    assert_close(total, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-14)


def test_samples_have_the_density(z):
    px_z = Autoregressive(Raster(), Bernoulli, D)(z)
    num_samples = 20_000
    torch.manual_seed(2)
    x = px_z.sample((num_samples,))  # [S, 3, D]
    assert x.shape == (num_samples, 3, D)
    share = (x[:, :, None] == BITS).all(-1).double().mean(0)  # [3, 16]
    probs = px_z.log_prob(BITS[:, None]).exp().T
    standard_error = (probs * (1 - probs) / num_samples).sqrt()
    assert ((share - probs) / standard_error).abs().max() < 4.5  # 48 states: 4.5 s.e. by chance once in 3,000


def test_batches_of_samples_and_data(z):
    likelihood = Autoregressive(Raster(), Bernoulli, D)
    many = torch.stack([z, 2 * z])  # [S, B, L]
    x = BITS[:3]
    both = likelihood(many).log_prob(x)
    assert both.shape == (2, 3)
    assert_close(both[1, 2], likelihood(2 * z[2]).log_prob(x[2]))
    expanded = likelihood(z[0]).expand((5,))
    assert expanded.batch_shape == (5,) and expanded.sample().shape == (5, D)
    assert_close(likelihood(z[0]).expand((16,)).log_prob(BITS), likelihood(z[0]).log_prob(BITS))


def test_without_a_context():
    px = Autoregressive(Raster(), Bernoulli, D)()
    assert px.batch_shape == () and px.sample((7,)).shape == (7, D)
    assert_close(px.log_prob(BITS).logsumexp(0).item(), 0.0, rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="has no batch to expand"):
        px.expand((2,))


def test_without_a_context_and_without_parameters():
    class Cumulative(nn.Module):
        def forward(self, x):
            return nn.functional.pad(x.cumsum(-1)[..., :-1], (1, 0)) - 1

    px = Autoregressive(Cumulative(), Bernoulli, D)()
    assert px.sample((7,)).shape == (7, D)
    assert_close(px.log_prob(BITS).logsumexp(0).item(), 0.0, rtol=0, atol=1e-14)


def test_held_constant(z):
    px_z = Autoregressive(Raster(), Bernoulli, D)(z.requires_grad_())
    x = BITS[:3]
    assert px_z.log_prob(x).requires_grad
    assert not frozen(px_z).log_prob(x).requires_grad


def test_data_outside_its_support_are_named(z):
    px_z = Autoregressive(Raster(), Bernoulli, D)(z[:1])
    with pytest.raises(ValueError, match=r"Autoregression on 0 and 1, and has values such as 0\.5"):
        check_support(px_z, torch.tensor([[0.0, 0.5, 1.0, 1.0]]))
