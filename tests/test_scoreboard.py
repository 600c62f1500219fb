"""The scoreboard: bounds and costs of methods whose answers are known, and who is beaten by whom."""

import gc
import math
import time
from functools import partial

import pytest
import torch
import torch.distributions as td

from vaecourse.evaluation import (
    LogLikelihood,
    PeakMemory,
    Score,
    board_table,
    importance_log_likelihood,
    lead,
    measure,
    num_lines,
    pareto_front,
    scoreboard,
)
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal


@pytest.fixture
def case():
    """A model with its exact posterior as q, data, and their log p."""
    torch.manual_seed(0)
    model = linear_gaussian(torch.randn(5, 3).double(), torch.zeros(5).double(), scale=0.7)
    x = model.sample(20).detach()
    return model, x, linear_gaussian_marginal(model).log_prob(x).detach()


def exactly(model, x):
    return model.qz_x(x)


def shifted(model, x):
    """The exact posterior, moved by half a standard deviation along one axis of its own: KL 1/8."""
    q = model.qz_x(x)
    return td.MultivariateNormal(q.mean + 0.5 * q.scale_tril[..., 0], scale_tril=q.scale_tril)


def test_the_exact_posterior_has_no_gap(case):
    score = measure(exactly, *case)
    torch.testing.assert_close(score.bounds, case[2].expand(5, 20), rtol=0, atol=1e-9)  # rounding
    assert score.evaluations == 0 and score.lines == 2


def test_a_known_kl_is_measured(case):
    gap, se = measure(shifted, *case, num_samples=400).gap
    assert abs(gap - 0.125) < 4.5 * se and 0 < se < 0.02  # 0.5 / sqrt(5 * 20 * 400) = 0.0025 of the judge alone


def test_what_a_method_may_return(case):
    log_px = case[2]
    likelihood = LogLikelihood(log_px - 1, *[torch.zeros(20)] * 3, 0)
    for answer in (log_px - 1, likelihood):
        score = measure(lambda model, x, answer=answer: answer, *case, num_runs=3)
        assert score.gap[0] == pytest.approx(1) and score.bounds.shape == (3, 20)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "must return a distribution"),
        (torch.zeros(3), r"gave \[3\]"),
        (torch.full((20,), math.nan), "must be finite"),
        (td.Independent(td.Normal(torch.zeros(3), torch.ones(3)), 1), "must have batch shape"),
    ],
)
def test_other_answers_are_refused(case, answer, says):
    with pytest.raises(ValueError, match=says):
        measure(lambda model, x: answer, *case, num_runs=3)


def test_two_runs_are_too_few(case):
    with pytest.raises(ValueError, match="num_runs must be at least 3"):
        measure(exactly, *case, num_runs=2)
    with pytest.raises(ValueError, match="log_px must have a number"):
        measure(exactly, case[0], case[1], case[2][:3])


def test_evaluations_are_the_methods_own(case):
    """Five hundred samples decoded for each datum, and none of those that judge."""
    score = measure(partial(importance_log_likelihood, num_samples=500), *case, num_runs=3)
    assert score.evaluations == pytest.approx(500, abs=1)  # a sample more: the check of the support


