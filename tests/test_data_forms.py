"""Where and in which form people have MNIST: torchvision's folders, uncompressed files, keras' mnist.npz; and not."""

import gzip
import os
import stat
import tracemalloc
import warnings
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from loopback import described, flip, idx, npz, tiny_mnist

from vaecourse import data
from vaecourse.data import bounded, cache, files, forms, loading
from vaecourse.data.registry import registry
from vaecourse.publish.cli import app

NAMES = list(tiny_mnist())
IMAGES = NAMES[0]
PLAIN = {name: gzip.decompress(content) for name, content in tiny_mnist().items()}


def keras(**options):
    """What keras stores as mnist.npz."""
    arrays = {}
    for name, content in PLAIN.items():
        sizes = np.frombuffer(content, ">u4", content[3], 4)
        arrays[forms._KERAS[name]] = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(sizes)
    return {**arrays, **options}


def as_published():
    return tiny_mnist()


def gzipped_anew():
    return {name: gzip.compress(content, compresslevel=1, mtime=1) for name, content in PLAIN.items()}


def uncompressed():
    return {name.removesuffix(".gz"): content for name, content in PLAIN.items()}


def with_dots():
    return {name.removesuffix(".gz").replace("-idx", ".idx"): content for name, content in PLAIN.items()}


def unpacked_by_a_browser():
    return PLAIN


def mixed():
    return {**dict(list(uncompressed().items())[:2]), **dict(list(gzipped_anew().items())[2:])}


def bundled():
    return {"mnist.npz": npz(**keras())}


def bundled_and_compressed():
    return {"mnist.npz": npz(compressed=True, **keras())}


FORMS = [as_published, gzipped_anew, uncompressed, with_dots, unpacked_by_a_browser, mixed, bundled]
FORMS += [bundled_and_compressed]


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def reader(small_mnist, tmp_path, monkeypatch):
    """A folder of the reader's, which $VAECOURSE_DATA names."""
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "reader"))
    return tmp_path / "reader"


@pytest.fixture
def fashion(small_mnist, monkeypatch):
    """The fashion-mnist entry over files of the same names and no known content: returns them."""
    contents = {name: idx(np.full(shape, 7)) for name, shape in zip(NAMES, [(50, 28, 28), 50, (20, 28, 28), 20])}
    sizes = {"train": 40, "valid": 10, "test": 20}
    entry = replace(
        registry()["fashion-mnist"], files=described(contents, with_content=False), splits=sizes, mirrors=()
    )
    monkeypatch.setitem(registry(), "fashion-mnist", entry)
    return contents


@pytest.fixture
def strict(recwarn):
    """No warning at all."""
    yield
    assert not [str(warning.message) for warning in recwarn if issubclass(warning.category, UserWarning)]


def run(*arguments):
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def loaded():
    """The three splits, as a new process would read them."""
    loading._in_memory.clear()
    return [
        (part.x.tolist(), part.y.tolist())
        for part in (data.load("mnist", split) for split in registry()["mnist"].splits)
    ]


# Found


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_data(reader, empty_cache, strict, form):
    write(reader, as_published())
    expected = loaded()
    for path in reader.iterdir():
        path.unlink()
    write(reader, form())
    assert loaded() == expected
    assert files.state(registry()["mnist"]) == "here" and not empty_cache.exists()
    code, out, _ = run("verify", "mnist")
    assert code == 0 and out.count("intact") == 4


@pytest.mark.parametrize(
    "place", ["", "mnist", "MNIST/raw", "raw", "datasets", "mnist/MNIST/raw", "mnist/raw", "mnist/datasets"]
)
@pytest.mark.parametrize("form", [as_published, uncompressed, bundled])
def test_every_place_is_searched(reader, strict, place, form):
    """torchvision's root, its MNIST folder, ~/.keras and ~/.keras/datasets are such."""
    write(reader / place, form())
    assert len(data.load("mnist")) == 40


