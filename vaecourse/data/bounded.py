"""Reading compressed files without trusting them: no file makes the course hold more than a stated size in memory."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

EXPANDED = 2**29  # bytes that a file may expand to; Omniglot, the largest, needs 220 MB
_BLOCK = 2**20


class Bounded:
    """A stream that is read from front to back, and raises a ValueError before it has given too much.

    Args:
        stream: what is read, decompressed.
        path: the file it comes from, for the sentence.
    """

    def __init__(self, stream: BinaryIO, path: Path):
        self.stream, self.path, self.given = stream, path, 0

    def read(self, size: int) -> bytes:
        """The next bytes, at most that many."""
        block = self.stream.read(size)
        self.given += len(block)
        check_expanded(self.given, self.path)
        return block

    def read_all(self) -> bytes:
        """All that is left."""
        return b"".join(iter(lambda: self.read(_BLOCK), b""))


def check_expanded(size: int, path: Path) -> None:
    """Refuse a file that holds, or expands to, more than any file of the course.

    Raises:
        ValueError: if size is above `EXPANDED`.
    """
    if size > EXPANDED:
        raise ValueError(f"{path} expands to more than {EXPANDED:,} bytes, which no file of the course does")


def read_gzip(path: Path) -> bytes:
    """The content of a gzip file.

    Raises:
        ValueError: if it is not one, not complete, or expands beyond measure.
    """
    try:
        with gzip.open(path, "rb") as stream:
            return Bounded(stream, path).read_all()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a complete gzip file ({error})") from error


def check_matlab(path: Path) -> None:
    """Refuse a MATLAB file whose compressed variables expand beyond measure, before its reader would expand them.

    Level 5: a header of 128 bytes, then elements, each a type (15 is zlib's compression), a length and its content.

    Raises:
        ValueError: if they do.
    """
    total = path.stat().st_size
    check_expanded(total, path)
    with path.open("rb") as content:
        order = {b"IM": "<", b"MI": ">"}.get(content.read(128)[126:])
        while order and len(tag := content.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != 15:
                content.seek(size, 1)
                continue
            expand = zlib.decompressobj()
            for start in range(0, size, 2**16):
                block = content.read(min(2**16, size - start))
                while block:
                    try:
                        total += len(expand.decompress(block, _BLOCK))
                    except zlib.error:
                        return  # damaged: its reader says so
                    check_expanded(total, path)
                    block = expand.unconsumed_tail
