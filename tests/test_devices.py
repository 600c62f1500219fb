"""Devices: everything runs where its tensors lie, and a step asks the device for one number.

PyTorch's `meta` device has shapes and no numbers, and every machine has it. What was born on the CPU by accident meets
it and fails; what reads a number back, for which a GPU would have to be waited for, is counted.
"""

from functools import partial

import pytest
import torch
import torch.distributions as td
from cases import SLOTS_THAT_READ, belief_net, ladder_model, mixture_model, neural_model, slots
from methods import METHODS
from torch.utils._python_dispatch import TorchDispatchMode

from vaecourse import estimators, mcmc, objectives
from vaecourse.data import Dataset
from vaecourse.distributions import Affine, ContinuousBernoulli, Implicit, InverseCDF, VonMises
from vaecourse.model import Draw
from vaecourse.training.anneal import Annealed
from vaecourse.training.machinery.interrupts import Interrupt
from vaecourse.training.machinery.processes import Processes
from vaecourse.training.machinery.vector import Vector
from vaecourse.training.step import Gradient, Objective

META = torch.device("meta")
aten = torch.ops.aten


@pytest.fixture(autouse=True)
def checks_of_torch(monkeypatch):
    """torch.compile, once used in a process, turns off its distributions' checks, which read values."""
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", True)