def test_each_run_has_noise_of_its_own_and_repeats(case):
    def noisy(model, x):
        return -torch.rand(len(x))

    first, again, other = (measure(noisy, *case, num_runs=3, seed=seed).bounds for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    state = torch.get_rng_state()
    measure(noisy, *case, num_runs=3)
    assert torch.equal(state, torch.get_rng_state())


def test_seconds_are_those_of_the_method(case):
    def slow(model, x):
        time.sleep(0.05)
        return model.qz_x(x)

    score = measure(slow, *case, num_runs=3)
    assert score.seconds[0].isnan() and 0.05 <= score.time[0] < 0.5  # chosen: ten times as long on a busy machine


def test_peak_memory_of_a_chain():
    """Each step needs its input and its output; a graph keeps them all."""
    x = torch.zeros(1000, dtype=torch.float64)
    with PeakMemory() as memory:
        y = x
        for _ in range(10):
            y = y + 1
    assert memory.bytes == 2 * 8000 and memory.alive == 8000
    x.requires_grad_()
    with PeakMemory() as memory:
        y = x
        for _ in range(10):
            y = y.exp()
    assert memory.bytes == memory.alive == 10 * 8000  # each output is kept for its gradient


def test_peak_memory_counts_views_once_and_what_it_was_given_never():
    x = torch.zeros(1000)
    with PeakMemory() as memory:
        views = [x.view(10, 100), x.add_(1), x[5:]]
        made = torch.ones(100)
        views += [made.reshape(10, 10), made.T if made.ndim > 1 else made[3:], made.mul_(2)]
    assert memory.bytes == memory.alive == 400


def test_peak_memory_in_a_backward_pass():
    x = torch.ones(1000, requires_grad=True)
    with PeakMemory() as memory:
        (x.exp().sum()).backward()
    gc.collect()
    assert memory.bytes >= 8000  # the exponential and the gradient
    assert memory.alive <= 4000  # the gradient at most; torch may hand on a tensor that was made for it


def method_of_three(model, x):
    """A docstring that does not count."""
    # nor does this
    y = x

    return helper(y)


def helper(y):
    return (
        y
        + 1
    )  # fmt: skip


def test_lines_are_counted_once_however_they_are_laid_out():
    assert num_lines(helper) == 2
    assert num_lines(method_of_three) == 3 + 2
    assert num_lines(partial(method_of_three, x=1)) == 5
    assert num_lines(lambda model, x: helper(helper(x))) >= 1 + 2


def test_lines_of_the_package_count_and_shared_rooms_do_not():
    alone = num_lines(importance_log_likelihood)
    assert alone > 50
    assert num_lines(importance_log_likelihood, shared=()) > alone + 50
    assert num_lines(exactly) == 2


def test_what_has_no_source_has_no_lines():
    with pytest.raises(ValueError, match="method must be a function"):
        num_lines(len)


def made(nats, seconds, spread=0.0, num_data=400):
    """A score whose mean bound and time are known, with a spread over runs."""
    runs = torch.tensor([-1.0, 0.0, 1.0]).double()[:, None]
    bounds = -nats * torch.ones(3, num_data).double() + spread * runs
    times = torch.tensor([math.nan, seconds - 0.01 * seconds, seconds + 0.01 * seconds])
    return Score(bounds, torch.zeros(num_data).double(), 0.0, times, 0, 1)


def test_lead_holds_the_spread_over_runs_and_over_data():
    torch.manual_seed(0)
    a, b = torch.randn(1, 4000).double(), torch.zeros(1, 4000).double()
    a, b = a.expand(3, -1), b.expand(3, -1)
    assert lead(a, b)[1] == pytest.approx((1 / 4000) ** 0.5, rel=0.05)  # data alone; 1.1 % of a standard deviation
    assert lead(a + 1, a) == (pytest.approx(1), pytest.approx(0, abs=1e-12))  # paired
    runs = torch.tensor([-1.0, 0.0, 1.0]).double()[:, None]
    assert lead(b + runs, b)[1] == pytest.approx((1 / 3) ** 0.5)  # runs alone
    assert lead(b + runs, b - runs)[1] == pytest.approx((2 / 3) ** 0.5)  # not paired over runs


def test_the_front():
    scores = {"quick": made(3, 1), "good": made(1, 10), "beaten": made(2, 20), "slow": made(0.5, 100)}
    front = pareto_front(scores)
    assert front.names == ["quick", "good", "slow"] and front.beaten == {"beaten": "good"}


def test_the_front_keeps_what_noise_cannot_tell_apart():
    scores = {"good": made(1.0, 10), "as good": made(1.1, 20, spread=1.0)}
    assert pareto_front(scores).names == ["good", "as good"]
    assert pareto_front(scores, num_se=0).beaten == {"as good": "good"}
    assert pareto_front({"a": made(1, 10), "b": made(2, 10.1)}).beaten == {}  # seconds that agree


def test_the_table_has_the_best_first(case):
    scores = scoreboard({"shifted": shifted, "exact": exactly}, *case, num_runs=3)
    table = board_table(scores, "shifted")
    assert list(table.index) == ["exact", "shifted"]
    assert table.loc["exact", "nats over shifted"] == pytest.approx(0.125, abs=0.06)  # 4.5 s.e. of 0.013
    assert table.loc["shifted", "nats over shifted"] == table.loc["shifted", "se"] == 0
