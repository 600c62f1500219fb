"""Training at scale: shards, processes, bfloat16, compilation, chunks, and a GPU where there is one."""

import os
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
from cases import neural_model, seeded
from torchrun_job import binary, train

import vaecourse
from vaecourse import data
from vaecourse.estimators import pathwise
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.objectives import iwae
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit, load_checkpoint
from vaecourse.training.machinery.weights import read

gpu = pytest.mark.gpu

# ---------------------------------------------------------------------------------------------------- shards, processes


def torchrun(folder: Path, num_processes: int, *arguments: str) -> subprocess.CompletedProcess:
    """Run the job in several processes of the CPU, as the README says."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
    job = Path(__file__).with_name("torchrun_job.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "VAECOURSE_DEVICE": "cpu"}
    # Before whatever is there, or the children would test another vaecourse than this process does.
    paths = [str(job.parent), str(Path(vaecourse.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return subprocess.run(
        [*command, str(job), str(folder), *arguments], env=environment, capture_output=True, text=True, timeout=200
    )


def outcome(folder: Path) -> tuple[torch.Tensor, list[dict]]:
    model = neural_model(seed=5)
    notes = load_checkpoint(model, folder / "model")
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach(), notes["records"]


def agree(first, second) -> bool:
    """Equal up to the order of float64 sums: 20 steps of Adam amplify 1e-16 by less than a million."""
    (parameters, records), (others, other_records) = first, second
    close = [
        one.keys() == two.keys() and all(one[name] == pytest.approx(two[name], rel=1e-9) for name in one)
        for one, two in zip(records, other_records, strict=True)
    ]
    return torch.allclose(parameters, others, rtol=0, atol=1e-9) and all(close)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    train(folder, num_shards=4, checkpoint=None, num_epochs=5)
    return folder


def test_two_processes_agree_with_one(alone, tmp_path):
    result = torchrun(tmp_path, 2, "4", "5", "checkpoint")
    assert result.returncode == 0, result.stderr
    assert read(tmp_path / "model")[1]["package"] == vaecourse.__file__
    assert agree(outcome(alone), outcome(tmp_path))
    # What two processes wrote, one process continues.
    train(tmp_path, num_shards=4, checkpoint=tmp_path / "training", num_epochs=6)
    train(alone.parent, num_shards=4, checkpoint=None, num_epochs=6)
    assert agree(outcome(alone.parent), outcome(tmp_path))


def test_shards_have_noise_of_their_own(alone, tmp_path):
    train(tmp_path, num_shards=2, checkpoint=None, num_epochs=5)
    assert not agree(outcome(alone), outcome(tmp_path))


def test_number_that_is_none_in_one_process_stops_all(tmp_path):
    result = torchrun(tmp_path, 2, "2", "1", "broken")
    assert result.returncode != 0 and not (tmp_path / "model").exists()
    assert result.stderr.count("FloatingPointError: epoch 1, batch 1: the bound is nan") == 2
    assert "began in another process" in result.stderr and "the bound itself" in result.stderr


def test_shards_that_cannot_be_shared_out_are_refused(tmp_path):
    result = torchrun(tmp_path, 2, "3", "1")
    assert "num_shards must be a multiple of the 2 processes, and is 3" in result.stderr


def test_a_shard_holds_only_its_part_of_the_batch():
    sizes = []

    def bound(model, x):
        sizes.append(len(x))
        return pathwise(model, x)

    fit(seeded(neural_model), bound, binary(25, 0, "train"), num_epochs=1, batch_size=20, num_shards=7, progress=False)
    assert sorted(sizes) == sorted([3, 3, 3, 3, 3, 3, 2, 1, 1, 1, 1, 1])


# -------------------------------------------------------------------------------------------- precision, compilation


def vae(full: bool = False) -> LatentVariableModel:
    q = FullCovarianceGaussian(MLP(64, (50, 50), 20), 5) if full else DiagonalGaussian(MLP(64, (50, 50), 10))
    return LatentVariableModel(StandardNormal(5), Bernoulli(MLP(5, (50, 50), 64)), q)


def test_a_processor_without_bfloat16_is_told_once(monkeypatch):
    """Before training, and only where it is asked for."""
    import importlib

    train = data.load("digits", "valid", "fixed").head(20)
    module = importlib.import_module("vaecourse.training.fit")
    for units, precision, expected in ((False, "bf16", 1), (True, "bf16", 0), (False, "fp32", 0)):
        monkeypatch.setattr(module, "has_bfloat16_units", lambda device, units=units: units)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(seeded(vae).float(), pathwise, train, num_epochs=2, precision=precision, progress=False)
        said = [w for w in caught if "this processor has no units for bfloat16" in str(w.message)]
        assert len(said) == expected


@pytest.mark.parametrize("full", [False, True])
def test_bf16_bound_is_within_rounding_of_fp32(full):
    """bfloat16 has 8 bits: logits of size 1 are off by up to 2^-9, independently, in each of 64 pixels and 5 latents.

    The bound of one datum then moves by a few times sqrt(69) * 2^-9 = 0.016 nats, and the mean over 1200 data by less
    than a fifth of that even where the errors of one weight are shared by all data.
    """
    model = seeded(partial(vae, full)).float()
    x = data.load("digits", "train", "fixed").realise()
    draws = []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            draws.append(model.draw(x, 5))
    assert all(value.dtype == torch.float32 for value in draws[1])
    difference = draws[1].log_w - draws[0].log_w
    assert 0 < difference.abs().max() < 10 * 0.016 and difference.mean().abs() < 0.2 * 0.016


def test_bf16_trains_to_the_same_bound():
    train, valid = data.load("digits", "train", "dynamic"), data.load("digits", "valid", "dynamic")
    reached = {}
    for precision in ("fp32", "bf16"):
        history = fit(
            seeded(vae).float(), pathwise, train, valid=valid, num_epochs=15, precision=precision, progress=False
        )
        reached[precision] = history.records[-1]["valid_bound"]
    assert reached["fp32"] > -30
    # After 180 steps the paths differ as two seeds would; seeds differ by about 0.1 nats here.
    assert reached["bf16"] == pytest.approx(reached["fp32"], abs=0.5)


def test_bf16_is_of_the_networks_of_training_alone():
    """Their outputs are rounded to eight bits in a step of training, and never in validation."""
    rounded = {True: set(), False: set()}

    def bound(model, x):
        outputs = model.posterior.net(x)
        rounded[model.training].add(torch.equal(outputs.float(), outputs.bfloat16().float()))
        return pathwise(model, x)

    train = data.load("digits", "valid", "fixed")
    for precision, expected in (("bf16", True), ("fp32", False)):
        rounded[True].clear()
        fit(seeded(vae).float(), bound, train, valid=train, num_epochs=1, precision=precision, progress=False)
        assert rounded == {True: {expected}, False: {False}}


def test_parameters_stay_in_float32():
    model = seeded(vae).float()
    fit(model, pathwise, data.load("digits", "valid", "dynamic"), num_epochs=1, precision="bf16", progress=False)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.fixture(scope="module")
def compiler():
    """torch.compile needs a C++ compiler; without one the refusal is tested instead."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(3))
    except Exception:
        pytest.skip("no C++ compiler here")