def test_torchvision_keeps_its_sets_apart(reader, fashion, strict):
    """Its root holds both forms of each set, in folders whose files have the same names."""
    write(reader / "MNIST/raw", {**as_published(), **uncompressed()})
    write(reader / "FashionMNIST/raw", {**fashion, **{name[:-3]: gzip.decompress(fashion[name]) for name in fashion}})
    assert (data.load("fashion-mnist").x == 7).all() and not (data.load("mnist").x == 7).all()


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_the_folders_of_other_libraries(name):
    """As torchvision names them: after the class, with raw below; keras: datasets, and fashion-mnist below that."""
    torchvision = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}[name]
    assert {f"{torchvision}/raw", "raw"} <= set(registry()[name].elsewhere)
    assert registry()["mnist"].bundle == "mnist.npz" and "datasets" in registry()["mnist"].elsewhere
    assert "datasets/fashion-mnist" in registry()["fashion-mnist"].elsewhere


def test_the_readers_folder_comes_before_the_cache(reader, empty_cache):
    entry = registry()["mnist"]
    for folder in (reader, empty_cache):
        for place in ("mnist", "mnist/MNIST/raw", "", "MNIST/raw"):
            write(folder / place, as_published())
    order = []
    for _ in range(8):
        path = files.locate(entry)[IMAGES]
        assert {found.parent for found in files.locate(entry).values()} == {path.parent}
        order.append(path.parent)
        for name in NAMES:
            (path.parent / name).unlink()
    places = ("mnist", "mnist/MNIST/raw", "", "MNIST/raw")
    assert order == [folder / place for folder in (reader, empty_cache) for place in places]


def test_the_published_form_comes_first_within_a_folder(reader):
    write(reader, {**bundled(), **uncompressed(), **as_published()})
    assert files.locate(registry()["mnist"])[IMAGES] == reader / IMAGES
    (reader / IMAGES).unlink()
    assert files.locate(registry()["mnist"])[IMAGES] == reader / IMAGES.removesuffix(".gz")


def test_the_content_checksums_of_mnist_are_those_of_its_files():
    """Against the published file checksums: whoever has the files can run this, elsewhere it is skipped."""
    entry = registry()["mnist"]
    folder = next((f for f in cache.search_folders(entry) if all((f / name).is_file() for name in entry.files)), None)
    if folder is None:
        pytest.skip("the files of MNIST are not at hand")
    for name, known in entry.files.items():
        if cache.checksum_of(folder / name) == known.checksum:
            assert forms.content_checksum(folder / name, name) == known.content


def test_content_is_known_of_mnist_only():
    """No checksum of what Fashion-MNIST's and KMNIST's files hold is known here: their other forms are not accepted."""
    for name in data.names():
        contents = {known.content for known in registry()[name].files.values()}
        assert (None in contents) == (name != "mnist") or not contents
    assert len({known.content for known in registry()["mnist"].files.values()}) == 4


# Not taken for what it is not


@pytest.mark.parametrize("form", [gzipped_anew, uncompressed, with_dots, bundled])
def test_mnist_in_another_form_is_no_damaged_fashion_mnist(reader, fashion, strict, form):
    write(reader, form())
    assert files.state(registry()["fashion-mnist"]) == "not here"
    code, out, _ = run("verify")
    assert code == 0 and {line.split()[0] for line in out.splitlines()} == {"intact"}  # as MNIST
    with pytest.raises(data.DataUnavailableError, match="not found in it"):
        data.load("fashion-mnist")


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("form", [gzipped_anew, uncompressed, bundled])
def test_one_changed_pixel_is_noticed(reader, number, form, monkeypatch):
    """Of any of the four files, in any form."""
    name = NAMES[number]
    changed = {**PLAIN, name: flip(PLAIN[name], 8 * len(PLAIN[name]) - 1)}
    monkeypatch.setitem(globals(), "PLAIN", changed)
    write(reader, form())
    with pytest.raises(data.DataUnavailableError, match=f"does not hold what {name} does|is not the published file"):
        if form is gzipped_anew:
            with pytest.warns(UserWarning, match="is not the published file"):
                data.load("mnist")
        else:
            data.load("mnist")
    with pytest.raises(ValueError, match="nothing was added"):
        files.add(registry()["mnist"], reader)


