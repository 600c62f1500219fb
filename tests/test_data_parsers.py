"""Parsers: each on small files in the published format, whole, damaged and of another shape."""

import gzip
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from loopback import idx, mat, tar_gz

from vaecourse.data import bounded, parsers
from vaecourse.data.registry import registry

RANDOM = np.random.default_rng(0)


# IDX: mnist, fashion-mnist, kmnist


def test_read_idx_returns_what_was_written(tmp_path):
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    (tmp_path / "a.gz").write_bytes(idx(array))
    np.testing.assert_array_equal(parsers.read_idx(tmp_path / "a.gz"), array)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (idx(np.zeros(3), type_code=13), "not an IDX file of unsigned bytes"),
        (gzip.compress(b"<html>", mtime=0), "not an IDX file of unsigned bytes"),
        (gzip.compress(b"", mtime=0), "not an IDX file of unsigned bytes"),
        (gzip.compress(b"\x00\x00\x08\x03\x00\x00", mtime=0), "ends within its header"),
        (gzip.compress(b"\x00\x00\x08\x00", mtime=0), "ends within its header"),
        (gzip.compress(gzip.decompress(idx(np.zeros((2, 5))))[:-1], mtime=0), "states 2x5 = 10 values but holds 9"),
        (gzip.compress(gzip.decompress(idx(np.zeros((2, 5)))) + b"\x00", mtime=0), "but holds 11"),
        (b"<html>not gzip</html>", "not a complete gzip file"),
        (idx(np.arange(100))[:-12], "not a complete gzip file"),
    ],
)
def test_read_idx_refuses_a_damaged_file(tmp_path, content, sentence):
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as error:
        parsers.read_idx(tmp_path / "a.gz")
    assert "\n" not in str(error.value) and "a.gz" in str(error.value)


# MATLAB: omniglot, freyfaces


def omniglot_file(ink, test_ink, alphabets, test_alphabets):
    one_hot = np.eye(50)
    return mat(data=ink, testdata=test_ink, target=one_hot[:, alphabets], testtarget=one_hot[:, test_alphabets])


def omniglot_entry():
    return replace(registry()["omniglot"], splits={"train": 6, "valid": 2, "test": 3})


def test_omniglot_is_upright_and_rounded(tmp_path):
    images = RANDOM.random((8, 28, 28))  # [N, row, column]
    columns = images.transpose(0, 2, 1).reshape(8, 784).T  # as MATLAB writes them: column after column, an image each
    path = tmp_path / "chardata.mat"
    path.write_bytes(omniglot_file(columns, columns[:, :3], np.arange(8), [9, 9, 4]))
    parts = parsers.parse(omniglot_entry(), {"chardata.mat": path})
    assert np.abs(parts["train"].x.reshape(8, 28, 28) / 255 - images).max() <= 0.5 / 255 + 1e-12  # rounding to 1/255
    np.testing.assert_array_equal(parts["test"].x, parts["train"].x[:3])
    assert parts["train"].y.tolist() == list(range(8)) and parts["test"].y.tolist() == [9, 9, 4]


