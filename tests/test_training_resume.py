"""Files of trainings that are shared, forged, at odd places or not to be written; what goes on, computed by hand."""

import copy
import errno
import json
import math
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cases import neural_model, seeded
from safetensors.torch import save
from torch import nn

from vaecourse.data import Dataset
from vaecourse.estimators import pathwise
from vaecourse.likelihoods import Bernoulli
from vaecourse.networks import MLP
from vaecourse.priors import StandardNormal
from vaecourse.randomness import order
from vaecourse.training import fit, load_checkpoint
from vaecourse.training.machinery import resume, weights
from vaecourse.training.machinery.diagnosis import largest_gradient
from vaecourse.training.machinery.state import State
from vaecourse.training.machinery.weights import read, write

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def binary(num_data=60, seed=0) -> Dataset:
    """Three binary pixels."""
    x = torch.randint(0, 2, (num_data, 3), generator=torch.Generator().manual_seed(seed)).byte()
    return Dataset(x, torch.zeros(num_data).long(), "made", "train", "binomial", (1, 3), levels=1)


def trained(path, model=None, bound=pathwise, num_epochs=2, **options):
    model = seeded(neural_model).float() if model is None else model
    settings = dict(num_epochs=num_epochs, batch_size=25, ema=0.9, valid=binary(20, 1), progress=False) | options
    return model, fit(model, bound, binary(), checkpoint=path, **settings)


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))


@contextmanager
def stopped(at, optimiser):
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


# ------------------------------------------------------------------------------------------------------------ by hand


class Level(nn.Module):
    """One number w with the bound -(w - mean of the pixels)^2 / 2: its gradient is the difference."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.prior, self.likelihood, self.posterior = StandardNormal(1), Bernoulli(MLP(1, (), 3)), None
        self.prior.requires_grad_(False), self.likelihood.requires_grad_(False)


def closeness(model, x):
    """The bound of :class:`Level`, [B]."""
    return -((model.value - x.mean(-1)) ** 2) / 2


def low(num_data=40) -> Dataset:
    """Validation data whose mean the level passes on its way to that of the training data."""
    x = torch.zeros(num_data, 3).byte()
    x[::2, 0] = 1  # mean 1/6
    return Dataset(x, torch.zeros(num_data).long(), "made", "valid", "binomial", (1, 3), levels=1)


def by_hand(num_epochs, rate, momentum):
    """The level after every epoch of gradient descent on the mean bound, and every epoch's bounds."""
    train, valid = binary().realise().double().mean(-1), low().realise().double().mean(-1)
    num_steps, level, velocity, step, levels, bounds = 3 * num_epochs, 0.0, 0.0, 0, [], []
    for epoch in range(1, num_epochs + 1):
        total = 0.0
        for index in order(60, 0, epoch, torch.device("cpu")).split(25):
            total += -((level - train[index]) ** 2).sum().item() / 2
            velocity = momentum * velocity + level - train[index].mean().item()
            level -= rate * (1 + math.cos(math.pi * step / num_steps)) / 2 * velocity
            step += 1
        levels.append(level)
        bounds.append((total / 60, (-((level - valid) ** 2) / 2).mean().item()))
    return levels, bounds


@pytest.mark.parametrize("num_shards", [1, 3])
@pytest.mark.parametrize("at", [None, 1, 2, 3, 7, 10, 15])
def test_what_goes_on_is_gradient_descent(tmp_path, at, num_shards):
    """With momentum, a schedule, a last batch of 10 in 25, validation unlike training, and a best epoch amid others."""
    num_epochs, rate, momentum = 5, 0.05, 0.5
    levels, bounds = by_hand(num_epochs, rate, momentum)
    best = max(range(num_epochs), key=lambda epoch: bounds[epoch][1])
    assert 0 < best < num_epochs - 1

    def run(**options):
        model = Level()
        sgd = partial(torch.optim.SGD, momentum=momentum)
        options |= dict(optimizer=sgd, learning_rate=rate, schedule="cosine", num_shards=num_shards, progress=False)
        path = tmp_path / "training"
        return model, fit(
            model, closeness, binary(), valid=low(), num_epochs=num_epochs, batch_size=25, checkpoint=path, **options
        )

    if at is not None:
        with stopped(at, torch.optim.SGD):
            run(checkpoint_seconds=0)
    model, history = run()
    assert history.best_epoch == best + 1 and model.value.item() == pytest.approx(levels[best], abs=1e-12)
    for record, expected in zip(history.records, bounds, strict=True):
        assert (record["bound"], record["valid_bound"]) == pytest.approx(expected, abs=1e-12)
    last = read(tmp_path / "training")[0]["modules.model.value"].item()
    assert last == pytest.approx(levels[-1], abs=1e-12)


