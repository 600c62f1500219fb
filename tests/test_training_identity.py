"""What makes a training this one and no other: whatever changes its course is seen, and nothing else is."""

import copy
import functools
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import neural_model, seeded
from torch import nn

from vaecourse.data import Dataset
from vaecourse.estimators import analytic_kl, pathwise
from vaecourse.likelihoods import Binomial
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import beta_elbo, iwae
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit, ramp
from vaecourse.training.machinery.description import describe, describe_modules

# ------------------------------------------------------------------------------------------------------ descriptions

CLOSURE = "def make(scale):\n    def bound(model, x):\n        return scale * x\n    return bound\nvalue = make({})"
CALLABLE = """
class Bound:
    {slots}
    power = {power}
    def __init__(self, scale):
        self.scale = scale
    def helper(self, x):
        return x {operation} self.scale
    def __call__(self, model, x):
        return self.helper(x)
class Child(Bound):
    def __call__(self, model, x):
        return super().__call__(model, x)
value = {value}
"""
MODULE = """
class Bound(nn.Module):
    def __init__(self, num_steps, mask):
        super().__init__()
        self.num_steps = num_steps
        self.net = nn.Linear(2, 2)
        self.register_buffer("mask", torch.full((2,), mask), persistent=False)
    def forward(self, model, x):
        return x {operation} 1
value = Bound({num_steps}, {mask})
{after}
"""


def callables(**changes):
    return CALLABLE.format(**dict(slots="", power=1, operation="*", value="Bound(2.0)") | changes)


def modules(**changes):
    return MODULE.format(**dict(mask=1.0, operation="*", num_steps=3, after="") | changes)