def test_omniglot_of_whole_numbers(tmp_path):
    """MATLAB stores whole numbers as bytes, and scipy returns them as such."""
    ink = RANDOM.integers(0, 2, (784, 8)).astype(float)
    path = tmp_path / "chardata.mat"
    path.write_bytes(omniglot_file(ink.astype(np.uint8), ink[:, :3], np.arange(8), [0, 1, 2]))
    parts = parsers.parse(omniglot_entry(), {"chardata.mat": path})
    assert set(np.unique(parts["train"].x)) == {0, 255}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (omniglot_file(np.full((784, 8), 1.01), np.zeros((784, 3)), np.arange(8), [0, 1, 2]), r"outside \[0, 1\]"),
        (omniglot_file(np.full((784, 8), np.nan), np.zeros((784, 3)), np.arange(8), [0, 1, 2]), r"outside \[0, 1\]"),
        (omniglot_file(np.zeros((11025, 8)), np.zeros((784, 3)), np.arange(8), [0, 1, 2]), r"not \(784, N\)"),
        (omniglot_file(np.zeros((784, 8)), np.zeros((784, 3)), np.arange(7), [0, 1, 2]), r"not \(784, N\)"),
        (omniglot_file(np.zeros((784, 9)), np.zeros((784, 3)), np.arange(9), [0, 1, 2]), r"not uint8 \(8, 784\)"),
        (mat(data=np.zeros((784, 8))), "holds no matrix 'testdata'"),
        (b"<html>", "not a readable MATLAB file"),
        (b"", "not a readable MATLAB file"),
    ],
)
def test_omniglot_refuses(tmp_path, content, sentence):
    path = tmp_path / "chardata.mat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        parsers.parse(omniglot_entry(), {"chardata.mat": path})


def test_frey_faces(tmp_path):
    entry = replace(registry()["freyfaces"], splits={"train": 5, "valid": 1, "test": 2})
    frames = RANDOM.integers(0, 256, (560, 8), dtype=np.uint8)
    path = tmp_path / "frey_rawface.mat"
    path.write_bytes(mat(ff=frames))
    parts = parsers.parse(entry, {"frey_rawface.mat": path})
    assert list(parts) == ["train"]
    np.testing.assert_array_equal(parts["train"].x[3], frames[:, 3])
    for bad, sentence in ((frames.T, r"not uint8 \(560, N\)"), (frames / 255, "not uint8"), (frames[:, 1:], "with 8")):
        path.write_bytes(mat(ff=bad))
        with pytest.raises(ValueError, match=sentence):
            parsers.parse(entry, {"frey_rawface.mat": path})


def test_a_truncated_matlab_file_is_refused(tmp_path):
    content = mat(ff=RANDOM.integers(0, 256, (560, 8), dtype=np.uint8))
    path = tmp_path / "frey_rawface.mat"
    for length in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"frey_rawface\.mat"):
            parsers.freyfaces({"frey_rawface.mat": path})


# CIFAR-10