@pytest.mark.parametrize("place", ["at the end", "on the way"])
def test_a_save_that_fails_leaves_the_best_epoch_in_the_model(tmp_path, monkeypatch, place):
    """The file's best epoch is an older one; what the model would have ended with is only in memory."""
    levels, bounds = by_hand(5, 0.05, 0.5)
    best = max(range(5), key=lambda epoch: bounds[epoch][1])
    epoch = 6 if place == "at the end" else best + 2
    content = []

    def full(path, tensors, notes):
        if (notes["state"]["place"]["epoch"], notes["state"]["place"]["batch"]) >= (epoch, epoch < 6):
            content.append(path.read_bytes())
            raise OSError(28, "cannot be written", str(path))
        write(path, tensors, notes)

    monkeypatch.setattr(resume, "write", full)
    model = Level()
    options = dict(optimizer=partial(torch.optim.SGD, momentum=0.5), learning_rate=0.05, schedule="cosine")
    options |= dict(checkpoint=tmp_path / "training", checkpoint_seconds=1e9 if epoch == 6 else 0, progress=False)
    with pytest.raises(OSError, match="cannot be written"):
        fit(model, closeness, binary(), valid=low(), num_epochs=5, batch_size=25, **options)
    assert model.value.item() == pytest.approx(levels[best], abs=1e-12) and not model.training
    assert [(tmp_path / "training").read_bytes()] == content


# ------------------------------------------------------------------------------------- two trainings, and odd places


def test_a_file_that_another_training_uses_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("training") if sys.platform != "win32" else None
    done = tmp_path / "done"

    def bound(model, x):
        if not done.exists():
            done.touch()
            for name in ("training", "link") if sys.platform != "win32" else ("training",):
                with pytest.raises(
                    ValueError, match=f"checkpoint .*{name} is in use by another training: name another"
                ):
                    trained(tmp_path / name)
        return pathwise(model, x)

    model, _ = trained(tmp_path / "training", bound=bound)
    assert done.exists() and same(model, trained(None)[0]) and read(tmp_path / "training")
    trained(tmp_path / "training", bound=bound, num_epochs=3)  # it is free again


