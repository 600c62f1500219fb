"""Data: splits and protocols that never change, and a registry, parsers and datasheets that say the same."""

import dataclasses
import hashlib
import re
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from vaecourse import data
from vaecourse.data import cache, parsers
from vaecourse.data.dataset import PROTOCOLS
from vaecourse.data.registry import registry
from vaecourse.data.splits import SPLITS, region_split, shuffled_split, stratified_split

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


def test_patches_split_never_changes():
    digest = hashlib.sha256()
    for split in ("train", "valid", "test"):
        part = data.load("patches", split)
        digest.update(part.x.numpy().tobytes() + part.y.numpy().astype("<i8").tobytes())
    assert digest.hexdigest() == "7d33eb438c5da9771ef1d2fe2fd6e734050b4d68cb80e70b1271a7321f5487f3"


def test_patches_are_the_tiles_of_regions_apart():
    """Cut here from the photographs, pixel by pixel, by the columns that the datasheet states."""
    from sklearn.datasets import load_sample_image

    bands = {"train": (0, 87), "valid": (96, 119), "test": (128, 151)}  # of every 160 columns of pixels
    sheet = (cache.project_folder() / "patches.md").read_text(encoding="utf-8")
    for split, (first, last) in bands.items():
        part = data.load("patches", split)
        for label, name in enumerate(("china.jpg", "flower.jpg")):
            photograph = load_sample_image(name)
            tiles = [
                photograph[row : row + 8, column : column + 8].transpose(2, 0, 1).tobytes()
                for row in range(0, 424, 8)
                for left in range(0, 640, 160)
                for column in range(left + first, left + last, 8)
            ]
            assert sorted(tiles) == sorted(tile.numpy().tobytes() for tile in part.x[part.y == label])
        assert re.search(rf"^\| {split} \| [\d to]+ \| {first} to {last} \|", sheet, re.MULTILINE)
    # A tile lies between: no two pixels of two splits are nearer than 8, at the seam of two periods neither.
    split_of = {column: split for split, (first, last) in bands.items() for column in range(first, last + 1)}
    for column in range(640):
        near = {split_of.get((column + step) % 160) for step in range(9)} - {None}
        assert len(near) <= 1


def test_patches_are_colour_images_in_an_order_that_is_stratified():
    part = data.load("patches", "valid")
    assert part.image_shape == (3, 8, 8) and part.protocol == "integer" and part.levels == 255
    x = part.x.reshape(-1, 3, 64).float().mean(-1)
    orange, leaves, sky = x[(x[:, 0] - x[:, 2]).argmax()], x[(x[:, 1] - x[:, 0]).argmax()], x[x.sum(-1).argmax()]
    assert orange[0] > orange[1] > 2 * orange[2] and leaves[1] > 2 * leaves[0] and sky.min() > 240
    for split in ("train", "valid", "test"):
        assert abs(data.load("patches", split).head(101).y.sum() - 50.5) <= 2
    assert not torch.equal(part.x, data.load("patches", "test").x)


def test_what_the_datasheet_says_of_the_patches_splits():
    """The bits of a Gaussian, from its density and the definition of bits per dimension."""
    train, test = (data.load("patches", split, "dequantised") for split in ("train", "test"))
    x = train.realise().double()
    gaussian = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.T))
    sheet = (cache.project_folder() / "patches.md").read_text(encoding="utf-8")
    for part, text in ((train, "costs {} bits per dimension on train"), (test, "and {} on test")):
        bits = part.bits_per_dim(gaussian.log_prob(part.realise().double()).mean())
        assert text.format(f"{bits:.2f}") in " ".join(sheet.split())
    for split, pairs in (("train", 2), ("valid", 0), ("test", 0)):
        x = data.load("patches", split).x
        assert len(x) - len(x.unique(dim=0)) == pairs


