"""Training: a known optimum, reproducibility, what one step is, choosing the epoch, failures said in a sentence."""

import copy
import math
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pytest
import torch
import torch.distributions as td
from cases import neural_model, seeded
from torch import nn

from vaecourse import data
from vaecourse.data import Dataset
from vaecourse.distributions import Conditional
from vaecourse.em.ppca import ProbabilisticPCA
from vaecourse.estimators import NVIL, analytic_kl, gumbel_softmax, pathwise, stl
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal
from vaecourse.inference import PerDatum
from vaecourse.likelihoods import Bernoulli, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, LeadingDims
from vaecourse.objectives import beta_elbo, elbo
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import Categorical, StandardNormal
from vaecourse.training import cosine, fit, ramp, rate_and_distortion
from vaecourse.training.machinery.weights import read


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


def fitted(bound=pathwise, seed=0, **options):
    model = seeded(neural_model).float()
    history = fit(model, bound, binary(), num_epochs=3, batch_size=25, seed=seed, progress=False, **options)
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
        self.prior, self.likelihood, self.posterior = StandardNormal(1), Bernoulli(MLP(1, (), 3)), None
        self.prior.requires_grad_(False), self.likelihood.requires_grad_(False)


@pytest.fixture
def offset():
    return Offset()


class Scripted:
    """A bound that rises with the parameter, and validation scores from a list."""

    def __init__(self, scores=()):
        self.scores, self.values = list(scores), []

    def __call__(self, model, x):
        if model.training:
            return model.value.expand(len(x))
        self.values.append(model.value.item())
        return torch.full((len(x),), self.scores[len(self.values) - 1])


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
    assert [record["valid_bound"] for record in history.records] == pytest.approx(bound.scores, rel=1e-6)


def test_a_tie_keeps_the_first_and_is_no_progress(offset):
    bound = Scripted([1.0, 3.0, 3.0, 3.0, 9.0])
    history = fit(offset, bound, binary(), valid=binary(), num_epochs=5, patience=2, learning_rate=0.1, progress=False)
    assert history.best_epoch == 2 and len(history.records) == 4 and offset.value.item() == bound.values[1]


def test_patience(offset):
    bound = Scripted([1.0, 3.0, 2.0, 2.9, 2.8, 9.0])
    history = fit(offset, bound, binary(), valid=binary(), num_epochs=6, patience=2, progress=False)
    assert len(history.records) == 4 and history.best_epoch == 2


def test_interrupt_finishes_the_step_and_ends_with_the_best_so_far(offset):
    bound = Scripted([1.0, 3.0, 2.0])

    def interrupted(model, x):
        if len(bound.values) == 3:
            signal.raise_signal(signal.SIGINT)
        return bound(model, x)

    handler = signal.getsignal(signal.SIGINT)
    history = fit(offset, interrupted, binary(), valid=binary(), num_epochs=6, batch_size=20, progress=False)
    assert history.interrupted and len(history.records) == 3
    assert offset.value.item() == bound.values[1]
    assert signal.getsignal(signal.SIGINT) is handler


def test_second_interrupt_ends_at_once(offset):
    def interrupted(model, x):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(offset, interrupted, binary(), num_epochs=1, progress=False)


def test_fits_in_a_thread_that_cannot_be_interrupted():
    with ThreadPoolExecutor() as pool:
        model, history = pool.submit(fitted).result()
    assert same(model, fitted()[0]) and not history.interrupted


def test_gradient_clip_and_the_norm_that_is_recorded():
    """Plain gradient descent moves by rate times the clipped gradient; the record tells the norm before."""
    moves = {}
    for clip in (None, 1e-3):
        model = seeded(neural_model).float()
        before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        history = fit(model, pathwise, binary(), num_epochs=1, gradient_clip=clip, optimizer=torch.optim.SGD,
                      learning_rate=1e-2, progress=False)  # fmt: skip
        moves[clip] = (nn.utils.parameters_to_vector(model.parameters()) - before).norm().item()
        norm = history.records[0]["gradient_norm"]
        # parameters near 1 are known to 1e-7, there are some fifty, and a move of 1e-5 is their difference
        assert moves[clip] == pytest.approx(1e-2 * (norm if clip is None else clip), rel=0.05)
    assert moves[None] > 100 * moves[1e-3]


