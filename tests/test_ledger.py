"""The gap ledger against quadrature, and its arithmetic."""

import math
from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch
from cases import linear_gaussian_model, neural_model, seeded

from vaecourse.evaluation import GapLedger, gap_ledger
from vaecourse.exact import best_gaussian, gaussian_bound, linear_gaussian_marginal, quadrature
from vaecourse.exact.gauss_hermite import draw_at_nodes, gauss_hermite
from vaecourse.inference import diagonal, full
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian

F64 = torch.float64
X = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)


@pytest.fixture(scope="module")
def neural():
    model = neural_model(num_latents=2)
    return model, gap_ledger(model, X, quadrature(model, X).log_px, ("diagonal", "full"), num_samples=2000)


def test_bounds_against_quadrature(neural):
    """5 standard errors of each datum's bound; the best q is found to 0.01 nats (test_local)."""
    model, ledger = neural
    diagonal = best_gaussian(model, X)
    full = best_gaussian(model, X, diagonal, "full")
    with torch.no_grad():
        exact = [gaussian_bound(model, X, q) for q in (full, diagonal, model.posterior(X))]
    assert list(ledger.bounds) == ["best full q", "best diagonal q", "encoder"]
    for (name, bound), truth in zip(ledger.bounds.items(), exact):
        assert ((bound - truth).abs() < 5 * ledger.noise[name] + 0.01).all(), name
    torch.testing.assert_close(ledger.gap, quadrature(model, X).log_px - exact[-1], rtol=0, atol=0.2)


def test_noise_is_that_of_each_bound(neural):
    """The spread of log w under q by quadrature, over the root of S; one too large would pass any test of a bound.

    A standard deviation from 2000 samples is known to about 2 % (4 % for heavier tails); five times that is allowed.
    """
    model, ledger = neural
    q, (nodes, weights) = model.posterior(X), gauss_hermite(32)
    with torch.no_grad():
        log_w = draw_at_nodes(model, X, q, nodes).log_w  # [K, 8]
    variance = weights @ log_w.square() - (weights @ log_w).square()
    torch.testing.assert_close(ledger.noise["encoder"], (variance / 2000).sqrt(), rtol=0.2, atol=0)
    assert variance.max() > 2 * variance.min()  # each has its own


def test_bounds_share_noise_that_no_q_was_fitted_to():
    """The decoder hears which seed torch was given: one for all bounds, another one for the fits."""
    model, seeds = neural_model(), {True: set(), False: set()}
    log_px = quadrature(model, X).log_px
    model.likelihood.register_forward_pre_hook(lambda *_: seeds[torch.is_grad_enabled()].add(torch.initial_seed()))
    gap_ledger(model, X, log_px, ("diagonal", "full"), num_samples=4, num_steps=2)
    assert len(seeds[False]) == 1 and seeds[True] and seeds[True].isdisjoint(seeds[False])


def test_each_family_starts_where_the_poorer_one_ended():
    model, made, starts = neural_model(num_latents=2), [], []

    def family(make):
        def start(q):
            starts.append(q.mean)
            made.append(make(q))
            return made[-1]

        start.__name__ = make.__name__
        return start

    gap_ledger(model, X, quadrature(model, X).log_px, (family(diagonal), family(full)), num_samples=4, num_steps=5)
    torch.testing.assert_close(starts[0], model.posterior(X).mean.detach(), rtol=0, atol=0)
    torch.testing.assert_close(starts[1], made[0]().mean.detach(), rtol=0, atol=0)
    assert (starts[1] - starts[0]).abs().max() > 0.1  # five steps of 0.05 lead somewhere


def test_every_bound_has_as_many_samples_as_asked_for():
    """Ten of each of eight data in chunks of 24 pairs: three, three, three and one at once."""
    model, pairs = neural_model(), []
    log_px = quadrature(model, X).log_px

    def count(module, given):
        if not torch.is_grad_enabled():
            pairs.append(given[0].shape[:-1].numel())

    model.likelihood.register_forward_pre_hook(count)
    gap_ledger(model, X, log_px, num_samples=10, num_steps=1, chunk_size=24)
    assert pairs == [24, 24, 24, 8] * 2


def test_gaps_are_what_each_step_loses(neural):
    _, ledger = neural
    torch.testing.assert_close(sum(ledger.gaps.values()), ledger.gap)
    torch.testing.assert_close(ledger.approximation_gap + ledger.amortisation_gap, ledger.gap)
    torch.testing.assert_close(ledger.amortisation_gap, ledger.gaps["encoder"])
    assert all((gap.mean() > 0) for gap in ledger.gaps.values())


