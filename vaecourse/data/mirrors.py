"""Downloading one file: mirror after mirror, until one gives what is published."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
ANSWER = 60.0  # seconds until the headers of an answer are complete, redirections among them
DEADLINE = 3600.0  # seconds for one file, all mirrors and rounds among them


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
    file of the right length, one that is too long or a web page, is not asked again. Nothing goes on for longer than
    `DEADLINE`, however a mirror spreads what it sends, and no more is stored than the file can have.

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
    deadline = time.monotonic() + DEADLINE
    for pause in (0.0, *PAUSES):
        time.sleep(pause if remaining else 0.0)
        for mirror in list(remaining):
            if time.monotonic() > deadline:
                reasons.setdefault(mirror, "no time left to ask")
                continue
            try:
                return _fetch(mirror + name, name, file, folder, inspect, deadline)
            except MirrorError as error:
                reasons[mirror] = str(error)
                if not error.passing:
                    remaining.remove(mirror)
    raise DataUnavailableError("; ".join(f"{urlsplit(mirror).netloc}: {why}" for mirror, why in reasons.items()))


def _fetch(url: str, name: str, file: File, folder: Path, inspect: Callable[[Path], None], deadline: float) -> Path:
    """One attempt at one mirror."""
    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says enough

    def download(url: str, output: str, _: object) -> None:
        _stream(url, Path(output), name, file, deadline)
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


def _stream(url: str, output: Path, name: str, file: File, deadline: float) -> None:
    """Write what a URL answers to a file, byte for byte, with a progress bar."""
    start = time.monotonic()
    with (
        _ask(url, min(ANSWER, deadline - start)) as response,
        _cut_off(response, deadline - time.monotonic()) as expired,
        output.open("wb") as out,
        tqdm(total=file.size, desc=name, unit="B", unit_scale=True, leave=False) as bar,
    ):
        response.raise_for_status()
        # read1 returns what has arrived, so that a mirror which trickles is noticed; nothing is decompressed.
        while block := response.raw.read1(2**16, decode_content=False):
            out.write(block)
            bar.update(len(block))
            seconds = time.monotonic() - start
            if seconds > PATIENCE and out.tell() < SLOWEST * seconds:
                raise MirrorError("no answer in time", passing=True)
            if out.tell() > file.limit:
                what = "the published file" if file.size else f"{file.limit:,} bytes, which no version of it is"
                raise MirrorError(f"longer than {what}", passing=False)
        if expired.is_set():
            raise MirrorError("no answer in time", passing=True)


def _ask(url: str, seconds: float) -> requests.Response:
    """The answer to a request, once its headers are there.

    The timeouts of requests begin anew with every byte, so that dripped headers can take for ever. Hence a thread asks,
    which is left to itself when time is up.
    """
    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()
    in_time = threading.Lock()  # whoever takes it first decides: the answer is handed on, or closed

    def ask() -> None:
        try:
            response = requests.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"})
        except Exception as error:
            answers.put(error)
            return
        if in_time.acquire(blocking=False):
            answers.put(response)
        else:
            response.close()

    threading.Thread(target=ask, daemon=True, name=f"ask {url}").start()
    try:
        answer = answers.get(timeout=max(seconds, 0.0))
    except queue.Empty:
        if in_time.acquire(blocking=False):
            raise MirrorError("no answer in time", passing=True) from None
        answer = answers.get()  # it came at the last moment
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextmanager
def _cut_off(response: requests.Response, seconds: float) -> Iterator[threading.Event]:
    """Shut the connection down when time is up, whatever is being waited for; the event says that this was why."""
    expired = threading.Event()

    def shut_down() -> None:
        expired.set()
        response.raw.shutdown()

    timer = threading.Timer(max(seconds, 0.0), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    except (requests.RequestException, HTTPError, OSError) as error:
        if expired.is_set():
            raise MirrorError("no answer in time", passing=True) from error
        raise
    finally:
        timer.cancel()


def _check_content(path: Path, size: int | None) -> None:
    """Say in words what a checksum alone would not: a web page, or a part of the file."""
    with path.open("rb") as content:
        if content.read(64).lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise MirrorError("a web page in place of the file", passing=False)
    if size is not None and path.stat().st_size < size:
        raise MirrorError(f"{path.stat().st_size} of {size} bytes", passing=True)