def test_schedule_may_be_a_function(offset):
    fit(offset, Scripted(), binary(), num_epochs=4, batch_size=60, learning_rate=0.1, progress=False,
        schedule=lambda step, num_steps: (step == 1) / num_steps)  # fmt: skip
    assert offset.value.item() == pytest.approx(0.1 / 4, abs=1e-6)


@pytest.mark.parametrize("valid", [None, binary()])
def test_average_is_validated_and_kept(offset, valid):
    """After steps of 0.1 the parameter is 0.1 t; its average has a known recursion."""
    bound = Scripted([1.0, 2.0, 3.0])
    fit(offset, bound, binary(), valid=valid, num_epochs=3, batch_size=60, learning_rate=0.1, ema=0.2, progress=False)
    average, averages = 0.0, []
    for step in range(3):
        decay = min(0.2, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * 0.1 * (step + 1)
        averages.append(average)
    assert offset.value.item() == pytest.approx(averages[-1], abs=1e-6)
    if valid is not None:
        assert bound.values == pytest.approx(averages, abs=1e-6) and offset.value.item() == bound.values[-1]


def test_annealing_hands_the_bound_its_values(offset):
    """A ramp over four steps of six; validation has the values of the last step from the first epoch on."""
    seen = {True: [], False: []}

    def bound(model, x, beta=1.0, temperature=None):
        seen[model.training].append((float(beta), float(temperature)))
        return model.value.expand(len(x))

    anneal = {"beta": ramp(4), "temperature": lambda step, num_steps: 1 - step / num_steps}
    fit(offset, bound, binary(), valid=binary(), num_epochs=3, batch_size=30, anneal=anneal, progress=False)
    temperatures = pytest.approx([1 - step / 6 for step in range(6)], abs=1e-6)
    assert [beta for beta, _ in seen[True]] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert [temperature for _, temperature in seen[True]] == temperatures
    assert seen[False] == [(1.0, pytest.approx(1 / 6, abs=1e-6))] * 3


def test_a_temperature_that_falls_to_zero_is_never_zero():
    """The cosine ends at zero after the last step, where a relaxation has no value."""
    torch.manual_seed(0)
    model = LatentVariableModel(Categorical(torch.zeros(3)), Bernoulli(nn.Linear(3, 3)), Categorical(nn.Linear(3, 3)))
    anneal = {"temperature": cosine}
    history = fit(model, gumbel_softmax, binary(), valid=binary(20, 1), num_epochs=2, anneal=anneal, progress=False)
    assert math.isfinite(history.records[-1]["valid_bound"])


@pytest.mark.parametrize("value", [None, "1", [1.0], torch.ones(60), math.nan, math.inf, {}], ids=str)
def test_what_is_annealed_is_a_number(value):
    """A vector as long as the batch would weigh each datum otherwise, without a word."""
    with pytest.raises(ValueError, match=r"anneal must give one finite number at every step; 'beta' is .* at step \d"):
        fitted(partial(pathwise, objective=beta_elbo), anneal={"beta": lambda step, num_steps: value})


def test_annealed_values_have_the_models_type():
    """A third in float32 is another number, by 1e-8."""
    seen = set()

    def bound(model, x, beta):
        seen.add(beta.item())
        return beta * pathwise(model, x)

    fit(neural_model(), bound, binary(), num_epochs=1, anneal={"beta": lambda *_: 1 / 3}, progress=False)
    assert seen == {1 / 3}


def test_a_ramp_that_starts_above_zero_ends_at_one():
    assert [ramp(4, 0.2)(step, 100) for step in (0, 1, 2, 4, 50)] == pytest.approx([0.2, 0.4, 0.6, 1.0, 1.0])


def test_annealing_fits_the_estimators_of_the_package():
    """The KL's weight reaches the objective through the estimator, and a weight of one is no weight."""
    plain = fitted(valid=binary(20, 1))[1].records
    for bound in (partial(pathwise, objective=beta_elbo), partial(stl, objective=beta_elbo), analytic_kl):
        weighed = lambda beta, bound=bound, **options: fitted(  # noqa: E731
            bound, valid=binary(20, 1), anneal={"beta": lambda step, num_steps: beta}, **options
        )[1].records[-1]
        free, dear = weighed(0.0, learning_rate=0.1), weighed(10.0, learning_rate=0.1)
        assert free["rate"] > 2 * dear["rate"]  # what costs nothing is used; chosen
        if bound is not analytic_kl and bound.func is pathwise:
            assert weighed(1.0)["valid_bound"] == pytest.approx(plain[-1]["valid_bound"], abs=1e-5)


def test_monitor_measures_what_it_is_told():
    """Means over the validation data, in parts of unequal size, in evaluation mode and without a graph."""
    sizes = []

    def monitor(model, x):
        assert not model.training and not torch.is_grad_enabled()
        sizes.append(len(x))
        return {"ink": x.mean(1), "first": x[:, 0]}

    valid = binary(1500, 1)
    records = fitted(valid=valid, monitor=monitor)[1].records
    x = valid.realise()
    assert sizes[:2] == [1000, 500]
    assert records[-1]["ink"] == pytest.approx(x.mean().item(), abs=1e-6)
    assert records[-1]["first"] == pytest.approx(x[:, 0].mean().item(), abs=1e-6)
    assert "rate" not in records[-1]
    assert {"rate", "distortion"}.isdisjoint(fitted(monitor=None)[1].frame().columns)


def test_a_posterior_without_a_density_can_be_trained():
    """Nothing but the monitor draws with a density; without one an implicit q gets through."""

    class Implicit(td.Distribution):
        has_rsample = True

        def __init__(self, loc):
            self.loc = loc
            super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

        def rsample(self, sample_shape=torch.Size()):  # noqa: B008
            return self.loc + torch.randn(*sample_shape, *self.loc.shape)

    class Slot(Conditional):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(3, 1)

        def forward(self, c=None):
            return Implicit(self.net(c))

    model = LatentVariableModel(StandardNormal(1), Bernoulli(nn.Linear(1, 3)), Slot())
    reconstruction = lambda model, x: model.log_likelihood(x, model.posterior(x).rsample((1,))).mean(0)  # noqa: E731
    options = dict(num_epochs=1, batch_size=30, progress=False)
    fit(model, reconstruction, binary(), valid=binary(20, 1), monitor=None, **options)
    with pytest.raises(NotImplementedError):
        fit(model, reconstruction, binary(), **options)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ({"bound": torch.zeros(20)}, "monitor must not use the names epoch, bound, .*, and returns 'bound'"),
        ({"ink": torch.zeros(())}, r"monitor must return one number per datum, of shape \[20\], for 'ink': \[\]"),
        ({"ink": 0.5}, r"monitor must return one number per datum, of shape \[20\], for 'ink': float"),
        (None, "monitor must return a dictionary of names to numbers per datum, and returns None"),
        ({1: torch.zeros(20)}, "monitor must return a dictionary of names to numbers per datum, and returns {1: "),
    ],
)
def test_bad_monitors_are_refused(returned, words):
    with pytest.raises(ValueError, match=words):
        fitted(valid=binary(20, 1), monitor=lambda model, x: returned)


