"""Files at hand: found, damaged, another set's, unverified, added from elsewhere, and shared by many processes."""

import shutil
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from cold_cache import CONTEXT, one_process, trial
from loopback import described, flip, idx, mat, tiny_mnist

from vaecourse import data
from vaecourse.data import cache, files, loading
from vaecourse.data.registry import registry

IMAGES = "train-images-idx3-ubyte.gz"


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def forget():
    """As a new process would start."""
    loading._in_memory.clear()


# Where files are found


@pytest.mark.parametrize("subfolder", ["", "mnist"])
@pytest.mark.parametrize("owner", ["reader", "course"])
def test_files_are_found(small_mnist, empty_cache, tmp_path, monkeypatch, owner, subfolder):
    folder = tmp_path / "reader" if owner == "reader" else empty_cache
    if owner == "reader":
        monkeypatch.setenv("VAECOURSE_DATA", str(folder))
    write(folder / subfolder, small_mnist)
    train, valid, test = (data.load("mnist", split) for split in ("train", "valid", "test"))
    assert [len(part) for part in (train, valid, test)] == [40, 10, 20]
    assert train.x.shape == (40, 784) and train.protocol == "dynamic" and train.image_shape == (28, 28)
    assert valid.y.bincount().tolist() == [1] * 10  # stratified
    assert test.y.tolist() == [i % 10 for i in range(20)]  # as published


def test_nothing_is_written_when_all_is_at_hand(small_mnist, empty_cache, monkeypatch):
    write(empty_cache / "mnist", small_mnist)
    monkeypatch.setattr(cache.Path, "mkdir", None)
    monkeypatch.setattr(cache, "FileLock", None)
    assert len(data.load("mnist")) == 40


def test_the_file_of_another_set_is_no_damaged_copy(small_mnist, empty_cache, tmp_path, monkeypatch, served):
    """MNIST, Fashion-MNIST and KMNIST share file names: one flat folder can only hold one of them."""
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "flat"))
    fashion = {name: idx(np.arange(size)) for size, name in enumerate(small_mnist, 3)}
    write(tmp_path / "flat", fashion)
    monkeypatch.setitem(registry(), "fashion-mnist", replace(registry()["fashion-mnist"], files=described(fashion)))
    served("mnist", small_mnist, "good")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(data.load("mnist")) == 40


# Damaged files


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99, 1.0])
@pytest.mark.parametrize("name", [IMAGES, "t10k-labels-idx1-ubyte.gz"])
def test_a_flipped_bit_in_the_cache_is_found_and_mended(small_mnist, served, empty_cache, name, share):
    write(empty_cache / "mnist", small_mnist)
    content = small_mnist[name]
    (empty_cache / "mnist" / name).write_bytes(flip(content, int(share * (8 * len(content) - 1))))
    server = served("mnist", small_mnist, "good")
    with pytest.warns(UserWarning, match=rf"{name} is damaged: it is fetched again"):
        assert len(data.load("mnist")) == 40
    assert (empty_cache / "mnist" / name).read_bytes() == content
    assert server.requests == [f"/good/{name}"]


@pytest.mark.parametrize("length", [0, 1, 100, 10_000])
def test_a_truncated_file_in_the_cache_is_mended(small_mnist, served, empty_cache, length):
    write(empty_cache / "mnist", {**small_mnist, IMAGES: small_mnist[IMAGES][:length]})
    served("mnist", small_mnist, "good")
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(data.load("mnist")) == 40


def test_a_damaged_file_that_cannot_be_mended_is_never_read(small_mnist, served, empty_cache):
    damaged = {**small_mnist, IMAGES: flip(small_mnist[IMAGES], 999)}
    write(empty_cache / "mnist", damaged)
    served("mnist", small_mnist, "status:403")
    for _ in range(2):  # the failure is not remembered, nor is the file
        with pytest.warns(UserWarning, match="is damaged"), pytest.raises(data.DataUnavailableError):
            data.load("mnist")
    assert (empty_cache / "mnist" / IMAGES).read_bytes() == damaged[IMAGES]


def test_a_damaged_file_of_the_readers_is_left_alone(small_mnist, served, empty_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "reader"))
    damaged = {**small_mnist, IMAGES: flip(small_mnist[IMAGES], 999)}
    write(tmp_path / "reader", damaged)
    server = served("mnist", small_mnist, "good")
    with pytest.warns(UserWarning, match=r"is not the published file: it is left as it is"):
        assert len(data.load("mnist")) == 40
    assert server.requests == [f"/good/{IMAGES}"]
    assert (tmp_path / "reader" / IMAGES).read_bytes() == damaged[IMAGES]
    assert (empty_cache / "mnist" / IMAGES).read_bytes() == small_mnist[IMAGES]