def test_exact_family_has_no_approximation_gap():
    """Linear-Gaussian with a full Gaussian q: sticking the landing finds the posterior."""
    model = linear_gaussian_model()
    x = torch.randn(6, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
    log_px = linear_gaussian_marginal(model).log_prob(x).detach()
    model.posterior = seeded(lambda: DiagonalGaussian(MLP(3, (), 4)))
    ledger = gap_ledger(model, x, log_px, ("full",), num_samples=10, num_steps=800)
    assert ledger.approximation_gap.abs().max() < 1e-2 and ledger.noise["best full q"].max() < 1e-2
    assert ledger.amortisation_gap.mean() > 0.1


def test_table_by_hand():
    bounds = {"best q": torch.tensor([-2.0, -4.0]), "encoder": torch.tensor([-2.5, -5.5])}
    ledger = GapLedger(torch.tensor([-1.0, -2.0]), bounds, {name: torch.zeros(2) for name in bounds})
    table = ledger.table()
    assert table["mean"].to_dict() == {
        "log p(x)": -1.5,
        "bound, best q": -3.0,
        "bound, encoder": -4.0,
        "approximation gap": 1.5,
        "amortisation gap": 1.0,
        "gap": 2.5,
    }
    assert table.loc["gap", "se"] == pytest.approx(1.0)


def test_gaps_of_several_families_by_hand():
    """The approximation gap is that of the encoder's own family, the poorest, not of the richest."""
    bounds = {name: torch.tensor([value]) for name, value in (("full", -1.5), ("diagonal", -2.5), ("encoder", -5.0))}
    ledger = GapLedger(torch.tensor([-1.0]), bounds, {name: torch.zeros(1) for name in bounds})
    assert {name: gap.item() for name, gap in ledger.gaps.items()} == {"full": 0.5, "diagonal": 1.0, "encoder": 2.5}
    assert (ledger.approximation_gap.item(), ledger.amortisation_gap.item(), ledger.gap.item()) == (1.5, 2.5, 4.0)


def test_nothing_is_changed_and_chunks_do_not_matter():
    model = neural_model()
    log_px, state = quadrature(model, X).log_px, torch.get_rng_state()
    whole = gap_ledger(model, X, log_px, num_samples=10, num_steps=5)
    assert torch.equal(torch.get_rng_state(), state)
    again = gap_ledger(model, X, log_px, num_samples=10, num_steps=5)
    torch.testing.assert_close(whole.bounds, again.bounds, rtol=0, atol=0)
    small = gap_ledger(model, X, log_px, num_samples=10, num_steps=5, chunk_size=3)
    for name, bound in small.bounds.items():
        assert ((bound - whole.bounds[name]).abs() < 6 * (whole.noise[name] + small.noise[name])).all()


def test_bad_arguments():
    model = neural_model()
    with pytest.raises(ValueError, match=r"log_px must have one number per datum, \[8\], and has shape \[3\]"):
        gap_ledger(model, X, torch.zeros(3))
    with pytest.raises(ValueError, match="families must be one or more"):
        gap_ledger(model, X, torch.zeros(8), ())
    with pytest.raises(ValueError, match="num_samples must be at least 2, and is 1"):
        gap_ledger(model, X, torch.zeros(8), num_samples=1)


def test_families_may_be_functions_and_need_names_of_their_own(neural):
    """Two rows of one name would be one, and the approximation gap that of the wrong family."""
    model, ledger = neural
    few = dict(num_samples=10, num_steps=3)
    bounds = gap_ledger(model, X, ledger.log_px, (diagonal, partial(full)), **few).bounds
    assert list(bounds) == ["best full q", "best diagonal q", "encoder"]
    for families in ((lambda q: diagonal(q), lambda q: full(q)), ("diagonal", diagonal), (), "full"):
        with pytest.raises(ValueError, match="families must be one or more in a sequence, of different names, and are"):
            gap_ledger(model, X, ledger.log_px, families, **few)
    with pytest.raises(ValueError, match="x must hold at least one datum"):
        gap_ledger(model, X[:0], ledger.log_px[:0], **few)


# ------------------------------------------------------------------------------------------- the table of all methods


def small(**options):
    bounds = {name: torch.tensor(value) for name, value in (("best", [-2.0, -4.0]), ("encoder", [-2.5, -5.5]))}
    return GapLedger(torch.tensor([-1.0, -2.0]), bounds, {name: torch.zeros(2) for name in bounds}, **options)


def test_a_method_is_a_row():
    """Two data by hand: its gap to its own evidence, its gain over the encoder paired, and what it cost."""
    ledger = small().with_row("refined", torch.tensor([-2.0, -5.0]), decoder_evaluations=20, seconds=0.5)
    retrained = ledger.with_row("retrained", torch.tensor([-2.0, -5.0]), log_px=torch.tensor([-1.5, -3.5]))
    assert list(ledger.beside) == ["refined"] and not small().beside  # the ledger itself stays as it was
    table = retrained.methods()
    assert list(table.index) == ["best", "encoder", "refined", "retrained"]
    assert table["gap"].tolist() == [1.5, 2.5, 2.0, 1.0]
    assert table["over encoder"].tolist() == [1.0, 0.0, 0.5, 0.5]
    assert table.loc["refined", "over encoder se"] == 0  # 0.5 on both
    assert table.loc["best", "bound se"] == pytest.approx(1.0)
    assert table.loc["refined", ["decoder evaluations", "seconds"]].tolist() == [20, 0.5]
    assert table.loc["retrained", ["decoder evaluations", "seconds"]].isna().all()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("encoder", torch.zeros(2)), "name must be new to the ledger, and 'encoder' is a row of it"),
        (("new", torch.zeros(3)), r"bound must have the shape of log_px, \[2\], and has \[3\]"),
        (("new", torch.tensor([0.0, float("nan")])), "bound must be finite, and is nan for datum 1"),
    ],
)
def test_bad_rows(row, words):
    with pytest.raises(ValueError, match=words):
        small().with_row(*row)
    with pytest.raises(ValueError, match=r"noise must have the shape of log_px, \[2\], and has \[1\]"):
        small().with_row("new", torch.zeros(2), noise=torch.zeros(1))