# What is changed, and the source of a value before and after.
CHANGES = {
    "a lambda's constant": ("value = lambda model, x: 2.0 * x", "value = lambda model, x: 3.0 * x"),
    "a constant's type": ("value = lambda model, x: 1 * x", "value = lambda model, x: True * x"),
    "a text for a number": ("value = lambda model, x: x == 1", "value = lambda model, x: x == '1'"),
    "a constant's sign of zero": ("value = lambda model, x: x + 0.0", "value = lambda model, x: x + -0.0"),
    "an operation": ("value = lambda model, x: x + 1", "value = lambda model, x: x - 1"),
    "an attribute that is read": ("value = lambda model, x: x.exp()", "value = lambda model, x: x.log()"),
    "an argument's name": ("value = lambda model, x, beta=1: x", "value = lambda model, x, gamma=1: x"),
    "an exception handled": (
        "def value(x):\n    try:\n        x()\n    except ValueError:\n        return 0\n    else:\n        x()",
        "def value(x):\n    try:\n        x()\n        x()\n    except ValueError:\n        return 0",
    ),
    "a set in code": ("value = lambda x: x in {'a', 'b', 'c'}", "value = lambda x: x in {'a', 'b', 'd'}"),
    "an inner function": (
        "def value(model, x):\n    return [y for y in map(lambda z: 2 * z, x)]",
        "def value(model, x):\n    return [y for y in map(lambda z: 3 * z, x)]",
    ),
    "an inner function's text": (
        "def value(model, x):\n    def inner():\n        return 'a'\n    return inner()",
        "def value(model, x):\n    def inner():\n        return 'b'\n    return inner()",
    ),
    "an enclosed number": (CLOSURE.format("2.0"), CLOSURE.format("3.0")),
    "an enclosed list": (CLOSURE.format("[1, 2]"), CLOSURE.format("[2, 1]")),
    "an enclosed tensor": (CLOSURE.format("torch.ones(100)"), CLOSURE.format("torch.arange(100) / 50")),
    "an enclosed small tensor": (CLOSURE.format("torch.tensor(1.0)"), CLOSURE.format("torch.tensor(1.5)")),
    "a tensor's precision": (CLOSURE.format("torch.ones(99)"), CLOSURE.format("torch.ones(99).double()")),
    "an enclosed array": (CLOSURE.format("np.ones(100)"), CLOSURE.format("np.arange(100.0)")),
    "an enclosed function": (CLOSURE.format("lambda x: 1"), CLOSURE.format("lambda x: 2")),
    "an enclosed object": (callables(value="[Bound(2.0)]"), callables(value="[Bound(3.0)]")),
    "an enclosed dictionary": (CLOSURE.format("{'a': 1, 'b': 2}"), CLOSURE.format("{'a': 2, 'b': 1}")),
    "a default": ("def value(model, x, scale=2.0): return x", "def value(model, x, scale=3.0): return x"),
    "a keyword's default": (
        "def value(model, x, *, scale=2.0): return x",
        "def value(model, x, *, scale=3.0): return x",
    ),
    "an attribute of a function": (
        "def value(x): return x\nvalue.scale = 2",
        "def value(x): return x\nvalue.scale = 3",
    ),
    "a partial's keyword": ("value = partial(pathwise, num_samples=5)", "value = partial(pathwise, num_samples=6)"),
    "a partial's argument": ("value = partial(max, 1)", "value = partial(max, 2)"),
    "a partial's function": ("value = partial(max, 1)", "value = partial(min, 1)"),
    "a partial's lambda": ("value = partial(lambda a, x: a * x, 1)", "value = partial(lambda a, x: a + x, 1)"),
    "an objective in a partial": (
        "value = partial(pathwise, objective=lambda draw: draw.log_w.mean(0))",
        "value = partial(pathwise, objective=lambda draw: draw.log_w.sum(0))",
    ),
    "an optimiser's beta": (
        "value = partial(torch.optim.Adam, betas=(0.9, 0.99))",
        "value = partial(torch.optim.Adam, betas=(0.9, 0.9))",
    ),
    "an optimiser's step": (
        "class value(torch.optim.SGD):\n    def step(self):\n        return super().step()",
        "class value(torch.optim.SGD):\n    def step(self):\n        return super().step(), super().step()",
    ),
    "a schedule": ("value = lambda step, steps: step / steps", "value = lambda step, steps: 1 - step / steps"),
    "a global number": ("BETA = 2.0\nvalue = lambda x: BETA * x", "BETA = 3.0\nvalue = lambda x: BETA * x"),
    "a global of an inner function": (
        "BETA = 2.0\nvalue = lambda x: [lambda: BETA]",
        "BETA = 3.0\nvalue = lambda x: [lambda: BETA]",
    ),
    "a global function": (
        "def helper(x): return 2 * x\nvalue = lambda x: helper(x)",
        "def helper(x): return 3 * x\nvalue = lambda x: helper(x)",
    ),
    "a global that another function reads": (
        "BETA = 2.0\ndef helper(x): return BETA * x\nvalue = lambda x: helper(x)",
        "BETA = 3.0\ndef helper(x): return BETA * x\nvalue = lambda x: helper(x)",
    ),
    "a name's module": (
        "import math as m\nvalue = lambda x: m.exp(x)",
        "import cmath as m\nvalue = lambda x: m.exp(x)",
    ),
    "an attribute": (callables(), callables(value="Bound(3.0)")),
    "an attribute in a slot": (
        callables(slots="__slots__ = ('scale',)"),
        callables(slots="__slots__ = ('scale',)", value="Bound(3.0)"),
    ),
    "an attribute of the class": (callables(), callables(power=2)),
    "a method that another calls": (callables(), callables(operation="/")),
    "a method of a base": (callables(value="Child(2.0)"), callables(value="Child(2.0)", operation="/")),
    "a method's object": (callables(value="Bound(2.0).helper"), callables(value="Bound(3.0).helper")),
    "which method": (callables(value="Bound(2.0).helper"), callables(value="Bound(2.0).__call__")),
    "a built-in's object": ("value = [1].count", "value = [2].count"),
    "an object beside its class as a global": (
        callables(value="partial(lambda b, x: shared, Bound(2.0))") + "shared = value.args[0]",
        callables(value="partial(lambda b, x: shared, Bound(3.0))") + "shared = value.args[0]",
    ),
    "a cached function": (
        "value = functools.lru_cache(lambda x: 1)",
        "value = functools.lru_cache(lambda x: 2)",
    ),
    "a module's attribute": (modules(), modules(num_steps=4)),
    "a module's forward": (modules(), modules(operation="/")),
    "a module's constant": (modules(), modules(mask=2.0)),
    "a module's hook": (modules(), modules(after="value.register_forward_hook(lambda m, i, o: 2 * o)")),
    "a module's part": (modules(), modules(after="value.net = nn.Tanh()")),
    "the weights of a module that is not trained": (
        "critic = nn.Linear(2, 2)\nnn.init.constant_(critic.weight, 1)\nvalue = partial(max, critic=critic)",
        "critic = nn.Linear(2, 2)\nnn.init.constant_(critic.weight, 2)\nvalue = partial(max, critic=critic)",
    ),
    "a set": ("value = {'a', 'b', 'c'}", "value = {'a', 'b', 'd'}"),
    "a path": ("from pathlib import Path\nvalue = Path('a')", "from pathlib import Path\nvalue = Path('b')"),
}