@pytest.mark.parametrize("number", range(4))
def test_what_cannot_be_verified_is_not_used_and_says_so(reader, fashion, number):
    """Three published files and an uncompressed fourth, of whose content nobody publishes a checksum."""
    name = NAMES[number]
    write(reader, {other: fashion[other] for other in NAMES if other != name})
    write(reader, {name.removesuffix(".gz"): gzip.decompress(fashion[name])})
    with pytest.raises(data.DataUnavailableError, match=f"nobody publishes a checksum of what {name} holds") as error:
        data.load("fashion-mnist")
    assert "\n" not in str(error.value)
    assert files.state(registry()["fashion-mnist"]) == "partly here"
    code, out, _ = run("verify", "fashion-mnist")
    assert (
        code == 1
        and out.count("intact") == 3
        and out.count("other ") == 1
        and f"missing    fashion-mnist: {name}" in out
    )
    with pytest.raises(ValueError, match="nobody publishes one of its content"):
        files.add(registry()["fashion-mnist"], reader / name.removesuffix(".gz"))


ARRAYS = {
    "pickled": lambda: npz(**keras(x_train=np.array([{}], dtype=object))),
    "floats": lambda: npz(**keras(x_train=keras()["x_train"] / 255)),
    "columns first": lambda: npz(**keras(x_train=np.asfortranarray(keras()["x_train"]))),
    "another shape": lambda: npz(**keras(x_train=keras()["x_train"].reshape(50, 784))),
    "a scalar": lambda: npz(**keras(x_train=np.uint8(3))),
    "a lack": lambda: npz(**{name: array for name, array in keras().items() if name != "x_train"}),
    "cut": lambda: npz(**keras())[:9000],
    "no archive": lambda: b"PK" + bytes(1000),
    "flipped": lambda: flip(npz(compressed=True, **keras()), 50_000),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_a_bad_npz_is_refused_in_a_sentence(reader, case):
    write(reader, {"mnist.npz": ARRAYS[case]()})
    with pytest.raises(data.DataUnavailableError, match=r"mnist\.npz (cannot be used|does not hold)") as error:
        data.load("mnist")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"mnist\.npz is not the file of mnist.*nothing was added"):
        files.add(registry()["mnist"], reader / "mnist.npz")


def test_the_arrays_of_an_npz_are_unsigned_bytes(tmp_path):
    """Signed ones would be the same bytes, and so the same checksum, under other numbers."""
    write(tmp_path, {"mnist.npz": npz(**keras(x_train=keras()["x_train"].view(np.int8)))})
    with pytest.raises(ValueError, match=r"holds int8 \(50, 28, 28\) as x_train, not an array of bytes"):
        forms.idx_content(tmp_path / "mnist.npz", IMAGES)


def test_a_pickle_is_never_loaded(reader, monkeypatch):
    import pickle

    class Trap:
        def __reduce__(self):
            return print, ("unpickled",)

    content = npz(**keras(x_train=np.array([Trap()], dtype=object)))
    monkeypatch.setattr(pickle, "load", None)
    monkeypatch.setattr(np, "load", None)
    write(reader, {"mnist.npz": content})
    with pytest.raises(data.DataUnavailableError):
        data.load("mnist")


# Added


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["", "MNIST/raw"])
def test_add_takes_every_form_from_a_folder(small_mnist, empty_cache, tmp_path, form, place):
    write(tmp_path / "stick" / place, form())
    code, out, err = run("add", "mnist", "--from", tmp_path / "stick")
    assert code == 0, err
    assert out.split() == [str(empty_cache / "mnist" / name) for name in NAMES]
    for name in NAMES:
        assert gzip.decompress((empty_cache / "mnist" / name).read_bytes()) == PLAIN[name]
    assert files.state(registry()["mnist"]) == "here" and run("verify", "mnist")[0] == 0
    assert len(data.load("mnist")) == 40


@pytest.mark.parametrize("name", ["mnist.npz", "my keras copy.npz"])
def test_add_takes_an_npz_given_directly(small_mnist, empty_cache, tmp_path, name):
    write(tmp_path, {name: npz(**keras())})
    assert run("add", "mnist", "--from", tmp_path / name)[0] == 0 and len(data.load("mnist")) == 40