def cifar_members(size, test_size):
    def batch(number):
        records = RANDOM.integers(0, 256, (number, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        return records

    members = {f"cifar-10-batches-bin/data_batch_{i}.bin": batch(size) for i in range(1, 6)}
    return {**members, "cifar-10-batches-bin/test_batch.bin": batch(test_size)}


def packed(members):
    return tar_gz({"cifar-10-batches-bin/readme.html": b"", **{name: bytes(data) for name, data in members.items()}})


def test_cifar10_is_flat_channels_first(tmp_path):
    entry = replace(registry()["cifar10"], splits={"train": 8, "valid": 2, "test": 3})
    members = cifar_members(2, 3)
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(packed(dict(reversed(members.items()))))  # the order in the archive does not matter
    parts = parsers.parse(entry, {path.name: path})
    records = np.concatenate(list(members.values())[:5])
    np.testing.assert_array_equal(parts["train"].x, records[:, 1:])
    np.testing.assert_array_equal(parts["train"].y, records[:, 0])
    _, _, blue = parts["test"].x.reshape(3, *entry.image_shape)[1]
    np.testing.assert_array_equal(blue[31], members["cifar-10-batches-bin/test_batch.bin"][1, -32:])


def test_cifar10_refuses(tmp_path):
    entry = replace(registry()["cifar10"], splits={"train": 8, "valid": 2, "test": 3})
    path = tmp_path / "cifar-10-binary.tar.gz"
    members = cifar_members(2, 3)
    last = "cifar-10-batches-bin/test_batch.bin"
    cases = [
        (packed({**members, last: bytes(members[last])[:-1]}), "no multiple of 3,073"),
        (packed({**members, last: members[last][:2]}), r"part test: uint8 \(2, 3072\)"),
        (packed({name: data for name, data in members.items() if name != last}), f"lacks {last}"),
        (b"<html>", "not a complete gzipped tar archive"),
    ]
    whole = packed(members)
    # What is left out is more than the padding at the end, which holds no data.
    cases += [(whole[:length], "cifar-10-binary") for length in np.linspace(0, len(whole) - 500, 20).astype(int)]
    for content, sentence in cases:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=sentence):
            parsers.parse(entry, {path.name: path})


# Files that expand beyond measure


def test_a_matlab_file_that_expands_is_refused_before_it_does(tmp_path, monkeypatch):
    """64 MB of zeros in 64 kB; its reader, which would expand them, is not even called."""
    import scipy.io

    path = tmp_path / "frey_rawface.mat"
    path.write_bytes(mat(ff=np.zeros((560, 120_000), dtype=np.uint8)))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(scipy.io, "loadmat", None)
    monkeypatch.setattr(bounded, "EXPANDED", 1_000_000)
    with pytest.raises(ValueError, match=r"frey_rawface\.mat expands to more than 1,000,000 bytes") as error:
        parsers.freyfaces({path.name: path})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_variables_that_nobody_asked_for_count_too(tmp_path, monkeypatch, byte_order):
    """In either byte order: the second element of the file is the large one."""
    monkeypatch.setattr(bounded, "EXPANDED", 100_000)
    element = zlib.compress(bytes(60_000))
    tag = struct.pack(f"{byte_order}II", 15, len(element))
    header = b"MATLAB 5.0".ljust(124) + struct.pack(f"{byte_order}HH", 0x0100, 0x4D49)
    (tmp_path / "one.mat").write_bytes(header + tag + element)
    (tmp_path / "two.mat").write_bytes(header + struct.pack(f"{byte_order}II", 9, 8) + bytes(8) + 2 * (tag + element))
    bounded.check_matlab(tmp_path / "one.mat")
    with pytest.raises(ValueError, match="expands to more than 100,000"):
        bounded.check_matlab(tmp_path / "two.mat")


def test_an_archive_that_expands_is_refused(tmp_path, monkeypatch):
    """Whether in a member that is wanted or in one that is passed over."""
    members = {name: bytes(data) for name, data in cifar_members(2, 3).items()}
    path = tmp_path / "cifar-10-binary.tar.gz"
    monkeypatch.setattr(bounded, "EXPANDED", 200_000)
    path.write_bytes(packed(members))
    assert len(parsers.cifar10({path.name: path})["train"].x) == 10
    first = next(iter(members))
    for bomb in ({"a/film.mp4": bytes(300_000), **members}, {**members, first: bytes(300_000)}):
        path.write_bytes(packed(bomb))
        assert path.stat().st_size < 100_000
        with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz expands to more than 200,000 bytes"):
            parsers.cifar10({path.name: path})


def test_the_limit_leaves_room_for_the_largest_set():
    """Omniglot in doubles: 32,415 images of 784 pixels and as many labels of 50 alphabets; CIFAR-10 in bytes."""
    assert 32_415 * (784 + 50) * 8 < bounded.EXPANDED / 2 and 60_000 * 3073 < bounded.EXPANDED / 2


def test_labels_are_those_of_the_classes(tmp_path):
    with pytest.raises(ValueError, match=r"part train: labels 0\.\.9, not of 9 classes"):
        parsers.parse(replace(registry()["digits"], classes=9), {})


# The registry's sizes


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"splits": {"train": 1197, "valid": 300, "test": 301}}, r"not uint8 \(1798, 64\)"),
        ({"image_shape": (8, 9)}, r"not uint8 \(1797, 72\)"),
        ({"levels": 15}, "pixel values up to 16, not 15"),
    ],
)
def test_sizes_and_values_are_those_of_the_entry(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        parsers.parse(replace(registry()["digits"], **change), {})
