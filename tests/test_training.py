"""Training: a known optimum, reproducibility, choosing the epoch, failures said in a sentence, and checkpoints."""

import copy
import math

import pytest
import torch
from cases import neural_model, seeded
from torch import nn

from vaecourse import data, training
from vaecourse.data import Dataset
from vaecourse.em.ppca import ProbabilisticPCA
from vaecourse.estimators import pathwise
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal
from vaecourse.likelihoods import Bernoulli, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit, load_checkpoint, save_checkpoint


def counts(num_data=300, seed=0) -> Dataset:
    """Six counts 0..16 whose variation is mostly of rank two."""
    generator = torch.Generator().manual_seed(seed)
    weight = 2 * torch.randn(6, 2, generator=torch.Generator().manual_seed(9))
    x = 8 + torch.randn(num_data, 2, generator=generator) @ weight.T + torch.randn(num_data, 6, generator=generator)
    return Dataset(
        x.round().clamp(0, 16).byte(), torch.zeros(num_data).long(), "made", "train", "binomial", (2, 3), levels=16
    )


def binary(num_data=60, seed=0, split="train") -> Dataset:
    """Three binary pixels."""
    x = torch.randint(0, 2, (num_data, 3), generator=torch.Generator().manual_seed(seed)).byte()
    return Dataset(x, torch.zeros(num_data).long(), "made", split, "binomial", (1, 3), levels=1)


def log_likelihood(model, x):
    """The exact evidence of a linear-Gaussian model, a bound like any other."""
    return linear_gaussian_marginal(model).log_prob(x)


def test_recovers_the_maximum_likelihood_of_ppca():
    """From random weights to the eigenvectors' answer. 1e-3 nats a datum is 0.3 in all: no test could tell."""
    train = counts()
    x = train.realise().double()
    best = ProbabilisticPCA.closed_form(x, 2).log_likelihood(x).mean().item()
    torch.manual_seed(0)
    model = linear_gaussian(torch.randn(6, 2), torch.zeros(6), 3.0)
    model.likelihood = Gaussian(model.likelihood.net, 3.0, learn_scale=True)
    history = fit(
        model,
        log_likelihood,
        train,
        num_epochs=600,
        batch_size=300,
        learning_rate=0.1,
        schedule="cosine",
        progress=False,
    )
    reached = log_likelihood(model.double(), x).mean().item()
    assert best - 1e-3 < reached <= best + 1e-9
    assert history.records[0]["bound"] < best - 5 and len(history.frame()) == 600


def fitted(seed=0, **options):
    model = seeded(neural_model).float()
    history = fit(model, pathwise, binary(), num_epochs=3, batch_size=25, seed=seed, progress=False, **options)
    return model, history


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))


def test_same_seed_same_parameters():
    assert same(fitted()[0], fitted()[0])
    assert not same(fitted(seed=0)[0], fitted(seed=1)[0])


def test_seed_rules_even_dynamic_binarisation():
    def train(noise):
        torch.manual_seed(noise)  # the caller's state must not matter
        model = LatentVariableModel(StandardNormal(2), Bernoulli(MLP(2, (), 64)), DiagonalGaussian(MLP(64, (), 4)))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.1)
        fit(model, pathwise, data.load("digits", "valid", "dynamic"), num_epochs=1, seed=3, progress=False)
        return model

    assert same(train(1), train(2))


@pytest.mark.parametrize("valid", [None, binary(20, 1, "valid")])
def test_callers_random_state_is_untouched(valid):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fitted(valid=valid)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_state_is_given_back_after_a_failure():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError):
        fit(neural_model().float(), _breaks, binary(), num_epochs=1, progress=False)
    assert torch.equal(torch.get_rng_state(), before)


def _breaks(model, x):
    torch.rand(3)
    raise RuntimeError("in the middle")


# ------------------------------------------------------------------------------------------------- what one step is