def test_region_split_keeps_neighbours_together():
    labels = np.repeat([0, 1, 0, 1, 1], [30, 10, 5, 5, 10])
    parts = region_split(labels, {"train": 40, "valid": 10, "test": 10}, seed=1)
    assert [sorted(part.tolist()) for part in parts.values()] == [
        list(range(40)), list(range(40, 50)), list(range(50, 60))
    ]  # fmt: skip
    assert parts["train"].tolist() != list(range(40)) and labels[parts["train"]][:8].sum() == 2  # stratified
    assert not np.array_equal(parts["train"], region_split(labels, {"train": 40, "valid": 10, "test": 10}, 2)["train"])
    with pytest.raises(ValueError, match="add up to the number of data, 60"):
        region_split(labels, {"train": 40, "valid": 10}, seed=1)


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


def test_shuffled_split_is_the_one_that_burda_et_al_used():
    """Their code: train and valid are the first and last of a permutation by RandomState(123); its start is pinned."""
    labels = np.zeros(24345)
    parts = shuffled_split(labels, {"train": 23000, "valid": 1345}, seed=123)
    order = np.random.RandomState(seed=123).permutation(24345)
    np.testing.assert_array_equal(parts["train"], order[:-1345])
    np.testing.assert_array_equal(parts["valid"], order[-1345:])
    assert parts["train"][:4].tolist() == [17795, 4791, 14296, 974]
    with pytest.raises(ValueError, match="add up to the number of data, 24345"):
        shuffled_split(labels, {"train": 23000}, seed=123)


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
    once, again = (dynamic.batch(generator=torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(once, again)


@pytest.mark.parametrize(("protocol", "num_pixels"), [("dynamic", 3), ("dequantised", 1)])
def test_noise_of_neighbouring_pixels_is_independent(protocol, num_pixels):
    """Four pixels share a draw of the generator: no two of any five neighbours are correlated."""
    x = torch.full((40000, 5 * num_pixels), 100, dtype=torch.uint8)
    part = data.Dataset(x, torch.zeros(40000), "made", "train", protocol, (5, num_pixels), 255)
    correlation = part.batch(generator=torch.Generator().manual_seed(0)).double().T.corrcoef()
    z = correlation[~torch.eye(len(correlation), dtype=torch.bool)] * 40000**0.5
    assert z.abs().max() < 4.5  # at most 105 pairs: a false alarm has probability 1e-3


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


def test_dequantised_is_uniform_on_its_cell_and_can_be_undone():
    """Over all 256 values and an even number of draws u: its moments are those of a uniform, its cell is exact."""
    x = torch.arange(256, dtype=torch.uint8).repeat(400, 4)  # [400, 1024]
    part = data.Dataset(x, torch.zeros(400), "made", "train", "dequantised", (32, 32), 255)
    y = part.realise(seed=1)
    assert y.dtype == torch.float32 and (y >= 0).all() and (y < 1).all()
    assert torch.equal((y * 256).floor(), x.float())
    u = (y.double() * 256 - x).flatten()
    for power in (1, 2, 3):  # E u^p = 1 / (p + 1), Var u^p = 1 / (2 p + 1) - 1 / (p + 1)^2
        z = (u**power - 1 / (power + 1)).mean() * (len(u) / (1 / (2 * power + 1) - 1 / (power + 1) ** 2)) ** 0.5
        assert abs(z) < 4.5  # the grid of 2^-16 shifts a moment by 2^-17 at most: 0.02 standard errors
    assert not torch.equal(part.batch(), part.batch())
    torch.testing.assert_close(part.realise(seed=1), y)


def test_a_density_of_dequantised_data_bounds_the_mass_function():
    """Jensen: E_u log p((x + u) / 256) <= log P(x) + log 256, P(x) the mass of p on the cell of x."""
    p = torch.distributions.Normal(torch.tensor(0.4).double(), 0.05)
    x = torch.arange(256, dtype=torch.uint8)[:, None].expand(256, 4000).contiguous()
    part = data.Dataset(x, torch.zeros(256), "made", "train", "dequantised", (40, 100), 255)
    log_p = p.log_prob(part.realise().double())  # [256, 4000]
    edges = torch.arange(257).double() / 256
    # A normal's log-mass far from its mean, without cancellation: the cell is narrow, its mass is an integral.
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.legendre.leggauss(20))
    inside = edges[:-1, None] + (nodes + 1) / 512
    log_mass = (p.log_prob(inside) + weights.log() - np.log(512.0)).logsumexp(-1)
    gap = log_mass + np.log(256.0) - log_p.mean(-1)
    z = gap / (log_p.std(-1) / 4000**0.5)
    assert (z > -4.5).all() and gap.max() > 0.01  # 256 one-sided tests: a false alarm has probability 1e-3


def test_fingerprint_is_that_of_the_data():
    part = data.load("digits", "train", "dynamic")
    assert re.fullmatch("[0-9a-f]{64}", part.fingerprint)
    assert part.fingerprint == data.load("digits", "train", "dynamic").fingerprint == part.to("cpu").fingerprint
    changed = data.load("digits", "train", "dynamic")
    changed.x[7, 3] += 1
    others = [changed, part.head(100), data.load("digits", "test", "dynamic"), data.load("digits", "train", "fixed")]
    fields = [{"name": "d"}, {"levels": 17}, {"image_shape": (4, 16)}, {"x": part.x.reshape(-1, 32)}]
    others += [dataclasses.replace(part, **field) for field in fields]
    assert len({part.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


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
        (("mnits",), "name must be one of digits, patches, mnist, .*; got 'mnits'"),
        (("digits", "dev"), "split of digits must be one of train, valid, test; got 'dev'"),
        (
            ("mnist", "test", "binomial"),
            "protocol of mnist must be one of dynamic, fixed, integer, dequantised, intensity; got",
        ),
    ],
)
def test_unknown_arguments_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.load(*arguments)


# Registry, parsers and datasheets


def test_every_set_has_a_parser_and_every_parser_a_set():
    assert list(parsers.PARSERS) == data.names()


@pytest.mark.parametrize("name", data.names())
def test_the_datasheet_says_what_the_registry_does(name):
    entry = registry()[name]
    sheet = (cache.project_folder() / f"{name}.md").read_text(encoding="utf-8")
    assert sheet.startswith(f"# {name}\n")
    assert f"| Licence | {entry.licence}" in sheet and f"<{entry.origin}>" in sheet
    splits = re.search(r"^\| Splits \| (.*) \|$", sheet, re.MULTILINE)[1]
    for split, size in entry.splits.items():
        assert f"{split} {size:,}" in splits
    assert f"seed {entry.split_seed}" in splits and entry.split in splits
    for file, known in entry.files.items():
        size = "" if known.size is None else f"{known.size:,}"
        checksum = "unverified" if known.checksum is None else known.checksum.partition(":")[2]
        row = next(line for line in sheet.splitlines() if line.startswith(f"| {file} |"))
        assert checksum in row and size in row and (known.content or "sha256:").partition(":")[2] in row
    assert all(f"`{folder}`" in sheet for folder in (*entry.elsewhere, *([entry.bundle] if entry.bundle else [])))
    listed = re.findall(r"^\| `(\w+)`", sheet, re.MULTILINE)
    assert listed == list(entry.protocols) and f"`{listed[0]}` (default)" in sheet
    assert all(mirror in sheet for mirror in entry.mirrors)


@pytest.mark.parametrize("name", data.names())
def test_an_entry_is_sound(name):
    entry = registry()[name]
    assert set(entry.protocols) <= set(PROTOCOLS) and entry.split in SPLITS
    assert list(entry.splits) == ["train", "valid", "test"]
    assert all(mirror.endswith("/") for mirror in entry.mirrors) and bool(entry.mirrors) == bool(entry.files)
    for known in entry.files.values():
        for checksum in (known.checksum, known.content):
            assert checksum is None or re.fullmatch("sha256:[0-9a-f]{64}", checksum)
    if any(known.checksum is None for known in entry.files.values()):
        assert entry.checksums == "none is published"
        assert len(entry.files) == 1  # `add` and `load` inspect such a file by itself
    if entry.licence.startswith("none stated"):  # its publisher's own site, never a copy elsewhere
        sites = {".".join(urlsplit(url).netloc.split(".")[-2:]) for url in (entry.origin, *entry.mirrors)}
        assert len(sites) == 1
