"""Many processes on a cold cache: `python tests/cold_cache.py` prints errors and downloads of 30 trials of 16."""

import argparse
import hashlib
import multiprocessing
import os
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from loopback import Mirrors, described, tiny_mnist
from tqdm import tqdm

from vaecourse import data
from vaecourse.data import cache
from vaecourse.data.registry import registry

# On Unix the package is imported once, and processes start in milliseconds; elsewhere each imports it itself.
UNIX = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if UNIX else "spawn")
CONTEXT.set_forkserver_preload(["vaecourse.data"])


class Outcome(NamedTuple):
    """What a trial came to: sentences, and how often each file was asked for."""

    errors: list[str]
    requests: Counter


def one_process(entry, folder, start, queue):
    """Load the set the moment all processes are there; report an error, or what was loaded."""
    registry()["mnist"] = entry
    cache.project_folder = lambda: folder
    start.wait()
    try:
        queue.put(hashlib.sha256(data.load("mnist").x.numpy()).hexdigest())
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")


def trial(folder: Path, num_processes: int) -> Outcome:
    """Start the processes at once on a cache folder that does not exist yet."""
    contents = tiny_mnist()
    sizes = {"train": 40, "valid": 10, "test": 20}
    start, queue = CONTEXT.Barrier(num_processes), CONTEXT.Queue()
    with Mirrors(contents) as server:
        entry = replace(registry()["mnist"], files=described(contents), splits=sizes, mirrors=(server.url("good"),) * 2)
        processes = [
            CONTEXT.Process(target=one_process, args=(entry, folder, start, queue)) for _ in range(num_processes)
        ]
        for process in processes:
            process.start()
        answers = Counter(queue.get(timeout=100) for _ in processes)
        for process in processes:
            process.join()
    errors = [answer for answer in answers if " " in answer] + ["different data"] * (len(answers) > 1)
    left = sorted(path.name for path in (folder / "mnist").iterdir() if path.name != ".lock")
    errors += [f"left behind: {left}"] * (left != sorted(contents))
    return Outcome(errors, Counter(server.requests))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"  # of the processes; this one shows its bar
    errors, downloads = [], Counter()
    for _ in tqdm(range(options.trials), desc="trials"):
        with tempfile.TemporaryDirectory() as folder:
            outcome = trial(Path(folder) / "data", options.processes)
        errors += outcome.errors
        downloads.update(outcome.requests.values())
    print(f"{options.trials} trials of {options.processes} processes: {len(errors)} errors {errors[:3]}")
    print(f"downloads of a file in a trial: {dict(downloads)} (number of downloads: how often)")