def test_compiled_training_agrees_with_eager(compiler):
    """The same arithmetic in another order: after 3 steps in float32, bounds of -40 agree to 1e-4."""
    train = data.load("digits", "valid", "dynamic")

    def bound(model, x):  # noise of its own, since compiled code draws torch's numbers in another way
        noise = torch.linspace(-1.5, 1.5, 5) * x[:, :5]
        q = model.posterior(x)
        z = (q.base_dist.loc + q.base_dist.scale * noise)[None]
        return model.score(x, z, q.log_prob(z)).log_w.mean(0)

    histories = [
        fit(seeded(vae).float(), bound, train, num_epochs=1, compile=compile, progress=False)
        for compile in (False, True)
    ]
    first, second = (history.records[0] for history in histories)
    assert first["bound"] == pytest.approx(second["bound"], abs=1e-4)
    assert first["gradient_norm"] == pytest.approx(second["gradient_norm"], rel=1e-4)


def test_compiled_code_of_one_model_is_not_used_for_another(compiler):
    """torch keeps compiled code by function, and every training compiles the same one."""
    train = data.load("digits", "valid", "dynamic").head(200)

    def bound(model, x):
        return model.score(x, model.posterior(x).mean[None], torch.zeros(1, len(x))).log_w.mean(0)

    def model(width, activation=torch.nn.Tanh):
        net = MLP(64, (width,), 10, activation=activation)
        return LatentVariableModel(StandardNormal(5), Bernoulli(MLP(5, (width,), 64)), DiagonalGaussian(net))

    for made in (partial(model, 20), partial(model, 20, torch.nn.ReLU), partial(model, 30)):
        first, second = (
            fit(seeded(made).float(), bound, train, num_epochs=1, compile=compile, progress=False).records[0]["bound"]
            for compile in (False, True)
        )
        assert first == pytest.approx(second, abs=1e-4)


def test_a_bounds_own_error_is_not_blamed_on_the_compiler(compiler):
    train = data.load("digits", "valid", "dynamic")
    with pytest.raises(ValueError, match="bound must return one number per datum"):
        fit(seeded(vae).float(), lambda model, x: pathwise(model, x).mean(), train, num_epochs=1, compile=True)


