"""The training loop: the only place where a bound gets a minus sign is one step of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from vaecourse.data import Dataset
from vaecourse.devices import has_bfloat16_units
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import order
from vaecourse.training.anneal import Annealed, LearningRates, Schedule
from vaecourse.training.history import History
from vaecourse.training.machinery.arguments import check, check_data, largest_rate, rates_of
from vaecourse.training.machinery.interrupts import interruptible
from vaecourse.training.machinery.processes import Processes
from vaecourse.training.machinery.resume import TrainingFile, identity
from vaecourse.training.machinery.state import State
from vaecourse.training.machinery.vector import Average, Vector
from vaecourse.training.step import Bound, Gradient, Objective
from vaecourse.training.validation import Monitor, Validation, rate_and_distortion

ADAM = partial(torch.optim.Adam, fused=True)


def fit(
    model: LatentVariableModel,
    bound: Bound,
    train: Dataset,
    *,
    valid: Dataset | None = None,
    num_epochs: int,
    batch_size: int = 100,
    learning_rate: float | Mapping[str, float] = 1e-3,
    optimizer: Callable[..., torch.optim.Optimizer] = ADAM,
    schedule: str | Schedule | None = None,
    gradient_clip: float | None = None,
    ema: float | None = None,
    anneal: Mapping[str, Schedule] | None = None,
    monitor: Monitor | None = rate_and_distortion,
    patience: int | None = None,
    device: torch.device | str | None = None,
    precision: str = "fp32",
    compile: bool = False,
    num_shards: int | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 60.0,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Maximise the mean of a bound over a data set.

    With validation data the model ends with the parameters of its best epoch, else with the last; both are averages
    where ``ema`` is given. The first Ctrl-C ends the training after the step under way, as if the epochs had run out.
    The caller's random state is neither used nor changed.

    Under ``torchrun --nproc-per-node N`` every process calls ``fit`` alike, and the batches are shared among them.

    Args:
        model: trained in place.
        bound: ``(model, x) -> [B]`` in nats, such as ``partial(pathwise, num_samples=50, objective=iwae)``; its own
            parameters, if it is a module, are trained along. Where a batch holds more than x, such as labels, the bound
            is called with all its parts, ``(model, x, y)``.
        train: the data, whose protocol decides what a batch is.
        valid: data for choosing the epoch.
        num_epochs: passes over the training data.
        batch_size: data per step; the last, shorter batch of an epoch is used too.
        learning_rate: the optimiser's; or one for each part of the model, by what the names of its parameters begin
            with: ``{"": 1e-3, "posterior.": 3e-3}``, where the longest counts, and "bound." are the bound's own.
            Parameters that two slots share go by the name of the first.
        optimizer: ``(parameters, lr=...) -> torch.optim.Optimizer``; Adam, if none is named. All parameters come to it
            as one vector, or as one for each run of equal rates, so it must treat each number alike, as Adam, SGD and
            their kin do.
        schedule: None for a constant learning rate, "cosine" to let it fall to zero over the whole training, or a
            function ``(step, num_steps) -> factor``.
        gradient_clip: largest norm of the gradient of the mean bound, or None.
        ema: decay of an exponential moving average of the parameters, such as 0.999, or None. Validation and the
            final model use the average.
        anneal: what changes by plan, name to ``(step, num_steps) -> value``; the bound is called with it by keyword, as
            in ``anneal={"beta": ramp(1000)}`` for ``partial(pathwise, objective=beta_elbo)``. Validation uses the
            values of the last step.
        monitor: what is measured after each epoch besides the bound, ``(model, *batch) -> {name: [B]}``; each name
            becomes a column of the history, the mean over the data. None for nothing.
        patience: stop after this many epochs without a better validation bound, or None.
        device: where to train; None for where the model is.
        precision: "fp32", or "bf16" for networks in bfloat16 (by autocast). Parameters, their gradients, log-densities
            and validation stay in float32. A processor without units for it is slower there, which a warning says.
        compile: let torch.compile fuse the step; the first steps take seconds longer.
        num_shards: into how many parts a batch is cut, each with noise of its own and in memory on its own. Any number
            of processes that divides it gives the same result up to rounding. None for one part per process.
        checkpoint: a file to which the whole training is written now and then, and from which it goes on if the file
            exists: bit for bit as if it had never stopped.
        checkpoint_seconds: time between two writes of the file; it is also written at the end.
        seed: of shuffling, of the protocol's randomness and of the samples of z.
        progress: show a bar with the bound in nats.

    Returns:
        The :class:`History`.

    Raises:
        TypeError: train or valid is no data set (``data.from_tensors`` makes one).
        ValueError: an argument is out of range, the data do not fit the likelihood, or the checkpoint is damaged or
            belongs to another training.
        FloatingPointError: the bound or its gradient became infinite or not a number; the message says where it began.
            That step was not made.
        OSError: the checkpoint cannot be written; the one before is intact.

    References:
        Kingma & Welling (2014), algorithm 1.
    """
    settings = dict(batch_size=batch_size, learning_rate=learning_rate, optimizer=optimizer, schedule=schedule)
    settings |= dict(gradient_clip=gradient_clip, ema=ema, anneal=anneal, precision=precision, compile=compile)
    others = dict(patience=patience, num_shards=num_shards, checkpoint_seconds=checkpoint_seconds, monitor=monitor)
    check(bound, train, valid, num_epochs=num_epochs, **others, **settings)
    device = Processes.own_device(next(model.parameters()).device if device is None else torch.device(device))
    if precision == "bf16" and not has_bfloat16_units(device):
        warnings.warn(
            'this processor has no units for bfloat16: precision="fp32" is several times faster', stacklevel=2
        )
    processes = Processes.join(device)
    num_shards = processes.num_shards(num_shards)

    modules = nn.ModuleDict({"model": model} | ({"bound": bound} if isinstance(bound, nn.Module) else {})).to(device)
    processes.agree([*modules.parameters(), *modules.buffers()])
    train = train.to(device)
    vector = Vector([parameter for parameter in modules.parameters() if parameter.requires_grad])
    optimiser = optimizer(vector.groups(*rates_of(learning_rate, modules)), lr=largest_rate(learning_rate))
    num_batches = math.ceil(len(train) / batch_size)
    num_steps = num_epochs * num_batches
    learning_rates = LearningRates(optimiser, schedule, num_steps)
    annealed = Annealed(anneal, num_steps, vector.value.detach())
    gradient = Gradient(Objective(model, bound, device, precision), train, vector, seed, num_shards, processes)
    if compile:
        gradient.compile()
    validation = Validation(model, bound, monitor, train, valid, annealed.at_the_end(), seed, processes)

    average = Average(vector, ema)
    state = State(modules, optimiser, average)
    settings |= dict(num_shards=num_shards, seed=seed, num_epochs=num_epochs if schedule or anneal else None)
    described = partial(identity, model, bound, train, valid, settings)
    file = TrainingFile(checkpoint, checkpoint_seconds, described, processes)
    with (
        vector.released(),
        file.reserved(),
        torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type),
        interruptible() as interrupt,
        tqdm(total=num_steps, unit="step", disable=not (progress and processes.is_first)) as bar,
    ):
        file.restore(state, num_epochs)
        check_data(model, train, valid)
        bar.initial = bar.n = (state.epoch - 1) * num_batches + state.batch
        while state.epoch <= num_epochs and not (state.interrupted or state.lacks_progress(patience)):
            modules.train()
            batches = order(len(train), seed, state.epoch, device).split(batch_size)
            for index in batches[state.batch :]:
                step = (state.epoch - 1) * num_batches + state.batch
                learning_rates.set(step)
                summary = gradient(index, state.epoch, state.batch, annealed.at(step), interrupt)
                if gradient_clip is not None:
                    norm = vector.value.new_tensor(summary.gradient_norm)
                    nn.utils.clip_grads_with_norm_(vector.value, gradient_clip, norm)
                optimiser.step()
                average.update(step)
                state.count(summary)
                bar.update()
                if state.interrupted:
                    break
                file.save_if_due(state)
            if state.batch == num_batches:
                with average.in_place():
                    scores = validation(state.epoch)
                state.end_epoch(scores, len(train))
                bar.set_postfix_str(f"epoch {state.epoch - 1}, {state.last_bound:.2f} nats")
        file.save(state)
        processes.wait()  # nobody leaves while another still speaks or writes
        state.conclude()
    return state.history
