"""Bits back: round trips, a code as long as the negative bound, the same on other threads and batches, and refusals."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from cases import linear_gaussian_model, seeded
from torch import nn

from vaecourse import data
from vaecourse.coding import BitsBack, Stack, code_length
from vaecourse.coding.stream import unpack
from vaecourse.estimators import analytic_kl
from vaecourse.exact import frozen_vae, gaussian_bound
from vaecourse.likelihoods import Bernoulli, Binomial, CategoricalPixels, ContinuousBernoulli, Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Rescale
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import MixtureOfGaussians, StandardNormal

LOG2 = math.log(2)
DIGITS = data.load("digits", "test", protocol="fixed").realise()
COUNTS = data.load("digits", "test", protocol="binomial").realise()

MODELS = {  # untrained, of the digits: latents, likelihood, data
    "Bernoulli": lambda: (3, Bernoulli(MLP(3, (16,), 64)), DIGITS),
    "Binomial": lambda: (2, Binomial(MLP(2, (16,), 64), 16), COUNTS),
    "CategoricalPixels": lambda: (5, CategoricalPixels(MLP(5, (16,), 64 * 17), 17), COUNTS),
    "ReLU": lambda: (2, Bernoulli(MLP(2, (16, 16), 64, nn.ReLU)), DIGITS),
}


def model_of(name):
    with torch.random.fork_rng([]):
        torch.manual_seed(2)
        num_latents, likelihood, x = MODELS[name]()
        scale = x.max().item() / 2
        encoder = nn.Sequential(Rescale(scale, scale), MLP(64, (16,), 2 * num_latents))
        return LatentVariableModel(StandardNormal(num_latents), likelihood, DiagonalGaussian(encoder)), x


@pytest.fixture(scope="module")
def frozen():
    return BitsBack(frozen_vae())


@pytest.mark.parametrize("lanes", [None, 1, 7, 300])
@pytest.mark.parametrize("name", MODELS)
def test_images_come_back(name, lanes):
    model, x = model_of(name)
    x = x if lanes != 1 else x[:20]
    codec = BitsBack(model)
    stream = codec.encode(x, lanes, seed=5)
    assert torch.equal(codec.decode(stream), x) and codec.decode(stream).dtype == torch.get_default_dtype()
    assert unpack(stream)[0].num_lanes == (lanes or 1 + len(x) // 100)
    assert code_length(stream).num_images == len(x) and code_length(stream).file_bytes == len(stream)


@pytest.mark.parametrize("precision", [16, 20, 24])
def test_net_length_is_the_negative_bound(precision):
    """All 300 test digits with one lane, over ten draws of the initial bits: within 1 % of the bound by quadrature.

    Their mean: a single net length has a standard deviation of some bytes, because z is a sample.
    """
    model = frozen_vae()
    codec = BitsBack(model, precision, num_cell_bits=8)
    bound = -gaussian_bound(model, DIGITS.double()).sum().item() / LOG2
    net = np.array([code_length(codec.encode(DIGITS, 1 if seed < 2 else 10, seed)).net_bits for seed in range(10)])
    assert abs(net.mean() / bound - 1) < 0.01
    assert net.std() < 0.005 * bound


def test_each_images_code_is_its_bound(frozen):
    """Forty digits, each on 250 lanes of its own: mean net bits over these draws of z against quadrature, z-scores.

    What quantisation adds is allowed .05 bits of 34 an image.
    """
    x = DIGITS[:40]
    bound = -gaussian_bound(frozen_vae(), x.double()) / LOG2
    bits = torch.empty(10, 40, dtype=torch.float64)
    for seed in range(10):
        for number, image in enumerate(x):
            stack = Stack.of_random_bits(25, seed=100 * seed + number)
            frozen.push(stack, image.expand(25, -1))
            bits[seed, number] = (stack.num_bits - stack.clean_bits) / 25
    se = bits.std(0) / math.sqrt(10)
    assert abs((bits.mean(0) - bound).mean()) < 0.05 + 4 * (se.mean() / math.sqrt(40))
    assert ((bits.mean(0) - bound).abs() < 0.1 + 6 * se).all()


@torch.no_grad()
def quantised_bound(model, codec, x, num_samples=50):
    """The negative bound in bits, with what :class:`PixelCodec` makes of a probability: at least one of 2^r for each.

    Of a likelihood that is far off somewhere that is shorter than the bound itself, whose nats have no limit.
    """
    num_levels, total = codec.pixels.largest + 1, 2.0**codec.precision
    draw = model.draw(x, num_samples)
    mass = model.likelihood(draw.z).base_dist.log_prob(x).double().exp()  # [S, B, D]
    floored = ((mass * (total - num_levels) + 1) / total).log().sum(-1)
    return -(floored + draw.log_pz - draw.log_qz_x).mean(0).sum().item() / LOG2


def trained(name):
    """A short training on the counts."""
    model, x = model_of(name)
    train = data.load("digits", "train", protocol="binomial").realise()
    if name == "CategoricalPixels":  # start at the histograms of the pixels
        histogram = torch.stack([(train == level).float().mean(0) for level in range(17)], 1) + 1e-3
        with torch.no_grad():
            model.likelihood.net.layers[-1].bias.copy_(histogram.log().flatten())
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        for _ in range(300):
            optimiser.zero_grad()
            (-analytic_kl(model, train).mean()).backward()
            optimiser.step()
    return model, x


def test_levels_with_free_logits_beat_the_binomial():
    """The code of each is as long as its quantised bound, over three draws of the initial bits; one is much shorter."""
    net = {}
    for name in ("Binomial", "CategoricalPixels"):
        model, x = trained(name)
        codec = BitsBack(model)
        net[name] = np.mean([code_length(codec.encode(x, 10, seed)).net_bits for seed in range(3)])
        assert net[name] == pytest.approx(quantised_bound(model, codec, x), rel=0.01)
    assert net["CategoricalPixels"] < 0.7 * net["Binomial"]


# ------------------------------------------------------------------------------------------------ another machine

CODER = """
import sys
from pathlib import Path
import torch
from vaecourse import data
from vaecourse.coding import BitsBack
from vaecourse.exact import frozen_vae
action, batch_size, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
x = data.load("digits", "test", protocol="fixed").realise()
codec = BitsBack(frozen_vae(), batch_size=batch_size, arithmetic=sys.argv[4])
if action == "encode":
    path.write_bytes(codec.encode(x, lanes=64))