def test_a_file_is_free_after_a_failure(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            trained(tmp_path / "training", bound=lambda model, x: 1 / 0)


_TRAINS = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_training_resume import trained
from vaecourse.estimators import pathwise
def bound(model, x):
    os.kill(os.getpid(), signal.SIGKILL)
trained({path!r}, bound=bound)
"""


@posix
def test_a_killed_training_leaves_the_file_free(tmp_path):
    code = _TRAINS.format(tests=str(Path(__file__).parent), path=str(tmp_path / "training"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert names(tmp_path) == [".training.lock", "training"]
    with pytest.raises(ValueError, match="another bound"):
        trained(tmp_path / "training")
    (tmp_path / "training").unlink()
    trained(tmp_path / "training")


@posix
def test_a_link_to_a_checkpoint_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "training").symlink_to(tmp_path / "disk" / "file")
    trained(tmp_path / "training", num_epochs=1)
    model, _ = trained(tmp_path / "training")
    assert (tmp_path / "training").is_symlink() and same(model, trained(None)[0])
    assert names(tmp_path / "disk") == [".file.lock", "file"] and names(tmp_path) == ["disk", "training"]


@posix
@pytest.mark.parametrize(
    ("make", "word"),
    [(os.mkfifo, "a FIFO"), (os.mkdir, "a folder"), (lambda path: os.symlink("/dev/zero", path), "a device")],
)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, make, word):
    make(tmp_path / "path")
    with pytest.raises(ValueError, match=rf"checkpoint must be a file, and .*path is {word}"):
        trained(tmp_path / "path")
    with pytest.raises(ValueError, match=rf"path cannot be read as a checkpoint: it is {word}"):
        load_checkpoint(neural_model(), tmp_path / "path")
    assert names(tmp_path) == ["path"]


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_may_not_be_written_is_said_at_once(tmp_path, monkeypatch, exists):
    """Root may write everywhere, so the system's answer is made."""
    if exists:
        trained(tmp_path / "training", num_epochs=1)
        (tmp_path / ".training.lock").unlink()
    opened = os.open

    def refuses(path, flags, *arguments, **options):
        if flags & os.O_CREAT and str(path).startswith(str(tmp_path)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuses)
    before = "the one before is intact" if exists else "there was none before"
    with pytest.raises(OSError, match=rf"cannot be written \(Permission denied\); {before}: .*training'"):
        trained(tmp_path / "training")


_WRITES = """
import sys, time, torch
from pathlib import Path
from vaecourse.training.machinery.weights import write
end = time.monotonic() + 2
while time.monotonic() < end:
    for value in (1.0, 2.0):
        write(Path(sys.argv[1]), {"a": torch.full((50_000,), value)}, {"value": value})
"""


def test_a_reader_sees_one_checkpoint_or_the_other(tmp_path):
    path = tmp_path / "checkpoint"
    write(path, {"a": torch.ones(50_000)}, {"value": 1.0})
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen([sys.executable, "-c", _WRITES, str(path)], env=environment)
    seen = set()
    while writer.poll() is None:
        tensors, notes = read(path)
        assert (tensors["a"] == notes["value"]).all()
        seen.add(notes["value"])
    assert writer.returncode == 0 and seen == {1.0, 2.0}


def test_trainings_in_threads_keep_apart(tmp_path):
    """Each thread its own file; a lock of one is no lock of all."""
    errors = []

    def run(number):
        try:
            write(tmp_path / f"{number}", {"a": torch.ones(3)}, {})
            file = resume.TrainingFile(tmp_path / f"{number}", 0.0, dict, SimpleNamespace(is_first=True))
            with file.reserved():
                barrier.wait(10)
        except Exception as error:  # the thread's, for the test to see
            errors.append(error)

    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not errors


# ------------------------------------------------------------------------------------------------------------ forged


def forge(path, change):
    """Change a file's content and give it a checksum that is right."""
    tensors, notes = read(path)
    change(tensors, notes)
    write(path, tensors, notes)


def setter(*keys, value):
    def change(tensors, notes):
        part = notes
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return change


def remover(*keys):
    def change(tensors, notes):
        part = notes
        for key in keys[:-1]:
            part = part[key]
        del part[keys[-1]]

    return change


def tensor(name, value):
    return lambda tensors, notes: tensors.__setitem__(name, value)


W = "model.likelihood.net.layers.0.weight"
FORGERIES = {
    "no identity": remover("identity"),
    "identity of another kind": setter("identity", value=[1]),
    "no state": remover("state"),
    "state of another kind": setter("state", value=3),
    "no layout": remover("layout"),
    "no place": remover("state", "place"),
    "place of another kind": setter("state", "place", value=[1, 2]),
    "no epoch": remover("state", "place", "epoch"),
    "more in the place": setter("state", "place", "restore", value=1),
    "epoch 0": setter("state", "place", "epoch", value=0),
    "epoch too late": setter("state", "place", "epoch", value=9),
    "epoch in words": setter("state", "place", "epoch", value="three"),
    "epoch and a half": setter("state", "place", "epoch", value=3.5),
    "batch too late": setter("state", "place", "batch", value=4),
    "batch before the first": setter("state", "place", "batch", value=-1),
    "sum that is no number": setter("state", "place", "bound", value=float("nan")),
    "sum in words": setter("state", "place", "gradient_norm", value="large"),
    "seconds in words": setter("state", "seconds", value="long"),
    "no history": remover("state", "history"),
    "no records": remover("state", "history", "records"),
    "records of another kind": setter("state", "history", "records", value={"1": 2}),
    "a record of another kind": setter("state", "history", "records", 0, value=5),
    "a record in words": setter("state", "history", "records", 0, "bound", value="high"),
    "records out of order": setter("state", "history", "records", 0, "epoch", value=2),
    "a record too few": remover("state", "history", "records", 0),
    "best epoch beyond": setter("state", "history", "best_epoch", value=3),
    "best epoch 0": setter("state", "history", "best_epoch", value=0),
    "no best epoch": setter("state", "history", "best_epoch", value=None),
    "best epoch that was not validated": remover("state", "history", "records", 1, "valid_bound"),
    "more in the history": setter("state", "history", "frame", value=1),
    "no optimiser": remover("state", "optimiser"),
    "no groups": remover("state", "optimiser", "groups"),
    "no group": setter("state", "optimiser", "groups", value=[]),
    "a group without a rate": remover("state", "optimiser", "groups", 0, "lr"),
    "a rate in words": setter("state", "optimiser", "groups", 0, "lr", value="slow"),
    "other parameters": setter("state", "optimiser", "groups", 0, "params", value=[1]),
    "a number of no parameter": setter("state", "optimiser", "numbers", value={"7.step": 1}),
    "a number without a name": setter("state", "optimiser", "numbers", value={"step": 1}),
    "moments of another size": tensor("optimiser.0.exp_avg", torch.zeros(3)),
    "moments of another type": tensor("optimiser.0.exp_avg", torch.zeros(80).long()),
    "no moments": lambda tensors, notes: tensors.pop("optimiser.0.exp_avg_sq"),
    "no step": lambda tensors, notes: tensors.pop("optimiser.0.step"),
    "a weight of another size": tensor(f"modules.{W}", torch.zeros(3)),
    "a weight of another type": tensor(f"modules.{W}", torch.zeros(4, 1).double()),
    "no weight": lambda tensors, notes: tensors.pop(f"modules.{W}"),
    "a weight too many": tensor("modules.model.other", torch.zeros(1)),
    "a best weight of another size": tensor(f"best.{W}", torch.zeros(3)),
    "no best weight": lambda tensors, notes: tensors.pop(f"best.{W}"),
    "no average": lambda tensors, notes: tensors.pop("average.value"),
    "an average of another size": tensor("average.value", torch.zeros(3)),
    "a tensor of no part": tensor("others.a", torch.zeros(3)),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_right_checksum_of_wrong_content_is_refused(tmp_path, what):
    path = tmp_path / "training"
    trained(path)
    forge(path, FORGERIES[what])
    content, model = path.read_bytes(), seeded(neural_model).float()
    before = copy.deepcopy(model)
    words = "was not written by vaecourse: it|holds a model and no training|belongs to another model"
    with pytest.raises(ValueError, match=f"^checkpoint .*training ({words})"):
        trained(path, model, num_epochs=9)
    assert path.read_bytes() == content and same(model, before)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", "[]", "3", '{"notes": {}}', '{"shared": {}}', '{"notes": [], "shared": {}}', "[" * 100_000),
        *('{"notes": {}, "shared": {"b": "c"}}', '{"notes": {}, "shared": []}', '{"notes": {}, "shared": {"b": []}}'),
    ],
)
def test_notes_of_another_form_are_refused(tmp_path, text):
    tensors = {"a": torch.ones(2)}
    metadata = {"text": text, "sha256": weights._digest(tensors, text)}
    (tmp_path / "file").write_bytes(save(tensors, metadata=metadata))
    with pytest.raises(ValueError, match=r"file was not written by vaecourse: its content is of another form"):
        load_checkpoint(nn.Linear(2, 2), tmp_path / "file")


def test_numbers_of_arrays_and_tensors_are_notes(tmp_path):
    write(tmp_path / "file", {}, {"a": np.float32(0.1), "b": torch.tensor(3), "c": float("nan")})
    notes = read(tmp_path / "file")[1]
    assert notes["a"] == float(np.float32(0.1)) and notes["b"] == 3 and math.isnan(notes["c"])


# ----------------------------------------------------------------------------------------- columns, groups, gradients


class Halves(nn.Module):
    """Two parameters that are trained at two rates."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))


def two_groups(optimiser=torch.optim.Adam):
    modules = nn.ModuleDict({"model": Halves()})
    groups = [{"params": [modules.model.first], "lr": 0.1}, {"params": [modules.model.second], "lr": 0.01}]
    average = SimpleNamespace(value=None, keep=lambda: None)
    return State(modules, optimiser(groups, weight_decay=0.1), average)


def step(state, number):
    for parameter in state.modules.parameters():
        parameter.grad = torch.arange(1.0, 1 + len(parameter)) * math.sin(number + 1)
    state.optimiser.step()
    state.batch += 1


@pytest.mark.parametrize(
    "optimiser", [torch.optim.Adam, partial(torch.optim.SGD, momentum=0.9), torch.optim.SGD, torch.optim.NAdam]
)
def test_groups_with_rates_of_their_own_go_on(tmp_path, optimiser):
    whole, part, again = (two_groups(optimiser) for _ in range(3))
    for number in range(5):
        step(whole, number)
    for number in range(3):
        step(part, number)
    part.optimiser.param_groups[1]["lr"] = 0.01
    write(tmp_path / "file", part.tensors(), part.notes())
    tensors, notes = read(tmp_path / "file")
    again.check(tensors, notes, 9)
    again.restore(tensors, notes)
    assert [group["lr"] for group in again.optimiser.param_groups] == [0.1, 0.01]
    assert again.optimiser.param_groups[0].get("betas", ()) == whole.optimiser.param_groups[0].get("betas", ())
    for number in range(3, 5):
        step(again, number)
    assert same(again.modules, whole.modules) and not same(again.modules, part.modules)


def test_another_number_of_groups_is_refused():
    state = two_groups()
    step(state, 0)
    one = State(state.modules, torch.optim.Adam(state.modules.parameters(), weight_decay=0.1), state.average)
    with pytest.raises(ValueError, match="its optimiser has 2 groups of parameters instead of 1"):
        one.check(state.tensors(), state.notes(), 9)
    tensors = state.tensors()
    tensors["optimiser.1.exp_avg"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"its optimiser's exp_avg is float32 \[3\] instead of float32 \[2\]"):
        two_groups().check(tensors, state.notes(), 9)


def test_columns_of_any_name_go_on(tmp_path):
    trained(tmp_path / "training", num_epochs=2)
    columns = {"active_units": 3.0, "seconds of evaluation": 1e-300, "missing": float("nan"), "huge": float("inf")}

    def add(tensors, notes):
        for record in notes["state"]["history"]["records"]:
            record |= columns

    forge(tmp_path / "training", add)
    _, history = trained(tmp_path / "training", num_epochs=3)
    for name, value in columns.items():
        assert history.frame()[name][:2].tolist() == pytest.approx([value] * 2, nan_ok=True)
    assert json.loads(json.dumps(history.best_epoch)) in (1, 2, 3) and len(history.records) == 3


def test_seconds_are_counted_from_the_start_and_without_pauses(monkeypatch):
    """Two epochs end 3 and 7 seconds after the start; a pause of a thousand and two seconds more make 9."""
    now = 10.0
    monkeypatch.setattr("vaecourse.training.machinery.state.time", SimpleNamespace(perf_counter=lambda: now))
    first, again = two_groups(), two_groups()
    first.start = now
    for number, end in enumerate((13.0, 17.0)):
        now = end
        step(first, number)
        first.end_epoch({}, 1)
    tensors, notes = first.tensors(), first.notes()
    now = 1017.0
    again.restore(tensors, notes)
    now = 1019.0
    step(again, 2)
    again.end_epoch({}, 1)
    assert [record["seconds"] for record in again.history.records] == [3.0, 7.0, 9.0]


def test_the_file_is_written_every_so_many_seconds(tmp_path, monkeypatch):
    """A step takes a second here: one in ten is followed by a write."""
    now, written = 0.0, []
    monkeypatch.setattr(resume, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(resume, "write", lambda *_: written.append(now))
    file = resume.TrainingFile(tmp_path / "training", 10.0, dict, SimpleNamespace(is_first=True))
    state = two_groups()
    for number in range(1, 36):
        now = float(number)
        file.save_if_due(state)
    assert written == [10.0, 20.0, 30.0]


def test_largest_gradient_is_named():
    """Two entries of 3e30: their squares are infinite in float32, and so is the norm."""
    parameters = {name: nn.Parameter(torch.zeros(2, 2)) for name in ("a.weight", "b.weight", "c.weight", "frozen")}
    for name, value in (("a.weight", 1.0), ("b.weight", -3e30), ("c.weight", 2e30)):
        parameters[name].grad = torch.full((2, 2), 0.5)
        parameters[name].grad[1, 0] = value
    assert torch.stack([p.grad.norm() for p in parameters.values() if p.grad is not None]).max() == math.inf
    assert largest_gradient(parameters) == "the largest entry of the gradient is -3e+30, in b.weight"
    parameters["a.weight"].grad[0, 0] = math.nan
    assert largest_gradient(parameters) == "the largest entry of the gradient is nan, in a.weight"
    assert largest_gradient({"frozen": parameters["frozen"]}) == ""