def test_a_monitor_that_measures_a_part_of_the_data_is_refused():
    """Of ones on the first thousand of 1500 data the mean would be told as 0.667."""
    ones = lambda model, x: {"ones": torch.ones(len(x))} if len(x) == 1000 else {}  # noqa: E731
    with pytest.raises(
        ValueError, match="monitor must return the same names for all data; returns valid_bound, ones, "
    ):
        fitted(valid=binary(1500, 1), monitor=ones)


class Labelled(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


class WithLabels(Dataset):
    """A data set whose batches bring labels along, as integers."""

    def batch(self, index=None, generator=None):
        return Labelled(super().batch(index, generator), self.y[slice(None) if index is None else index])

    def realise(self, seed=0):
        return Labelled(super().batch(), self.y)


def test_a_batch_may_hold_more_than_x():
    """All of it reaches the bound and the monitor, datum by datum; integers stay integers in a float64 model."""
    made = binary(90)
    train = WithLabels(**{**vars(made), "y": made.x.long().sum(1)})

    def bound(model, x, y):
        assert y.dtype == torch.int64 and x.dtype == torch.float64 and torch.equal(x.sum(1).long(), y)
        return pathwise(model, x)

    def monitor(model, x, y):
        return {"label": y.double()}

    for options in ({}, {"num_shards": 2}):
        model = seeded(neural_model)
        history = fit(model, bound, train, valid=train, num_epochs=2, batch_size=40, monitor=monitor, progress=False,
                      **options)  # fmt: skip
        assert history.records[-1]["label"] == pytest.approx(train.y.double().mean().item())


def test_optimiser_is_the_callers_choice(offset):
    optimiser = partial(torch.optim.SGD, momentum=0.5)
    fit(
        offset,
        Scripted(),
        binary(),
        num_epochs=2,
        batch_size=60,
        learning_rate=0.1,
        optimizer=optimiser,
        progress=False,
    )
    assert offset.value.item() == pytest.approx(0.1 + 0.15, abs=1e-6)


def test_history_as_a_table_and_a_figure():
    _, history = fitted(valid=binary(20, 1))
    names = ["bound", "valid_bound", "rate", "distortion", "gradient_norm", "seconds"]
    assert sorted(history.frame().columns) == sorted(names)
    left, right = history.plot().axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["training bound", "validation bound"]
    assert list(right.lines[0].get_ydata()) == list(history.frame().distortion)
    history.best_epoch = 2  # whichever it is: the line marks it
    for axes in history.plot().axes:
        assert list(axes.lines[-1].get_xdata()) == [2, 2]
    without = fitted()[1]
    assert {"rate", "distortion"} <= set(without.frame().columns)


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


@pytest.mark.parametrize("monitor", [None, rate_and_distortion])
def test_a_bound_that_is_a_module_is_in_the_models_mode_in_every_epoch(monitor):
    """Its dropout or its running moments rest in validation, and go on in the next epoch."""

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.modes = []

        def forward(self, model, x):
            self.modes.append((model.training, self.training))
            return pathwise(model, x)

    bound = Watched()
    fit(neural_model().float(), bound, binary(), valid=binary(20, 1), num_epochs=2, monitor=monitor, progress=False)
    assert bound.modes == [(True, True), (False, False)] * 2


def test_model_is_left_in_evaluation_mode():
    assert not fitted()[0].training


def test_parameters_are_left_with_memory_of_their_own_and_no_gradients():
    for parameter in fitted()[0].parameters():
        assert parameter.grad is None
        assert parameter.untyped_storage().nbytes() == parameter.numel() * parameter.element_size()


# --------------------------------------------------------------------------------------------------------- refusals


def broken(model, place):
    """The model with one number in it that is none, or with a step that makes one."""
    weights = dict(model.named_parameters())
    if place.startswith("the values of "):
        weights[place.removeprefix("the values of ")].data.view(-1)[0] = math.nan
    elif place == "the output of likelihood.net.layers.0":
        model.likelihood.net.layers[0].register_forward_hook(lambda module, inputs, output: output * math.inf)
    elif place == "the scale of posterior":
        with torch.no_grad():
            model.posterior.net.layers[-1].bias.fill_(200.0)  # e^200 is infinite in float32
    elif place == "the gradient of likelihood.net.layers.0.weight":
        model.likelihood.net.layers[0].weight.register_hook(lambda gradient: gradient * math.nan)
    return model


@pytest.mark.parametrize(
    "place",
    [
        "the values of likelihood.net.layers.0.weight",
        "the output of likelihood.net.layers.0",
        "the scale of posterior",
        "the gradient of likelihood.net.layers.0.weight",
    ],
)
def test_a_number_that_is_none_is_traced_to_where_it_began(place):
    model = broken(seeded(neural_model).float(), place)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(FloatingPointError, match=rf"^epoch 1, batch 1: .* began at {re.escape(place)}"):
        fit(model, pathwise, binary(), num_epochs=2, progress=False)
    # Bit by bit, since a NaN is not equal to itself: the step was not made.
    assert all(torch.equal(value.nan_to_num(), before[name].nan_to_num()) for name, value in model.state_dict().items())


def test_stops_within_the_step_in_which_it_happens(tmp_path):
    calls = []

    def bound(model, x):
        calls.append(1)
        return pathwise(model, x) * (math.nan if len(calls) >= 5 else 1.0)

    model, path = seeded(neural_model).float(), tmp_path / "training"
    options = dict(num_epochs=2, batch_size=20, checkpoint=path, checkpoint_seconds=0, progress=False)
    with pytest.raises(FloatingPointError, match="epoch 2, batch 2: the bound is nan and began at the bound itself"):
        fit(model, bound, binary(), **options)
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert all(value.isfinite().all() for value in read(path)[0].values())


def test_a_norm_that_overflows_names_the_largest_entry():
    """Squares of 1e30 are beyond float32, though the bound and each entry of its gradient are finite."""

    def bound(model, x):
        return pathwise(model, x) - 3e30 * model.likelihood.net.layers[2].weight[1, 2]

    words = (
        r"epoch 1, batch 1: the bound is .* and the norm of its gradient overflows: the largest entry of the gradient "
    )
    with pytest.raises(FloatingPointError, match=words + r"is 3e\+30, in likelihood.net.layers.2.weight"):
        fit(seeded(neural_model).float(), bound, binary(), num_epochs=1, progress=False)


def test_validation_that_is_no_number_is_refused():
    def bound(model, x):
        return pathwise(model, x) * (1.0 if model.training else math.nan)

    with pytest.raises(FloatingPointError, match="epoch 1: the validation bound is nan"):
        fit(neural_model().float(), bound, binary(), valid=binary(20, 1), num_epochs=2, progress=False)


def test_a_bound_that_is_averaged_already_is_refused():
    with pytest.raises(ValueError, match=r"bound must return one number per datum, of shape \[60\], and returns \[\]"):
        fit(neural_model().float(), lambda model, x: pathwise(model, x).mean(), binary(), num_epochs=1, progress=False)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (partial(NVIL(nn.Linear(3, 1)), num_samples=3), "bound must be the module itself .* is a partial of a NVIL"),
        (lambda model, x: None, r"bound must return one number per datum, of shape \[60\], and returns NoneType"),
        (lambda model, x: torch.zeros(len(x)), "bound must have a gradient by the trained parameters"),
    ],
    ids=["partial of a module", "nothing", "constant"],
)
def test_bad_bounds(bound, words):
    """The network of a partial would be neither trained nor saved, and the gradient only noisier for it."""
    with pytest.raises(ValueError, match=words):
        fit(neural_model().float(), bound, binary(), num_epochs=1, progress=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_epochs": 0}, "num_epochs must be a whole number above 0, and is 0"),
        ({"batch_size": -1}, "batch_size must be a whole number above 0, and is -1"),
        ({"num_shards": 1.5}, "num_shards must be a whole number above 0, and is 1.5"),
        ({"anneal": {"beta": 1.0}}, "anneal must map names to functions .*, and is {'beta': 1.0}"),
        ({"monitor": "rate"}, "monitor must be None or a function .*, and is 'rate'"),
        ({"learning_rate": {"": 1e-3, "prior.": -1.0}}, "learning_rate must be above 0, or map what names begin with"),
        ({"learning_rate": {"": 1e-3, "encoder.": 1.0}}, "learning_rate names 'encoder.', with which no trained"),
        ({"learning_rate": {"posterior.": 1e-3}}, "learning_rate has no rate for likelihood.net.*: give one for all"),
        (
            {"learning_rate": math.nan},
            "learning_rate must be above 0, or map what names begin with to such, and is nan",
        ),
        ({"gradient_clip": 0.0}, "gradient_clip must be above 0, and is 0"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds must be 0 or more, and is -1"),
        ({"ema": 1.0}, "ema must lie between 0 and 1, and is 1.0"),
        ({"precision": "fp16"}, 'precision must be "fp32" or "bf16", and is \'fp16\''),
        ({"patience": 0, "valid": binary()}, "patience must be a whole number above 0, and is 0"),
        ({"patience": 2}, "patience needs validation data: pass valid"),
        ({"schedule": "linear"}, "schedule must be None, \"cosine\" or a function .*, and is 'linear'"),
        ({"train": binary(0)}, "train must hold at least one datum, and is empty"),
    ],
)
def test_bad_arguments(options, words):
    model = neural_model().float()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=words):
        fit(model, pathwise, **{"train": binary(), "num_epochs": 1, "progress": False} | options)
    assert same(model, before)


