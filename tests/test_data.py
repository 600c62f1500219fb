"""Data: parsers, splits, protocols, and files that are missing, wrong or behind failing mirrors."""

import gzip
import hashlib
import http.server
import struct
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from vaecourse import data
from vaecourse.data import files, loading, parsers
from vaecourse.data.registry import registry
from vaecourse.data.splits import stratified_split


def idx(array: np.ndarray, type_code: int = 8) -> bytes:
    """An IDX file of unsigned bytes, gzipped without a time stamp."""
    header = struct.pack(f">HBB{array.ndim}I", 0, type_code, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def tiny_mnist(monkeypatch):
    """The mnist entry over made-up files of a few images: returns their contents by name."""
    random = np.random.default_rng(0)
    contents = {}
    for prefix, size in (("train", 50), ("t10k", 20)):
        contents[f"{prefix}-images-idx3-ubyte.gz"] = idx(random.integers(0, 256, (size, 28, 28)))
        contents[f"{prefix}-labels-idx1-ubyte.gz"] = idx(np.arange(size) % 10)
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    entry = replace(registry()["mnist"], files=sha256, splits={"train": 40, "valid": 10}, mirrors=())
    entries = {**registry(), "mnist": entry}
    monkeypatch.setattr(loading, "registry", lambda: entries)
    loading._splits.cache_clear()
    yield contents
    loading._splits.cache_clear()


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


class Mirrors(http.server.ThreadingHTTPServer):
    """A loopback server whose paths behave as their first folder says: good, gone, broken, html, cut."""

    def __init__(self, contents):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.requests = contents, []

    def url(self, behaviour):
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, behaviour, name = self.path.split("/")
        self.server.requests.append(self.path)
        content = self.server.contents[name]
        status, body = {
            "good": (200, content),
            "gone": (403, b"no"),
            "broken": (503, b"later"),
            "html": (200, b"<html>Sign in to continue</html>"),
            "cut": (200, content[: len(content) // 2]),
        }[behaviour]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirrors(tiny_mnist, monkeypatch, tmp_path):
    """A function that makes a server's behaviours the mirrors of mnist, with an empty data folder."""
    monkeypatch.delenv("VAECOURSE_DATA", raising=False)
    monkeypatch.setattr(files, "project_folder", lambda: tmp_path / "data")
    server = Mirrors(tiny_mnist)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def use(*behaviours):
        entries = loading.registry()
        entries["mnist"] = replace(entries["mnist"], mirrors=tuple(map(server.url, behaviours)))
        return server

    yield use
    server.shutdown()
    thread.join()
    server.server_close()


# Parsers


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


# Splits


def test_digits_split_is_complete_disjoint_and_stratified():
    from sklearn.datasets import load_digits

    splits = [data.load("digits", split) for split in ("train", "valid", "test")]
    rows = np.concatenate([np.column_stack([part.x, part.y]) for part in splits])
    stored = np.column_stack(load_digits(return_X_y=True))

    def order(table):
        return table[np.lexsort(table.T)]

    np.testing.assert_array_equal(order(rows), order(stored))  # each image once: sklearn's are all different
    shares = torch.stack([part.y.bincount(minlength=10) for part in splits]).double()
    expected = shares.sum(0) * torch.tensor([[len(part) / len(rows)] for part in splits])
    assert (shares - expected).abs().max() <= 2  # the bound that stratified_split states


def test_digits_split_never_changes():
    """Results and shipped weights refer to this split: its SHA-256 is part of the course."""
    digest = hashlib.sha256()
    for split in ("train", "valid", "test"):
        part = data.load("digits", split)
        digest.update(part.x.numpy().tobytes() + part.y.numpy().astype("<i8").tobytes())
    assert digest.hexdigest() == "efc23689e217449f118ad3d91f13dcf287e224d837e98dbea5e214b2aaa55663"


def test_stratified_split_of_uneven_labels():
    labels = np.repeat([3, 5, 9], [600, 300, 100])
    parts = stratified_split(labels, {"train": 700, "valid": 100, "test": 200}, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(1000))
    for part in parts.values():
        counts = np.array([(labels[part] == label).sum() for label in (3, 5, 9)])
        assert np.abs(counts - len(part) * np.array([0.6, 0.3, 0.1])).max() <= 2
    other = stratified_split(labels, {"train": 700, "valid": 100, "test": 200}, seed=2)
    assert not np.array_equal(parts["test"], other["test"])
    with pytest.raises(ValueError, match="add up to the number of data, 1000"):
        stratified_split(labels, {"train": 700}, seed=1)


# Protocols


@pytest.mark.parametrize("protocol", ["dynamic", "fixed"])
def test_binarisation_has_the_stated_mean(protocol):
    part = data.load("digits", "train", protocol)
    x, p = part.batch(), part.x.double() / 16
    assert x.dtype == torch.float32 and set(x.unique().tolist()) == {0.0, 1.0}
    assert (x[part.x == 0] == 0).all() and (x[part.x == 16] == 1).all()
    # Over all pixels, and over those of each stored value, the number of ones is a sum of Bernoullis.
    for group in (part.x >= 0, *(part.x == value for value in range(1, 16))):
        z = (x.double() - p)[group].sum() / (p * (1 - p))[group].sum().sqrt()
        assert abs(z) < 4.5  # 16 groups: a false alarm has probability 1e-4


def test_dynamic_is_fresh_and_fixed_is_not():
    dynamic, fixed = (data.load("digits", "test", protocol) for protocol in ("dynamic", "fixed"))
    assert not torch.equal(dynamic.batch(), dynamic.batch())
    torch.testing.assert_close(fixed.batch(), fixed.batch())
    index = torch.tensor([5, 2])
    torch.testing.assert_close(fixed.batch(index), fixed.realise(seed=3)[index])
    torch.testing.assert_close(dynamic.realise(seed=1), dynamic.realise(seed=1))
    assert not torch.equal(dynamic.realise(seed=1), dynamic.realise(seed=2))
    once = dynamic.batch(generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(once, dynamic.realise(seed=1))


def test_realise_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    data.load("digits", "test", "dynamic").realise()
    data.load("digits", "test", "fixed").batch()
    torch.testing.assert_close(torch.rand(3), expected)


def test_counts_and_intensities():
    counts, intensity = (data.load("digits", "valid", protocol) for protocol in ("binomial", "intensity"))
    torch.testing.assert_close(counts.batch(slice(3, 7)), counts.x[3:7].float())
    torch.testing.assert_close(intensity.realise(), counts.realise() / 16)
    assert counts.x.dtype == torch.uint8 and counts.y.dtype == torch.int64
    assert counts.x.shape == (300, 64) and counts.image_shape == (8, 8) and counts.levels == 16


def test_head_is_stratified():
    part = data.load("digits", "train", "dynamic").head(200)
    assert len(part) == 200 and part.label == "digits, dynamic binarisation, train"
    assert (part.y.bincount() - 20).abs().max() <= 2  # digits are almost equally frequent
    assert len(part.head(None)) == 200


def test_labels_name_the_protocol():
    labels = [data.load("digits", "test", protocol).label for protocol in registry()["digits"].protocols]
    assert labels == [
        "digits, binomial counts 0..16, test",
        "digits, dynamic binarisation, test",
        "digits, fixed binarisation (seed 0), test",
        "digits, intensities in [0, 1], test",
    ]


def test_writing_into_a_data_set_does_not_change_the_next():
    first = data.load("digits")
    first.x.zero_()
    assert data.load("digits").x.sum() > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("mnits",), "name must be one of digits, mnist; got 'mnits'"),
        (("digits", "dev"), "split of digits must be one of train, valid, test; got 'dev'"),
        (
            ("mnist", "test", "binomial"),
            "protocol of mnist must be one of dynamic, fixed, intensity; got",
        ),
    ],
)
def test_unknown_arguments_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.load(*arguments)


# Files


def test_every_entry_has_a_parser_and_a_datasheet():
    folder = files.project_folder()
    for name, entry in registry().items():
        assert name in parsers.PARSERS
        sheet = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert entry.licence in sheet and entry.origin in sheet
        assert all(sha256 in sheet for sha256 in entry.files.values())
        assert all(f"{size:,}" in sheet for size in entry.splits.values())
        assert not entry.files or len(entry.mirrors) >= 3


@pytest.mark.parametrize("subfolder", ["", "mnist"])
def test_files_are_found_in_the_named_folder(tiny_mnist, tmp_path, monkeypatch, subfolder):
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    write(tmp_path / subfolder, tiny_mnist)
    train, valid, test = (data.load("mnist", split) for split in ("train", "valid", "test"))
    assert [len(part) for part in (train, valid, test)] == [40, 10, 20]
    assert train.x.shape == (40, 784) and train.protocol == "dynamic" and train.image_shape == (28, 28)
    assert valid.y.bincount().tolist() == [1] * 10  # stratified
    assert test.y.tolist() == [i % 10 for i in range(20)]  # as published
    images = parsers.read_idx(tmp_path / subfolder / "t10k-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(test.x, images.reshape(20, 784))


def test_a_flipped_bit_is_refused_and_nothing_is_lost(tiny_mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    write(tmp_path, tiny_mnist)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz is not the published file"):
        data.load("mnist")
    assert path.read_bytes() == bytes(content)
    write(tmp_path, tiny_mnist)
    assert len(data.load("mnist")) == 40  # the failure was not remembered


@pytest.mark.enable_socket  # the server below is on loopback
@pytest.mark.parametrize("bad", ["gone", "broken", "html", "cut"])
def test_a_bad_mirror_is_passed_over(mirrors, tmp_path, bad):
    server = mirrors(bad, "good")
    assert len(data.load("mnist")) == 40
    assert len(server.requests) == 8
    names = sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir())
    assert names == sorted(server.contents)  # no temporary file is left
    loading._splits.cache_clear()
    assert len(data.load("mnist", "test")) == 20 and len(server.requests) == 8  # from disk


@pytest.mark.enable_socket
def test_no_good_mirror_is_one_clear_sentence(mirrors, tmp_path):
    mirrors("gone", "broken", "html")
    with pytest.raises(FileNotFoundError) as error:
        data.load("mnist")
    sentence = str(error.value)
    assert "\n" not in sentence and "status 403" in sentence and "not the published file" in sentence
    assert "put train-images-idx3-ubyte.gz" in sentence and "VAECOURSE_DATA" in sentence
    assert list((tmp_path / "data" / "mnist").iterdir()) == []


def test_no_network_and_no_files_says_what_to_do(tiny_mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    monkeypatch.setattr(files, "project_folder", lambda: tmp_path / "project")
    entries = loading.registry()
    entries["mnist"] = replace(entries["mnist"], mirrors=("http://127.0.0.1:9/",))

    def unreachable(*arguments, **options):
        raise files.requests.ConnectionError("Temporary failure in name resolution")

    monkeypatch.setattr(files.requests, "get", unreachable)
    with pytest.raises(FileNotFoundError, match=r"no connection.*or set VAECOURSE_DATA to the folder"):
        data.load("mnist")


def test_a_folder_that_cannot_be_made(tiny_mnist, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "file"))
    monkeypatch.setattr(files, "project_folder", lambda: tmp_path / "project")
    with pytest.raises(FileNotFoundError, match=r"cannot be made.*set VAECOURSE_DATA"):
        data.load("mnist")
