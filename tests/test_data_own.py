"""Data of one's own: what becomes a data set, what is refused and how; pairs that can be compared; bits."""

import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from vaecourse import data
from vaecourse.data.dataset import PROTOCOLS

GREY = torch.arange(24, dtype=torch.uint8).reshape(4, 6)
REAL = torch.linspace(-3, 3, 24).reshape(4, 6)


# from_tensors


def test_real_numbers_are_scored_as_they_are():
    part = data.from_tensors(REAL.double(), protocol="real", name="wine")
    assert part.x.dtype == part.batch().dtype == torch.float32 and part.levels is None
    assert torch.equal(part.batch(slice(1, 3)), REAL[1:3]) and torch.equal(part.realise(seed=5), REAL)
    assert part.label == "wine, real numbers, train" and repr(part).endswith("; 4 data, D = 6)")
    assert part.fingerprint != data.from_tensors(REAL + 1e-3, protocol="real", name="wine").fingerprint


@pytest.mark.parametrize(("protocol", "expected"), [("binomial", GREY), ("integer", GREY), ("intensity", GREY / 255)])
@pytest.mark.parametrize("kind", ["uint8", "int64", "float64", "numpy", "big-endian", "strides"])
def test_whole_numbers_of_any_dtype(protocol, expected, kind):
    x = {
        "numpy": GREY.numpy(),
        "big-endian": GREY.numpy().astype(">u2"),
        "strides": GREY.numpy()[::-1, ::-1][::-1, ::-1],
    }.get(kind)
    x = GREY.to(getattr(torch, kind)) if x is None else x
    part = data.from_tensors(x, protocol=protocol, levels=255)
    assert part.x.dtype == torch.uint8 and part.levels == 255
    torch.testing.assert_close(part.batch(), expected.float())


@pytest.mark.parametrize("dtype", [torch.bool, torch.int8, torch.float16, torch.bfloat16, torch.int32])
def test_binary_data(dtype):
    bits = torch.tensor([[0, 1, 1], [1, 0, 0]], dtype=dtype)
    part = data.from_tensors(bits, protocol="dynamic", levels=None if dtype == torch.bool else 1)
    assert part.x.dtype == torch.uint8 and part.levels == 1
    for _ in range(3):
        assert torch.equal(part.batch(), bits.float())
    assert data.from_tensors(bits, protocol="integer", levels=255).levels == 255


def test_probabilities_are_kept_and_flipped_as_coins():
    p = torch.tensor([0.0, 0.25, 0.5, 0.9, 1.0]).expand(20000, 5)
    part = data.from_tensors(p, protocol="dynamic")
    assert part.x.dtype == torch.float32 and part.levels == 1
    x = part.batch(generator=torch.Generator().manual_seed(0)).double()
    assert set(x.unique().tolist()) == {0.0, 1.0} and (x[:, 0] == 0).all() and (x[:, 4] == 1).all()
    p = p[0, 1:4].double()
    z = (x[:, 1:4].mean(0) - p) / (p * (1 - p) / 20000).sqrt()
    assert z.abs().max() < 4.5
    intensity = data.from_tensors(p.float().expand(2, 3), protocol="intensity")
    torch.testing.assert_close(intensity.batch(), p.float().expand(2, 3))
    zeros_and_ones = data.from_tensors(torch.eye(3), protocol="fixed")
    assert zeros_and_ones.x.dtype == torch.uint8 and torch.equal(zeros_and_ones.batch(), torch.eye(3))


@pytest.mark.parametrize(
    ("shape", "given", "image_shape"),
    [
        ((4, 6), None, (6,)),
        ((4, 6), (2, 3), (2, 3)),
        ((4, 2, 3), None, (2, 3)),
        ((4, 1, 2, 3), None, (2, 3)),
        ((4, 3, 1, 2), None, (3, 1, 2)),
        ((4, 2, 3), [6], (6,)),
    ],
)
def test_images_become_rows(shape, given, image_shape):
    part = data.from_tensors(GREY.reshape(shape), protocol="integer", levels=255, image_shape=given)
    assert part.image_shape == image_shape and torch.equal(part.x, GREY)