def test_add_takes_an_uncompressed_file_given_directly(small_mnist, empty_cache, tmp_path):
    write(tmp_path, uncompressed())
    for name in uncompressed():
        files.add(registry()["mnist"], tmp_path / name)
    assert len(data.load("mnist")) == 40
    with pytest.raises(ValueError, match=r"a file of mnist is named train-images.* or mnist.npz; got x.gz"):
        write(tmp_path, {"x.gz": small_mnist[IMAGES]})
        files.add(registry()["mnist"], tmp_path / "x.gz")


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_added_before_all_is_verified(small_mnist, empty_cache, tmp_path, number):
    """Whichever of the files is wrong; and what the cache held before stays."""
    before = gzipped_anew()
    write(empty_cache / "mnist", before)
    wrong = flip(small_mnist[NAMES[number]], 8 * len(small_mnist[NAMES[number]]) - 70)
    write(tmp_path / "stick", {**small_mnist, NAMES[number]: wrong})
    with pytest.raises(ValueError, match="nothing was added"):
        files.add(registry()["mnist"], tmp_path / "stick")
    for name in NAMES:
        assert (empty_cache / "mnist" / name).read_bytes() == before[name]


def test_add_prefers_what_is_whole(small_mnist, fashion, empty_cache, tmp_path):
    """A flat folder with another set's files in the way, and a cut copy; the whole one lies deeper."""
    write(tmp_path / "stick", fashion)
    write(tmp_path / "stick" / "mnist", {IMAGES: small_mnist[IMAGES][:100]})
    write(tmp_path / "stick" / "MNIST/raw", uncompressed())
    files.add(registry()["mnist"], tmp_path / "stick")
    assert len(data.load("mnist")) == 40


# Folders that are none


def a_fifo(path):
    os.mkfifo(path)


def a_file(path):
    path.write_bytes(b"")


def nothing(path):
    pass


def a_link_to_itself(path):
    path.symlink_to(path)


CASES = [
    (nothing, "does not exist"),
    (a_file, "is a file, not a folder"),
    (a_fifo, "is a FIFO, not a folder"),
    (a_link_to_itself, r"is out of reach \(Too many levels of symbolic links\)"),
]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize(("make", "sentence"), CASES)
def test_a_variable_that_names_no_folder_is_said(reader, make, sentence):
    make(reader)
    with pytest.warns(UserWarning, match=f"VAECOURSE_DATA={reader} {sentence}: nothing is looked for there"):
        with pytest.raises(data.DataUnavailableError, match=rf"\(now VAECOURSE_DATA={reader} {sentence}\)") as error:
            data.load("mnist")
    assert "\n" not in str(error.value)
    with pytest.warns(UserWarning, match="the embedded digits are used|nothing is looked for there") as warned:
        assert data.load("mnist", fallback="digits").name == "digits"
    assert len(warned) == 2
    code, out, err = run("get", "mnist")
    assert code == 1 and out == "" and "Traceback" not in err
    said = "a file of mnist is named" if make is a_file else sentence.removesuffix(", not a folder")
    with pytest.raises(ValueError, match=said):
        files.add(registry()["mnist"], reader)


@pytest.mark.parametrize("make", [nothing, a_file])
def test_a_variable_that_names_no_folder_does_not_hide_the_cache(reader, empty_cache, make):
    make(reader)
    write(empty_cache / "mnist", as_published())
    with pytest.warns(UserWarning, match="nothing is looked for there"):
        assert len(data.load("mnist")) == 40


