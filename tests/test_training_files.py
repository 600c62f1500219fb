"""Checkpoints: round trips, refusals that change nothing, and trainings that go on bit by bit."""

import copy
import errno
import os
import sys
from contextlib import contextmanager

import pytest
import torch
from cases import neural_model, seeded
from torch import nn

from vaecourse import data
from vaecourse.data import Dataset
from vaecourse.estimators import analytic_kl, pathwise
from vaecourse.training import fit, load_checkpoint, save_checkpoint
from vaecourse.training.machinery.description import describe
from vaecourse.training.machinery.weights import read


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))


# -------------------------------------------------------------------------------------------------- models in files


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


class FullDisk:
    """Stands in for os.fsync: the disk has no room for what was written."""

    def __call__(self, descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(neural_model(), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_checkpoint(neural_model(seed=3), path, note=object())
    monkeypatch.setattr(os, "fsync", FullDisk())
    with pytest.raises(OSError, match=r"cannot be written \(No space left on device\); the one before is intact"):
        save_checkpoint(neural_model(seed=3), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


# ----------------------------------------------------------------------------------------------- trainings in files


def binary(num_data=60, seed=0, split="train") -> Dataset:
    """Three binary pixels."""
    x = torch.randint(0, 2, (num_data, 3), generator=torch.Generator().manual_seed(seed)).byte()
    return Dataset(x, torch.zeros(num_data).long(), "made", split, "binomial", (1, 3), levels=1)


def trained(path, num_epochs=4, bound=pathwise, model=None, **options):
    model = seeded(neural_model).float() if model is None else model
    settings = dict(num_epochs=num_epochs, batch_size=25, ema=0.9, valid=binary(20, 1), progress=False)
    return model, fit(model, bound, checkpoint=path, **settings | {"train": binary()} | options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def without_seconds(history):
    return [record | {"seconds": 0} for record in history.records]


@contextmanager
def stopped(at, optimiser=torch.optim.Adam):
    """Within the block the n-th step of the optimiser fails, of which no description of a training can know."""
    step, calls = optimiser.step, []

    def fails(self, *arguments, **options):
        calls.append(1)
        if len(calls) == at:
            raise RuntimeError("stopped by the test")
        return step(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="stopped by the test"):
        patch.setattr(optimiser, "step", fails)
        yield


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 9, 12])
def test_goes_on_from_any_step_as_if_it_had_never_stopped(tmp_path, at):
    model, history = trained(tmp_path / "whole")
    with stopped(at):
        trained(tmp_path / "parts", checkpoint_seconds=0)
    again, history_again = trained(tmp_path / "parts")
    assert same(model, again) and without_seconds(history) == without_seconds(history_again)
    assert history.best_epoch == history_again.best_epoch
    (first, _), (second, _) = read(tmp_path / "whole"), read(tmp_path / "parts")
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert any(name.startswith("optimiser.") for name in first) and any(name.startswith("average.") for name in first)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_goes_on_after_kills():
    """A short form of the trials that the script makes."""
    from kill_and_resume import run

    kills, different = run(trials=2, seed=1, progress=False)
    assert kills >= 2 and different == 0


def test_interrupted_training_goes_on(tmp_path):
    import signal

    def interrupting(model, x):
        if model.training and not (tmp_path / "done").exists():
            (tmp_path / "done").touch()
            signal.raise_signal(signal.SIGINT)
        return pathwise(model, x)

    model, _ = trained(None)
    part, history = trained(tmp_path / "training", bound=interrupting)
    assert history.interrupted and not history.records and not same(part, model)
    whole, history = trained(tmp_path / "training", bound=interrupting)
    assert not history.interrupted and same(whole, model)


def test_finished_training_is_not_repeated_but_can_be_extended(tmp_path):
    model, history = trained(tmp_path / "training")
    again, history_again = trained(tmp_path / "training")
    assert same(model, again) and history.records == history_again.records
    longer, history_longer = trained(tmp_path / "training", num_epochs=6)
    direct, history_direct = trained(None, num_epochs=6)
    assert same(longer, direct) and without_seconds(history_longer) == without_seconds(history_direct)


def test_where_nothing_can_be_written_is_known_before_the_first_step(tmp_path):
    steps = []

    def bound(model, x):
        steps.append(1)

    with pytest.raises(OSError, match=r"cannot be written \(No such file or directory\); there was none before"):
        trained(tmp_path / "nowhere" / "training", bound=bound)
    assert not steps and not list(tmp_path.iterdir())


def test_disk_that_fills_up_leaves_the_last_file(tmp_path, monkeypatch):
    path = tmp_path / "training"
    trained(path, num_epochs=1)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", FullDisk())
    with pytest.raises(OSError, match=r"No space left on device.*the one before is intact"):
        trained(path, num_epochs=2)
    assert path.read_bytes() == before and names(tmp_path) == [".training.lock", "training"]
    monkeypatch.undo()
    model, _ = trained(path, num_epochs=2)
    assert same(model, trained(None, num_epochs=2)[0])


def other_model():
    return seeded(lambda: neural_model(2)).float()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(model=other_model()), "belongs to another model .it differs at .*delete this one"),
        (dict(train=binary(60, 5)), "belongs to other data .train was"),
        (dict(train=binary(50)), "belongs to other data .train was"),
        (dict(valid=binary(20, 2)), "belongs to other data .valid was"),
        (dict(valid=None), "belongs to other data .valid was"),
        (dict(bound=analytic_kl), "another bound .bound was vaecourse.*pathwise and is .*analytic_kl"),
        (dict(batch_size=30), "another batch_size .batch_size was 25 and is 30"),
        (dict(seed=1), "another seed .seed was 0 and is 1"),
        (dict(ema=0.8), "another ema .ema was 0.9 and is 0.8"),
        (dict(ema=None), "another ema .ema was 0.9 and is None"),
        (dict(schedule="cosine"), "another schedule .schedule was None and is cosine"),
        (dict(optimizer=torch.optim.SGD), "another optimizer .optimizer was .*Adam.* and is .*SGD"),
        (dict(learning_rate=1e-4), "another learning_rate"),
        (dict(precision="bf16"), "another precision"),
        (dict(gradient_clip=1.0), "another gradient_clip .gradient_clip was None and is 1.0"),
        (dict(num_shards=2), "another num_shards .num_shards was 1 and is 2"),
    ],
)
def test_checkpoint_of_another_training_is_refused(tmp_path, options, words):
    path = tmp_path / "training"
    trained(path, num_epochs=1)
    content = path.read_bytes()
    model = options.get("model") or seeded(neural_model).float()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=words):
        trained(path, **options | {"model": model})
    assert path.read_bytes() == content and same(model, before)