class RunningMean(torch.nn.Module):
    """A bound that changes a buffer of its own as it goes, and so cannot be differentiated as a function."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, model, x):
        values = model.score(x, model.posterior(x).mean[None], torch.zeros(1, len(x))).log_w.mean(0)
        self.mean.lerp_(values.detach().mean(), 0.1)
        return values + 0 * self.mean


def test_bound_with_a_running_mean_can_be_compiled(compiler):
    train = data.load("digits", "valid", "dynamic")
    results = []
    for compile in (False, True):
        bound = RunningMean()
        history = fit(seeded(vae).float(), bound, train, num_epochs=1, compile=compile, progress=False)
        results.append((history.records[0]["bound"], history.records[0]["gradient_norm"], bound.mean.item()))
    assert results[0] == pytest.approx(results[1], rel=1e-4) and results[0][2] < -1


def test_no_compiler_is_said_in_a_sentence(monkeypatch):
    from torch._dynamo.exc import TorchDynamoException

    def no_compiler(function, **options):
        def compiled(*arguments):
            raise TorchDynamoException("no working C++ compiler\nand many lines")

        return compiled

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(
        RuntimeError, match=r"^compile=True cannot work here, use compile=False: no working C\+\+ compiler$"
    ):
        fit(
            seeded(vae).float(),
            pathwise,
            data.load("digits", "valid", "dynamic"),
            num_epochs=1,
            compile=True,
            progress=False,
        )


def test_chunks_change_neither_values_nor_training():
    train = data.load("digits", "valid", "dynamic").head(60)
    models = [seeded(vae), seeded(vae)]
    for model, chunk_size in zip(models, (None, 70)):
        bound = partial(pathwise, num_samples=5, objective=iwae)
        model.chunk_size = chunk_size
        fit(model, bound, train, num_epochs=2, batch_size=30, progress=False)
    vectors = [torch.nn.utils.parameters_to_vector(model.parameters()) for model in models]
    assert torch.allclose(*vectors, rtol=0, atol=1e-9)  # float64; four steps


# ---------------------------------------------------------------------------------------------------------------- GPU


@pytest.fixture
def accelerator():
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        pytest.skip("no accelerator here")
    return found


@gpu
def test_gpu_agrees_with_cpu(accelerator):
    """Order and binarisation differ by device only in what the device's generator draws; one epoch without noise."""
    train = data.load("digits", "valid", "fixed")

    def bound(model, x):
        q = model.posterior(x)
        z = q.base_dist.loc[None]
        return model.score(x, z, q.log_prob(z)).log_w.mean(0)

    on = {
        device: fit(seeded(vae).float(), bound, train, num_epochs=2, device=device, progress=False)
        for device in ("cpu", accelerator)
    }
    first, second = (history.records[-1]["bound"] for history in on.values())
    assert first == pytest.approx(second, abs=1e-3)  # float32, perhaps TF32


@gpu
def test_gpu_resumes_bit_by_bit(accelerator, tmp_path):
    train = data.load("digits", "valid", "dynamic")
    whole, parts = seeded(vae).float(), seeded(vae).float()
    options = dict(device=accelerator, progress=False)
    fit(whole, pathwise, train, num_epochs=4, **options)
    fit(parts, pathwise, train, num_epochs=2, checkpoint=tmp_path / "training", **options)
    parts = seeded(vae).float()
    fit(parts, pathwise, train, num_epochs=4, checkpoint=tmp_path / "training", **options)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters()))


@gpu
@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"compile": True}, {"precision": "bf16", "compile": True}])
def test_gpu_modes_reach_the_same_bound(accelerator, options):
    train, valid = data.load("digits", "train", "dynamic"), data.load("digits", "valid", "dynamic")
    settings = dict(valid=valid, num_epochs=15, device=accelerator, progress=False)
    plain = fit(seeded(vae).float(), pathwise, train, **settings).records[-1]["valid_bound"]
    assert fit(seeded(vae).float(), pathwise, train, **settings, **options).records[-1]["valid_bound"] == pytest.approx(
        plain, abs=0.5
    )


@gpu
def test_gpu_memory_is_bounded_by_chunks(accelerator):
    if accelerator.type != "cuda":
        pytest.skip("peak memory is read on CUDA")
    model, x = seeded(vae).float().to(accelerator), data.load("digits", "train", "fixed", accelerator).batch()
    peaks = []
    for chunk_size in (None, 5000):
        torch.cuda.reset_peak_memory_stats()
        model.chunk_size = chunk_size
        pathwise(model, x, 200, iwae).sum().backward()
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] < peaks[0] / 5