def test_an_empty_variable_is_none(small_mnist, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", "")
    with pytest.raises(data.DataUnavailableError) as error:
        data.load("mnist")
    assert "now" not in str(error.value)


def test_a_home_that_nobody_has(small_mnist, monkeypatch):
    monkeypatch.setenv("VAECOURSE_DATA", "~nobody-of-this-name/data")
    with pytest.warns(UserWarning, match="does not exist"), pytest.raises(data.DataUnavailableError):
        data.load("mnist")


def test_an_empty_folder_says_where_it_was_looked(reader):
    reader.mkdir()
    with pytest.raises(data.DataUnavailableError, match=rf"now VAECOURSE_DATA={reader} does not help: ") as error:
        data.load("mnist")
    sentence = str(error.value)
    assert all(name in sentence for name in NAMES) and "not found in it, nor in its mnist, mnist/MNIST/raw" in sentence


@pytest.mark.parametrize("what", ["folder", "subfolder", "file"])
def test_what_may_not_be_read_is_said(reader, what, monkeypatch):
    """By a file system that refuses, because those who run tests as root may read everything."""
    write(reader / "mnist", as_published())
    locked = {"folder": reader, "subfolder": reader / "mnist", "file": reader / "mnist" / IMAGES}[what]
    look, scan, read = cache.Path.stat, os.scandir, cache.Path.open

    def refuse(path):
        if isinstance(path, os.PathLike) and (locked == path or locked in path.parents):
            raise PermissionError(13, "Permission denied", str(path))

    def stat_of(path, **options):
        if path != locked:
            refuse(path)
        return look(path, **options)

    monkeypatch.setattr(cache.Path, "stat", stat_of)
    monkeypatch.setattr(os, "scandir", lambda path: refuse(path) or scan(path))
    monkeypatch.setattr(cache.Path, "open", lambda path, *args, **kw: refuse(path) or read(path, *args, **kw))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(data.DataUnavailableError, match=f"{locked} cannot be read") as error:
            data.load("mnist")
        assert "\n" not in str(error.value)
        assert data.load("mnist", fallback="digits").name == "digits"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_leave(reader):
    write(reader, as_published())
    reader.chmod(0)
    try:
        with pytest.warns(UserWarning, match="cannot be read"), pytest.raises(data.DataUnavailableError):
            data.load("mnist")
    finally:
        reader.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("place", ["reader", "cache"])
def test_a_fifo_in_place_of_a_file_is_never_opened(reader, empty_cache, served, place):
    """Nobody writes into it: whoever opened it would wait for ever."""
    folder = reader if place == "reader" else empty_cache / "mnist"
    write(folder, as_published())
    (folder / IMAGES).unlink()
    os.mkfifo(folder / IMAGES)
    if place == "reader":
        with pytest.warns(UserWarning, match=f"{IMAGES} is a FIFO, not a file: it is left as it is"):
            with pytest.raises(data.DataUnavailableError, match=f"{IMAGES} is a FIFO, not a file"):
                data.load("mnist")
        with pytest.raises(ValueError, match=f"lacks {IMAGES}.*is a FIFO, not a file"):
            files.add(registry()["mnist"], reader)
    served("mnist", tiny_mnist(), "good")
    with pytest.warns(UserWarning):
        assert len(data.load("mnist")) == 40
    assert stat.S_ISREG((empty_cache / "mnist" / IMAGES).stat().st_mode)


# Files that expand


def test_a_bomb_is_not_expanded(reader, monkeypatch):
    """Each form of it, against a limit that its honest size keeps."""
    monkeypatch.setattr(bounded, "EXPANDED", 100_000)
    write(reader, as_published())
    assert len(data.load("mnist")) == 40
    zeros = bytes(200_000)
    bombs = {
        IMAGES: gzip.compress(zeros),
        IMAGES.removesuffix(".gz"): b"\0\0" + zeros,
        "mnist.npz": npz(compressed=True, **keras(x_train=np.frombuffer(zeros, np.uint8))),
    }
    for name, content in bombs.items():
        write(reader, {name: content})
        with pytest.raises(ValueError, match=f"{name} .*expands to more than 100,000 bytes"):
            forms.idx_content(reader / name, IMAGES)
        (reader / name).unlink()


def test_a_bomb_takes_no_memory(tmp_path, monkeypatch):
    """64 MB of zeros: at most the limit, and what reading in blocks takes, is ever held."""
    pack = zlib.compressobj(9, wbits=31)
    with (tmp_path / IMAGES).open("wb") as out:
        for _ in range(64):
            out.write(pack.compress(bytes(2**20)))
        out.write(pack.flush())
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(2**26))
    monkeypatch.setattr(bounded, "EXPANDED", 2**22)
    tracemalloc.start()
    try:
        for name in (IMAGES, "mnist.npz"):
            with pytest.raises(ValueError, match=name):
                forms.idx_content(tmp_path / name, IMAGES)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**22
    finally:
        tracemalloc.stop()