def test_data_that_do_not_fit_the_likelihood_are_refused():
    model = LatentVariableModel(StandardNormal(2), Bernoulli(MLP(2, (), 6)), DiagonalGaussian(MLP(6, (), 4)))
    with pytest.raises(ValueError, match=r"Bernoulli on 0 and 1.*choose the data's protocol and the likelihood"):
        fit(model, pathwise, counts(), num_epochs=1, progress=False)
    with pytest.raises(ValueError, match="x has 3 dimensions, and the likelihood scores 6"):
        fit(model, pathwise, binary(), num_epochs=1, progress=False)


def test_a_q_per_datum_needs_to_know_the_datum():
    """In one batch with all data their numbers agree, and every row of the table would be fitted to any of the data."""
    model = neural_model().float()
    model.posterior = PerDatum(DiagonalGaussian(nn.Identity()), torch.zeros(60, 2))
    with pytest.raises(ValueError, match=r"train must have the places of its data in a batch, train.with_index\(\)"):
        fit(model, pathwise, binary(), num_epochs=1, progress=False)

    def bound(model, x, index):
        return elbo(model.draw(x, q=model.posterior(x, index)))

    fit(model, bound, binary().with_index(), num_epochs=1, monitor=None, progress=False)
    assert (model.posterior.rows != 0).all()


