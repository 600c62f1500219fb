"""Mirrors that fail in every way: the next one is asked, and what is returned is the published file or nothing."""

import errno
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from loopback import flip, mat

from vaecourse import data
from vaecourse.data import cache, loading, mirrors
from vaecourse.data.registry import File, registry

IMAGES = "train-images-idx3-ubyte.gz"
NOWHERE = ("http://127.0.0.1:9/", "http://[::1]:9/")  # the discard port, where nobody listens


def left_behind(folder):
    """What lies in a cache folder besides the lock, which stays."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


@pytest.mark.parametrize("bad", ["status:403", "status:404", "status:500", "status:503", "html", "long", "circle"])
def test_a_mirror_that_answers_otherwise_is_passed_over(small_mnist, served, empty_cache, bad):
    server = served("mnist", small_mnist, bad, "good")
    assert len(data.load("mnist")) == 40
    assert sum(path.startswith("/good/") for path in server.requests) == 4  # one download of each file
    assert left_behind(empty_cache / "mnist") == sorted(small_mnist)


@pytest.mark.parametrize("kind", ["cut", "short", "unsized", "wrong"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_part_of_a_file_and_wrong_bytes_are_never_returned(small_mnist, served, empty_cache, kind, share):
    """At offsets that are the same share of each file's length, the last byte (or bit) among them."""
    for name, content in small_mnist.items():
        last = len(content) - 1 if kind != "wrong" else 8 * len(content) - 1
        served("mnist", small_mnist, f"{kind}:{int(share * last)}", "good")
        path = mirrors.fetch(registry()["mnist"].mirrors, name, registry()["mnist"].files[name], empty_cache)
        assert path.read_bytes() == content
        assert sorted(empty_cache.iterdir()) == [path]
        path.unlink()


@pytest.mark.parametrize("kind", ["hangs", "stalls:1000", "trickles"])
def test_a_mirror_that_hangs_is_passed_over(small_mnist, served, monkeypatch, kind):
    monkeypatch.setattr(mirrors, "TIMEOUT", (0.2, 0.2))
    monkeypatch.setattr(mirrors, "PATIENCE", 0.2)
    served("mnist", small_mnist, kind, "good")
    start = time.monotonic()
    assert len(data.load("mnist")) == 40
    assert time.monotonic() - start < 15  # the server holds a hanging request for 30 s


def test_an_address_where_nobody_listens_is_passed_over(small_mnist, served, monkeypatch):
    served("mnist", small_mnist, "good")
    entry = registry()["mnist"]
    monkeypatch.setitem(registry(), "mnist", replace(entry, mirrors=NOWHERE + entry.mirrors))
    assert len(data.load("mnist")) == 40


@pytest.mark.parametrize("odd", ["good", "redirect", "chunked", "encoded"])
def test_what_is_odd_but_right_is_taken(small_mnist, served, odd):
    """An `encoded` answer is stored as it was sent: decompressing it would be another file."""
    served("mnist", small_mnist, odd)
    assert len(data.load("mnist", "test")) == 20


@pytest.mark.parametrize(("failures", "succeeds"), [(1, True), (2, True), (3, False)])
def test_a_passing_failure_is_tried_three_times(small_mnist, served, failures, succeeds):
    server = served("mnist", small_mnist, f"recovers:{failures}")
    if succeeds:
        assert len(data.load("mnist")) == 40
        assert len(server.requests) == 4 * (failures + 1)
    else:
        with pytest.raises(data.DataUnavailableError, match="status 503"):
            data.load("mnist")
        assert len(server.requests) == 3


def test_rounds_go_over_all_mirrors_before_any_is_asked_again(small_mnist, served, monkeypatch):
    pauses = []
    monkeypatch.setattr(mirrors, "PAUSES", (1.0, 4.0))
    monkeypatch.setattr(mirrors.time, "sleep", pauses.append)
    server = served("mnist", small_mnist, "status:503", "status:404", "wrong:9", "status:429")
    with pytest.raises(data.DataUnavailableError):
        data.load("mnist")
    asked = [path.split("/")[1] for path in server.requests]
    assert asked == ["status:503", "status:404", "wrong:9", "status:429", *2 * ["status:503", "status:429"]]
    assert [pause for pause in pauses if pause] == [1.0, 4.0]


def test_no_good_mirror_is_one_clear_sentence(small_mnist, served, empty_cache):
    served("mnist", small_mnist, "status:403", "html", "wrong:5", "cut:100", "short:100", "long")
    with pytest.raises(FileNotFoundError) as error:
        data.load("mnist")
    sentence = str(error.value)
    reasons = ["status 403", "a web page", "not the published", "broke off", "100 of", "longer than"]
    assert "\n" not in sentence and all(reason in sentence for reason in reasons)
    assert IMAGES in sentence and "VAECOURSE_DATA" in sentence and "vaecourse data add mnist" in sentence
    assert left_behind(empty_cache / "mnist") == []


def test_no_network_is_one_clear_sentence(small_mnist, monkeypatch):
    monkeypatch.setitem(registry(), "mnist", replace(registry()["mnist"], mirrors=NOWHERE))
    with pytest.raises(data.DataUnavailableError, match=r"no connection.*no connection.*VAECOURSE_DATA") as error:
        data.load("mnist")
    assert "\n" not in str(error.value)


# Mirrors that never come to an end


