"""The bytes of a code: a header that says what it is and who can read it, then the stack, heads first.

Whatever happened to the bytes, and whichever model wrote them, the reader hears of it before an image is made.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np

from vaecourse.coding.ans import Stack

MAGIC = b"vaecode"
VERSION = 1
_HEADER = struct.Struct("<7sB8sBBIIIIIQ")  # little-endian, without gaps: the same bytes on every machine
_CHECKSUM = struct.Struct("<I")  # CRC-32 of all that stands before and after it
_BODY = _HEADER.size + _CHECKSUM.size


class Header(NamedTuple):
    """What a decoder has to know before it touches the stack."""

    fingerprint: bytes  # of the model and its tables, 8 bytes
    precision: int  # bits of all frequencies but the prior's
    num_cell_bits: int  # 2^b cells of each latent
    num_pixels: int
    num_images: int
    num_lanes: int
    num_words: int
    num_clean_words: int  # words of random bits that were put under the images
    seed: int  # of the random bits

    def clean_stack(self) -> Stack:
        """The stack of random bits that the images were pushed onto, which must be left when they are popped."""
        return Stack.of_random_bits(self.num_lanes, self.seed, self.num_clean_words)


class CodeLength(NamedTuple):
    """How long a code is, in three ways that must not be taken for each other."""

    num_images: int
    net_bits: float  # what the images cost: all that is on the stack, less the random bits under it
    initial_bits: float  # those random bits: lost, unless they were data of one's own
    file_bytes: int  # all of it: net and initial bits, what is left unused of each lane's 64-bit head, the header

    @property
    def net_bytes_per_image(self) -> float:
        """To be held against the negative bound in bits, divided by 8."""
        return self.net_bits / 8 / self.num_images


def pack(header: Header, stack: Stack) -> bytes:
    """Header and stack as bytes."""
    first = _HEADER.pack(MAGIC, VERSION, *header)
    body = stack.heads.astype("<u8").tobytes() + stack.words.astype("<u4").tobytes()
    return first + _CHECKSUM.pack(zlib.crc32(body, zlib.crc32(first))) + body


def unpack(stream: bytes) -> tuple[Header, Stack]:
    """Header and stack of a stream that is whole.

    Raises:
        ValueError: it is no stream of this coder, or of another version, too short, too long, or changed somewhere.
    """
    if not isinstance(stream, (bytes, bytearray, memoryview)):
        raise ValueError(f"stream must be bytes, and is a {type(stream).__name__}")
    stream = bytes(stream)
    if stream[: len(MAGIC)] != MAGIC:
        raise ValueError(f"stream must begin with {MAGIC!r}, and begins with {stream[: len(MAGIC)]!r}: it is no code")
    if len(stream) < _BODY:
        raise ValueError(f"stream is truncated: it has {len(stream)} bytes, and its header alone {_BODY}")
    _, version, *fields = _HEADER.unpack_from(stream)
    if version != VERSION:
        raise ValueError(f"stream is of version {version}, and this coder reads version {VERSION}")
    header = Header(*fields)
    expected = _BODY + 8 * header.num_lanes + 4 * header.num_words
    if len(stream) != expected:
        how = "truncated" if len(stream) < expected else "too long"
        raise ValueError(f"stream is {how}: its header announces {expected} bytes, and it has {len(stream)}")
    (stored,) = _CHECKSUM.unpack_from(stream, _HEADER.size)
    if zlib.crc32(stream[_BODY:], zlib.crc32(stream[: _HEADER.size])) != stored:
        raise ValueError("stream is damaged: its checksum is not that of its content")
    words_at = _BODY + 8 * header.num_lanes
    return header, Stack(np.frombuffer(stream[_BODY:words_at], "<u8"), np.frombuffer(stream[words_at:], "<u4"))


def code_length(stream: bytes) -> CodeLength:
    """How long the code of a stream is, with the random bits counted apart.

    Raises:
        ValueError: as for :func:`unpack`.
    """
    header, stack = unpack(stream)
    initial = header.clean_stack().num_bits
    return CodeLength(header.num_images, stack.num_bits - initial, initial, len(stream))