def test_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "training"
    trained(path, num_epochs=1)
    monkeypatch.setattr("vaecourse.__version__", "99.0")
    with pytest.raises(ValueError, match=r"another version of vaecourse .version of vaecourse was .* and is 99.0"):
        trained(path)


def test_model_file_is_no_training(tmp_path):
    save_checkpoint(neural_model().float(), tmp_path / "model")
    with pytest.raises(ValueError, match="holds a model and no training: read it with load_checkpoint"):
        trained(tmp_path / "model")


def test_every_flipped_bit_and_every_truncation_is_refused(tmp_path):
    """One bit at each of 60 places over the whole file, and 20 lengths."""
    path = tmp_path / "training"
    trained(path, num_epochs=1)
    content = path.read_bytes()
    places = [int(part * (len(content) - 1) / 59) for part in range(60)]
    damages = [content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :] for place in places]
    damages += [content[: int(part * len(content) / 20)] for part in range(20)]
    for damage in damages:
        path.write_bytes(damage)
        with pytest.raises(ValueError, match=r"training (cannot be read|is damaged|holds a model)"):
            trained(path, num_epochs=2)
        assert path.read_bytes() == damage
    path.write_bytes(content)
    trained(path, num_epochs=2)


def test_bound_is_described_by_its_arguments():
    from functools import partial

    from vaecourse.objectives import iwae

    text = describe(partial(pathwise, num_samples=5, objective=iwae))
    assert text.endswith("pathwise(num_samples=5, objective=vaecourse.objectives.iwae)")
    assert describe(partial(pathwise, num_samples=6)) != describe(partial(pathwise, num_samples=5))


def test_dynamic_binarisation_goes_on(tmp_path):
    """The stream of binarisations is part of what continues."""
    train = data.load("digits", "valid", "dynamic")

    def run(path, **options):
        settings = dict(train=train, valid=None, ema=None, num_epochs=2, batch_size=100)
        return trained(path, model=seeded(_vae), **settings, **options)

    whole, _ = run(tmp_path / "whole")
    with stopped(5):
        run(tmp_path / "parts", checkpoint_seconds=0)
    parts, _ = run(tmp_path / "parts")
    assert same(whole, parts)


def _vae():
    from vaecourse.likelihoods import Bernoulli
    from vaecourse.model import LatentVariableModel
    from vaecourse.networks import MLP
    from vaecourse.posteriors import DiagonalGaussian
    from vaecourse.priors import StandardNormal

    return LatentVariableModel(StandardNormal(2), Bernoulli(MLP(2, (), 64)), DiagonalGaussian(MLP(64, (), 4)))
