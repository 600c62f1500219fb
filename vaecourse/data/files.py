"""Finding, downloading and verifying a data set's files; nothing is read before its SHA-256 is right."""

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from vaecourse.data.registry import Entry


def project_folder() -> Path | None:
    """The project's data/ folder, or None where the package is installed without its project."""
    root = Path(__file__).resolve().parents[2]
    return root / "data" if (root / "pyproject.toml").is_file() else None


def search_folders(name: str) -> list[Path]:
    """Where files of a data set may lie, in the order of search.

    These are `$VAECOURSE_DATA` and its subfolder of that name if the variable is set, then the project's
    data/ (or, without a project, the user's cache) with its subfolder.
    """
    bases = [project_folder() or Path(pooch.os_cache("vaecourse"))]
    if os.environ.get("VAECOURSE_DATA"):
        bases.insert(0, Path(os.environ["VAECOURSE_DATA"]).expanduser())
    return [folder for base in bases for folder in (base, base / name)]


def locate(entry: Entry) -> dict[str, Path]:
    """Return the path of each of a data set's files, verified, downloading those that are nowhere at hand.

    Raises:
        ValueError: if a file at hand is not the published one.
        FileNotFoundError: if a file is neither at hand nor to be had from a mirror.
    """
    folders = search_folders(entry.name)
    paths = {}
    for file, sha256 in entry.files.items():
        at_hand = [folder / file for folder in folders if (folder / file).is_file()]
        paths[file] = verify(at_hand[0], sha256) if at_hand else download(entry, file, folders[1])
    return paths


def verify(path: Path, sha256: str) -> Path:
    """Return the path if the file is the published one.

    Raises:
        ValueError: if its SHA-256 is another.
    """
    found = pooch.file_hash(str(path), alg="sha256")
    if found != sha256:
        raise ValueError(
            f"{path} is not the published file: its SHA-256 starts with {found[:12]}, it should start with "
            f"{sha256[:12]}; delete it, and the next load fetches it again"
        )
    return path


def download(entry: Entry, file: str, folder: Path) -> Path:
    """Fetch one file into the folder from the first mirror that gives it unaltered.

    pooch writes to a temporary file and renames it once the checksum is right: no half file is left behind.

    Raises:
        FileNotFoundError: if no mirror gives it, or the folder cannot be written.
    """
    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says enough
    remedy = f"put {', '.join(entry.files)} into {folder}, or set VAECOURSE_DATA to the folder that holds them"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileNotFoundError(f"{folder} cannot be made ({error.strerror}): {remedy}") from error
    failures = []
    for mirror in entry.mirrors:
        fetch = pooch.HTTPDownloader(progressbar=True, timeout=20)
        try:
            sha256 = f"sha256:{entry.files[file]}"
            return Path(pooch.retrieve(mirror + file, sha256, file, folder, downloader=fetch))
        except (OSError, ValueError) as error:  # no connection or no such page; or not the published file
            failures.append(f"{urlsplit(mirror).netloc}: {_reason(error)}")
    raise FileNotFoundError(f"{entry.name} could not be downloaded ({'; '.join(failures)}): {remedy}")


def _reason(error: Exception) -> str:
    """A few words on why a mirror failed; the errors' own texts run over several lines."""
    if isinstance(error, requests.HTTPError):
        return f"status {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return "no connection"
    return "not the published file" if isinstance(error, ValueError) else str(error)
