"""What a step is, against gradients written here: with SGD, whose step is the gradient; Adam would hide its scale."""

import math

import pytest
import torch
from cases import neural_model, seeded
from test_training import binary
from torch import nn

from vaecourse.data import Dataset
from vaecourse.estimators import pathwise
from vaecourse.randomness import key, order
from vaecourse.training import fit

F64 = torch.float64
SGD = dict(optimizer=torch.optim.SGD, progress=False)
GRID = torch.linspace(-8, 8, 161, dtype=F64)[:, None, None]


def evidence(model, x):
    """log p(x) by the trapezoid rule: a bound without noise, [B]."""
    return model.log_joint(x, GRID).logsumexp(0) + math.log(0.1)


def by_hand(model, train, num_epochs, batch_size, rate, seed=0, bound=evidence, clip=None):
    """The same training in five lines: the gradient of the mean over each batch, and a step along it."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    norms = []
    for epoch in range(1, num_epochs + 1):
        for index in order(len(train), seed, epoch, torch.device("cpu")).split(batch_size):
            gradients = torch.autograd.grad(
                bound(model, train.batch(index).to(F64)).mean(), parameters, allow_unused=True
            )
            gradients = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters)]
            norms.append(math.sqrt(sum(g.square().sum().item() for g in gradients)))
            scale = 1.0 if clip is None else min(1.0, clip / (norms[-1] + 1e-6))
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients):
                    parameter += rate * scale * gradient
    return norms


def vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("options", [{}, {"num_shards": 3}, {"num_shards": 7}, {"gradient_clip": 0.3}], ids=str)
def test_a_step_is_the_gradient_of_the_mean_over_the_batch(options):
    """60 data in batches of 16 leave a last one of 12; three shards of 16 are of 6, 5 and 5, and weigh as many."""
    trained, expected = seeded(neural_model), seeded(neural_model)
    history = fit(trained, evidence, binary(), num_epochs=2, batch_size=16, learning_rate=0.5, **SGD, **options)
    norms = by_hand(expected, binary(), 2, 16, 0.5, clip=options.get("gradient_clip"))
    torch.testing.assert_close(vector(trained), vector(expected), rtol=0, atol=1e-12)
    assert (vector(trained) - vector(seeded(neural_model))).abs().max() > 0.1
    # The history holds the mean norm over an epoch's steps, before clipping.
    expected = [sum(norms[:4]) / 4, sum(norms[4:]) / 4]
    assert [record["gradient_norm"] for record in history.records] == pytest.approx(expected, rel=1e-9)


def test_the_bound_of_the_history_is_the_mean_over_data():
    """Not over batches: the last one is shorter, and its data count as much as others."""
    model, train = seeded(neural_model), binary()
    history = fit(model, evidence, train, num_epochs=1, batch_size=50, learning_rate=1e-12, **SGD)
    expected = evidence(model, train.batch().to(F64)).mean().item()
    assert history.records[0]["bound"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("turned", [False, True])
def test_each_part_of_the_model_has_its_own_rate(turned):
    """Of several prefixes the longest counts, wherever it stands; a rate of 1e-12 is none."""
    rates = {"": 1e-12, "likelihood.": 0.5, "likelihood.net.layers.2.": 0.1}
    rates = dict(reversed(rates.items())) if turned else rates
    model, start = seeded(neural_model), seeded(neural_model)
    fit(model, evidence, binary(), num_epochs=1, batch_size=60, learning_rate=rates, **SGD)
    evidence(start, binary().batch().to(F64)).mean().backward()
    for (name, parameter), before in zip(model.named_parameters(), start.parameters()):
        gradient = 0.0 if before.grad is None else before.grad
        rate = 0.1 if name.startswith("likelihood.net.layers.2.") else 0.5 if name.startswith("likelihood.") else 0.0
        torch.testing.assert_close(parameter - before, rate * gradient + 0 * before, rtol=0, atol=1e-9)


def test_rates_go_with_a_schedule_and_a_bound_of_its_own():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros((), dtype=F64))

        def forward(self, model, x):
            return evidence(model, x) - (self.shift - 1).square()

    model, bound = seeded(neural_model), Shifted()
    halves = lambda step, num_steps: 0.5**step  # noqa: E731
    fit(model, bound, binary(), num_epochs=2, batch_size=60, learning_rate={"": 1e-12, "bound.": 0.2}, schedule=halves,
        **SGD)  # fmt: skip
    first = 0.2 * 2
    assert bound.shift.item() == pytest.approx(first + 0.1 * 2 * (1 - first), abs=1e-9)


def test_shared_parameters_go_by_their_first_name():
    model = seeded(neural_model)
    model.likelihood.net.layers[2].bias = model.posterior.net.layers[2].bias = nn.Parameter(torch.zeros(3, dtype=F64))
    model.posterior.net.layers[2] = nn.Linear(4, 3, dtype=F64)
    model.posterior.net.layers[2].bias = model.likelihood.net.layers[2].bias
    model.posterior.requires_grad_(False)
    model.likelihood.requires_grad_(True)
    before = model.likelihood.net.layers[2].bias.detach().clone()
    fit(model, evidence, binary(), num_epochs=1, learning_rate={"": 1e-12, "likelihood.net.layers.2.bias": 0.5},
        monitor=None, **SGD)  # fmt: skip
    assert (model.likelihood.net.layers[2].bias - before).abs().max() > 1e-3
    assert model.posterior.net.layers[2].bias is model.likelihood.net.layers[2].bias


# ------------------------------------------------------------------------------------------------ randomness


def grey(num_data=40, split="train") -> Dataset:
    """Images of 60 pixels, each of which is one or zero with equal probability: no two realisations are alike."""
    x = torch.full((num_data, 60), 8).byte()
    return Dataset(x, torch.zeros(num_data).long(), "made", split, "dynamic", (6, 10), levels=16)


def wide_model():
    return seeded(lambda: neural_model(num_data_dims=60)).float()


def test_noise_is_fresh_in_every_epoch_batch_and_shard():
    """Of x and of z: a hundred draws, all different; and the same in another training of the same seed."""
    seen = {}

    def training(run):
        seen[run] = []

        def bound(model, x):
            seen[run].append((tuple(x[0].tolist()), torch.rand(()).item()))
            return pathwise(model, x)

        fit(wide_model(), bound, grey(), num_epochs=5, batch_size=20, num_shards=10, monitor=None, progress=False)

    training(1), training(2)
    assert seen[1] == seen[2] and len({z for _, z in seen[1]}) == len({x for x, _ in seen[1]}) == 100


def test_x_and_z_have_streams_of_their_own():
    """The images are not those that the seed of z would give: noise shared by x and z would tie q to the pixels."""
    equal = []

    def bound(model, x):
        twin = grey().batch(slice(0, len(x)), torch.Generator().manual_seed(torch.initial_seed()))
        equal.append(torch.equal(x, twin))
        return pathwise(model, x)

    fit(wide_model(), bound, grey(), num_epochs=1, batch_size=20, monitor=None, progress=False)
    assert equal == [False, False]


def test_validation_has_one_realisation_and_noise_of_its_own_in_every_part():
    """2000 data are scored in two parts. Their noise is the same in every epoch, but not in both parts or scores."""
    valid, images, noise = grey(2000, "valid"), [], []

    def bound(model, x):
        if not model.training:
            images.append(x)
            noise.append(torch.rand(()).item())
        return pathwise(model, x)

    def monitor(model, x):
        noise.append(torch.rand(()).item())
        return {"ink": x.mean(1)}

    torch.manual_seed(5)
    before = torch.get_rng_state()
    fit(wide_model(), bound, grey(), valid=valid, num_epochs=2, seed=3, monitor=monitor, progress=False)
    assert torch.equal(torch.cat(images), torch.cat([valid.realise(3)] * 2).float())
    assert noise[:4] == noise[4:] and len(set(noise)) == 4
    assert torch.equal(torch.get_rng_state(), before)


def test_without_validation_data_the_first_thousand_are_watched_under_one_noise():
    """The noise of the training moves from epoch to epoch, that of the monitor does not."""
    train, seen = grey(1200), []

    def monitor(model, x):
        seen.append((x, torch.rand(()).item()))
        return {"ink": x.mean(1)}

    fit(wide_model(), pathwise, train, num_epochs=2, monitor=monitor, progress=False)
    (first, noise), (second, again) = seen
    assert torch.equal(first, train.head(1000).realise(0)) and torch.equal(first, second) and noise == again


def test_no_two_places_share_a_key():
    """(1, 12) and (11, 2) are different places, and so are those of different seeds and uses."""
    places = [(use, *place) for use in ("x", "z") for place in [(1, 12, 0), (11, 2, 0), (1, 1, 20), (1, 120), (112, 0)]]
    keys = [key(seed, *place) for seed in (0, 1, 10) for place in places]
    assert len(set(keys)) == len(keys) and all(0 <= value < 2**63 for value in keys)


def test_data_are_shuffled_anew_in_every_epoch():
    orders = [tuple(order(50, seed, epoch, torch.device("cpu")).tolist()) for seed in (0, 1) for epoch in (1, 2, 3)]
    assert len(set(orders)) == 6 and all(sorted(each) == list(range(50)) for each in orders)