def test_an_unreadable_file_counts_as_damaged(small_mnist, served, empty_cache, monkeypatch):
    write(empty_cache / "mnist", small_mnist)
    whole = cache.Path.open

    def broken_disk(path, *arguments, **options):
        if path == empty_cache / "mnist" / IMAGES and not server.requests:
            raise OSError(5, "Input/output error", str(path))
        return whole(path, *arguments, **options)

    monkeypatch.setattr(cache.Path, "open", broken_disk)
    server = served("mnist", small_mnist, "good")
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(data.load("mnist")) == 40


def test_what_a_killed_process_left_is_cleared(small_mnist, served, empty_cache):
    write(empty_cache / "mnist" / ".incoming", {"tmpabc": b"half"})
    served("mnist", small_mnist, "good")
    assert len(data.load("mnist")) == 40
    assert sorted(p.name for p in (empty_cache / "mnist").iterdir() if p.name != ".lock") == sorted(small_mnist)


# Consent


def test_consent_is_asked_for_once(small_faces, served, empty_cache):
    server = served("freyfaces", {"frey_rawface.mat": small_faces}, "good")
    with pytest.raises(ValueError, match=r"needs your consent.*frey_rawface.mat.*accept_unverified=True") as error:
        data.load("freyfaces")
    assert "\n" not in str(error.value) and not server.requests and not (empty_cache / "freyfaces").exists()
    assert len(data.load("freyfaces", accept_unverified=True)) == 20
    forget()
    assert len(data.load("freyfaces", "valid")) == 5 and len(server.requests) == 1
    assert files.state(registry()["freyfaces"]) == "here"


def test_a_flipped_bit_in_an_accepted_file_is_found_and_mended(small_faces, served, empty_cache):
    served("freyfaces", {"frey_rawface.mat": small_faces}, "good")
    data.load("freyfaces", accept_unverified=True)
    path = empty_cache / "freyfaces" / "frey_rawface.mat"
    for bit in range(0, 8 * len(small_faces), len(small_faces)):
        path.write_bytes(flip(small_faces, bit))
        forget()
        with pytest.warns(UserWarning, match="is damaged"):
            data.load("freyfaces")
        assert path.read_bytes() == small_faces


def test_an_origin_that_has_changed_is_not_accepted(small_faces, served, empty_cache):
    served("freyfaces", {"frey_rawface.mat": small_faces}, "good")
    data.load("freyfaces", accept_unverified=True)
    (empty_cache / "freyfaces" / "frey_rawface.mat").unlink()
    served("freyfaces", {"frey_rawface.mat": flip(small_faces, 500)}, "good")
    forget()
    with pytest.raises(data.DataUnavailableError, match="not the published file"):
        data.load("freyfaces", accept_unverified=True)


def test_an_unverified_file_of_the_readers(small_faces, empty_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "reader"))
    write(tmp_path / "reader", {"frey_rawface.mat": small_faces})
    assert files.state(registry()["freyfaces"]) == "unverified"
    with pytest.raises(ValueError, match="consent"):
        data.load("freyfaces")
    assert len(data.load("freyfaces", accept_unverified=True)) == 20
    forget()
    write(tmp_path / "reader", {"frey_rawface.mat": flip(small_faces, 4000)})
    with pytest.warns(UserWarning, match="left as it is"), pytest.raises(data.DataUnavailableError):
        data.load("freyfaces")  # it is no longer the file that was accepted, and there are no mirrors


def test_an_unverified_file_where_nothing_can_be_remembered(small_faces, empty_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "reader"))
    write(tmp_path / "reader", {"frey_rawface.mat": small_faces})
    empty_cache.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="could not be remembered"):
        assert len(data.load("freyfaces", accept_unverified=True)) == 20


# Fallback


def test_the_fallback_is_used_only_if_asked_for_and_says_so(small_mnist):
    with pytest.raises(data.DataUnavailableError):
        data.load("mnist")
    with pytest.warns(UserWarning, match=r"the embedded digits are used in place of mnist: mnist could not be"):
        digits = data.load("mnist", "test", fallback="digits")
    assert digits.name == "digits" and digits.split == "test" and digits.protocol == "dynamic"
    with pytest.warns(UserWarning, match="embedded digits"):
        assert data.load("mnist", protocol="integer", fallback="digits").protocol == "binomial"


def test_the_fallback_is_not_used_when_the_set_is_there(small_mnist, empty_cache):
    write(empty_cache, small_mnist)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.load("mnist", fallback="digits").name == "mnist"