class Offset(nn.Module):
    """A model of one parameter, for counting steps: its bound is whatever the test says of it."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))
        self.prior, self.likelihood = StandardNormal(1), Bernoulli(MLP(1, (), 3))
        self.prior.requires_grad_(False), self.likelihood.requires_grad_(False)


@pytest.fixture
def offset(monkeypatch):
    monkeypatch.setattr(training, "_validate", lambda model, bound, x, seed: {"valid_bound": bound.valid(model)})
    return Offset()


class Scripted:
    """A bound that rises with the parameter, and validation scores from a list."""

    def __init__(self, scores=()):
        self.scores, self.values = list(scores), []

    def __call__(self, model, x):
        return model.value.expand(len(x))

    def valid(self, model):
        self.values.append(model.value.item())
        return self.scores[len(self.values) - 1]


def test_goes_up(offset):
    fit(offset, Scripted(), binary(), num_epochs=2, batch_size=60, learning_rate=0.1, progress=False)
    assert offset.value.item() == pytest.approx(0.2, abs=1e-6)  # Adam's first steps have the length of the rate


def test_last_short_batch_is_used(offset):
    fit(offset, Scripted(), binary(60), num_epochs=1, batch_size=25, learning_rate=0.1, progress=False)
    assert offset.value.item() == pytest.approx(0.3, abs=1e-6)


def test_cosine_schedule_falls_to_zero(offset):
    """The steps sum to rate * sum of (1 + cos(pi t / T)) / 2."""
    fit(offset, Scripted(), binary(), num_epochs=8, batch_size=60, learning_rate=0.1, schedule="cosine", progress=False)
    expected = sum(0.1 * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(8))
    assert offset.value.item() == pytest.approx(expected, abs=1e-6)


def test_keeps_the_parameters_of_the_best_epoch(offset):
    bound = Scripted([1.0, 3.0, 2.0, 2.9])
    history = fit(offset, bound, binary(), valid=binary(), num_epochs=4, learning_rate=0.1, progress=False)
    assert history.best_epoch == 2 and offset.value.item() == bound.values[1]
    assert [record["valid_bound"] for record in history.records] == bound.scores


def test_patience(offset):
    bound = Scripted([1.0, 3.0, 2.0, 2.9, 2.8, 9.0])
    history = fit(offset, bound, binary(), valid=binary(), num_epochs=6, patience=2, progress=False)
    assert len(history.records) == 4 and history.best_epoch == 2


def test_interrupt_ends_with_the_best_so_far(offset):
    bound = Scripted([1.0, 3.0, 2.0])

    def interrupted(model, x):
        if len(bound.values) == 3:
            raise KeyboardInterrupt
        return bound(model, x)

    interrupted.valid = bound.valid
    history = fit(offset, interrupted, binary(), valid=binary(), num_epochs=6, progress=False)
    assert history.interrupted and len(history.records) == 3
    assert offset.value.item() == bound.values[1]


def test_gradient_clip():
    """The norm of the gradient that Adam sees is at most what is asked for."""
    seen = []
    model = neural_model().float()
    clip = nn.utils.clip_grad_norm_

    def spy(parameters, limit):
        clip(parameters, limit)
        seen.append(torch.cat([p.grad.flatten() for p in parameters]).norm().item())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.utils, "clip_grad_norm_", spy)
        fit(model, pathwise, binary(), num_epochs=2, gradient_clip=1e-3, progress=False)
    assert seen and max(seen) < 1e-3 * (1 + 1e-4)


def test_validation_uses_the_same_noise_in_every_epoch():
    model = neural_model().float()
    history = fit(model, pathwise, binary(), valid=binary(20, 1), num_epochs=3, learning_rate=1e-30, progress=False)
    first, *others = history.records
    for record in others:
        for name in ("valid_bound", "rate", "distortion"):
            assert record[name] == pytest.approx(first[name], rel=1e-6)
    assert len({record["bound"] for record in history.records}) == 3  # training noise is fresh


def test_bound_with_parameters_of_its_own_is_trained():
    class Baseline(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.zeros(()))

        def forward(self, model, x):
            return pathwise(model, x) - (self.value - 1) ** 2

    bound = Baseline()
    fit(neural_model().float(), bound, binary(), num_epochs=3, progress=False)
    assert bound.value.item() > 0


def test_model_is_left_in_evaluation_mode():
    assert not fitted()[0].training


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("when", ["training", "validation"])
def test_a_bound_that_is_no_number_is_refused(when):
    def bound(model, x):
        broken = model.training == (when == "training")
        return pathwise(model, x) * (math.nan if broken else 1.0)

    options = dict(valid=binary(20, 1), num_epochs=2, learning_rate=1e-9, progress=False)
    with pytest.raises(FloatingPointError, match="the bound is nan in epoch 1: try a smaller learning_rate than 1e-09"):
        fit(neural_model().float(), bound, binary(), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_epochs": 0}, "num_epochs must be above 0, and is 0"),
        ({"batch_size": -1}, "batch_size must be above 0, and is -1"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0, and is nan"),
        ({"gradient_clip": 0.0}, "gradient_clip must be above 0, and is 0"),
        ({"patience": 0, "valid": binary()}, "patience must be above 0, and is 0"),
        ({"patience": 2}, "patience needs validation data: pass valid"),
        ({"schedule": "linear"}, "schedule must be None or \"cosine\", and is 'linear'"),
    ],
)
def test_bad_arguments(options, words):
    model = neural_model().float()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=words):
        fit(model, pathwise, binary(), **{"num_epochs": 1, "progress": False} | options)
    assert same(model, before)


def test_data_that_do_not_fit_the_likelihood_are_refused():
    model = LatentVariableModel(StandardNormal(2), Bernoulli(MLP(2, (), 6)), DiagonalGaussian(MLP(6, (), 4)))
    with pytest.raises(ValueError, match=r"Bernoulli on 0 and 1.*choose the data's protocol and the likelihood"):
        fit(model, pathwise, counts(), num_epochs=1, progress=False)
    with pytest.raises(ValueError, match="x has 3 dimensions, and the likelihood scores 6"):
        fit(model, pathwise, binary(), num_epochs=1, progress=False)


# ------------------------------------------------------------------------------------------------------ checkpoints


def test_round_trip(tmp_path):
    model, other = seeded(neural_model, 1), seeded(lambda: neural_model(seed=5), 2)
    assert not same(model, other)
    save_checkpoint(model, tmp_path / "model.safetensors", num_epochs=20, label="binomial")
    assert load_checkpoint(other, tmp_path / "model.safetensors") == {"num_epochs": 20, "label": "binomial"}
    assert same(model, other)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def tied():
    """Two layers that share a weight."""
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    return nn.Sequential(first, second)


def test_shared_tensors_are_written_once_and_stay_shared(tmp_path):
    model, other = tied(), tied()
    save_checkpoint(model, tmp_path / "tied")
    load_checkpoint(other, tmp_path / "tied")
    assert same(model, other) and other[0].weight is other[1].weight
    size = (tmp_path / "tied").stat().st_size
    save_checkpoint(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), tmp_path / "apart")
    assert (tmp_path / "apart").stat().st_size >= size + 9 * 4


def damaged(path, how):
    content = bytearray(path.read_bytes())
    if how == "flipped in the data":
        content[-3] ^= 1
    elif how == "flipped in the header":
        content[20] ^= 1
    else:
        del content[{"truncated": -4, "cut in the header": 30, "empty": 0}[how] :]
    path.write_bytes(content)


@pytest.mark.parametrize(
    "how", ["flipped in the data", "flipped in the header", "truncated", "cut in the header", "empty"]
)
def test_damaged_checkpoint_is_refused(tmp_path, how):
    path = tmp_path / "model.safetensors"
    save_checkpoint(neural_model(), path)
    damaged(path, how)
    model = neural_model(seed=3)
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=r"model\.safetensors (cannot be read|is damaged|holds another)"):
        load_checkpoint(model, path)
    assert same(model, before)


@pytest.mark.parametrize("other", [lambda: neural_model(2), lambda: neural_model(num_data_dims=4), lambda: tied()])
def test_another_architecture_is_refused(tmp_path, other):
    path = tmp_path / "model.safetensors"
    save_checkpoint(neural_model(), path)
    model = other()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match="holds another architecture: it differs at "):
        load_checkpoint(model, path)
    assert same(model, before)


def test_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.safetensors cannot be read as a checkpoint"):
        load_checkpoint(neural_model(), tmp_path / "nowhere.safetensors")


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(neural_model(), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_checkpoint(neural_model(seed=3), path, note=object())

    def full_disk(tensors, name, metadata):
        with open(name, "wb") as file:
            file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(training, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(neural_model(seed=3), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