def made(source: str, first_line: int = 1):
    """The value that a source makes, as if it stood at that line of a file."""
    names = {"__name__": "made", "torch": torch, "nn": nn, "np": np, "partial": functools.partial}
    names |= {"functools": functools, "pathwise": pathwise}
    torch.manual_seed(0)
    exec(compile("\n" * (first_line - 1) + source, f"file_{first_line}.py", "exec"), names)
    return names["value"]


def text(value) -> str:
    if isinstance(value, nn.Module):
        return json.dumps(describe_modules(value, {}, strict=True))
    return str(describe(value))


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_is_seen(what):
    before, after = CHANGES[what]
    assert text(made(before)) != text(made(after))


@pytest.mark.parametrize("what", CHANGES)
def test_code_may_be_moved(what):
    first, second = (text(made(CHANGES[what][0], line)) for line in (1, 40))
    assert first == second and not re.search(r"0x[0-9a-f]{6}|file_1", first)


SCRIPT = """
import json
import test_training_identity as test
print(json.dumps({what: test.text(test.made(sources[0])) for what, sources in test.CHANGES.items()}))
"""


def test_descriptions_are_the_same_in_every_process():
    """Though hashes, and with them the order of sets, are other ones in each."""
    found = []
    for seed in ("1", "2"):
        paths = [str(Path(__file__).parent), *sys.path]
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(paths)}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[1] == {what: text(made(sources[0])) for what, sources in CHANGES.items()}


SAME = {
    "documentation": ("def value(x):\n    'One.'\n    return x", "def value(x):\n    'Two.'\n    return x"),
    "an inner function's documentation": (
        "def value(x):\n    def inner():\n        'One.'\n    return inner",
        "def value(x):\n    def inner():\n        'Two.'\n    return inner",
    ),
    "comments and annotations": ("def value(x): return x", "def value(x: int) -> float:\n    # why\n    return x"),
    "a global that is not read": ("scale = 1\nvalue = lambda x: x.scale", "scale = 2\nvalue = lambda x: x.scale"),
    "the order of a dictionary": (CLOSURE.format("{'a': 1, 'b': 2}"), CLOSURE.format("{'b': 2, 'a': 1}")),
    "the order of keywords": ("value = partial(max, a=1, b=2)", "value = partial(max, b=2, a=1)"),
    "a class within a function": (
        "def value(x):\n    class A:\n        y = 1\n    return A",
        "\n\ndef value(x):\n    class A:\n        y = 1\n    return A",
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_what_changes_nothing_is_not_seen(what):
    before, after = SAME[what]
    assert text(made(before)) == text(made(after))


def test_descriptions_can_be_read():
    assert describe(functools.partial(pathwise, num_samples=5, objective=iwae)) == (
        "vaecourse.estimators.pathwise.pathwise(num_samples=5, objective=vaecourse.objectives.iwae)"
    )
    assert re.fullmatch(r"bound\(code [0-9a-f]{12}, scale=2\.0\)", describe(made(CLOSURE.format("2.0"))))
    assert [describe(value) for value in (None, True, 3, 0.5, "cosine")] == [None, True, 3, 0.5, "cosine"]


def test_what_refers_to_itself_has_a_description():
    value = made("def value(n):\n    return value(n - 1)")
    assert "global value=#1" in describe(value)
    loop = [1]
    loop.append(loop)
    assert describe(loop) == "[1, #0]"


def test_tensors_that_are_trained_count_by_name():
    """A bound may hold the model, whose values are other ones when it goes on."""

    def described(value):
        layer = nn.Linear(2, 2)
        nn.init.constant_(layer.weight, value)
        return describe(functools.partial(max, layer), {id(p): name for name, p in layer.named_parameters()})

    assert described(1.0) == described(2.0)


# --------------------------------------------------------------------------------------------------------- trainings


def binary(num_data=60, seed=0) -> Dataset:
    """Three binary pixels."""
    x = torch.randint(0, 2, (num_data, 3), generator=torch.Generator().manual_seed(seed)).byte()
    return Dataset(x, torch.zeros(num_data).long(), "made", "train", "binomial", (1, 3), levels=1)


def model_of(precision=torch.float32, frozen=()):
    model = seeded(neural_model).to(precision)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))
    return model


