"""Benchmarks: every contender does the same work, and the script runs and writes what it promises. Nothing is timed."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributions as td
from torch.utils.flop_counter import FlopCounterMode

from vaecourse import data
from vaecourse.estimators import pathwise

ROOT = Path(__file__).parent.parent
LEARNERS = ("course", "plain_loop", "pyro_svi", "pythae_vae")


@pytest.fixture
def contenders(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module("contenders")
    names = "common contenders presentation training evaluation chains coding pixels".split()
    names += "autoregressive planar iaf_vae flows weighted".split()
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def train():
    return data.load("digits", protocol="dynamic").head(1000)


def run(contenders, name, train, num_epochs):
    with contenders.silence():
        try:
            return getattr(contenders, name)(train, num_epochs)
        except contenders.UnavailableError as error:
            pytest.skip(str(error))


@pytest.mark.parametrize("name", LEARNERS)
def test_contenders_maximise_the_same_bound(contenders, train, name, monkeypatch):
    """With a learning rate of nothing, each reports the bound of the initial model, up to the noise of its draws."""
    monkeypatch.setattr(contenders, "LEARNING_RATE", 1e-12)
    torch.manual_seed(1)
    model = contenders.course_model(64)
    with torch.no_grad():
        values = torch.stack([pathwise(model, train.batch()) for _ in range(50)])  # [50, N]
    # A run of one epoch draws once a datum; the reference's own noise is a fiftieth of that in variance.
    se = values.var(0).mean().div(len(train)).sqrt().item() * math.sqrt(1 + 1 / 50)
    torch.manual_seed(2)
    bound = run(contenders, name, train, 1).bound
    assert abs(bound - values.mean().item()) < 4 * se


@pytest.mark.parametrize("name", [*LEARNERS[1:], "matrix_products"])
def test_contenders_multiply_the_same_matrices(contenders, name):
    """One more batch in an epoch costs the same floating-point operations; what happens once an epoch cancels."""

    def flops_of_a_step(name):
        counts = []
        for size in (1000, 1100):  # an evaluation after each epoch sees a thousand data in both
            with FlopCounterMode(display=False) as counter:
                run(contenders, name, data.load("digits", protocol="dynamic").head(size), 1)
            counts.append(counter.get_total_flops())
        return counts[1] - counts[0]

    assert flops_of_a_step(name) == flops_of_a_step("course") > 0


def test_contenders_learn(contenders, train):
    """Epochs count in the order they ran, and the last is the one reported."""
    first, later = (run(contenders, "course", train, num_epochs) for num_epochs in (1, 10))
    assert len(later.seconds) == 10 and min(later.seconds) > 0
    assert later.bound > first.bound + 1


def test_quick_run_writes_numbers_and_figure(tmp_path):
    script = [sys.executable, ROOT / "benchmarks" / "training.py", "--quick", "--threads", "1", "--out", tmp_path]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["training.json", "training.png"]
    result = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert result["threads"] == 1 and result["data"] == "digits, dynamic binarisation, train"
    for name, row in result["training"].items():
        assert name in done.stdout
        if "unavailable" in row:
            assert row["unavailable"] in done.stdout and not row["seconds"]
        else:
            assert len(row["images_per_second"]) == result["rounds"] == 2 and min(row["images_per_second"]) > 0
    assert result["training"]["vaecourse fp32"]["seconds"]
    assert result["training"]["matrix products alone"]["ratios"]["floor"] == [1.0, 1.0]
    assert [(row["k"], row["chunk_size"]) for row in result["samples"]] == [(1, None), (5, None), (5, 200), (20, 200)]
    assert result["samples"][0]["relative"] == [1.0, 1.0]
    if sys.platform == "linux":
        assert result["samples"][0]["peak_mib"] > 1


def test_quick_run_of_the_coder(contenders, tmp_path):
    """Every contender gives the pixels back at the length of their information; the library may be missing."""
    pixels = importlib.import_module("coding").pixels
    script = [sys.executable, ROOT / "benchmarks" / "coding.py", "--quick", "--out", tmp_path]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "coding.json").read_text(encoding="utf-8"))
    library = result["symbols"]["constriction"]
    for name, row in result["symbols"].items():
        assert name in done.stdout
        if "unavailable" not in row:
            assert len(row["encode"]) == len(row["decode"]) == result["rounds"] == 2 and min(row["encode"]) > 0
            logits, x = map(torch.from_numpy, pixels(3 if name.endswith("1 lane") else 60))
            information = -td.Bernoulli(logits=logits).log_prob(x.double()).mean().item() / math.log(2)
            # The frequencies are rounded to 2^-24, and the library counts its head: 64 bits of 20,900.
            assert row["bits"][0] == pytest.approx(information, rel=0.005)
    assert ("unavailable" in library) == (result["versions"]["constriction"] is None)
    assert result["symbols"]["vaecourse, 1000 lanes"]["encode"]
    assert [(row["images"], row["num_images"]) for row in result["sets"]] == [(60, 60)]


def test_quick_run_of_pixels(tmp_path):
    """Both ways draw the same images; sizes and rounds are those asked for."""
    script = [sys.executable, ROOT / "benchmarks" / "pixels.py", "--quick", "--threads", "1", "--out", tmp_path]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "pixels.json").read_text(encoding="utf-8"))
    (row,) = result["sampling"]
    assert (row["side"], row["images"], row["different_pixels"]) == (6, 2, 0)
    assert len(row["ratios"]) == result["rounds"] == 2 and min(row["ratios"]) > 0
    assert [row["side"] for row in result["growth"]] == [4, 8]
    assert "pixels that differ" in done.stdout and "microseconds a pixel" in done.stdout


@pytest.mark.parametrize("given", [["--rounds", "0"], ["--images", "many"]])
def test_bad_input_is_one_sentence(contenders, given, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module("training").parse(given)
    assert f"argument {given[0]}: must be a whole number from 1, and is {given[1]}" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ evaluation


def test_estimates_of_one_thing(contenders):
    """pythae's and the course's log p(x) of the same images under the same network, within their noise."""
    evaluation = importlib.import_module("evaluation")
    x = data.load("digits", "test", protocol="fixed").head(20).realise()
    torch.manual_seed(0)
    with contenders.silence():
        values = {name: call() for name, call in evaluation.importance_contenders(x, 500).items()}
    if len(values) == 1:
        pytest.skip("pythae is not installed")
    noise = evaluation.importance_log_likelihood(contenders.course_model(64), x, 500).se.square().sum().sqrt() / 20
    for value in values.values():
        # pythae gives the negative; two such estimates differ by the noise of both.
        assert abs(abs(value) - abs(values["vaecourse"])) < 5 * math.sqrt(2) * noise


def test_the_loop_over_chains_is_the_same_algorithm(contenders):
    """Both average to p(x): the log-weights of many chains for one datum, and their spread."""
    from vaecourse.evaluation.annealing import temperatures
    from vaecourse.exact import frozen_log_px, frozen_vae

    looped = importlib.import_module("chains").looped_ais
    evaluation = importlib.import_module("evaluation")
    model = frozen_vae(torch.float32)
    x = data.load("digits", "test", protocol="fixed").head(1).realise()
    sizes = torch.linspace(0.5, 0.1, 9)[:, None]
    torch.manual_seed(0)
    log_w = looped(model.likelihood.net, x, temperatures("sigmoid", 10), sizes, 100, 3)[:, 0]
    ours = evaluation.ais(model, x.expand(100, -1), 10, 1, step_sizes=sizes, num_leapfrog=3).log_px
    truth = frozen_log_px("test")[0]
    difference = log_w.mean() - ours.mean()
    assert abs(difference) < 4 * math.sqrt((log_w.var() + ours.var()) / 100)
    assert abs(log_w.logsumexp(0) - math.log(100) - truth) < 1  # a hundred chains of ten steps


def test_quick_run_of_evaluation_writes_its_numbers(tmp_path):
    script = [sys.executable, ROOT / "benchmarks" / "evaluation.py", "--quick", "--threads", "1", "--out", tmp_path]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert len(result["importance"]["rows"]["vaecourse"]["seconds"]) == result["rounds"] == 2
    for chains in result["chains"].values():
        assert min(chains["ratios"]) > 0 and len(chains["rows"]) == 2
    assert [(row["kind"], row["chunk_size"]) for row in result["memory"]] == [("importance", 500), ("ais", 500)]
    if sys.platform == "linux":
        assert all(row["peak_mib"] > 1 for row in result["memory"])


# ------------------------------------------------------------------------------------------------ flows


@pytest.fixture
def flows(contenders):
    return importlib.import_module("flows")


@pytest.mark.parametrize("task", ["coupling", "density", "training"])
@pytest.mark.parametrize("name", ["nflows", "zuko"])
def test_flows_multiply_the_same_matrices(flows, task, name):
    def flops(name):
        call = flows.TASKS[task][name](flows.Sizes(8, (16, 16), 3, 20))
        with FlopCounterMode(display=False) as counter:
            call()
        return counter.get_total_flops()

    try:
        assert flops(name) == flops("vaecourse") > 0
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("task", ["affine, one pass", "affine, L steps", "affine, training"])
@pytest.mark.parametrize("name", ["nflows", "zuko", "pyro"])
def test_autoregressive_steps_multiply_the_same_matrices(flows, task, name):
    """Theirs go through the whole network once for each coordinate, zuko once more, where ours computes it once in all:
    two layers of it, as the first is added input by input without a product of matrices."""

    def flops(name):
        call = flows.autoregressive.TASKS[task][name](flows.Sizes(8, (16, 16), 1, 20))
        with FlopCounterMode(display=False) as counter:
            call()
        return counter.get_total_flops()

    if name not in flows.autoregressive.TASKS[task]:
        pytest.skip("they have none")
    try:
        if task == "affine, L steps":  # 8 coordinates, of layers 8-16-16-16
            passes, once = (9 if name == "zuko" else 8), 2 * 20 * 16 * (8 + 16 + 16)
            assert flops(name) == passes * once and flops("vaecourse") == once - 2 * 20 * 16 * 8
        else:
            assert flops(name) == flops("vaecourse") > 0
    except ImportError as error:
        pytest.skip(str(error))


def test_vae_with_iaf_multiplies_the_same_matrices_and_climbs_the_same_bound(flows):
    """The bound of the initial model, whose flow is near the identity for both, up to the noise of a batch's draws."""
    sizes = flows.Sizes(4, (16,), 2, 500)

    def flops(call):
        with FlopCounterMode(display=False) as counter:
            value = call()
        return counter.get_total_flops(), value

    try:
        theirs, loss = flops(flows.iaf_vae.pyro(sizes))
    except ImportError as error:
        pytest.skip(str(error))
    ours, _ = flops(flows.iaf_vae.course(sizes))
    assert theirs == ours > 0
    model = flows.iaf_vae.course_model(sizes)
    with torch.no_grad():
        bounds = pathwise(model, flows.iaf_vae.images(sizes))  # [500], as noisy as theirs
    assert abs(-loss / len(bounds) - bounds.mean()) < 5 * (2 / len(bounds)) ** 0.5 * bounds.std()


