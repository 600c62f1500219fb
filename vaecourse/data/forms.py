"""The forms in which people have an IDX file: as published, gzipped anew, uncompressed, or within keras' mnist.npz.

A file in another form has another checksum. So its content is verified: the bytes of the uncompressed IDX file.
"""

import hashlib
import struct
import zipfile
from pathlib import Path

import numpy as np

from vaecourse.data.bounded import Bounded, read_gzip
from vaecourse.data.registry import Entry

_KERAS = {  # the arrays of an .npz file, by the published files that hold the same
    "train-images-idx3-ubyte.gz": "x_train",
    "train-labels-idx1-ubyte.gz": "y_train",
    "t10k-images-idx3-ubyte.gz": "x_test",
    "t10k-labels-idx1-ubyte.gz": "y_test",
}


def is_idx(file: str) -> bool:
    """Whether a published file is a gzipped IDX file, which has other forms."""
    return file.endswith("-ubyte.gz")


def names_of(entry: Entry, file: str) -> list[str]:
    """The names under which a published file, or its content in another form, can lie in a folder."""
    if not is_idx(file):
        return [file]
    plain = file.removesuffix(".gz")
    bundle = [entry.bundle] if entry.bundle else []
    return [file, plain, plain.replace("-idx", ".idx"), *bundle]


def idx_content(path: Path, file: str | None = None) -> bytes:
    """The bytes of an uncompressed IDX file, from any of its forms.

    Args:
        path: a gzip file, an IDX file or an .npz file.
        file: the name of the published file, which says which array of an .npz file is meant.

    Raises:
        ValueError: if it is not complete, expands beyond measure, or has no such array.
        OSError: if it cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(2)
        if start == b"PK" and file in _KERAS:
            return _from_npz(path, _KERAS[file])
        if start != b"\x1f\x8b" and (start == b"\x00\x00" or path.suffix != ".gz"):
            stream.seek(0)
            return Bounded(stream, path).read_all()
    return read_gzip(path)


def content_checksum(path: Path, file: str) -> str | None:
    """The checksum of the content, "sha256:..."; None, which equals none, if it cannot be had."""
    try:
        return f"sha256:{hashlib.sha256(idx_content(path, file)).hexdigest()}"
    except (ValueError, OSError):
        return None


def _from_npz(path: Path, name: str) -> bytes:
    """An array of bytes as an IDX file. NumPy's header is read by NumPy, and nothing is ever unpickled."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            stream = Bounded(member, path)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[np.lib.format.read_magic(stream)]
            shape, fortran, dtype = read_header(stream)
            values = stream.read_all()
    except Exception as error:  # a damaged file can fail anywhere in the readers, with any exception
        raise ValueError(f"{path} holds no readable array {name} ({type(error).__name__}: {error})") from error
    if dtype != np.uint8 or fortran or len(values) != np.prod(shape, dtype=object) or not 0 < len(shape) < 256:
        raise ValueError(f"{path} holds {dtype} {shape} as {name}, not an array of bytes")
    if max(shape) >= 2**32:
        raise ValueError(f"{path} states {shape} as the shape of {name}")
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values