def trained(path, model=None, bound=pathwise, num_epochs=2, **options):
    model = model_of() if model is None else model
    settings = dict(num_epochs=num_epochs, batch_size=25, progress=False) | options
    return model, fit(model, bound, binary(), checkpoint=path, **settings)


def refuses(path, words, **options):
    """Another training is refused, and neither the file nor the model is changed."""
    content, model = path.read_bytes(), options.pop("model", None) or model_of()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=words):
        trained(path, model, **options)
    assert path.read_bytes() == content
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


SCALED = "def value(model, x, scale={}): return scale * pathwise(model, x)"


@pytest.mark.parametrize(
    ("name", "before", "after", "words"),
    [
        ("bound", SCALED.format(1.0), SCALED.format(2.0), r"bound was value\(code \w+, scale=1.0, .*scale=2.0"),
        (
            "bound",
            "value = lambda model, x: pathwise(model, x)",
            "value = lambda model, x: 2 * pathwise(model, x)",
            "another bound .bound was <lambda>.code",
        ),
        ("schedule", "value = lambda s, n: 1 - s / n", "value = lambda s, n: (1 - s / n) ** 2", "another schedule"),
        (
            "optimizer",
            "value = partial(torch.optim.Adam, betas=(0.9, 0.999))",
            "value = partial(torch.optim.Adam, betas=(0.5, 0.999))",
            r"another optimizer .optimizer was torch.optim.adam.Adam\(betas=\(0.9, 0.999\)\) and is .*\(0.5",
        ),
    ],
)
def test_another_inside_of_an_argument_is_refused(tmp_path, name, before, after, words):
    trained(tmp_path / "training", **{name: made(before)})
    refuses(tmp_path / "training", words, **{name: made(after)})
    trained(tmp_path / "training", **{name: made(before, 30)})  # the same, made anew and elsewhere


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, dict(frozen=["prior", "likelihood"]), "likelihood.*, which was float32 .*, trained and is .*, fixed"),
        (dict(frozen=["likelihood"]), {}, "likelihood.*, which was float32 .*, fixed and is .*, trained"),
        ({}, dict(precision=torch.float64), "which was float32 .* and is float64"),
        (dict(precision=torch.float64), {}, "which was float64 .* and is float32"),
    ],
)
def test_other_tensors_are_refused(tmp_path, before, after, words):
    trained(tmp_path / "training", model_of(**before))
    refuses(tmp_path / "training", rf"another model .it differs at model\..*{words}", model=model_of(**after))


def test_a_tensor_that_is_no_longer_shared_is_refused(tmp_path):
    def model(shared):
        model = model_of()
        first, second = nn.Linear(4, 4), nn.Linear(4, 4)
        second.weight = first.weight if shared else nn.Parameter(first.weight.detach().clone())
        model.likelihood.net.layers.insert(1, nn.Sequential(first, second))
        return model

    trained(tmp_path / "training", model(True))
    refuses(tmp_path / "training", "the same as model.*0.weight and is float32", model=model(False))


class Counted(DiagonalGaussian):
    """A slot with a setting that its representation does not show."""

    def __init__(self, net, num_steps):
        super().__init__(net)
        self.num_steps = num_steps


def test_a_setting_of_a_slot_counts(tmp_path):
    def model(num_steps=3, activation=nn.Tanh, total_count=1):
        decoder = Binomial(MLP(1, (4,), 3, activation=activation), total_count)
        return seeded(
            lambda: LatentVariableModel(StandardNormal(1), decoder, Counted(MLP(3, (4,), 2), num_steps))
        ).float()

    trained(tmp_path / "training", model())
    for other, words in (
        (model(4), r"posterior was Counted\[\w+\]\(num_steps=3\) and is Counted\[\w+\]\(num_steps=4\)"),
        (model(activation=nn.ReLU), r"likelihood\.net\.layers\.1 was .*Tanh\(\) and is .*ReLU"),
        (model(total_count=2), r"likelihood was .*Binomial\(total_count=1\) and is .*\(total_count=2\)"),
    ):
        refuses(tmp_path / "training", f"another model .model.{words}", model=other)
    trained(tmp_path / "training", model())