# Adding


@pytest.mark.parametrize("subfolder", ["", "mnist"])
def test_add_copies_a_folder(small_mnist, empty_cache, tmp_path, subfolder):
    write(tmp_path / "stick" / subfolder, {**small_mnist, "notes.txt": b"not ours"})
    added = files.add(registry()["mnist"], tmp_path / "stick")
    assert sorted(path.name for path in added) == sorted(small_mnist)
    shutil.rmtree(tmp_path / "stick")
    assert len(data.load("mnist")) == 40 and not (empty_cache / "mnist" / "notes.txt").exists()


def test_add_takes_single_files(small_mnist, empty_cache, tmp_path):
    write(tmp_path, small_mnist)
    for name in small_mnist:
        assert files.state(registry()["mnist"]) == ("not here" if name == min(small_mnist, key=list(small_mnist).index)
                                                    else "partly here")  # fmt: skip
        files.add(registry()["mnist"], tmp_path / name)
    assert files.state(registry()["mnist"]) == "here"


def test_add_is_all_or_nothing(small_mnist, empty_cache, tmp_path):
    entry = registry()["mnist"]
    write(tmp_path / "stick", {**small_mnist, "t10k-labels-idx1-ubyte.gz": flip(small_mnist[IMAGES], 0)})
    with pytest.raises(ValueError, match=r"t10k-labels.* is not the file of mnist.*nothing was added"):
        files.add(entry, tmp_path / "stick")
    (tmp_path / "stick" / IMAGES).unlink()
    with pytest.raises(ValueError, match=rf"lacks {IMAGES}"):
        files.add(entry, tmp_path / "stick")
    assert [path.name for path in (empty_cache / "mnist").iterdir()] == [".lock"]
    with pytest.raises(ValueError, match=r"is named train-images.*got notes.txt"):
        write(tmp_path, {"notes.txt": b""})
        files.add(entry, tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="digits is embedded"):
        files.add(registry()["digits"], tmp_path)


def test_add_mends_a_damaged_file(small_mnist, empty_cache, tmp_path):
    write(empty_cache / "mnist", {**small_mnist, IMAGES: b""})
    assert files.state(registry()["mnist"]) == "damaged"
    write(tmp_path, {IMAGES: small_mnist[IMAGES]})
    files.add(registry()["mnist"], tmp_path / IMAGES)
    assert files.state(registry()["mnist"]) == "here"


def test_add_of_an_unverified_file(small_faces, empty_cache, tmp_path):
    entry = registry()["freyfaces"]
    write(tmp_path, {"faces.mat": small_faces, "other.mat": mat(ff=[[1]])})
    with pytest.raises(ValueError, match="consent"):
        files.add(entry, tmp_path / "faces.mat")
    with pytest.raises(ValueError, match=r"not uint8 \(560, N\)"):
        files.add(entry, tmp_path / "other.mat", accept_unverified=True)
    files.add(entry, tmp_path / "faces.mat", accept_unverified=True)  # the only file of a set may have any name
    assert len(data.load("freyfaces")) == 20
    with pytest.raises(ValueError, match="the one accepted before"):
        files.add(entry, tmp_path / "other.mat", accept_unverified=True)


# Many processes


def test_eight_processes_on_a_cold_cache_download_once(tmp_path):
    outcome = trial(tmp_path / "data", num_processes=8)
    assert outcome.errors == []
    assert sorted(outcome.requests.values()) == [1, 1, 1, 1]


def test_eight_processes_mend_a_damaged_file_once(tmp_path):
    contents = tiny_mnist()
    write(tmp_path / "data" / "mnist", {**contents, IMAGES: flip(contents[IMAGES], 12345)})
    outcome = trial(tmp_path / "data", num_processes=8)
    assert outcome.errors == []
    assert outcome.requests == {f"/good/{IMAGES}": 1}


def test_a_process_killed_while_it_downloads_leaves_nothing_in_the_way(small_mnist, served, empty_cache):
    server = served("mnist", small_mnist, "stalls:5000")
    start, queue = CONTEXT.Barrier(1), CONTEXT.Queue()
    process = CONTEXT.Process(target=one_process, args=(registry()["mnist"], empty_cache, start, queue))
    process.start()
    deadline = time.monotonic() + 60
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    assert (empty_cache / "mnist" / ".incoming").is_dir()  # it was killed in the middle
    served("mnist", small_mnist, "good")
    assert len(data.load("mnist")) == 40
    assert sorted(p.name for p in (empty_cache / "mnist").iterdir() if p.name != ".lock") == sorted(small_mnist)