def test_a_ledger_that_is_none_is_refused():
    with pytest.raises(ValueError, match="refitted must name the row before the encoder's, and is 'best'"):
        GapLedger(torch.zeros(1), *[{name: torch.zeros(1) for name in ("a", "best", "b", "encoder")}] * 2, "best")
    with pytest.raises(ValueError, match="bounds must have 3 rows at least, and has 2"):
        small(refitted="best")
    with pytest.raises(ValueError, match="bounds must have 2 rows at least, and has 1"):
        GapLedger(torch.zeros(1), {"encoder": torch.zeros(1)}, {"encoder": torch.zeros(1)})
    with pytest.raises(ValueError, match="noise must have the rows of bounds"):
        GapLedger(torch.zeros(1), {"best": torch.zeros(1), "encoder": torch.zeros(1)}, {})
    with pytest.raises(ValueError, match="of gaps 2 and 3 only their sum is known"):
        _ = small().encoder_gap
    infinite = {"best": torch.zeros(2), "encoder": torch.tensor([0.0, -math.inf])}
    with pytest.raises(ValueError, match=r"bounds\['encoder'\] must be finite, and is -inf for datum 1"):
        GapLedger(torch.zeros(2), infinite, infinite)


def test_gaps_that_do_not_add_up_are_refused():
    """In float32 a number of a hundred thousand nats has a last digit of eight thousandths."""
    bounds = {"best": torch.tensor([-123456.7]), "refitted": torch.tensor([-0.3]), "encoder": torch.tensor([0.1])}
    noise = {name: torch.zeros(1) for name in bounds}
    log_px = torch.tensor([0.05])
    with pytest.raises(ValueError, match=r"precise enough for their gaps to add up to 0\.001 nats, and miss by"):
        GapLedger(log_px, bounds, noise, refitted="refitted")
    double = {name: bound.double() for name, bound in bounds.items()}
    assert GapLedger(log_px.double(), double, noise, refitted="refitted").identity_error() < 1e-9


def test_it_prints_and_records_itself(capsys):
    bounds = {"best q": [-2.0, -4.0], "refitted": [-2.2, -4.2], "encoder": [-2.5, -5.5]}
    bounds = {name: torch.tensor(value, dtype=F64) for name, value in bounds.items()}
    noise = {name: torch.zeros(2) for name in bounds}
    ledger = GapLedger(torch.tensor([-1.0, -2.0], dtype=F64), bounds, noise, refitted="refitted")
    ledger = ledger.with_row("best flow q*", torch.tensor([-1.5, -3.5], dtype=F64))
    lines = repr(ledger).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "log p(x)",
        *(f"bound, {name}" for name in bounds),
        "approximation gap",
        "encoder gap",
        "training gap",
        "amortisation gap",
        "gap",
        "bound, best flow q*",
    ]
    assert "2.5 ± 1.0 nats" in lines[8]
    ledger.record("test_split")
    said = dict(line.split(" = ") for line in capsys.readouterr().out.splitlines())
    assert said == {
        "test_split_log_px": "-1.5 ± 0.5 nats",
        "test_split_gap": "2.5 ± 1.0 nats",
        "test_split_gap_1": "1.5 ± 0.5 nats",
        "test_split_gap_2": "0.2 nats",
        "test_split_gap_3": "0.8 ± 0.5 nats",
        "test_split_amortisation": "1.0 ± 0.5 nats",
        "test_split_bound_best_flow_q": "-2.5 ± 1.0 nats",
    }


def test_its_waterfall_has_the_three_steps():
    fig = small().waterfall(max_data=1)
    assert [text.get_text() for text in fig.axes[0].get_xticklabels()] == list(small().three)
    assert len(fig.axes[1].patches) == 2
    plt.close(fig)