class Scaled(nn.Module):
    """A bound with a parameter and a setting."""

    def __init__(self, num_samples):
        super().__init__()
        self.num_samples = num_samples
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, model, x):
        return pathwise(model, x, self.num_samples) - (self.scale - 2) ** 2


def test_a_setting_of_a_bound_that_is_a_module_counts(tmp_path):
    trained(tmp_path / "training", bound=Scaled(1))
    words = r"another bound .bound was Scaled\[\w+\]\(num_samples=1\) and is Scaled\[\w+\]\(num_samples=2\)"
    refuses(tmp_path / "training", words, bound=Scaled(2))
    refuses(
        tmp_path / "training",
        "bound.scale, which was .* trained and is .* fixed",
        bound=Scaled(1).requires_grad_(False),
    )
    trained(tmp_path / "training", bound=Scaled(1))


def test_a_bound_that_holds_the_model_goes_on(tmp_path):
    """Its parameters are other ones by then, in this process and in another."""

    def bound_to(model):
        return lambda _, x: pathwise(model, x)

    model = model_of()
    trained(tmp_path / "training", model, bound_to(model), num_epochs=1)
    trained(tmp_path / "training", model, bound_to(model))
    other = seeded(lambda: neural_model(seed=4)).float()
    trained(tmp_path / "training", other, bound_to(other), num_epochs=3)


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (torch.Generator(), "its thing is a torch._C.Generator, of which there is no description"),
        (np.random.default_rng(0), "its thing is a numpy.random.*Generator"),
        (threading.Lock(), "its thing is a _thread.lock"),
        ({"inside": iter(open(os.devnull))}, "'inside' of its thing is a _io.TextIOWrapper"),
    ],
)
def test_what_has_no_description_is_refused_where_there_is_a_checkpoint(tmp_path, thing, words):
    def bound(model, x):
        return pathwise(model, x) + 0 * (thing is None)

    with pytest.raises(ValueError, match=rf"^bound must be .*{words}.* with functools\.partial, or"):
        trained(tmp_path / "training", bound=bound)
    with pytest.raises(ValueError, match=r"^bound must be something"):
        trained(tmp_path / "training", bound=functools.partial(analytic_kl, thing=thing))
    module = Scaled(1)
    module.thing = thing
    with pytest.raises(ValueError, match=rf"^bound must be .*{words}"):
        trained(tmp_path / "training", bound=module)
    assert not (tmp_path / "training").exists()
    trained(None, bound=bound)


def test_another_horizon_under_a_schedule_is_refused(tmp_path):
    """Steps were made at rates of the first horizon. Without a schedule a training can be made longer."""
    trained(tmp_path / "training", schedule="cosine")
    refuses(tmp_path / "training", "another num_epochs .num_epochs was 2 and is 3", schedule="cosine", num_epochs=3)
    trained(tmp_path / "constant")
    trained(tmp_path / "constant", num_epochs=3)


def test_another_plan_of_annealing_is_refused(tmp_path):
    """Its functions count by what they do, and with them the horizon that they are told."""
    bound = functools.partial(pathwise, objective=beta_elbo)
    trained(tmp_path / "training", bound=bound, anneal={"beta": ramp(4)})
    refuses(tmp_path / "training", r"another anneal .*length=4.*length=5", bound=bound, anneal={"beta": ramp(5)})
    refuses(tmp_path / "training", "another num_epochs", bound=bound, anneal={"beta": ramp(4)}, num_epochs=3)
    trained(tmp_path / "training", bound=bound, anneal={"beta": ramp(4)})


def test_fewer_epochs_than_were_made_are_refused(tmp_path):
    """What could be given back is another training's model."""
    trained(tmp_path / "training", num_epochs=3)
    words = (
        "num_epochs must be no less than what checkpoint .* has behind it, and is 2 where that is in epoch 4, batch 0"
    )
    refuses(tmp_path / "training", words, num_epochs=2)
    trained(tmp_path / "training", num_epochs=3)
