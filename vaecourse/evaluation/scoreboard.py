"""The scoreboard: any way to infer latents, measured on one model and one data set by one function."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.evaluation.estimate import LogLikelihood
from vaecourse.evaluation.memory import PeakMemory
from vaecourse.evaluation.source_lines import num_lines
from vaecourse.inference import DecoderEvaluations, sampled_bound
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded

Method = Callable[[LatentVariableModel, Tensor], td.Distribution | LogLikelihood | Tensor]


@dataclass(frozen=True)
class Score:
    """What one method made of the data, once for each seed, and what it cost.

    Attributes:
        bounds: [R, B] in nats, the lower bound of log p(x) of each datum in each run.
        log_px: [B], what they are held against.
        evaluations: of the decoder for each datum, mean over runs; the judge's own are not among them.
        seconds: [R], of a whole run over all data; not a number for the first, which is watched for memory.
        memory: the most bytes that the first run's tensors held at one time.
        lines: of code, as :func:`~vaecourse.evaluation.num_lines` counts them.
    """

    bounds: Tensor
    log_px: Tensor
    evaluations: float
    seconds: Tensor
    memory: int
    lines: int

    @property
    def gap(self) -> tuple[float, float]:
        """log p(x) less the bound in nats, mean over runs and data, and the standard error of :func:`lead`."""
        return lead(self.log_px.expand_as(self.bounds), self.bounds)

    @property
    def time(self) -> tuple[float, float]:
        """Seconds of a run, and their standard error over the runs that were timed."""
        timed = self.seconds[1:]
        return timed.mean().item(), (timed.std() / math.sqrt(len(timed))).item()


def measure(
    method: Method, model: LatentVariableModel, x: Tensor, log_px: Tensor, *, num_runs: int = 5, num_samples: int = 100,
    seed: int = 0,
) -> Score:  # fmt: skip
    r"""Run a method several times, and say what it is worth and what it costs.

    Args:
        method: ``(model, x)`` to what it knows of each datum: a distribution q(z|x) with batch shape [B], whose bound
            is then estimated by samples of its own; or a lower bound of log p(x), [B] in nats, or a
            :class:`~vaecourse.evaluation.LogLikelihood` that holds one. All its work counts, the training of a network
            too. Random numbers are to come from torch's own generator, which is seeded anew for each run.
        model: the model, the same for all methods.
        x: data of shape [B, D].
        log_px: the exact log p(x) of these data, [B] in nats.
        num_runs: number R of runs, at least 3: the first is watched for memory, the others are timed.
        num_samples: samples per datum that judge a q.
        seed: of the first run; the caller's random state is not changed.

    Returns:
        The :class:`Score`.

    Raises:
        ValueError: num_runs is below 3, or a method returns neither of the three, for as many data, in finite numbers.
    """
    if num_runs < 3:
        raise ValueError(f"num_runs must be at least 3, one to watch and two to time, and is {num_runs}")
    if log_px.shape != x.shape[:1]:
        raise ValueError(f"log_px must have a number for each of {len(x)} data, and has shape {list(log_px.shape)}")
    bounds, seconds, evaluations, memory = [], [], 0, PeakMemory()
    for run in range(num_runs):
        with seeded(key(seed, "run", run), x.device), DecoderEvaluations(model) as cost:
            if run == 0:
                with memory:
                    answer = method(model, x)
                seconds.append(math.nan)
            else:
                _wait(x.device)
                start = time.perf_counter()
                answer = method(model, x)
                _wait(x.device)
                seconds.append(time.perf_counter() - start)
        evaluations += cost.total
        bounds.append(_bound(answer, model, x, num_samples, key(seed, "judge", run)))
    per_datum = evaluations / num_runs / len(x)
    return Score(
        torch.stack(bounds), log_px.cpu().double(), per_datum, torch.tensor(seconds), memory.bytes, num_lines(method)
    )


def scoreboard(
    methods: Mapping[str, Method], model: LatentVariableModel, x: Tensor, log_px: Tensor, **options
) -> dict[str, Score]:
    """The :class:`Score` of each of several methods by name, on the same model and data.

    Args:
        methods: name to method, as for :func:`measure`.
        model: the model.
        x: data of shape [B, D].
        log_px: the exact log p(x) of these data, [B] in nats.
        options: of :func:`measure`.
    """
    return {name: measure(method, model, x, log_px, **options) for name, method in methods.items()}


def lead(bounds: Tensor, others: Tensor) -> tuple[float, float]:
    """By how much one method's bounds [R, B] lie above another's in nats, paired over data, with its standard error.

    Runs and data are both samples: the error holds the spread of the mean over runs (a network trained anew shifts all
    data together) and that over data. The other method's runs are independent, so that its spread is added.
    """
    difference = (bounds.mean(0) - others.mean(0)).double()
    variance = difference.var() / len(difference)
    for runs in (bounds, others):
        variance = variance + runs.double().mean(1).var() / len(runs)
    return difference.mean().item(), variance.sqrt().item()


class Front(NamedTuple):
    """Which methods nobody beats in nats and seconds at once."""

    names: list[str]  # from the quickest to the slowest
    beaten: dict[str, str]  # name of each of the others to one that beats it, the best in nats


def pareto_front(scores: Mapping[str, Score], num_se: float = 2.0) -> Front:
    """The methods that no other is both above in nats and below in seconds, by so many standard errors each.

    A method that noise cannot tell from a better one stays: the front errs on the side of the accused. Whoever wants
    the shortest list takes ``num_se=0``.

    Args:
        scores: name to :class:`Score`, of the same data.
        num_se: how many standard errors, of the difference in nats (:func:`lead`) and of that in seconds.
    """

    def beats(one: Score, other: Score) -> bool:
        nats, nats_se = lead(one.bounds, other.bounds)
        (seconds, se), (other_seconds, other_se) = one.time, other.time
        quicker = other_seconds - seconds > num_se * math.hypot(se, other_se)
        return nats > num_se * nats_se and quicker

    by_nats = sorted(scores, key=lambda name: scores[name].gap[0])
    beaten: dict[str, str] = {}
    for name, score in scores.items():
        winners = [other for other in by_nats if other != name and beats(scores[other], score)]
        if winners:
            beaten[name] = winners[0]
    left = [name for name in scores if name not in beaten]
    return Front(sorted(left, key=lambda name: scores[name].time[0]), beaten)


def board_table(scores: Mapping[str, Score], reference: str) -> pd.DataFrame:
    """One row per method, the best in nats first: its lead over the reference, its gap and what it costs."""
    rows = {}
    for name, score in sorted(scores.items(), key=lambda item: item[1].gap[0]):
        nats, se = lead(score.bounds, scores[reference].bounds)
        costs = (score.evaluations, score.time[0], score.memory / 2**20, score.lines)
        rows[name] = (nats, se if name != reference else 0.0, score.gap[0], *costs)
    columns = [f"nats over {reference}", "se", "gap", "evaluations", "seconds", "MiB", "lines"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _bound(answer: object, model: LatentVariableModel, x: Tensor, num_samples: int, seed: int) -> Tensor:
    """The bound of each datum [B], float64 on the CPU, from whatever a method returned."""
    if isinstance(answer, td.Distribution):
        if answer.batch_shape != x.shape[:1]:
            raise ValueError(f"a method's q must have batch shape [{len(x)}], and has {list(answer.batch_shape)}")
        answer = sampled_bound(model, x, answer, num_samples, seed)[0]
    elif isinstance(answer, LogLikelihood):
        answer = answer.log_px
    if not isinstance(answer, Tensor) or answer.shape != x.shape[:1]:
        what = list(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"a method must return a distribution, a LogLikelihood or a bound [{len(x)}], and gave {what}")
    if not answer.isfinite().all():
        raise ValueError("a method's bounds must be finite, and this one's are not for every datum")
    return answer.detach().cpu().double()


def _wait(device: torch.device) -> None:
    """Until the device has done what it was told, so that a clock reads the work and not the telling."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