class Reads(TorchDispatchMode):
    """Counts what is read back from the meta device, giving ones; refuses operations that mix it with the CPU."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default and args[0].is_meta:
            self.count += 1
            return True if args[0].dtype == torch.bool else 1.0
        if func is aten._to_copy.default and args[0].is_meta and torch.device(kwargs.get("device") or META) != META:
            self.count += 1
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        tensors = [a for a in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
        mixed = any(t.is_meta for t in tensors) and any(not t.is_meta and t.ndim for t in tensors)
        assert not mixed or func is aten.copy_.default, f"{func} mixes the device with a tensor born on the CPU"
        return func(*args, **kwargs)


def reads(call):
    """How many numbers a call reads back, and what it returns."""
    with Reads() as mode:
        result = call()
    return mode.count, result


def on_meta(value):
    return isinstance(value, torch.Tensor) and value.is_meta


def test_the_instrument_works():
    x = torch.ones(3, device=META)
    assert reads(lambda: x.sum().item())[0] == 1
    assert reads(lambda: bool((x > 0).all()))[0] == 1
    assert reads(x.tolist)[0] == 1
    assert reads(x.cpu)[0] == 1
    assert reads(lambda: x + 1)[0] == 0
    with pytest.raises(AssertionError, match="mixes the device with a tensor born on the CPU"):
        reads(lambda: x + torch.ones(3))


# ------------------------------------------------------------------------------------------------ slots

# PyTorch cannot draw from these without numbers.
UNDRAWN = {"Binomial"}


@pytest.mark.parametrize("name", slots())
def test_slot(name):
    slot = slots()[name]
    context = () if slot.context is None else (slot.context.to(META),)
    distribution_of = slot.conditional.to(META)
    number, distribution = reads(lambda: distribution_of(*context))
    z = torch.ones(3, *distribution.batch_shape, 2, dtype=torch.float64, device=META)
    if name not in UNDRAWN:
        drawn, z = reads(lambda: distribution.sample((3,)))
        number += drawn
        assert on_meta(z)
    scored, log_p = reads(lambda: distribution.log_prob(z))
    assert on_meta(log_p) and log_p.shape == (3, *distribution.batch_shape)
    number += scored
    if distribution.has_rsample:
        drawn, z = reads(lambda: distribution.rsample((3,)))
        number += drawn
        assert on_meta(z)
    assert (number > 0) == (name in SLOTS_THAT_READ), f"{number} numbers are read back"


def test_fixed_moves_with_the_model():
    """Its distribution is no buffer, and has to be moved and converted all the same."""
    from vaecourse.priors import Fixed

    prior = Fixed(td.MultivariateNormal(torch.zeros(2), torch.eye(2)))
    assert prior.double()().sample().dtype == torch.float64
    assert prior.to(META)().sample((3,)).is_meta


# ------------------------------------------------------------------------------------------------ families

ONES = torch.ones(4, device=META)
FAMILIES = {
    "ContinuousBernoulli": lambda: ContinuousBernoulli(logits=ONES),
    "Implicit": lambda: Implicit(td.Normal(ONES, ONES, validate_args=False)),
    "InverseCDF": lambda: InverseCDF(td.Normal(ONES, ONES, validate_args=False)),
    "InverseCDF, cut": lambda: InverseCDF(td.Normal(ONES, ONES, validate_args=False), low=0.5),
    "VonMises": lambda: VonMises(ONES, ONES),
    "Affine": lambda: Affine(td.Normal(0.0, 1.0), ONES, torch.ones(4, 4, device=META).tril()),
}
# A factor and a concentration are looked at when they are made; a cut distribution is sampled in float64, on the CPU.
FAMILIES_THAT_READ = {"Affine", "VonMises", "InverseCDF, cut"}


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name):
    def use():
        q = FAMILIES[name]()
        z = q.rsample((3,)) if q.has_rsample else q.sample((3,))
        return z, q.log_prob(z)

    number, results = reads(use)
    assert all(map(on_meta, results))
    assert (number > 0) == (name in FAMILIES_THAT_READ), f"{number} numbers are read back"


# ------------------------------------------------------------------------------------------------ objectives


@pytest.mark.parametrize("log_mass", [False, True])
@pytest.mark.parametrize("name", ["elbo", "iwae", "rate", "distortion", "beta_elbo", "renyi"])
def test_objective(name, log_mass):
    draw = Draw(torch.zeros(3, 4, 2, device=META), *(torch.zeros(3, 4, device=META) for _ in range(3)))
    options = {"beta_elbo": {"beta": 0.5}, "renyi": {"alpha": 0.5}}.get(name, {})
    options |= {"log_mass": torch.zeros(3, 1, device=META)} if log_mass else {}
    number, value = reads(lambda: getattr(objectives, name)(draw, **options))
    assert number == 0 and on_meta(value) and value.shape == (4,)


# ------------------------------------------------------------------------------------------------ estimators

MODELS = {"neural": neural_model, "belief net": belief_net, "one-hot": mixture_model, "layers": ladder_model}
ESTIMATORS = {
    "pathwise": ("neural", {}),
    "analytic_kl": ("neural", {}),
    "stl": ("neural", {}),
    "dreg": ("neural", {}),
    "free_bits": ("neural", {"free": 0.5, "groups": (1,)}),
    "layerwise_kl": ("layers", {}),
    "score_function": ("one-hot", {"baseline": "leave_one_out"}),
    "optimal_control_variate": ("belief net", {}),
    "rao_blackwellised": ("belief net", {"baseline": "leave_one_out"}),
    "gumbel_softmax": ("belief net", {"temperature": torch.tensor(0.5, device=META)}),
    "straight_through": ("one-hot", {"temperature": 0.5}),
    "iwae_score_function": ("one-hot", {}),
    "vimco": ("belief net", {"mean": "arithmetic"}),
    "NVIL": ("one-hot", {}),
}


def test_no_estimator_is_left_out():
    assert set(ESTIMATORS) == set(estimators.__all__)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator(name):
    kind, options = ESTIMATORS[name]
    model = MODELS[kind]().to(META)
    x = torch.ones(5, 3 if kind in ("neural", "layers") else 4, dtype=torch.float64, device=META)
    estimator = getattr(estimators, name)
    estimator = estimator(num_samples=4).to(META) if isinstance(estimator, type) else partial(estimator, num_samples=4)
    number, value = reads(lambda: estimator(model, x, **options))
    assert number == 0 and on_meta(value) and value.shape == (5,)
    number, _ = reads(lambda: torch.autograd.grad(value.sum(), list(model.parameters()), allow_unused=True))
    assert number == 0


# ------------------------------------------------------------------------------------------------ kernels


@pytest.mark.parametrize(
    "make", [mcmc.random_walk_metropolis, mcmc.mala, partial(mcmc.hmc, num_leapfrog=3)], ids=["walk", "MALA", "HMC"]
)
def test_kernel(make):
    """Where chains start is looked at once; a step reads nothing."""
    kernel = make(lambda z: -0.5 * z.square().sum(-1), step_size=0.1)
    started, state = reads(lambda: kernel.init(torch.ones(4, 2, device=META)))
    assert started == 1
    number, (state, info) = reads(lambda: kernel.step(state))
    assert number == 0 and on_meta(state.position) and on_meta(info.accepted) and on_meta(info.log_ratio)


# ------------------------------------------------------------------------------------------------ a training step


def data_set():
    y = torch.arange(40) % 10
    return Dataset(torch.ones(40, 64, dtype=torch.uint8), y, "m", "train", "integer", (8, 8), 1)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_waits_for_the_device_once(name, monkeypatch):
    """The bound and the norm of its gradient, in one transfer; with annealing, labels and two shards."""
    import vaecourse.training.step as step

    # The meta device has no generator of its own.
    monkeypatch.setattr(step, "seed_torch", lambda *_: None)
    monkeypatch.setattr(step.torch, "Generator", lambda device: torch._C.Generator())
    method = METHODS[name]()
    modules = torch.nn.ModuleDict({"model": method.model})
    if isinstance(method.bound, torch.nn.Module):
        modules["bound"] = method.bound
    modules.to(META)
    train = (data_set().with_labels() if method.labels else data_set()).to(META)
    vector = Vector(list(modules.parameters()))
    objective = Objective(method.model, method.bound, META, "fp32")
    gradient = Gradient(objective, train, vector, 0, 2, Processes())
    optimiser = torch.optim.Adam([vector.value], foreach=False)
    annealed = Annealed({}, 10, vector.value.detach())

    def take():
        summary = gradient(torch.arange(20, device=META), 1, 0, annealed.at(3), Interrupt())
        optimiser.step()
        return summary

    reads(take)  # the optimiser's state is made in the first
    number, summary = reads(take)
    # A kernel looks at where its chains start, once in each shard.
    assert number == (3 if name == "MCMC-refined" else 1) and summary.gradient_norm == 1.0