def test_quick_run_of_flows(tmp_path):
    script = [sys.executable, ROOT / "benchmarks" / "flows.py", "--quick", "--threads", "1", "--out", tmp_path]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "flows.json").read_text(encoding="utf-8"))
    assert result["threads"] == 1 and len(result["sizes"]) == 1
    for row in result["sizes"]:
        for name, task in row["tasks"].items():
            assert name in done.stdout and len(task["vaecourse"]["ms"]) == result["rounds"] == 2
            for library in ("nflows", "zuko"):
                assert ("unavailable" in task[library]) == (result["versions"][library] is None)
                assert "unavailable" in task[library] or min(task[library]["ms"]) > 0
            assert len(task["ratios"]) == (2 if result["versions"]["zuko"] or result["versions"]["nflows"] else 0)
        for name, task in row["steps"].items():
            assert name in done.stdout and len(task["vaecourse"]["ms"]) == 2
            for library in task.keys() - {"vaecourse", "ratios"}:
                assert "unavailable" in task[library] or min(task[library]["ms"]) > 0


# ------------------------------------------------------------------------------------------------ importance weights


@pytest.mark.parametrize("name", ["digits", "MNIST"])
def test_the_loop_over_samples_makes_the_same_gradient(contenders, name):
    """From the same noise: one call draws what the loop draws, in the same order."""
    weighted = importlib.import_module("weighted")
    model = weighted.network(*weighted.NETWORKS[name]).double()
    x = torch.ones(weighted.BATCH_SIZE, weighted.NETWORKS[name][0], dtype=torch.float64)
    values, gradients = [], []
    for way in weighted.WAYS.values():
        torch.manual_seed(0)
        values.append(way(model, x, 4))
        gradients.append(torch.autograd.grad(values[-1].sum(), list(model.parameters())))
    torch.testing.assert_close(*values, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_quick_run_of_importance_weights(tmp_path):
    script = [sys.executable, ROOT / "benchmarks" / "weighted.py", "--quick", "--threads", "1", "--out", tmp_path]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "weighted.json").read_text(encoding="utf-8"))
    assert [(row["network"], row["k"]) for row in result["gradients"]] == [("digits", 5), ("MNIST", 5)]
    for row in result["gradients"]:
        assert row["network"] in done.stdout and row["difference"] < 1e-4  # of float32
        assert len(row["ratios"]) == result["rounds"] == 2 and min(row["ratios"]) > 0
    assert [row["bound"] for row in result["training"]] == ["IWAE", "DReG"]
    for row in result["training"]:
        assert list(row["ms"]) == ["float32", "bfloat16"] and len(row["ratios"]["bfloat16"]) == 2
        assert min(row["ms"]["float32"] + row["ms"]["bfloat16"]) > 0
