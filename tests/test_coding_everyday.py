"""The coders of everyday: their files hold the images, and no plain setting of gzip, bz2 and xz makes them shorter."""

import bz2
import gzip
import io
import lzma

import numpy as np
import PIL.Image
import pytest
import torch

from vaecourse import data
from vaecourse.coding import everyday, everyday_sizes

DIGITS = data.load("digits", "test", protocol="fixed").realise().reshape(-1, 8, 8)
COUNTS = data.load("digits", "test", protocol="binomial").realise().reshape(-1, 8, 8)


def test_sizes_of_the_digits():
    """As counted once; a library of another version may do a little better or worse."""
    for images, expected in (
        (DIGITS, [2400, 1608, 1695, 1696, 2009, 1570]),
        (COUNTS, [19200, 7641, 6800, 6900, 8646, 7424]),
    ):
        sizes = everyday_sizes(images)
        assert list(sizes.index) == ["raw", "gzip", "bz2", "xz", "PNG", "WebP, lossless"]
        np.testing.assert_allclose(sizes["one file"], expected, rtol=0.03)
        assert sizes["one file"].iloc[0] == expected[0]
        assert (sizes["a file each"].drop("raw") > 1.5 * sizes["one file"].drop("raw")).all()


@pytest.mark.parametrize("images", [DIGITS, COUNTS])
def test_no_plain_setting_is_shorter(images):
    sizes = everyday_sizes(images)["one file"]
    raw = images.numpy().astype(np.uint8).tobytes()
    for name, files in {
        "gzip": [gzip.compress(raw, level, mtime=0) for level in range(1, 10)],
        "bz2": [bz2.compress(raw, level) for level in range(1, 10)],
        "xz": [lzma.compress(raw, preset=preset) for preset in range(10)],
    }.items():
        assert sizes[name] <= min(map(len, files))


@pytest.mark.parametrize("images", [DIGITS, COUNTS])
def test_pictures_hold_the_images(images):
    """Lossless: what a viewer reads from PNG and WebP files is the set, as a mosaic and as a column."""
    pixels = images.numpy().astype(np.uint8)
    largest = 255 if pixels.max() == 1 else 1
    for picture, shape in zip(everyday._pictures(pixels), [(17, 18), (300, 1)], strict=True):
        for kind, options in (("PNG", {}), ("WebP", {"lossless": True, "quality": 100, "method": 6})):
            file = io.BytesIO()
            (picture if kind == "PNG" else picture.convert("RGB")).save(file, kind, **options)
            read = np.asarray(PIL.Image.open(file).convert("L"))
            rows, columns = shape
            read = read.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
            np.testing.assert_array_equal(read[:300], pixels * largest)
            assert not read[300:].any()


def test_xz_files_are_read_by_everyone():
    raw = COUNTS.numpy().astype(np.uint8).tobytes()
    assert lzma.decompress(everyday._xz(raw)) == raw


def test_tall_sets_are_no_webp_column():
    """A column of 600 images of 28 rows is taller than WebP allows: the mosaic stands alone."""
    assert everyday_sizes(torch.zeros(600, 28, 1)).loc["WebP, lossless", "one file"] > 0


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(3, 64), r"of shape \[N, H, W\], and have shape \[3, 64\]"),
        (torch.zeros(0, 8, 8), r"have shape \[0, 8, 8\]"),
        (torch.full((1, 8, 8), 0.5), "whole numbers from 0 to 255"),
        (torch.full((1, 8, 8), -1.0), "whole numbers from 0 to 255"),
        (torch.full((1, 8, 8), float("nan")), "whole numbers from 0 to 255"),
    ],
)
def test_images_that_are_none_are_refused(images, sentence):
    with pytest.raises(ValueError, match=sentence):
        everyday_sizes(images)
