"""Downloading one file: mirror after mirror, until one gives what is published."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from vaecourse.data.cache import DataUnavailableError
from vaecourse.data.registry import File

TIMEOUT = (10.0, 20.0)  # seconds to connect, and between two pieces of an answer
PAUSES = (1.0, 4.0)  # seconds before the second and the third round over the mirrors
SLOWEST, PATIENCE = 1000, 30.0  # bytes a second, which a mirror has to reach after so many seconds


class MirrorError(Exception):
    """Why a mirror did not give the file, and whether asking again can help."""

    def __init__(self, reason: str, passing: bool):
        super().__init__(reason)
        self.passing = passing


def fetch(
    mirrors: tuple[str, ...], name: str, file: File, folder: Path, inspect: Callable[[Path], None] = lambda path: None
) -> Path:
    """Download a file from the first mirror that gives it as published.

    All mirrors are asked before any is asked again, after a pause. One that says no (status 4xx), or gives another
    file of the right length or a web page, is not asked again.

    Args:
        mirrors: URLs that end in a slash; the file's name is appended.
        name: the file's name.
        file: its checksum and size, as far as they are known.
        folder: where it goes; pooch writes to a temporary file there and renames it once the checksum is right.
        inspect: raises a ValueError if the content of a path is wrong; what files without a checksum need.

    Returns:
        The path of the file.

    Raises:
        DataUnavailableError: if no mirror gives it; the message is a list of reasons.
        OSError: if it cannot be written.
    """
    reasons: dict[str, str] = {}
    remaining = list(mirrors)
    for pause in (0.0, *PAUSES):
        time.sleep(pause if remaining else 0.0)
        for mirror in list(remaining):
            try:
                return _fetch(mirror + name, name, file, folder, inspect)
            except MirrorError as error:
                reasons[mirror] = str(error)
                if not error.passing:
                    remaining.remove(mirror)
    raise DataUnavailableError("; ".join(f"{urlsplit(mirror).netloc}: {why}" for mirror, why in reasons.items()))


def _fetch(url: str, name: str, file: File, folder: Path, inspect: Callable[[Path], None]) -> Path:
    """One attempt at one mirror."""
    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says enough

    def download(url: str, output: str, _: object) -> None:
        _stream(url, Path(output), name, file.size)
        _check_content(Path(output), file.size)
        inspect(Path(output))

    try:
        path = Path(pooch.retrieve(url, file.checksum, name, folder, downloader=download))
        path.chmod(0o644)  # temporary files are their owner's alone, but a cache may serve many
        return path
    except requests.HTTPError as error:
        status = error.response.status_code
        raise MirrorError(f"status {status}", passing=status >= 500 or status in (408, 425, 429)) from error
    except (requests.Timeout, ReadTimeoutError) as error:
        raise MirrorError("no answer in time", passing=True) from error
    except requests.ConnectionError as error:
        raise MirrorError("no connection", passing=True) from error
    except (requests.RequestException, HTTPError) as error:
        raise MirrorError("the answer broke off", passing=True) from error
    except ValueError as error:  # pooch's for a wrong checksum, or inspect's
        raise MirrorError("not the published file", passing=False) from error


def _stream(url: str, output: Path, name: str, size: int | None) -> None:
    """Write what a URL answers to a file, byte for byte, with a progress bar."""
    start = time.monotonic()
    as_stored = {"Accept-Encoding": "identity"}
    with (
        requests.get(url, stream=True, timeout=TIMEOUT, headers=as_stored) as response,
        output.open("wb") as out,
        tqdm(total=size, desc=name, unit="B", unit_scale=True, leave=False) as bar,
    ):
        response.raise_for_status()
        # read1 returns what has arrived, so that a mirror which trickles is noticed; nothing is decompressed.
        while block := response.raw.read1(2**16, decode_content=False):
            out.write(block)
            bar.update(len(block))
            seconds = time.monotonic() - start
            if seconds > PATIENCE and out.tell() < SLOWEST * seconds:
                raise MirrorError("no answer in time", passing=True)
            if size is not None and out.tell() > size:
                raise MirrorError("longer than the published file", passing=False)


def _check_content(path: Path, size: int | None) -> None:
    """Say in words what a checksum alone would not: a web page, or a part of the file."""
    with path.open("rb") as content:
        if content.read(64).lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise MirrorError("a web page in place of the file", passing=False)
    if size is not None and path.stat().st_size < size:
        raise MirrorError(f"{path.stat().st_size} of {size} bytes", passing=True)
