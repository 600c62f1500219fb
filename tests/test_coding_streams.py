"""Streams: whatever is done to the bytes, and whoever reads them, there is one sentence and no wrong image."""

import hashlib
import struct
import zlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vaecourse import data
from vaecourse.coding import BitsBack, code_length
from vaecourse.coding.stream import Header, pack, unpack
from vaecourse.exact import frozen_vae
from vaecourse.likelihoods import Binomial, CategoricalPixels
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Rescale
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

DIGITS = data.load("digits", "test", protocol="fixed").realise()[:12]
CODEC = BitsBack(frozen_vae())
STREAM = CODEC.encode(DIGITS, lanes=2)
many = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def other_model():
    model = frozen_vae()
    model.likelihood.net.layers[0].weight[3, 1] += 2.0**-12
    return BitsBack(model)


def test_this_machine_writes_what_every_machine_writes():
    """Stored once: fingerprints of tables and networks, and the stream of twelve digits, are the same everywhere."""
    assert CODEC.fingerprint.hex() == "694298baceac0c72"
    assert hashlib.sha256(STREAM).hexdigest()[:16] == "7cc0ec6e9f7382df"
    counts = gaussian_model(CategoricalPixels(MLP(2, (3,), 8 * 5, nn.ReLU), 5), 4.0)
    assert BitsBack(counts).fingerprint.hex() == "7ffb7ca3ed388857"
    binomial = gaussian_model(Binomial(MLP(2, (3,), 8, nn.Sigmoid), 16), 16.0)
    assert BitsBack(binomial).fingerprint.hex() == "3706b8396be95730"


def gaussian_model(likelihood, largest):
    """Weights that count up: no random generator stands between the machines."""
    encoder = nn.Sequential(Rescale(largest / 2, largest / 2), MLP(8, (3,), 4))
    model = LatentVariableModel(StandardNormal(2), likelihood, DiagonalGaussian(encoder))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(((torch.arange(parameter.numel()) % 17 - 8) / 16).reshape(parameter.shape))
    return model


def test_counts_add_up():
    header, stack = unpack(STREAM)
    length = code_length(STREAM)
    assert header[:6] == (CODEC.fingerprint, 24, 12, 64, 12, 2)
    assert length.net_bits + length.initial_bits == pytest.approx(stack.num_bits)
    assert length.initial_bits == header.clean_stack().num_bits >= 62
    assert length.net_bytes_per_image == length.net_bits / 96
    assert 0 <= 8 * length.file_bytes - stack.num_bits <= 8 * 50 + 2 * 33  # the header, and what heads leave unused
    assert pack(header, stack) == STREAM


@many
@given(st.integers(0, 8 * len(STREAM) - 1))
def test_a_flipped_bit_is_found(bit):
    damaged = bytearray(STREAM)
    damaged[bit // 8] ^= 1 << bit % 8
    for reader in (CODEC.decode, code_length):
        with pytest.raises(ValueError, match=r"^stream (is|must)"):
            reader(bytes(damaged))


@many
@given(st.integers(0, len(STREAM) - 1))
def test_a_truncated_stream_is_found(length):
    with pytest.raises(ValueError, match=r"^stream (is truncated: .* bytes|must begin with b'vaecode')"):
        CODEC.decode(STREAM[:length])


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0", STREAM])
def test_an_extended_stream_is_found(more):
    sentence = rf"stream is too long: its header announces {len(STREAM)} bytes, and it has {len(STREAM) + len(more)}"
    with pytest.raises(ValueError, match=sentence):
        CODEC.decode(STREAM + more)
    with pytest.raises(ValueError, match="stream must begin with b'vaecode', and begins with"):
        CODEC.decode(more[:1] + STREAM)


def test_a_stream_of_another_model_is_found():
    """One weight of it is 2^-12 larger."""
    other = other_model()
    words = f"another model, of fingerprint {CODEC.fingerprint.hex()}, and this one's is {other.fingerprint.hex()}"
    with pytest.raises(ValueError, match=words):
        other.decode(STREAM)
    assert BitsBack(frozen_vae(torch.float32)).fingerprint == CODEC.fingerprint
    assert BitsBack(frozen_vae(), arithmetic="float32").fingerprint != CODEC.fingerprint


def test_a_stream_of_another_precision_is_found():
    with pytest.raises(ValueError, match="stream was written at precision 24, not 20"):
        BitsBack(frozen_vae(), precision=20).decode(STREAM)
    with pytest.raises(ValueError, match="stream was written at num_cell_bits 12, not 8"):
        BitsBack(frozen_vae(), num_cell_bits=8).decode(STREAM)


def test_a_stream_of_another_version_is_found():
    newer = bytearray(STREAM)
    newer[7] = 2
    with pytest.raises(ValueError, match="stream is of version 2, and this coder reads version 1"):
        CODEC.decode(newer)


@pytest.mark.parametrize("given", [None, "vaecode", DIGITS])
def test_what_are_no_bytes_are_refused(given):
    with pytest.raises(ValueError, match="stream must be bytes, and is a "):
        CODEC.decode(given)


@pytest.mark.parametrize("change", [{"num_images": 11}, {"num_images": 13}, {"num_clean_words": 5}, {"seed": 1}])
def test_a_consistent_stream_that_lies_is_found(change):
    """Its checksum is right and its counts are not: then what is left is not what was there at first."""
    header, stack = unpack(STREAM)
    lie = pack(header._replace(**change), stack)
    with pytest.raises(ValueError, match="stream was not decoded"):
        CODEC.decode(lie)


def test_the_checksum_is_that_of_everyone():
    """CRC-32 of header and body without itself, at a place that the format fixes: others can write a reader."""
    (stored,) = struct.unpack_from("<I", STREAM, 46)
    assert stored == zlib.crc32(STREAM[:46] + STREAM[50:])
    assert len(Header._fields) == 9