@pytest.mark.parametrize("made", [torch.zeros(4, 3), torch.zeros(4, 3).numpy(), [[0.0, 1.0, 1.0]]], ids=type)
def test_what_is_no_data_set_is_refused(made):
    for arguments in ({"train": made}, {"train": binary(), "valid": made}):
        with pytest.raises(TypeError, match=r"must be a vaecourse.data.Dataset; got .*: data.from_tensors"):
            fit(neural_model().float(), pathwise, **arguments, num_epochs=1, progress=False)


def test_every_datum_is_held_against_the_likelihood():
    """Not only the first: a grey value among a thousand binary ones would still give a number, called nats."""
    x = torch.zeros(1200, 3)
    x[1100, 2] = 0.5
    grey = data.from_tensors(x, protocol="intensity")
    fine = data.from_tensors(torch.zeros(1200, 3), protocol="intensity")
    for train, valid in ((grey, fine), (fine, grey)):
        with pytest.raises(ValueError, match=r"Bernoulli on 0 and 1, and has values such as 0\.5"):
            fit(neural_model().float(), pathwise, train, valid=valid, num_epochs=1, progress=False)


def test_validation_under_another_protocol_is_refused():
    with pytest.raises(ValueError, match="valid must be comparable with train, and their protocols differ"):
        fit(neural_model().float(), pathwise, data.load("digits", "train", "fixed"),
            valid=data.load("digits", "valid"), num_epochs=1, progress=False)  # fmt: skip


def test_a_decoder_that_looks_at_its_whole_batch_can_be_trained():
    """Batch normalisation has no batch of one: data are checked in evaluation mode, and training goes on in its own."""
    decoder = nn.Sequential(nn.Linear(1, 4), LeadingDims(nn.BatchNorm1d(4), 1), nn.Linear(4, 3))
    model = LatentVariableModel(StandardNormal(1), Bernoulli(decoder), DiagonalGaussian(MLP(3, (4,), 2)))
    history = fit(model, pathwise, binary(), num_epochs=1, progress=False)
    assert math.isfinite(history.records[0]["bound"]) and not torch.equal(decoder[1].net.running_mean, torch.zeros(4))