def test_labels():
    y = np.array([2, 0, 1, 0], dtype=np.uint8)
    part = data.from_tensors(GREY, y, protocol="integer", levels=255, split="valid")
    assert part.y.dtype == torch.int64 and part.y.tolist() == [2, 0, 1, 0] and part.split == "valid"
    assert part.with_labels(3).batch().y.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
    wider = data.from_tensors(GREY, torch.tensor(y).float(), protocol="integer", levels=255, num_classes=5)
    assert wider.with_labels().batch().y.shape == (4, 5)


def test_a_copy_is_made():
    x, array = REAL.clone().requires_grad_(), GREY.numpy().copy()
    parts = data.from_tensors(x, protocol="real"), data.from_tensors(array, protocol="integer", levels=255)
    x.data.zero_()
    array[:] = 0
    assert torch.equal(parts[0].x, REAL) and torch.equal(parts[1].x, GREY) and not parts[0].x.requires_grad


NAN = torch.where(torch.arange(24).reshape(4, 6) == 13, torch.nan, REAL)


@pytest.mark.parametrize(
    ("error", "sentence", "x", "options"),
    [
        (TypeError, "x must be a dense tensor or NumPy array .* got list", [[1.0]], {"protocol": "real"}),
        (TypeError, "x must be .* got DataLoader", DataLoader(GREY), {"protocol": "real"}),
        (TypeError, "x must be .* got Tensor of torch.complex64", REAL + 0j, {"protocol": "real"}),
        (TypeError, "x must be .* got Tensor", REAL.to_sparse(), {"protocol": "real"}),
        (TypeError, "x must be .* got ndarray of object", np.array([["a", None]]), {"protocol": "real"}),
        (TypeError, "x must be .* got MaskedArray", np.ma.masked_equal(GREY.numpy(), 3), {"protocol": "real"}),
        (ValueError, r"x must have shape \[N, D\] .* got \[6\]", REAL[0], {"protocol": "real"}),
        (ValueError, r"x must have shape .* got \[0, 6\]", REAL[:0], {"protocol": "real"}),
        (ValueError, r"x must have shape .* got \[4, 0\]", REAL[:, :0], {"protocol": "real"}),
        (ValueError, r"x must hold finite numbers .* got nan at \[2, 1\]", NAN, {"protocol": "real"}),
        (ValueError, r"x must hold finite .* got 1e\+300 at \[0, 0\]", REAL.double() + 1e300, {"protocol": "real"}),
        (ValueError, "levels must be None under protocol real", REAL, {"protocol": "real", "levels": 255}),
        (ValueError, r"levels must be .* \(255 for 8-bit images.* got None", GREY, {"protocol": "dynamic"}),
        (ValueError, "levels must be .* got None", REAL.abs(), {"protocol": "integer"}),
        (ValueError, "levels must be .* got 0", GREY, {"protocol": "dynamic", "levels": 0}),
        (ValueError, "levels must be .* got 65535", GREY, {"protocol": "integer", "levels": 65535}),
        (ValueError, "levels must be .* got 255.0", GREY, {"protocol": "integer", "levels": 255.0}),
        (ValueError, "levels must be .* got True", GREY, {"protocol": "integer", "levels": True}),
        (ValueError, r"whole numbers 0\.\.16 .* got 17 at \[2, 5\]", GREY, {"protocol": "binomial", "levels": 16}),
        (ValueError, r"0\.\.255 .* got -1 at \[0, 0\]", GREY.int() - 1, {"protocol": "integer", "levels": 255}),
        (ValueError, r"whole numbers 0\.\.255 .* got 0.5 at", GREY + 0.5, {"protocol": "dequantised", "levels": 255}),
        (ValueError, r"whole numbers .* got nan at \[2, 1\]", NAN.abs().round(), {"protocol": "dynamic", "levels": 9}),
        (ValueError, r"\[0, 1\] under protocol dynamic without levels; got 2", GREY.float(), {"protocol": "dynamic"}),
        (ValueError, r"\[0, 1\] under protocol fixed .* got -3 at \[0, 0\]", REAL, {"protocol": "fixed"}),
        (ValueError, r"\[0, 1\] .* got nan at \[2, 1\]", NAN.clamp(0, 1), {"protocol": "intensity"}),
        (ValueError, "protocol must be one of binomial, .*, real; got 'gaussian'", REAL, {"protocol": "gaussian"}),
        (ValueError, "split must be one of train, valid, test; got 'dev'", REAL, {"protocol": "real", "split": "dev"}),
        (ValueError, "name must be a word or more; got ''", REAL, {"protocol": "real", "name": ""}),
        (ValueError, r"image_shape must .*, 6; got \(2, 2\)", REAL, {"protocol": "real", "image_shape": (2, 2)}),
        (ValueError, r"image_shape must .*, 6; got \(-2, -3\)", REAL, {"protocol": "real", "image_shape": (-2, -3)}),
        (ValueError, "image_shape must .*, 6; got 6", REAL, {"protocol": "real", "image_shape": 6}),
        (ValueError, r"y must hold one label a datum, shape \[4\]; got \[3\]", REAL, {"y": torch.arange(3)}),
        (ValueError, r"got \[4, 4\] \(of one-hot rows, y.argmax\(1\) is that\)", REAL, {"y": torch.eye(4)}),
        (ValueError, r"y must hold labels 0\.\.C-1; got -1\.\.2", REAL, {"y": torch.arange(-1, 3)}),
        (ValueError, r"y must hold labels 0\.\.2; got 0\.\.3", REAL, {"y": torch.arange(4), "num_classes": 3}),
        (ValueError, "y must hold whole numbers", REAL, {"y": torch.arange(4) / 2}),
        (TypeError, "y must be .* got ndarray of <U1", REAL, {"y": np.array(list("abcd"))}),
        (ValueError, "num_classes must be None without labels y; got 3", REAL, {"num_classes": 3}),
        (ValueError, "num_classes must be None or a whole number; got 2.5", REAL, {"num_classes": 2.5}),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_in_a_sentence(error, sentence, x, options):
    with pytest.raises(error, match=sentence) as caught:
        data.from_tensors(x, **{"protocol": "real", **options})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_levels_beyond_the_dtype():
    """A comparison of int8 with 255 must not wrap to -1."""
    part = data.from_tensors(torch.tensor([[5, 127]], dtype=torch.int8), protocol="integer", levels=255)
    assert part.x.tolist() == [[5, 127]]
    with pytest.raises(ValueError, match="got 128 at"):
        data.from_tensors(torch.tensor([[5, 128]], dtype=torch.uint8), protocol="integer", levels=127)
    with pytest.raises(ValueError, match="got 256 at"):  # which as uint8 would be 0
        data.from_tensors(np.array([[256]], dtype=np.uint16), protocol="integer", levels=255)


# check_dataset


def test_a_data_set_is_handed_on():
    part = data.load("digits")
    assert data.check_dataset(part, "train") is part


@pytest.mark.parametrize(
    "value", [REAL, REAL.numpy(), TensorDataset(REAL), DataLoader(TensorDataset(REAL)), [REAL], None, "digits"]
)
def test_anything_else_is_refused_with_the_way_to_make_one(value):
    with pytest.raises(TypeError) as error:
        data.check_dataset(value, "valid")
    assert str(error.value) == (
        f"valid must be a vaecourse.data.Dataset; got {type(value).__name__}: "
        f'data.from_tensors(x, protocol="...") makes one of a tensor or an array x [N, D]'
    )


# comparable


def own(protocol, x=GREY, levels=255, **options):
    return data.from_tensors(x, protocol=protocol, levels=None if protocol == "real" else levels, **options)


def test_pairs_of_protocols():
    """Only the two binarisations go together: all 49 pairs."""
    for ours in PROTOCOLS:
        for theirs in PROTOCOLS:
            if ours == theirs or {ours, theirs} == {"dynamic", "fixed"}:
                data.comparable(own(ours), own(theirs, split="valid"))
            else:
                with pytest.raises(ValueError, match=r"^valid must be comparable with train, and their protocols") as e:
                    data.comparable(own(ours), own(theirs, split="valid"))
                assert own(ours).label in str(e.value) and own(theirs, split="valid").label in str(e.value)


def test_other_dimensions_and_levels_are_refused():
    with pytest.raises(ValueError, match=r"their dimensions differ: 5 \(own, real.*\) against 6 \(own"):
        data.comparable(own("real"), own("real", GREY[:, :5]))
    for protocol in ("binomial", "integer", "dequantised", "intensity", "dynamic", "fixed"):
        with pytest.raises(ValueError, match=r"their levels differ: 0\.\.100 .* against 0\.\.255"):
            data.comparable(own(protocol), own(protocol, levels=100))
    for protocol in ("binomial", "integer", "dequantised"):
        with pytest.raises(ValueError, match=r"their levels differ: 0\.\.1 "):
            data.comparable(own(protocol), own(protocol, GREY > 9, levels=1))


def test_binary_data_may_have_been_binarised_before():
    """A published binarisation of MNIST, stored as bits, validates a model trained on the dynamic one of its greys."""
    grey, bits = own("dynamic"), own("fixed", GREY > 9, levels=1)
    data.comparable(grey, bits)
    data.comparable(bits, grey)
    data.comparable(own("intensity"), data.from_tensors(GREY / 255, protocol="intensity"))


def test_the_splits_of_a_set_are_comparable():
    train = data.load("digits", "train", "dynamic")
    data.comparable(train, data.load("digits", "valid", "fixed"))
    data.comparable(train.with_labels(10), train.with_index().head(3))
    with pytest.raises(ValueError, match=r"counts \(digits, binomial counts 0\.\.16, valid\) against binary"):
        data.comparable(train, data.load("digits", "valid"))


# bits_per_dim


def test_a_uniform_model_costs_eight_bits_under_either_protocol_of_integers():
    """P(x) = 256^-D as a mass function, p(x) = 1 as a density on [0, 1]^D."""
    assert own("integer").bits_per_dim(-6 * math.log(256)) == pytest.approx(8, abs=1e-12)
    assert own("dequantised").bits_per_dim(0.0) == pytest.approx(8, abs=1e-12)
    assert own("dequantised", levels=31).bits_per_dim(0.0) == pytest.approx(5, abs=1e-12)
    assert own("binomial", levels=31).bits_per_dim(-6 * math.log(32)) == pytest.approx(5, abs=1e-12)


@pytest.mark.parametrize("protocol", ["dynamic", "fixed"])
def test_a_fair_coin_costs_one_bit_a_pixel(protocol):
    assert own(protocol).bits_per_dim(6 * math.log(0.5)) == pytest.approx(1, abs=1e-12)


def test_a_density_that_is_constant_on_the_cells_costs_what_its_masses_do():
    """p(x) = 256 P(cell): the two protocols agree to the last digit, whatever P."""
    mass = torch.rand(256, generator=torch.Generator().manual_seed(0)).double()
    log_mass = (mass / mass.sum()).log()
    x = GREY.long()
    nats = log_mass[x].sum(-1)  # [4], of the integers
    scored = own("dequantised").realise()
    density = (log_mass[(scored * 256).long()] + math.log(256)).sum(-1)
    bits = own("integer").bits_per_dim(nats)
    assert bits.shape == (4,)
    torch.testing.assert_close(own("dequantised").bits_per_dim(density), bits, rtol=0, atol=1e-12)
    torch.testing.assert_close(own("integer").bits_per_dim(nats.mean()), bits.mean(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("protocol", ["intensity", "real"])
def test_continuous_values_have_no_bits(protocol):
    with pytest.raises(ValueError, match=f"bits_per_dim needs a protocol whose values can be counted, and {protocol}"):
        own(protocol).bits_per_dim(-1.0)
