"""One parser a data set: from its published files to integer images and labels. Nothing is ever unpickled."""

import gzip
import tarfile
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vaecourse.data.bounded import Bounded, check_matlab
from vaecourse.data.forms import idx_content
from vaecourse.data.registry import Entry

# Of every 20 columns of tiles in a photograph; 11, 15 and 19 lie between, so that no tiles of two splits touch.
PATCH_COLUMNS = {"train": range(0, 11), "valid": range(12, 15), "test": range(16, 19)}


class Arrays(NamedTuple):
    """A published part of a data set, in the order of its file."""

    x: np.ndarray  # uint8 [N, D]
    y: np.ndarray  # int64 [N]


def read_idx(path: Path, file: str | None = None) -> np.ndarray:
    """Read an IDX file of unsigned bytes, in whichever form people have it (see `forms`).

    The format: two zero bytes, the type (8 is unsigned byte), the number of dimensions, one big-endian 32-bit
    size a dimension, then the values, last dimension fastest.

    Args:
        path: the file, gzipped or not, or an .npz file.
        file: the name of the published file, which says which array of an .npz file is meant.

    Returns:
        uint8 array of the shape that the file states.

    Raises:
        ValueError: if the file is no gzip file, no IDX file of bytes, or shorter or longer than it states.
    """
    content = idx_content(path, file)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes: it starts with {content[:4].hex(' ')}")
    num_dimensions = content[3]
    header = 4 + 4 * num_dimensions
    if num_dimensions == 0 or len(content) < header:
        raise ValueError(f"{path} ends within its header, which states {num_dimensions} dimensions")
    shape = np.frombuffer(content, dtype=">u4", count=num_dimensions, offset=4).tolist()
    if len(content) - header != prod(shape):
        size = "x".join(map(str, shape))
        raise ValueError(f"{path} states {size} = {prod(shape)} values but holds {len(content) - header}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def read_mat(path: Path, *names: str) -> list[np.ndarray]:
    """Read arrays from a MATLAB file (level 5, which holds numbers and no code).

    Args:
        path: the .mat file.
        names: the variables wanted.

    Returns:
        The arrays, in that order.

    Raises:
        ValueError: if the file cannot be read, lacks one of them, or expands beyond measure.
    """
    from scipy.io import loadmat  # slow to import, and few sets need it

    check_matlab(path)
    try:
        content = loadmat(str(path), variable_names=names)
    except Exception as error:  # a damaged file can fail anywhere in the reader, with any exception
        raise ValueError(f"{path} is not a readable MATLAB file ({type(error).__name__}: {error})") from error
    for name in names:
        if not isinstance(content.get(name), np.ndarray) or content[name].ndim != 2:
            raise ValueError(f"{path} holds no matrix {name!r}")
    return [content[name] for name in names]


def read_tar(path: Path, *members: str) -> list[bytes]:
    """Read members of a gzipped tar archive into memory; nothing is extracted to disk.

    Raises:
        ValueError: if the archive cannot be read to its end, lacks one of them, or expands beyond measure.
    """
    found = {}
    try:
        # A stream ("r|"): what is not wanted is passed over, but it counts.
        with gzip.open(path) as stream, tarfile.open(fileobj=Bounded(stream, path), mode="r|") as archive:
            for member in archive:
                if member.name in members and member.isfile():
                    found[member.name] = archive.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not a complete gzipped tar archive ({error})") from error
    for name in members:
        if name not in found:
            raise ValueError(f"{path} lacks {name}")
    return [found[name] for name in members]


def digits(files: dict[str, Path]) -> dict[str, Arrays]:
    """The 1,797 digits that scikit-learn carries, pixel values 0..16."""
    from sklearn.datasets import load_digits  # slow to import, and only this set needs it

    x, y = load_digits(return_X_y=True)
    return {"train": Arrays(x.astype(np.uint8), y.astype(np.int64))}


def patches(files: dict[str, Path]) -> dict[str, Arrays]:
    """Tiles of 8x8 pixels of the two photographs that scikit-learn carries, pixel values 0..255, channels first.

    Both are 427x640; their upper 424 rows hold 53 rows of 80 tiles. Regions are bands of columns of tiles, four to a
    photograph: those of train, then of valid, then of test, with a column between that belongs to none.
    """
    from sklearn.datasets import load_sample_images  # slow to import, and only this set needs it

    photographs = load_sample_images()
    order = [Path(name).name for name in photographs.filenames]
    parts = []
    for region in PATCH_COLUMNS.values():
        columns = [column for column in range(80) if column % 20 in region]
        for label, name in enumerate(("china.jpg", "flower.jpg")):
            pixels = photographs.images[order.index(name)]
            if pixels.shape != (427, 640, 3) or pixels.dtype != np.uint8:
                raise ValueError(f"{name} of scikit-learn is {pixels.dtype} {pixels.shape}, not uint8 (427, 640, 3)")
            tiles = pixels[:424].reshape(53, 8, 80, 8, 3).transpose(0, 2, 4, 1, 3)[:, columns]  # [53, width, 3, 8, 8]
            parts.append(Arrays(tiles.reshape(-1, 192), np.full(tiles[..., 0, 0, 0].size, label, dtype=np.int64)))
    return {"train": Arrays(*map(np.concatenate, zip(*parts)))}


def idx_files(files: dict[str, Path]) -> dict[str, Arrays]:
    """The four IDX files of MNIST and of the sets made after it, pixel values 0..255."""

    def part(prefix: str) -> Arrays:
        images, labels = (
            read_idx(files[file], file) for file in (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        )
        return Arrays(images.reshape(len(images), -1), labels.astype(np.int64))

    return {"train": part("train"), "test": part("t10k")}


def omniglot(files: dict[str, Path]) -> dict[str, Arrays]:
    """Burda's reduction of Omniglot to 28x28: ink in [0, 1], stored here in steps of 1/255; labels are alphabets.

    The images lie in columns, each column by column as in MATLAB; they are turned to rows, upright.
    """
    path = files["chardata.mat"]
    *parts, target, test_target = read_mat(path, "data", "testdata", "target", "testtarget")

    def part(ink: np.ndarray, one_hot: np.ndarray) -> Arrays:
        if ink.shape[0] != 784 or one_hot.shape[1] != ink.shape[1]:
            raise ValueError(f"{path} holds {ink.shape} ink and {one_hot.shape} labels, not (784, N) and (K, N)")
        if not (ink.dtype.kind in "fu" and ((0 <= ink) & (ink <= 1)).all()):
            raise ValueError(f"{path} holds ink outside [0, 1]")
        x = np.rint(255 * ink).astype(np.uint8).T.reshape(-1, 28, 28)
        return Arrays(x.transpose(0, 2, 1).reshape(-1, 784), one_hot.argmax(0).astype(np.int64))

    return {"train": part(parts[0], target), "test": part(parts[1], test_target)}


def cifar10(files: dict[str, Path]) -> dict[str, Arrays]:
    """The binary version: records of a label byte and 3x32x32 pixel bytes, red then green then blue, row by row."""
    path = files["cifar-10-binary.tar.gz"]
    batches = [f"cifar-10-batches-bin/{name}.bin" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")]
    contents = read_tar(path, *batches)
    for name, content in zip(batches, contents):
        if len(content) % 3073:
            raise ValueError(f"{name} in {path} has {len(content)} bytes, which is no multiple of 3,073")

    def part(content: bytes) -> Arrays:
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 3073)
        return Arrays(records[:, 1:], records[:, 0].astype(np.int64))

    return {"train": part(b"".join(contents[:5])), "test": part(contents[5])}


def freyfaces(files: dict[str, Path]) -> dict[str, Arrays]:
    """The frames of the video, in its order, pixel values 0..255; there are no labels (all 0)."""
    path = files["frey_rawface.mat"]
    (frames,) = read_mat(path, "ff")
    if frames.shape[0] != 560 or frames.dtype != np.uint8:
        raise ValueError(f"{path} holds {frames.dtype} {frames.shape}, not uint8 (560, N)")
    return {"train": Arrays(frames.T, np.zeros(frames.shape[1], dtype=np.int64))}


PARSERS: dict[str, Callable[[dict[str, Path]], dict[str, Arrays]]] = {
    "digits": digits,
    "patches": patches,
    "mnist": idx_files,
    "fashion-mnist": idx_files,
    "kmnist": idx_files,
    "omniglot": omniglot,
    "cifar10": cifar10,
    "freyfaces": freyfaces,
}


def parse(entry: Entry, files: dict[str, Path]) -> dict[str, Arrays]:
    """Parse a data set's files and hold them against its entry.

    Returns:
        The part "train" and, where the files have one, the part "test".

    Raises:
        ValueError: if a file is not in its format, or sizes or values are not those of the entry.
    """
    parts = PARSERS[entry.name](files)
    where = f"{entry.name} (from {', '.join(map(str, files.values())) or 'scikit-learn'})"
    for part, (x, y) in parts.items():
        size = entry.splits["test"] if part == "test" else sum(cut_sizes(entry, parts).values())
        if x.shape != (size, prod(entry.image_shape)) or x.dtype != np.uint8 or y.shape != (size,):
            raise ValueError(
                f"{where}, part {part}: {x.dtype} {x.shape} with {len(y)} labels, "
                f"not uint8 {(size, prod(entry.image_shape))} with {size}"
            )
        if x.max() > entry.levels:
            raise ValueError(f"{where}, part {part}: pixel values up to {x.max()}, not {entry.levels}")
        if not 0 <= y.min() <= y.max() < max(entry.classes, 1):
            raise ValueError(f"{where}, part {part}: labels {y.min()}..{y.max()}, not of {entry.classes} classes")
    return parts


def cut_sizes(entry: Entry, parts: dict[str, Arrays]) -> dict[str, int]:
    """The splits that are cut from the training part: all but a published test part."""
    return {split: size for split, size in entry.splits.items() if split == "train" or split not in parts}