else:
    print(torch.get_num_threads(), torch.equal(codec.decode(path.read_bytes()), x))
"""


def in_a_process(action, batch_size, threads, path, arithmetic="integer", **variables):
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)} | variables
    command = [sys.executable, "-c", CODER, action, str(batch_size), str(path), arithmetic]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_other_threads_and_batches_decode_the_same(tmp_path):
    """Encoded with one thread and 64 images at a time, decoded by another process with two threads, one at a time.

    That one multiplies matrices as a processor of 2008 does, in steps of another length and order (OpenBLAS, on x86).
    """
    assert in_a_process("encode", 64, 1, tmp_path / "code").returncode == 0
    done = in_a_process("decode", 1, 2, tmp_path / "code", OPENBLAS_CORETYPE="Nehalem")
    assert done.stdout.split() == ["2", "True"], done.stderr
    one, other = BitsBack(frozen_vae(), batch_size=300), BitsBack(frozen_vae(torch.float32), batch_size=11)
    assert one.encode(DIGITS, 64) == (tmp_path / "code").read_bytes() == other.encode(DIGITS, 64)


def test_floats_are_found_out(tmp_path):
    """The same in float32: many images are wrong, and decode says so and returns none."""
    codecs = [BitsBack(frozen_vae(), batch_size=size, arithmetic="float32") for size in (64, 1)]
    stack = Stack.of_random_bits(64)
    codecs[0].push(stack, DIGITS)
    endless = Stack(stack.heads, stack.words, source=np.random.PCG64(1))  # it may ask for more than there was
    images = codecs[1].pop(endless, len(DIGITS))
    assert (images != DIGITS).any(1).sum() > 20
    stream = codecs[0].encode(DIGITS, 64)
    with pytest.raises(
        ValueError, match="stream was not decoded: the networks gave other numbers here than where it was written"
    ):
        codecs[1].decode(stream)
    assert torch.equal(codecs[0].decode(stream), DIGITS)  # the same process, batch and threads: by luck


# ------------------------------------------------------------------------------------------------ bad input


def gaussian(likelihood, prior=None, posterior=None):
    return LatentVariableModel(prior or StandardNormal(2), likelihood, posterior or DiagonalGaussian(nn.Linear(6, 4)))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (linear_gaussian_model(), "the posterior must be a DiagonalGaussian.*and this is LinearGaussianPosterior"),
        (gaussian(Gaussian(nn.Linear(2, 6))), "the likelihood must .*discrete pixels .*and Gaussian does not"),
        (gaussian(ContinuousBernoulli(nn.Linear(2, 6))), "and ContinuousBernoulli does not"),
        (gaussian(Bernoulli(nn.Linear(2, 6)), MixtureOfGaussians(3, 2)), "prior must be a StandardNormal.*MixtureOf"),
        (
            gaussian(Bernoulli(nn.Linear(2, 6)), posterior=FullCovarianceGaussian(nn.Linear(6, 5), 2)),
            "the posterior must be a DiagonalGaussian: .*and this is FullCovarianceGaussian",
        ),
        (LatentVariableModel(StandardNormal(2), Bernoulli(nn.Linear(2, 6))), "and this is None"),
        (gaussian(Bernoulli(MLP(2, (3,), 6, nn.Softplus))), "must be made of .*; it has a Softplus"),
        (
            LatentVariableModel(StandardNormal(2), Bernoulli(nn.Linear(2, 6)), DiagonalGaussian(nn.Linear(6, 6))),
            "the posterior must have the 2 latents of the prior, and has 3",
        ),
    ],
)
def test_models_that_cannot_be_coded_are_refused(model, sentence):
    with pytest.raises(ValueError, match=sentence):
        BitsBack(model)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_named(value):
    model = seeded(lambda: gaussian(Bernoulli(MLP(2, (3,), 6))))
    with torch.no_grad():
        model.likelihood.net.layers[2].bias[4] = value
    with pytest.raises(ValueError, match=rf"cannot be coded with: likelihood\.net\.layers\.2\.bias holds {value}"):
        BitsBack(model)


def test_data_that_cannot_be_coded_are_refused(frozen):
    for x, sentence in (
        (0.5 * DIGITS, "Bernoulli on 0 and 1, and has values such as 0.5"),
        (DIGITS[0], r"x must be one or more images \[N, D\], and has shape \[64\]"),
        (DIGITS[:, :60], "x has 60 dimensions, and the likelihood scores 64"),
        (DIGITS[:0], r"x must be one or more images \[N, D\], and has shape \[0, 64\]"),
        (DIGITS[None], r"has shape \[1, 300, 64\]"),
    ):
        with pytest.raises(ValueError, match=sentence):
            frozen.encode(x)
        with pytest.raises(ValueError, match=sentence):
            frozen.push(Stack.of_random_bits(1), x)
    for lanes in (0, 301):
        with pytest.raises(ValueError, match=f"lanes must be between 1 and the number of images 300, and is {lanes}"):
            frozen.encode(DIGITS, lanes)
    for seed in (-1, 1 << 64, None, 0.5):
        with pytest.raises(ValueError, match=r"seed must be a whole number from 0 to 2\^64 - 1, and is"):
            frozen.encode(DIGITS, seed=seed)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"precision": 7}, "precision must be between 8 and 28 bits, and is 7"),
        ({"precision": 29}, "precision must be between 8 and 28 bits, and is 29"),
        ({"precision": 12}, "num_cell_bits must be between 1 and 11 at precision 12, and is 12"),
        ({"batch_size": 0}, "batch_size must be at least 1, and is 0"),
        ({"arithmetic": "bfloat16"}, 'arithmetic must be "integer", "float32" or "float64", and is \'bfloat16\''),
    ],
)
def test_settings_that_are_none_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        BitsBack(frozen_vae(), **arguments)