@pytest.mark.parametrize("kind", ["drips", "drips-chunks", "drips-body"])
def test_a_mirror_that_keeps_dripping_is_given_up(small_mnist, served, empty_cache, monkeypatch, kind):
    """Every byte comes in time, so that no timeout between two of them ever fires; the headers have their own."""
    monkeypatch.setattr(mirrors, "ANSWER" if kind == "drips" else "DEADLINE", 0.5)
    monkeypatch.setattr(mirrors, "PAUSES", ())
    server = served("mnist", small_mnist, kind)
    start = time.monotonic()
    with pytest.raises(data.DataUnavailableError, match=r"127.0.0.1:\d+: no answer in time"):
        data.load("mnist")
    assert time.monotonic() - start < 5
    assert left_behind(empty_cache / "mnist") == [] and len(server.requests) == 1
    with pytest.warns(UserWarning, match="the embedded digits are used"):
        assert data.load("mnist", fallback="digits").name == "digits"


def test_the_deadline_is_that_of_the_file(small_mnist, served, monkeypatch):
    """Not of an attempt: when it has passed, no other mirror is asked, and none again."""
    monkeypatch.setattr(mirrors, "DEADLINE", 0.4)
    server = served("mnist", small_mnist, "drips-body", "good")
    with pytest.raises(data.DataUnavailableError, match=r"no answer in time; .*no time left to ask"):
        data.load("mnist")
    assert len(server.requests) == 1


def test_headers_that_drip_are_passed_over(small_mnist, served, monkeypatch):
    monkeypatch.setattr(mirrors, "ANSWER", 0.3)
    served("mnist", small_mnist, "drips", "good")
    assert len(data.load("mnist")) == 40


def test_an_endless_answer_is_cut_at_the_size_that_is_published(small_mnist, served, empty_cache):
    server = served("mnist", small_mnist, "endless", "good")
    assert len(data.load("mnist")) == 40
    assert sum(path.startswith("/endless/") for path in server.requests) == 4


@pytest.mark.parametrize("limit", [300_000, 20_000_000])
def test_an_endless_answer_is_cut_where_no_size_is_published(small_faces, served, empty_cache, monkeypatch, limit):
    known = replace(registry()["freyfaces"].files["frey_rawface.mat"], max_size=limit)
    entry = replace(registry()["freyfaces"], files={"frey_rawface.mat": known})
    monkeypatch.setitem(registry(), "freyfaces", entry)
    written = []
    whole = mirrors._check_content
    monkeypatch.setattr(mirrors, "_check_content", lambda path, size: written.append(path) or whole(path, size))
    server = served("freyfaces", {"frey_rawface.mat": small_faces}, "endless", "good")
    assert len(data.load("freyfaces", accept_unverified=True)) == 20
    assert len(written) == 1  # what is too long is not even looked at
    (empty_cache / "freyfaces" / "frey_rawface.mat").unlink()
    with pytest.raises(data.DataUnavailableError, match=f"longer than {limit:,} bytes"):
        monkeypatch.setitem(registry(), "freyfaces", replace(entry, mirrors=(server.url("endless"),)))
        monkeypatch.setattr(loading, "_in_memory", {})
        data.load("freyfaces", accept_unverified=True)
    assert len(server.requests) == 3


def test_every_file_has_a_limit():
    for entry in registry().values():
        for file in entry.files.values():
            assert 0 < file.limit <= 500_000_000 and (file.size is None or file.limit == file.size)
    assert File(None).limit == 500_000_000


# Files whose checksum nobody publishes


@pytest.mark.parametrize("bad", ["html", "cut:5000", "short:5000", "unsized:5000", "unsized:0"])
def test_an_unverified_file_must_at_least_parse(small_faces, served, empty_cache, bad):
    served("freyfaces", {"frey_rawface.mat": small_faces}, bad, "good")
    assert len(data.load("freyfaces", accept_unverified=True)) == 20
    assert (empty_cache / "freyfaces" / "frey_rawface.mat").read_bytes() == small_faces


def test_another_file_of_the_same_format_is_not_taken_for_an_unverified_one(small_faces, served, empty_cache):
    server = served("freyfaces", {"frey_rawface.mat": mat(ff=np.zeros((560, 29), np.uint8))}, "good")
    with pytest.raises(data.DataUnavailableError, match="not the published file"):
        data.load("freyfaces", accept_unverified=True)
    assert left_behind(empty_cache / "freyfaces") == [] and len(server.requests) == 1


# Disks


@pytest.fixture
def full_disk():
    """Files of this process may grow to 4 kB: a write beyond that fails as it would on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)  # Python ignores SIGXFSZ: write raises EFBIG
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_clear_sentence(small_mnist, served, empty_cache, request):
    server = served("mnist", small_mnist, "good", "good")
    request.getfixturevalue("full_disk")
    with pytest.raises(data.DataUnavailableError, match=r"nothing could be stored in .*make room.*VAECOURSE_DATA"):
        data.load("mnist")
    assert left_behind(empty_cache / "mnist") == []
    assert len(server.requests) == 1  # another mirror would not help


@pytest.mark.parametrize("number", ["ENOSPC", "EROFS", "EACCES", "EDQUOT"])
@pytest.mark.parametrize("where", ["mkdir", "replace"])
def test_a_disk_that_refuses_is_one_clear_sentence(small_mnist, served, monkeypatch, number, where):
    def refuse(*arguments, **options):
        code = getattr(errno, number)
        raise OSError(code, os.strerror(code), str(arguments[0]))

    served("mnist", small_mnist, "good")
    monkeypatch.setattr(*((cache.Path, "mkdir") if where == "mkdir" else (os, "replace")), refuse)
    with pytest.raises(data.DataUnavailableError, match="nothing could be stored in") as error:
        data.load("mnist")
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_made(small_mnist, served, empty_cache):
    empty_cache.write_text("a file where the folder should be")
    served("mnist", small_mnist, "good")
    with pytest.raises(data.DataUnavailableError, match=r"nothing could be stored.*set VAECOURSE_DATA"):
        data.load("mnist")


def test_flip_flips_one_bit():
    assert flip(b"\x00\x00", 9) == b"\x00\x02"
