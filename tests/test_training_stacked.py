"""Models trained side by side against the same models trained one after the other by a loop written here."""

import math

import pytest
import torch
from torch import nn

from vaecourse.estimators import pathwise
from vaecourse.flows import Flow, maf, naf
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import Stacked, maximise

F64 = torch.float64


class Density(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.flow = Flow(StandardNormal(2), *make(2, (6,), 2))

    def forward(self, y):
        return self.flow().log_prob(y)


def models(make=maf):
    made = []
    for k in range(3):
        torch.manual_seed(k)
        made.append(Density(make).double())
    return made


def batches(num_steps):
    """Of each model its own, [3, 20, 2]; those of the last are so wild that its gradient is cut."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([1.0, 1.0, 50.0], dtype=F64)[:, None, None]
    return [scale * torch.randn(3, 20, 2, generator=generator, dtype=F64) for _ in range(num_steps)]


@pytest.mark.parametrize("make", [maf, naf])
def test_each_gives_what_it_gives_alone(make):
    made = models(make)
    y = batches(1)[0]
    expected = torch.stack([model(part) for model, part in zip(made, y)])
    torch.testing.assert_close(Stacked(made)(y), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("rates", [0.05, torch.tensor([0.01, 0.05, 0.02], dtype=F64)])
def test_training_is_that_of_each_alone(clip, rates):
    num_steps = 8
    made, data = models(), batches(num_steps)
    stacked, remaining = Stacked(made), iter(data)
    trace = maximise(stacked, lambda: stacked(next(remaining)), num_steps, rates, clip)
    for k, (model, rate) in enumerate(zip(made, torch.as_tensor(rates).expand(3).tolist())):
        optimiser = torch.optim.Adam(model.parameters(), rate)
        for step, y in enumerate(data):
            optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / num_steps)) / 2
            optimiser.zero_grad()
            bound = model(y[k]).mean()
            (-bound).backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip is None else clip)
            assert clip is None or k < 2 or norm > clip  # the wild one is cut, and only its own gradient with it
            optimiser.step()
            assert trace[step, k].item() == pytest.approx(bound.item(), rel=1e-5)  # torch adds 1e-6 to its norm
        for own, other in zip(stacked.module(k).parameters(), model.parameters()):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_each_draws_noise_of_its_own():
    """torch's distributions fill a tensor in place. Three copies of a model: noise of one law, and not the same.

    Of 4,000 bounds each, whose means are compared pair by pair: three z-scores, one above 4.5 has probability 2e-5; the
    correlation of any two is that of independent numbers, 1 / sqrt(4000), to 4.5 standard deviations.
    """

    class Bound(nn.Module):
        def __init__(self):
            super().__init__()
            decoder, encoder = nn.Linear(2, 3), nn.Linear(3, 4)
            self.model = LatentVariableModel(StandardNormal(2), Bernoulli(decoder), DiagonalGaussian(encoder))

        def forward(self, x):
            return pathwise(self.model, x)

    torch.manual_seed(0)
    one = Bound().double()
    values = Stacked([one, one, one])(torch.ones(3, 4000, 3, dtype=F64)).detach()
    alone = one(torch.ones(4000, 3, dtype=F64)).detach()
    assert (torch.corrcoef(values) - torch.eye(3)).abs().max() < 4.5 / math.sqrt(4000)
    z = (values.mean(1) - alone.mean()) / ((values.var(1) + alone.var()) / 4000).sqrt()
    assert z.abs().max() < 4.5


def test_one_by_itself_is_a_copy():
    made = models()
    stacked = Stacked(made)
    alone = stacked.module(1)
    with torch.no_grad():
        for parameter in alone.parameters():
            parameter.zero_()
    y = batches(1)[0]
    torch.testing.assert_close(stacked(y)[1], made[1](y[1]), rtol=1e-10, atol=1e-10)


def test_a_gradient_that_is_no_number_is_left_out():
    """Of its own model alone; the others go on."""
    made = models()
    stacked = Stacked(made)
    y = batches(1)[0]
    y[0, 0, 0] = math.nan
    maximise(stacked, lambda: stacked(y), 1, 0.1, clip=1.0)
    assert all(torch.equal(a, b) for a, b in zip(stacked.module(0).parameters(), made[0].parameters()))
    assert not all(torch.equal(a, b) for a, b in zip(stacked.module(1).parameters(), made[1].parameters()))


@pytest.mark.parametrize("rate", [0.0, [0.1, 0.1], [0.1, -0.1, 0.1]])
def test_rates_that_cannot_be(rate):
    stacked = Stacked(models())
    with pytest.raises(ValueError, match=r"learning_rate must be above 0, one or \[3\]"):
        maximise(stacked, lambda: stacked(batches(1)[0]), 1, torch.tensor(rate))
